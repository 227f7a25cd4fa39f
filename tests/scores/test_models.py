"""Vectors are those of transformers' own classes; what is no model for a score is refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

from modules.data.text.tokenizer import read_json
from modules.errors import UserError
from modules.image_models.finding import find_model
from modules.scores.head import AestheticHead
from modules.scores.kinds import SCORES
from modules.scores.model import ScoringModel, config_of
from modules.scores.preprocess import preprocessing_of
from tests.scores import tiny

CPU = torch.device("cpu")


def opened(folder: Path, score: str) -> ScoringModel:
    return ScoringModel(folder, folder.name, SCORES[score], CPU)


def images(tmp_path: Path) -> list[Image.Image]:
    sizes = [(48, 36), (35, 90), (32, 32)]
    return [
        Image.open(tiny.picture(tmp_path / f"{n}.png", n, size=size)).convert("RGB") for n, size in enumerate(sizes)
    ]


def test_an_image_is_prepared_as_transformers_prepares_it(tmp_path: Path) -> None:
    from transformers import BitImageProcessor, CLIPImageProcessor, SiglipImageProcessor

    made = {
        CLIPImageProcessor: tiny.models()["clip"], BitImageProcessor: tiny.models()["dino"],
        SiglipImageProcessor: tiny.siglip(tmp_path / "siglip"),
    }  # fmt: skip
    for processor, folder in made.items():
        ours = preprocessing_of(folder, "", {})
        theirs = processor.from_pretrained(folder)(images(tmp_path), return_tensors="pt")["pixel_values"]
        assert torch.allclose(torch.stack([ours.tensor(image) for image in images(tmp_path)]), theirs, atol=1e-5)


@pytest.mark.parametrize("kind", ["dinov2", "dinov2_with_registers", "dinov3_vit", "vit"])
def test_vectors_of_a_vision_model_are_its_class_token(kind: str, tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = tiny.dino(tmp_path / kind, kind)
    pixels = torch.stack([preprocessing_of(folder, kind, {}).tensor(image) for image in images(tmp_path)])
    with torch.no_grad():
        wanted = AutoModel.from_pretrained(folder).eval()(pixel_values=pixels).last_hidden_state[:, 0]
    assert torch.allclose(opened(folder, "dino").images(images(tmp_path)), normalize(wanted, dim=-1), atol=1e-5)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_vectors_of_images_and_texts_are_those_of_transformers(kind: str, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = tiny.models()["clip"] if kind == "clip" else tiny.siglip(tmp_path / "siglip")
    texts = ["a cat", "A red dog", "a " * 90]
    theirs, model = AutoModel.from_pretrained(folder).eval(), opened(folder, "text")
    pixels = torch.stack([preprocessing_of(folder, kind, {}).tensor(image) for image in images(tmp_path)])
    ids = AutoTokenizer.from_pretrained(folder)(
        [text.lower() for text in texts], padding="max_length", truncation=True, return_tensors="pt",
        max_length=theirs.config.text_config.max_position_embeddings,
    )["input_ids"]  # fmt: skip
    with torch.no_grad():
        seen = theirs.vision_model(pixel_values=pixels).pooler_output
        read = theirs.text_model(input_ids=ids).pooler_output
        if kind == "clip":
            seen, read = theirs.visual_projection(seen), theirs.text_projection(read)
    assert torch.allclose(model.images(images(tmp_path)), normalize(seen, dim=-1), atol=1e-5)
    vectors, cut = model.texts(texts)
    assert torch.allclose(vectors, normalize(read, dim=-1), atol=1e-5)
    assert cut == [False, False, True]


def test_a_config_as_openai_wrote_it_is_read(tmp_path: Path) -> None:
    """With settings twice, those of old releases, and an end mark whose number means "the last token"."""
    from transformers import CLIPModel, CLIPTokenizer

    folder = copytree(tiny.models()["clip"], tmp_path / "old")
    config = read_json(folder / "config.json")
    text = {name: value for name, value in config["text_config"].items() if name in tiny.TOWER}
    old = {
        **text,
        "model_type": "clip_text_model",
        "bos_token_id": 0,
        "eos_token_id": 2,
        "top_k": 50,
        "id2label": {"0": "A"},
    }
    more = {"text_config": old, "text_config_dict": text, "vision_config_dict": None, "transformers_version": None}
    (folder / "config.json").write_text(json.dumps({**config, **more, "torch_dtype": "float32"}))
    ids = CLIPTokenizer.from_pretrained(folder)(["a red cat"], return_tensors="pt")
    with torch.no_grad():
        theirs = CLIPModel.from_pretrained(folder).eval()
        wanted = theirs.text_projection(theirs.text_model(**ids).pooler_output)
    assert torch.allclose(opened(folder, "preference").texts(["a red cat"])[0], normalize(wanted, dim=-1), atol=1e-5)


def test_of_a_clip_without_a_tokenizer_and_without_sizes_the_usual_ones_are_taken(tmp_path: Path) -> None:
    """PickScore brings neither, and is read with another model's."""
    whole = tiny.models()["clip"]
    bare = copytree(whole, tmp_path / "bare")
    for name in ("vocab.json", "merges.txt", "preprocessor_config.json"):
        (bare / name).unlink()
    assert opened(bare, "preference").texts(["a cat"])[0].equal(opened(whole, "preference").texts(["a cat"])[0])
    assert preprocessing_of(bare, "clip", read_json(bare / "config.json")).shortest == tiny.SIDE
    other = copytree(tiny.models()["dino"], tmp_path / "other")
    (other / "preprocessor_config.json").unlink()
    with pytest.raises(UserError) as refused:
        opened(other, "dino")
    assert refused.value.problem.code == "model.file-missing"


