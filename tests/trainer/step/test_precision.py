"""Each part computes as its settings say, cached answers are kept apart by them, and clashes are refused in words."""

import json
from pathlib import Path

import pytest
import torch

from modules.families import LoadOptions, family_class
from modules.families.parts.pipeline import DiffusersFamily
from modules.preset.rules.rules import conflicts
from modules.preset.validate import preset_of
from modules.sentences.render import PLAIN
from tests.tiny import tiny_sd
from tests.trainer.runs import run, values


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


def clashes_of(tmp_path, *settings: str) -> list[str]:
    preset = preset_of({**preset_of(values(tmp_path)).model_dump(mode="json"), **overlaid(*settings)})
    return [PLAIN.sentence(problem) for problem in conflicts(preset)]


def overlaid(*settings: str) -> dict:
    from modules.preset.files.set_option import apply_overrides

    return apply_overrides({"version": 3}, list(settings))


def test_weights_in_bf16_beside_others_in_fp32_are_refused_for_a_full_fine_tune_only(tmp_path) -> None:
    assert any("training.weights" in text for text in clashes_of(tmp_path, "method.kind=full", "training.weights=bf16"))
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
