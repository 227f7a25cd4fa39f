"""A model in another form says the same, and what was trained can be put back into a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.errors import UserError
from modules.families import LoadOptions
from modules.families.parts.opening import take_other
from modules.families.parts.pipeline import DiffusersFamily
from modules.families.zimage import ZImage
from modules.messages import Finished, Note, RunTool
from modules.system.weights import open_weights
from modules.tools.opening.models import merge_lora, open_model
from tests.families.tiny_models import tiny_flux1, tiny_flux2, tiny_zimage
from tests.test_run import do
from tests.tiny import tiny_sd, tiny_sd2, tiny_sdxl
from tests.trainer.runs import assert_equal, model_of, run, values

MODELS = {"sd": tiny_sd, "sd2": tiny_sd2, "sdxl": tiny_sdxl}
FULL = ("method.kind=full", "training.learning_rate=1e-3", "schedule.warmup=0 steps", "training.steps=2")


def tensors_of(model: Path) -> dict[str, Tensor]:
    """All weights, by part and name, in fp32."""
    family = open_model(str(model), "", LoadOptions())
    return {
        f"{component}|{name}": tensor.float()
        for component in family.component_names
        for name, tensor in family.component(component).state_dict().items()
    }


def converted(source: Path, target: Path, **settings: str) -> Path:
    events = do(RunTool("convert", {"model": str(source), "out": str(target), **settings}))
    assert events[-1] == Finished(path=str(target))
    return target


@pytest.mark.parametrize("made", MODELS.values(), ids=MODELS)
def test_a_model_survives_the_way_to_a_single_file_and_back(made: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = made(tmp_path / "model")
    file = converted(folder, tmp_path / "file.safetensors")
    again = converted(file, tmp_path / "again")
    before = tensors_of(folder)
    assert len(before) > 100
    assert_equal(before, tensors_of(file))
    assert_equal(before, tensors_of(again))


def test_a_denoiser_alone_becomes_a_folder_with_parts_from_elsewhere(tmp_path: Path) -> None:
    folder = tiny_zimage(tmp_path / "model")
    denoiser = converted(folder, tmp_path / "denoiser.safetensors")
    parts = {"vae": str(folder / "vae"), "text_encoder_1": str(folder / "text_encoder")}
    again = converted(denoiser, tmp_path / "again", family="zimage", **parts)
    assert_equal(tensors_of(folder), tensors_of(again))
    assert (again / "tokenizer" / "tokenizer.json").is_file() and (again / "model_index.json").is_file()
    with pytest.raises(UserError, match=r"Z-Image has no text encoder 2.*Leave it empty"):
        take_other(ZImage.open_file(denoiser), "text_encoder_2", str(folder), LoadOptions(), ZImage)


def test_another_precision_rounds_and_halves(tmp_path: Path) -> None:
    folder = tiny_sd(tmp_path / "model")
    whole, half = (converted(folder, tmp_path / f"{name}.safetensors", dtype=name) for name in ("fp32", "fp16"))
    assert half.stat().st_size < 0.7 * whole.stat().st_size
    assert_equal({name: t.half().float() for name, t in tensors_of(whole).items()}, tensors_of(half))


def test_v_prediction_and_zero_terminal_snr_survive_a_single_file(tmp_path: Path) -> None:
    folder = tiny_sd(tmp_path / "model", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    file = converted(folder, tmp_path / "file.safetensors")
    for model in (file, converted(file, tmp_path / "again")):
        noise_schedule = open_model(str(model), "", LoadOptions()).noise_schedule
        assert (noise_schedule.prediction, noise_schedule.zero_terminal_snr) == ("v_prediction", True)


def test_what_a_model_is_and_lacks_is_said_of_its_own_type(tmp_path: Path) -> None:
    """And neither of the type that was asked for nor of the first in the list."""
    flux = tiny_flux1(tmp_path / "flux")
    with pytest.raises(UserError, match=r"flux is a model of the type FLUX\.1"):
        open_model(str(flux), "chroma", LoadOptions(), sure=True)
    file = converted(tiny_flux2(tmp_path / "flux2"), tmp_path / "x.safetensors")  # too few blocks to be told by names
    with pytest.raises(UserError, match=r"x\.safetensors is a model of the type FLUX\.2 dev"):
        open_model(str(file), "zimage", LoadOptions(), sure=True)
    for guess in ("auto", "sd"):
        with pytest.raises(UserError, match=r"The VAE cannot be .*text_encoder, which is CLIP.* belongs there"):
            open_model(str(flux), guess, LoadOptions(others={"vae": str(flux / "text_encoder")}))


@pytest.mark.parametrize("form", ["single_file", "folder"])
def test_trained_parts_put_back_are_the_full_model_of_the_run(form: str, tmp_path: Path) -> None:
    base = tiny_sd(tmp_path / "model")
    settings = (*FULL, f"model.source={base}", f"output.model_format={form}", "training.text_encoder_1.train=true")
    whole = model_of(run(values(tmp_path / "whole", *settings)))
    parts = model_of(run(values(tmp_path / "parts", *settings, "output.parts=trained")))
    put_back = converted(base, tmp_path / "put back.safetensors", parts=str(parts))
    assert_equal(tensors_of(whole), tensors_of(put_back))
    before, after = tensors_of(base), tensors_of(put_back)
    changed = {name.partition("|")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"denoiser", "text_encoder_1"}


@pytest.mark.parametrize(
    "method",
    [
        "method.rank_dropout=0",
        "method.dora=true",
        "output.lora_format=diffusers",
        "method.kind=loha",
        "method.kind=lokr",
        "method.kind=oft",
    ],
)
def test_a_lora_merged_is_a_lora_applied(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny_sd(tmp_path / "model")
    settings = (f"model.source={base}", "training.steps=2", "training.learning_rate=0.05", "schedule.warmup=0 steps")
    lora = model_of(run(values(tmp_path, *settings, "training.text_encoder_1.train=true", method)))
    with monkeypatch.context() as patch:  # read weight by weight: no part of the model is loaded
        patch.setattr(DiffusersFamily, "component", lambda _, name: pytest.fail(f"{name} is loaded"))
        merged = converted(base, tmp_path / "merged.safetensors", parts=str(lora))
    family = open_model(str(base), "", LoadOptions())
    changed = merge_lora(family, lora)
    applied = {
        f"{component}|{name}": tensor
        for component in family.component_names
        for name, tensor in family.component(component).state_dict().items()
    }
    assert_equal(applied, tensors_of(merged))
    before = tensors_of(base)
    assert sum(not torch.equal(before[name], applied[name]) for name in before) == changed > 10


def test_without_a_wish_every_tensor_keeps_its_own_precision_and_with_one_narrowing_is_said(tmp_path: Path) -> None:
    family = open_model(str(tiny_sd(tmp_path / "model")), "", LoadOptions())
    half = tmp_path / "half.safetensors"
    family.save(half, single_file=True, dtype=torch.float16, parts=family.component_names, metadata={}, tensors={})
    mixed = load_file(half)
    wide = {name for name in mixed if name.startswith("first_stage_model.")}
    mixed = {name: tensor.float() if name in wide else tensor for name, tensor in mixed.items()}
    save_file(mixed, tmp_path / "mixed.safetensors", dict(open_weights(half).metadata))
    for target in ("again.safetensors", "folder"):
        again = converted(tmp_path / "mixed.safetensors", tmp_path / target)
    kept = load_file(tmp_path / "again.safetensors")
    assert {name for name, tensor in kept.items() if tensor.dtype == torch.float32} == wide
    for folder, name, dtype in (
        ("vae", "decoder.conv_in.bias", torch.float32),
        ("unet", "conv_in.bias", torch.float16),
    ):
        assert load_file(again / folder / "diffusion_pytorch_model.safetensors")[name].dtype == dtype
    settings = {"model": str(tmp_path / "mixed.safetensors"), "out": str(tmp_path / "x.safetensors"), "dtype": "fp16"}
    said = [event.text for event in do(RunTool("convert", settings)) if isinstance(event, Note)]
    assert said == [f"The VAE: {len(wide)} tensors of float32 lose digits as float16."]
