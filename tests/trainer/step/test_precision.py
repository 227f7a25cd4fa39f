"""Each part computes as its settings say, cached answers are kept apart by them, and clashes are refused in words."""

import json
from pathlib import Path

import pytest
import torch

from modules.families import LoadOptions, family_class
from modules.families.parts.pipeline import DiffusersFamily
from modules.messages import Note
from modules.preset.rules.rules import conflicts
from modules.preset.validate import preset_of
from modules.sentences.render import PLAIN
from modules.system.devices import DTYPES
from modules.trainer import preparation
from tests.tiny import tiny_sd
from tests.trainer.runs import folder_of, run, values


def test_the_vae_of_an_inpainting_model_keeps_its_own_precision_under_autocast(tmp_path, monkeypatch) -> None:
    autocast: list[bool] = []
    encode = DiffusersFamily.encode_image

    def spied(family: DiffusersFamily, pixels: torch.Tensor) -> torch.Tensor:
        autocast.append(torch.is_autocast_enabled("cpu"))
        return encode(family, pixels)

    monkeypatch.setattr(DiffusersFamily, "encode_image", spied)
    model = tiny_sd(tmp_path / "model", unet={"in_channels": 9})
    run(values(tmp_path / "w", f"model.source={model}", "model.dtype=bf16", "training.steps=1"))
    assert autocast == [False, False]  # the clean image and the one with the hole


def test_an_automatic_precision_is_that_of_the_device_and_said(tmp_path) -> None:
    """fp32 on a CPU, bf16 where trained weights are; a run's own preset says which it was."""
    for settings, dtype in (((), "fp32"), (("method.kind=full", "training.weights=bf16"), "bf16")):
        preset = values(tmp_path / dtype, *settings, "training.steps=1", "training.learning_rate=1e-4")
        assert preset["model"]["dtype"] == "auto"
        events = run(preset)
        assert any(f"automatic: {dtype} on" in event.text for event in events if isinstance(event, Note))
        assert json.loads((folder_of(events) / "preset.json").read_text())["model"]["dtype"] == dtype


def test_a_precision_is_chosen_by_the_device(tmp_path, monkeypatch) -> None:
    for dtype in ("bf16", "fp16"):
        monkeypatch.setattr(preparation, "best_dtype", lambda _, dtype=dtype: dtype)
        preset = preset_of(values(tmp_path))
        assert preparation.with_precision(preset).model.dtype == dtype
        assert preparation.load_options(preset).dtype is DTYPES[dtype]


def clashes_of(tmp_path, *settings: str) -> list[str]:
    preset = preset_of({**preset_of(values(tmp_path)).model_dump(mode="json"), **overlaid(*settings)})
    return [PLAIN.sentence(problem) for problem in conflicts(preset)]


def overlaid(*settings: str) -> dict:
    from modules.preset.files.set_option import apply_overrides

    return apply_overrides({"version": 6}, list(settings))


def test_weights_in_bf16_beside_others_in_fp32_are_refused_for_a_full_fine_tune_only(tmp_path) -> None:
    both = ("method.kind=full", "training.weights=bf16")
    assert any("training.weights" in text for text in clashes_of(tmp_path, *both, "model.dtype=fp32"))
    assert not clashes_of(tmp_path, *both)
    assert not clashes_of(tmp_path, "method.kind=lora", "training.weights=bf16")
    assert not clashes_of(tmp_path, "method.kind=full", "training.weights=bf16", "model.dtype=bf16")


def test_prodigy_with_two_rates_is_refused_and_with_one_is_not(tmp_path) -> None:
    both = ("optimizer.kind=prodigy", "training.learning_rate=1", "training.text_encoder_1.train=true")
    assert not clashes_of(tmp_path, *both)
    (problem,) = clashes_of(tmp_path, *both, "training.text_encoder_1.learning_rate=0.5")
    assert "(0.5 and 1)" in problem


@pytest.mark.parametrize(
    ("part", "file", "change"),
    [
        ("text_encoder_1", "text_encoder/config.json", {"hidden_act": "gelu"}),
        ("text_encoder_1", "text_encoder/config.json", {"layer_norm_eps": 1e-3}),
        ("vae", "vae/config.json", {"norm_num_groups": 2}),
        ("vae", "vae/config.json", {"scaling_factor": 1.0}),
    ],
)
def test_what_equal_weights_say_under_another_config_is_not_found_in_the_cache(part, file, change, tmp_path) -> None:
    model = tiny_sd(tmp_path)
    before = fingerprint(model, part)
    config = json.loads((model / file).read_text())
    (model / file).write_text(json.dumps({**config, **change}))
    assert fingerprint(model, part) != before


def fingerprint(model: Path, part: str) -> str:
    return family_class("sd").load(str(model), LoadOptions()).fingerprint(part)