def test_a_file_with_a_classifier_on_top_is_read(tmp_path: Path) -> None:
    """Its names begin with the model's; a ViT's pooler is not asked."""
    plain = tiny.dino(tmp_path / "plain", "vit")
    tensors = load_file(plain / "model.safetensors")
    classifier = copytree(plain, tmp_path / "classifier")
    named = {f"vit.{name}": tensor for name, tensor in tensors.items() if not name.startswith("pooler.")}
    save_file({**named, "classifier.weight": torch.zeros(3, 16)}, classifier / "model.safetensors")
    pictures = images(tmp_path)
    assert opened(classifier, "dino").images(pictures).equal(opened(plain, "dino").images(pictures))


def refusal(folder: Path, score: str) -> str:
    with pytest.raises(UserError) as refused:
        opened(folder, score)
    assert str(folder.name) in str(refused.value)
    return refused.value.problem.code


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert refusal(tiny.models()["dino"], "text") == "score.wrong-model"
    assert refusal(tiny.siglip(tmp_path / "siglip"), "preference") == "score.wrong-model"
    for name, kind, code in (
        ("flexible", "siglip2", "score.wrong-model:naflex"),
        ("bert", "bert", "score.wrong-model"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"model_type": kind}))
        assert refusal(tmp_path / name, "dino") == code
    assert refusal(tmp_path, "dino") == "model.file-missing"
    assert refusal(tiny.picture(tmp_path / "a.png", 0), "dino") == "score.no-model-folder"


def test_a_model_with_tensors_missing_is_refused_and_not_filled_by_chance(tmp_path: Path) -> None:
    torn = copytree(tiny.models()["clip"], tmp_path / "torn")
    tensors = load_file(torn / "model.safetensors")
    del tensors["visual_projection.weight"]
    save_file(tensors, torn / "model.safetensors")
    with pytest.raises(UserError, match="visual_projection"):
        opened(torn, "text")


@pytest.mark.parametrize(
    "damage",
    [{"text_config": None, "vision_config": None}, {"vision_config": {"image_size": "x"}}, {"text_config": [3]},
     {"model_type": ["clip"]}, {"projection_dim": -4}],
)  # fmt: skip
def test_a_config_that_makes_no_sense_is_refused_in_words(damage: dict[str, object], tmp_path: Path) -> None:
    folder = copytree(tiny.models()["clip"], tmp_path / "odd")
    (folder / "preprocessor_config.json").unlink()
    config = read_json(folder / "config.json")
    (folder / "config.json").write_text(json.dumps({**config, **damage}))
    with pytest.raises(UserError):
        opened(folder, "text").texts(["a cat"])


@pytest.mark.parametrize(
    "damage",
    [{"size": {}}, {"size": {"shortest_edge": 10}}, {"image_std": [0, 1, 1]}, {"image_mean": "x"}, {"resample": 77},
     {"crop_size": {"height": 10**9, "width": 2}}],
)  # fmt: skip
def test_sizes_and_colours_that_make_no_sense_are_refused_in_words(damage: dict[str, object], tmp_path: Path) -> None:
    about = read_json(tiny.models()["dino"] / "preprocessor_config.json")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**about, **damage}))
    with pytest.raises(UserError) as refused:
        preprocessing_of(tmp_path, "dinov2", {})
    assert refused.value.problem.code == "score.preprocessing"


def test_a_model_that_cannot_be_fetched_is_refused(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    for name in ("nobody/nothing-here", str(tmp_path / "absent")):
        with pytest.raises(UserError) as refused:
            find_model(name, "text_model", offline=True, report=lambda _: None)
        found[name] = refused.value.problem.code
        assert refused.value.problem.path == "text_model"
    assert list(found.values()) == ["hub.offline:tool", "model.not-there"]


def test_an_aesthetic_predictor_is_its_layers_one_behind_the_other(tmp_path: Path) -> None:
    file, vectors = tiny.head(tmp_path / "head.pth"), normalize(torch.randn(3, 8), dim=-1)
    layers = torch.load(file, weights_only=True)
    wanted = vectors
    for place in (0, 2, 4, 6, 7):
        wanted = wanted @ layers[f"layers.{place}.weight"].T + layers[f"layers.{place}.bias"]
    assert torch.allclose(AestheticHead(file).scores(vectors), wanted[:, 0], atol=1e-5)
    assert torch.allclose(AestheticHead(tmp_path).scores(vectors), wanted[:, 0], atol=1e-5)
    with pytest.raises(UserError) as refused:
        AestheticHead(file).scores(torch.randn(3, 7))
    assert refused.value.problem.code == "score.head-size"


def test_what_is_no_aesthetic_predictor_is_refused(tmp_path: Path) -> None:
    save_file({"a.weight": torch.zeros(4, 8), "a.bias": torch.zeros(4)}, tmp_path / "vectors.safetensors")
    (tmp_path / "empty").mkdir()
    for place, code in (("vectors.safetensors", "score.no-head"), ("empty", "score.head-files")):
        with pytest.raises(UserError) as refused:
            AestheticHead(tmp_path / place)
        assert refused.value.problem.code == code


def test_every_score_has_a_setting_and_a_model_that_can_compute_it() -> None:
    from modules.scores.settings import Settings

    for name, kind in SCORES.items():
        assert Settings.model_fields[f"{name}_model"].default == kind.models[0].name
        assert isinstance(Settings(source="x").model_dump()[name], bool)
    assert config_of(tiny.models()["clip"], "clip", SCORES["preference"])["model_type"] == "clip"
