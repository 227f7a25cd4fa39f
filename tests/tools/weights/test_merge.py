"""Merging models: what must come out exactly, whatever the files look like, and in how much memory."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from modules.errors import Problems, UserError
from modules.families import LoadOptions
from modules.merging import merge
from modules.merging.combine import METHODS, Mix
from modules.merging.models import Place, opened
from modules.messages import Finished, Note, RunTool
from modules.system.weights import open_weights
from modules.tools.opening.models import merge_lora, open_model
from modules.tools.weights.recipes import RECIPE
from tests.families.tiny_models import tiny_flux1, tiny_zimage
from tests.test_run import do
from tests.tiny import tiny_sd, tiny_sdxl
from tests.tools.weights.test_convert import converted, tensors_of
from tests.tools.weights.test_extract import lora_of_all_layers
from tests.trainer.runs import assert_equal, folder_of, run, values

FULL = ("method.kind=full", "training.learning_rate=1e-3", "schedule.warmup=0 steps", "training.steps=2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("merge")
    return [tiny_sd(root / name, seed=seed) for seed, name in enumerate("abc")]


@pytest.fixture(scope="module")
def files(folders: list[Path]) -> list[Path]:
    return [converted(folder, folder.with_suffix(".safetensors"), dtype="fp16") for folder in folders]


@pytest.fixture(scope="module")
def lora(folders: list[Path]) -> Path:
    return lora_of_all_layers(folders[0], folders[0].parent / "lora.safetensors")


def merged(target: Path, *models: Path | str, **settings: Any) -> tuple[Path, list[str]]:
    values = {"models": [str(model) for model in models], "out": str(target), "overwrite": True, **settings}
    events = do(RunTool("merge", values))
    assert events[-1] == Finished(path=str(target))
    return target, [event.text for event in events if isinstance(event, Note)]


def expected(one: dict[str, Tensor], other: dict[str, Tensor], share: Callable[[str], float]) -> dict[str, Tensor]:
    return {name: torch.lerp(tensor, other[name], share(name)) for name, tensor in one.items()}


def assert_close(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(
            found[name], tensor, atol=1e-6, rtol=1e-6, msg=lambda said, name=name: f"{name} {said}"
        )


def test_nothing_and_all_of_the_other_are_the_models_bit_for_bit(files: list[Path], tmp_path: Path) -> None:
    first, second, _ = files
    whole = {"vae": "ratio"}
    for ratio, wanted in (("0", first), ("1", second)):
        found, _ = merged(tmp_path / "x.safetensors", first, second, ratio=ratio, **whole)
        assert_equal(load_file(wanted), load_file(found))
    found, _ = merged(tmp_path / "x.safetensors", first, first, ratio="0.3", **whole)
    assert_equal(load_file(first), load_file(found))


def test_a_folder_and_a_file_of_other_precision_go_together(
    folders: list[Path], files: list[Path], tmp_path: Path
) -> None:
    found, said = merged(tmp_path / "folder", folders[0], files[1], ratio="0.25")
    one, other = tensors_of(folders[0]), tensors_of(files[1])
    assert_close(tensors_of(found), expected(one, other, lambda name: 0.0 if name.startswith("vae|") else 0.25))
    assert any(line.startswith("Stable Diffusion") and "2 models" in line for line in said), said
    again, _ = merged(
        tmp_path / "x.safetensors", folders[0], files[1], ratio="0.25", dtype="bf16", text_encoders="first"
    )
    assert {tensor.dtype for tensor in load_file(again).values()} == {torch.bfloat16, torch.uint8}
    name = "text_encoder_1|final_layer_norm.bias"
    assert torch.equal(tensors_of(again)[name], one[name].bfloat16().float())


def test_several_models_have_a_share_each(folders: list[Path], tmp_path: Path) -> None:
    found, _ = merged(tmp_path / "x.safetensors", *folders, ratio="0.2, 0.3")
    a, b, c = map(tensors_of, folders)
    name = "denoiser|mid_block.resnets.0.conv1.weight"
    torch.testing.assert_close(tensors_of(found)[name], 0.5 * a[name] + 0.2 * b[name] + 0.3 * c[name])
    equal, _ = merged(tmp_path / "x.safetensors", *folders)
    torch.testing.assert_close(tensors_of(equal)[name], (a[name] + b[name] + c[name]) / 3)


def test_blocks_have_ratios_of_their_own(folders: list[Path], tmp_path: Path) -> None:
    blocks = "IN00-IN01=0, MID=1, TE=0.75, BASE=0.125"
    found, _ = merged(tmp_path / "x.safetensors", *folders[:2], ratio="0.5", blocks=blocks)
    one, other, result = tensors_of(folders[0]), tensors_of(folders[1]), tensors_of(found)
    ratios = {
        "denoiser|conv_in.weight": 0.0, "denoiser|down_blocks.0.resnets.0.conv1.weight": 0.0,
        "denoiser|mid_block.attentions.0.proj_in.weight": 1.0, "denoiser|time_embedding.linear_1.weight": 0.125,
        "denoiser|up_blocks.1.resnets.0.conv1.weight": 0.5, "vae|decoder.conv_in.weight": 0.0,
        "text_encoder_1|encoder.layers.0.mlp.fc1.weight": 0.75,
    }  # fmt: skip
    for name, ratio in ratios.items():
        torch.testing.assert_close(result[name], torch.lerp(one[name], other[name], ratio), msg=name)


@pytest.mark.parametrize("made", [tiny_sdxl, tiny_zimage, tiny_flux1], ids=["sdxl", "zimage", "flux"])
def test_other_families_too_without_what_their_files_lack(made: Callable[..., Path], tmp_path: Path) -> None:
    one = made(tmp_path / "one")
    file = converted(one, tmp_path / "one.safetensors")
    tensors = load_file(file)
    twice = {name: 2 * tensor if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save_file(twice, tmp_path / "two.safetensors", dict(open_weights(file).metadata))
    found, _ = merged(tmp_path / "x.safetensors", file, tmp_path / "two.safetensors", ratio="0.5", vae="ratio")
    for name, tensor in load_file(found).items():
        if tensor.is_floating_point() and tensor.numel() and not name.endswith("logit_scale"):
            torch.testing.assert_close(tensor.float(), 1.5 * tensors[name].float(), atol=1e-6, rtol=1e-2, msg=name)


def tensors_by(method: str, folders: list[Path], ratios: dict[str, float]) -> Mapping[str, Tensor]:
    """Of the denoiser, as they would be written."""
    places = [Place(folder.name, str(folder)) for folder in folders]
    *models, below = opened(places, LoadOptions())
    return merge.merged(models, below, merge.How(method, Mix((0.5,)), ratios))["denoiser"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_works_by_block(method: str, folders: list[Path]) -> None:
    found, first = tensors_by(method, folders, {"MID": 0.0}), tensors_of(folders[0])
    still = "mid_block.resnets.0.conv1.weight"
    assert not torch.equal(found["conv_in.weight"], first["denoiser|conv_in.weight"])
    if method not in ("ties", "dare"):  # which still leave out of A what is too small, or some by chance
        torch.testing.assert_close(found[still], first[f"denoiser|{still}"])


def test_whether_there_is_a_tensor_is_known_without_making_it(folders: list[Path]) -> None:
    models = opened([Place(folder.name, str(folder)) for folder in folders[:2]], LoadOptions())
    made: list[int] = []
    how = merge.How("weighted_sum", Mix((0.5,)))
    tensors = merge.merged(models, None, how, progress=lambda done, total: made.append(done))["denoiser"]
    assert "conv_in.weight" in tensors and "conv_of_another.weight" not in tensors
    assert not made
    assert tensors["conv_in.weight"].isfinite().all() and made == [1]


def test_what_the_first_lacks_is_the_others_and_told(files: list[Path], tmp_path: Path) -> None:
    bare = tmp_path / "bare.safetensors"
    save_file(
        {n: t for n, t in load_file(files[0]).items() if "first_stage" not in n},
        bare,
        dict(open_weights(files[0]).metadata),
    )
    found, said = merged(tmp_path / "x.safetensors", bare, files[1], ratio="0")
    vae = {name: tensor for name, tensor in tensors_of(files[1]).items() if name.startswith("vae|")}
    assert_equal(vae, {name: tensor for name, tensor in tensors_of(found).items() if name in vae})
    assert any("The VAE is that of b.safetensors" in line for line in said), said


def test_loras_are_put_in_with_their_strengths(folders: list[Path], lora: Path, tmp_path: Path) -> None:
    base = folders[0]
    found, said = merged(tmp_path / "x.safetensors", base, loras=[f"{lora}:0.5", f"{lora}:-0.25"], dtype="fp32")
    family = open_model(str(base), "sd", LoadOptions())
    merge_lora(family, lora, None, 0.25)
    result = tensors_of(found)
    for name, tensor in family.component("denoiser").state_dict().items():
        torch.testing.assert_close(result[f"denoiser|{name}"], tensor, atol=1e-5, rtol=1e-4)
    assert any("at strength 0.5" in line for line in said)


def test_a_step_of_a_run_is_a_model(tmp_path: Path) -> None:
    settings = (*FULL, "backup.every=1 steps", "training.ema=true", "training.ema_decay=0.5")
    folder = folder_of(run(values(tmp_path / "runs", *settings)))
    model, step = next((folder / "models").glob("*.safetensors")), folder / "backups" / "step-00000001"
    source = values(tmp_path / "runs")["model"]["source"]
    last, _ = merged(tmp_path / "last.safetensors", source, folder, ratio="1", dtype="fp32")
    assert_equal(tensors_of(model), tensors_of(last))
    found, _ = merged(tmp_path / "x.safetensors", source, f"{folder}:1", ratio="1", dtype="fp32")
    average = torch.load(step / "ema.pt", weights_only=True)
    result = tensors_of(found)
    assert average
    assert_equal(average, {name: result[name] for name in average})
    with pytest.raises(UserError, match=r"nothing saved at step 7.*It has 1, 2"):
        merged(tmp_path / "x.safetensors", source, f"{folder}:7")
    (step / "ema.pt").write_bytes(b"no longer")
    with pytest.raises(UserError, match="the backup is damaged"):
        merged(tmp_path / "x.safetensors", source, f"{folder}:1")


def test_the_recipe_in_the_file_makes_it_again(files: list[Path], tmp_path: Path) -> None:
    target = files[0].with_name("first.safetensors")
    first, _ = merged(target, *files[:2], ratio="0.4", curve="outputs more", blocks="MID=0.9", dtype="fp32")
    recipe = open_weights(first).metadata[RECIPE]
    assert json.loads(recipe)["models"] == ["a.safetensors", "b.safetensors"]  # names, and nothing of this machine
    again, _ = merged(tmp_path / "again.safetensors", recipe=str(first))
    assert_equal(load_file(first), load_file(again))
    other, _ = merged(tmp_path / "other.safetensors", files[2], files[1], recipe=str(first))
    assert not torch.equal(*(load_file(f)["model.diffusion_model.out.2.weight"] for f in (first, other)))
    with pytest.raises(UserError, match=r"a.safetensors, b.safetensors, and .* are not beside it"):
        merged(tmp_path / "x.safetensors", recipe=str(again))


def test_what_does_not_go_together_is_refused_in_words(files: list[Path], lora: Path, tmp_path: Path) -> None:
    nine = tiny_sd(tmp_path / "nine", unet={"in_channels": 9})
    broken = tmp_path / "broken.safetensors"
    tensors = load_file(files[0])
    tensors["model.diffusion_model.out.2.weight"][0, 0] = float("nan")
    save_file(tensors, broken, dict(open_weights(files[0]).metadata))
    for other, settings, words in (
        (tiny_sdxl(tmp_path / "xl"), {}, "Choose models of the same family"),
        (nine, {}, "differ in the size of conv_in.weight"),
        (broken, {}, "conv_out.weight of broken.safetensors holds numbers that are NaN"),
        (lora, {}, "is a LoRA, not a model"),
        (files[1], {"blocks": "IN44=1"}, "It has IN00 to OUT"),
        (files[1], {"ratio": "0.1, 0.2"}, "2 ratios are given for 1 model"),
        (files[1], {"ratio": "much"}, "not a ratio"),
        (files[1], {"method": "ties"}, "TIES needs the base model"),
    ):
        with pytest.raises((UserError, Problems), match=words):
            merged(tmp_path / "x.safetensors", files[0], other, **settings)
    with pytest.raises(UserError, match="There is nothing to merge"):
        merged(tmp_path / "x.safetensors", files[0])
    assert not (tmp_path / "x.safetensors").exists()


def test_other_predictions_are_told(files: list[Path], tmp_path: Path) -> None:
    other = tiny_sd(tmp_path / "v", prediction_type="v_prediction")
    _, said = merged(tmp_path / "x.safetensors", files[0], other)
    assert any("predicts epsilon, v v_prediction" in line for line in said), said


class Peak(TorchDispatchMode):
    """The most bytes of tensors that live at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, tuple[weakref.ref[Tensor], int, int]] = {}
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, tuple | list) else (found,):
            if isinstance(tensor, Tensor) and not tensor.is_meta:
                storage = tensor.untyped_storage()
                self.alive[id(tensor)] = weakref.ref(tensor), storage.data_ptr(), storage.nbytes()
        self.alive = {key: held for key, held in self.alive.items() if held[0]() is not None}
        self.most = max(self.most, sum({place: size for _, place, size in self.alive.values()}.values()))
        return found


@pytest.mark.parametrize(("method", "models"), [("weighted_sum", 3), ("slerp", 3), ("ties", 5), ("model_stock", 5)])
def test_memory_holds_one_tensor_of_each_model(
    method: str, models: int, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.merging.combine.PIECE", 2**10)
    tensors = tensors_by(method, folders, {})
    largest = "mid_block.resnets.0.conv1.weight"
    size = 4 * tensors[largest].numel()
    with Peak() as peak:
        found = tensors[largest].half()
    assert found.isfinite().all()
    assert 2 * size < peak.most <= models * size + 16 * 4 * 2**10
