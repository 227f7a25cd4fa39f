"""The type that a model's own header tells, and the offer to set it."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.context import AppContext
from app.gui.form.controls import options_of
from app.gui.kit import Segmented, Switch
from app.gui.pages.sampling import USUAL
from app.gui.session.model_files import files_of, judged
from modules.catalog import FAMILIES
from modules.families.parts.unet.single_file import SIGNATURES, TEXT, UNET
from modules.preset.sections.sampling import FLOW_SAMPLERS, SAMPLERS
from modules.preset.validate import setting_at
from modules.system.bundled import ROOT
from tests.gui.by_hand import choose, page_of
from tests.gui.conftest import Pump
from tests.gui.person import Person, below
from tests.system.test_parts import QWEN3, VAE, ZIMAGE, header_of

FAMILY_OF_KIND = {variant.kind: family for family, card in FAMILIES.items() for variant in card.variants}


def header_with(path: Path, *names: str) -> Path:
    """A file with nothing but the names of its tensors."""
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps(dict.fromkeys(names, empty)).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def family_of_source(source: str) -> str:
    part = judged("denoiser", source, "sd", source).part
    return part.family if part else ""


@pytest.mark.parametrize("kind", TEXT)
def test_the_card_knows_a_single_file_by_the_names_that_the_family_reads(tmp_path: Path, kind: str) -> None:
    names = [f"{UNET}input_blocks.0.0.weight", *(f"{prefix}some.weight" for prefix in TEXT[kind].values())]
    names += [mark if mark.endswith("weight") else f"{mark}some.weight" for mark in [SIGNATURES.get(kind)] if mark]
    assert family_of_source(str(header_with(tmp_path / "model.safetensors", *names))) == FAMILY_OF_KIND[kind]


@pytest.mark.parametrize("kind", FAMILY_OF_KIND)
def test_a_folder_is_known_by_the_classes_in_its_index(kind: str) -> None:
    assert family_of_source(str(ROOT / "resources/models" / kind)) == FAMILY_OF_KIND[kind]


@pytest.mark.parametrize(
    ("prefix", "mark", "family"),
    [
        ("", "cap_pad_token", "zimage"),
        ("model.diffusion_model.", "cap_pad_token", "zimage"),
        ("transformer.", "vector_in.in_layer.weight", "flux1"),
        ("diffusion_model.", "single_stream_modulation.lin.weight", "flux2_klein"),
    ],
)
def test_a_transformers_file_is_known_behind_any_prefix(tmp_path: Path, prefix: str, mark: str, family: str) -> None:
    assert family_of_source(str(header_with(tmp_path / "x.safetensors", prefix + mark))) == family


def test_what_tells_nothing_has_no_family(tmp_path: Path) -> None:
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    (tmp_path / "photos").mkdir()
    lora = header_with(tmp_path / "lora.safetensors", "lora_unet_x.lora_down.weight")
    for source in ("", "someone/model", "starter:none", tmp_path / "torn.safetensors", tmp_path / "photos", lora):
        assert family_of_source(str(source)) == ""
    assert family_of_source("starter:model") == family_of_source(str(ROOT / "resources/starter/model")) == "sd"


def test_a_file_of_another_type_offers_to_set_the_model_type(
    context: AppContext, person: Person, pump: Pump, tmp_path: Path
) -> None:
    file = header_with(tmp_path / "base.safetensors", f"{UNET}label_emb.0.0.weight")
    page_of(context, "model")
    context.draft.put("model.source", str(file))
    pump(lambda: person.finds("This model is of the type Stable Diffusion XL."))
    person.click("Set Model type to Stable Diffusion XL")
    assert context.draft.get("model.family") == "sdxl"
    assert not person.finds("This model is of the type")
    context.draft.undo()
    pump(lambda: person.finds("This model is of the type Stable Diffusion XL."))


def test_prompts_of_another_model_are_offered_what_is_usual_for_the_new_one(
    context: AppContext, person: Person, pump: Pump
) -> None:
    prompt = {**USUAL, "prompt": "a cat", "steps": 30, "sampler": "euler_a"}
    context.draft.put("sampling.prompts", [prompt])
    page_of(context, "model")
    assert not person.finds("This model is usually sampled")
    context.draft.apply({"model.family": "zimage", "model.source": "Tongyi-MAI/Z-Image-Turbo"}, "another model")
    pump(lambda: person.finds("This model is usually sampled with Euler, 8 steps and guidance 1."))
    person.click("Set samples to what is usual")
    changed = context.draft.get("sampling.prompts.0")
    assert (changed["steps"], changed["guidance"], changed["sampler"], changed["prompt"]) == (8, 1, "euler", "a cat")
    assert not person.finds("This model is usually sampled")
    context.draft.undo()
    assert context.draft.get("sampling.prompts.0") == prompt


def test_samplers_that_cannot_follow_a_flow_are_grey_where_the_model_is_one() -> None:
    setting = setting_at("sampling.prompts.0.sampler")
    assert setting is not None
    for family, able in (("sdxl", set(SAMPLERS)), ("zimage", set(FLOW_SAMPLERS))):
        options = options_of(setting, {"model": {"family": family}})
        assert {option.value for option in options if not option.reason} == able


def test_an_embedding_is_grey_where_text_encoders_learn_no_words() -> None:
    setting = setting_at("method.kind")
    assert setting is not None
    for family, grey in (("sdxl", []), ("zimage", ["embedding"])):
        options = options_of(setting, {"model": {"family": family}})
        assert [option.value for option in options if option.reason] == grey


def test_a_new_prompt_of_a_distilled_model_begins_with_what_is_usual(context: AppContext, pump: Pump) -> None:
    context.draft.apply({"model.family": "zimage", "model.source": "Tongyi-MAI/Z-Image-Turbo"}, "another model")
    page = page_of(context, "sampling")
    page.list.add()
    pump()
    added = context.draft.get("sampling.prompts.0")
    assert (added["steps"], added["guidance"], added["prompt"]) == (8, 1, "")
    page.reveal("sampling.prompts.0.flow_shift")
    assert "spacing" not in page.list.made[0].rows and "distilled_guidance" not in page.list.made[0].rows


# Files of components --------------------------------------------------------------------------------------------------


PARTS = ("vae", "text_encoder_1", "text_encoder_2", "text_encoder_3")


def fields(page: Any) -> tuple[str, ...]:
    return tuple(name for name in PARTS if page.form.row(f"model.{name}"))


def test_separate_files_show_a_row_for_each_component(context: AppContext, pump: Pump) -> None:
    page = page_of(context, "model")
    assert fields(page) == ()
    page.head.choose(True)
    for family, count in (("sdxl", 3), ("zimage", 2), ("flux1", 3), ("sd3", 4), ("sd", 2)):
        context.draft.put("model.family", family)
        pump()
        assert fields(page) == PARTS[:count]
        label = page.form.row("model.text_encoder_1").label.cget("text")
        assert label == ("Text encoder" if count == 2 else "Text encoder 1")


def test_the_switch_keeps_what_was_typed(context: AppContext, person: Person, pump: Pump) -> None:
    draft, page = context.draft, page_of(context, "model")
    draft.put("model.family", "zimage")
    draft.put("model.vae", "someone/vae")
    assert fields(page) == PARTS[:2], "a field that is filled is seen"
    page.head.choose(False)
    assert (draft.get("model.vae"), fields(page)) == ("", ())
    draft.undo()
    assert (draft.get("model.vae"), fields(page), page.head.segments.get()) == ("someone/vae", PARTS[:2], True)
    page.head.choose(False)
    page.head.choose(True)
    assert (draft.get("model.vae"), fields(page)) == ("someone/vae", PARTS[:2])
    draft.apply({"model.vae": "", "model.source": "/models/z.safetensors"}, "a denoiser's file")
    assert person.finds("Denoiser")
    page.head.choose(False)
    assert person.finds("Base model")
    page.reveal("model.vae")
    assert fields(page) == PARTS[:2]


def test_a_wrong_part_is_a_problem_as_any_other_and_undone_with_its_file(
    context: AppContext, person: Person, pump: Pump, tmp_path: Path
) -> None:
    draft, vae = context.draft, header_of(tmp_path / "ae.safetensors", VAE)
    files = files_of(context)  # whatever page is open
    draft.apply({"model.family": "zimage", "model.source": "Tongyi-MAI/Z-Image"}, "a model")
    draft.put("model.text_encoder_1", str(vae))
    pump(lambda: draft.error_counts()["model"] == 1)
    assert draft.next_problem() == "model.text_encoder_1"
    draft.put("training.batch_size", 2)
    draft.put("model.text_encoder_1", "")
    assert not draft.error_counts()["model"]
    draft.undo()
    pump(lambda: draft.error_counts()["model"] == 1)
    page_of(context, "model")
    pump(lambda: person.finds("1 of 3 parts is wrong"))
    header_of(vae, QWEN3)
    files.look_again()
    pump(lambda: not draft.error_counts()["model"])
    draft.undo()
    assert not draft.error_counts()["model"], "what is known of files is not undone"


def test_a_folder_that_is_chosen_is_searched_for_what_is_missing(
    context: AppContext, pump: Pump, tmp_path: Path
) -> None:
    draft, page = context.draft, page_of(context, "model")
    denoiser = header_of(tmp_path / "here/z.safetensors", ZIMAGE)
    draft.apply({"model.family": "zimage", "model.source": str(denoiser)}, "a model")
    vae = header_of(tmp_path / "there/vae/ae.safetensors", VAE)
    page.beside.look_in(tmp_path / "there")
    pump(lambda: draft.get("model.vae") == str(vae))


def variants(page: Any) -> Any:
    page.update()
    return next(each for each in below(page) if isinstance(each, Segmented) and each is not page.head.segments)


def test_variants_are_chosen_by_name_and_told_by_files(
    context: AppContext, person: Person, pump: Pump, tmp_path: Path
) -> None:
    draft, page = context.draft, page_of(context, "model")
    draft.apply({"model.family": "flux2_klein", "model.source": "black-forest-labs/FLUX.2-klein-9B"}, "a model")
    pump(lambda: variants(page).get() == "FLUX.2 klein 9B")
    choose(variants(page), "FLUX.2 klein 4B")
    assert draft.get("model.source") == "black-forest-labs/FLUX.2-klein-4B"
    marks = {"single_stream_modulation.lin.weight": (9_079, 1_000_000)}
    draft.put("model.source", str(header_of(tmp_path / "mine.safetensors", marks)))
    pump(lambda: person.finds("taken for base 9B: its name says nothing else"))
    choose(variants(page), "FLUX.2 klein 9B")
    assert draft.get("model.variant") == "FLUX.2 klein 9B" and "model.variant" not in draft.errors()
    assert person.finds("FLUX.2-klein-9B draws in few steps") and not person.finds("its name says nothing else")
    person.click("Let the file tell")
    pump(lambda: person.finds("taken for base 9B: its name says nothing else"))
    choose(variants(page), "FLUX.2 klein 9B")
    large = header_of(tmp_path / "mine too.safetensors", {"joint_blocks.0.x.weight": (8_146, 1_000_000)})
    draft.apply({"model.family": "sd3", "model.source": str(large)}, "another model")
    assert draft.get("model.variant") == "auto", "it was set of the last model"
    pump(lambda: variants(page).get() == "Stable Diffusion 3.5 large" and person.finds("read from the file"))


def test_licence_and_gate_are_told_with_their_address(
    context: AppContext, person: Person, pump: Pump, tmp_path: Path
) -> None:
    page_of(context, "model")
    context.draft.apply({"model.family": "flux1", "model.source": "black-forest-labs/FLUX.1-dev"}, "a model")
    assert person.finds("FLUX.1 dev, FLUX.1 [dev] Non-Commercial · gated: accept its terms on its page")
    assert person.finds("huggingface.co/black-forest-labs/FLUX.1-dev")
    context.draft.put("model.source", "someone/finetune")
    assert not person.finds("gated") and not person.finds("huggingface.co")
    context.draft.put("model.source", str(header_of(tmp_path / "schnell.safetensors", {"vector_in.x": (1,)})))
    pump(lambda: person.finds("What is empty below is fetched once from Hugging Face · FLUX.1 schnell, Apache 2.0"))


def test_what_is_packed_is_unpacked_and_no_start_for_a_full_fine_tune(
    context: AppContext, person: Person, pump: Pump, tmp_path: Path
) -> None:
    page_of(context, "model")
    file = header_of(tmp_path / "z.safetensors", ZIMAGE, "F8_E4M3")
    context.draft.apply({"model.family": "zimage", "model.source": str(file), "model.dtype": "bf16"}, "a model")
    pump(lambda: person.finds("Unpacked from fp8 to bf16 while it is read."))
    assert not person.finds("rounded numbers")
    context.draft.put("model.quantization", "fp8")
    assert person.finds("Held in fp8, as it is in the file.") and not person.finds("Unpacked from")
    context.draft.put("method.kind", "full")
    assert person.finds("All weights start from rounded numbers")


def test_each_text_encoder_has_a_row_and_a_reason_where_it_cannot_be_trained(
    context: AppContext, person: Person, pump: Pump
) -> None:
    draft, page = context.draft, page_of(context, "model")
    draft.put("model.family", "sd3")
    assert all(person.finds(words) for words in ("1 · CLIP-L", "2 · CLIP-G", "3 · T5-XXL", "cached, cannot be trained"))
    draft.put("model.family", "sdxl")
    pump()
    switch = next(each for each in below(page) if isinstance(each, Switch))
    switch.turn()
    assert draft.get("training.text_encoder_1.train") and person.finds("encoded each step: trained")
    draft.put("method.kind", "embedding")
    assert person.finds("cached, an embedding trains only its words")


def test_transformers_have_no_convolutions_to_adapt(context: AppContext, pump: Pump) -> None:
    page = page_of(context, "method")
    assert page.form.row("method.conv")
    context.draft.put("method.conv", True)
    context.draft.put("model.family", "zimage")
    assert page.form.row("method.conv") is None
    assert "conv" not in context.draft.freeze()["method"]


def test_a_line_tells_what_a_file_is_and_whether_it_belongs_there(
    context: AppContext, person: Person, pump: Pump, tmp_path: Path
) -> None:
    vae = header_of(tmp_path / "ae.safetensors", VAE)
    page_of(context, "model")
    context.draft.put("model.family", "zimage")
    context.draft.put("model.vae", str(vae))
    pump(lambda: person.finds("VAE, 16 channels, bf16"))
    context.draft.put("model.text_encoder_1", str(vae))
    pump(lambda: person.finds("This is a VAE with 16 channels. Qwen3 4B belongs here."))
    context.draft.put("model.text_encoder_1", str(header_of(tmp_path / "qwen.safetensors", QWEN3)))
    pump(lambda: person.finds("Qwen3, 0.0512 M, bf16"))
    context.draft.put("model.text_encoder_1", str(header_of(tmp_path / "none.safetensors", {"x": (1,)})))
    pump(lambda: person.finds("This is something unknown. Qwen3 4B belongs here."))
    context.draft.put("model.source", str(vae))
    pump(lambda: person.finds("This is a VAE with 16 channels. Z-Image belongs here."))
    context.draft.put("model.vae", str(tmp_path / "gone.safetensors"))
    pump(lambda: person.finds("gone.safetensors"))
    for path in ("model.source", "model.vae", "model.text_encoder_1"):
        context.draft.put(path, "Tongyi-MAI/Z-Image")  # nothing is asked of the hub
    pump(lambda: not person.finds("This is"))


def test_choosing_a_denoiser_fills_the_empty_fields_from_beside_it(
    context: AppContext, person: Person, pump: Pump, tmp_path: Path
) -> None:
    draft = context.draft
    denoiser = header_of(tmp_path / "diffusion_models/z.safetensors", ZIMAGE)
    vae = header_of(tmp_path / "vae/ae.safetensors", VAE)
    qwen = header_of(tmp_path / "text_encoders/qwen_3_4b.safetensors", QWEN3)
    page_of(context, "model")
    draft.put("model.family", "zimage")
    draft.put("model.text_encoder_1", "someone/else")
    draft.put("model.source", str(denoiser))
    pump(lambda: person.finds("VAE, 16 channels, bf16, ") and person.finds(" · found beside the denoiser"))
    assert (draft.get("model.vae"), draft.get("model.text_encoder_1")) == (str(vae), "someone/else")
    draft.undo()
    draft.undo()
    draft.undo()
    assert draft.get("model.text_encoder_1") == draft.get("model.source") == draft.get("model.vae") == ""
    draft.redo()
    pump()
    assert draft.can_redo, "what is redone is not filled anew"
    draft.put("model.text_encoder_1", "")
    draft.put("model.source", str(denoiser))
    pump(lambda: draft.get("model.text_encoder_1") == str(qwen))
    draft.put("model.text_encoder_1", "")
    pump()
    assert draft.get("model.text_encoder_1") == "", "who empties a field wants it empty"


def test_a_distilled_model_without_a_training_adapter_is_named(context: AppContext, person: Person, pump: Pump) -> None:
    page = page_of(context, "model")
    assert not page.distilled.wanted
    words = "Z-Image-Turbo draws in few steps, by its name: it was distilled, and training spoils that."
    context.draft.apply({"model.family": "zimage", "model.source": "Tongyi-MAI/Z-Image"}, "a model")
    assert not person.finds("draws in few steps")
    context.draft.put("model.source", "Tongyi-MAI/Z-Image-Turbo")
    pump(lambda: person.finds(words))
    assert person.finds("Get ostris/zimage_turbo_training_adapter from Hugging Face")
    page.distilled.list.add()
    context.draft.put("model.training_adapters.0.path", "adapter.safetensors")
    assert not person.finds(words)
    context.draft.put("model.training_adapters.0.enabled", False)
    assert person.finds(words)
    context.draft.put("method.kind", "embedding")
    assert not person.finds(words)
