"""What rounding loses is worked out by the rules of the formats, and every finding's mend ends it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modules.check.run.precision import (
    HALF_LOST,
    card_findings,
    findings,
    sampled_magnitudes,
    share_moved,
    ulp,
)
from modules.messages import Finding
from modules.preset.rules.rules import validate
from modules.trainer.preparation import open_family
from tests.check.rooms import mended, subject_of
from tests.tiny import tiny_sd
from tests.trainer.runs import values

FULL_BF16 = ("method.kind=full", "model.dtype=bf16", "training.weights=bf16")


def found(workspace: Path, *settings: str) -> dict[str, Finding]:
    preset = validate(values(workspace, *settings))
    family = open_family(preset, lambda _: None)
    return {finding.name: finding for finding in findings(subject_of(preset, family=family))}


@pytest.mark.parametrize("rate", [1e-3, 1e-4, 1e-5, 1.5e-6])
def test_the_share_that_moves_is_what_bfloat16_really_does(rate: float) -> None:
    weights = torch.randn(50_000, generator=torch.Generator().manual_seed(1)).mul(0.03).bfloat16()
    weights = weights[weights != 0]
    really = ((weights.float() + weights.sign().float() * rate * 1.0001).bfloat16() != weights).float().mean()
    assert share_moved(weights.float().abs(), rate, "bf16") == pytest.approx(float(really), abs=0.002)


def test_fp32_moves_where_bf16_does_not() -> None:
    sizes = torch.full((1000,), 0.03)
    assert share_moved(sizes, 1e-5, "bf16") == 0
    assert share_moved(sizes, 1e-5, "fp32") == 1


def test_the_notch_of_a_format_is_the_distance_to_its_next_number() -> None:
    one = torch.ones((), dtype=torch.bfloat16)
    assert ulp(1.0, "bf16") == float(torch.nextafter(one, torch.tensor(2.0, dtype=torch.bfloat16)) - one)
    assert ulp(3.0, "fp32") == 2.0**-22


def test_bf16_weights_are_told_how_many_plain_rounding_would_move(tmp_path: Path) -> None:
    model = tiny_sd(tmp_path / "model")
    slow = found(tmp_path, f"model.source={model}", *FULL_BF16, "training.learning_rate=1e-7")
    finding = slow["precision.rounding"]
    assert finding.severity == "info"
    assert "At learning rate 1e-07 plain bf16 would move" in finding.title
    assert "stochastic rounding is on" in finding.title
    moved, still = (amount for _, amount in finding.bars)
    assert moved < HALF_LOST < still
    assert [mend.changes for mend in finding.fixes] == [{"training.weights": "fp32"}]
    fast = found(tmp_path, f"model.source={model}", *FULL_BF16, "training.learning_rate=0.01")
    assert fast["precision.rounding"].bars[0][1] > moved


def test_weights_in_fp32_end_the_finding(tmp_path: Path) -> None:
    settings = (f"model.source={tiny_sd(tmp_path / 'model')}", *FULL_BF16, "training.learning_rate=1e-7")
    finding = found(tmp_path, *settings)["precision.rounding"]
    preset = mended(validate(values(tmp_path, *settings)), finding)
    family = open_family(preset, lambda _: None)
    left = [each.name for each in findings(subject_of(preset, family=family))]
    assert "precision.rounding" not in left


def test_only_the_layers_that_are_trained_are_looked_at(tmp_path: Path) -> None:
    preset = validate(values(tmp_path, f"model.source={tiny_sd(tmp_path / 'model')}", *FULL_BF16, "method.layers=mid"))
    family = open_family(preset, lambda _: None)
    some = sampled_magnitudes(family, preset, "denoiser")
    whole = validate(values(tmp_path, f"model.source={tmp_path / 'model'}", *FULL_BF16, "method.layers=all"))
    assert 0 < len(some) < len(sampled_magnitudes(family, whole, "denoiser"))


def test_a_model_whose_weights_cannot_be_had_is_still_looked_at(tmp_path: Path) -> None:
    preset = validate(values(tmp_path, "model.vae_dtype=bf16", *FULL_BF16))
    assert [finding.name for finding in findings(subject_of(preset))] == ["precision.vae"]


def test_small_tensors_under_an_8_bit_optimizer_are_counted(tmp_path: Path) -> None:
    finding = found(tmp_path, "optimizer.kind=adamw8bit", "method.rank=1")["precision.small_tensors"]
    assert "tensors are too small for the 8-bit optimizer" in finding.title
    assert [mend.changes for mend in finding.fixes] == [{"optimizer.kind": "adamw"}]
    assert "precision.small_tensors" not in found(tmp_path, "optimizer.kind=adamw", "method.rank=1")


@pytest.mark.parametrize(
    ("dtype", "capability", "name"),
    [
        ("bf16", (7, 5), "precision.old_card"),
        ("bf16", (8, 0), None),
        ("fp16", (8, 6), "precision.fp16"),
        ("fp16", (7, 5), None),
        ("fp32", (8, 9), "precision.slow"),
        ("fp32", (6, 1), None),
    ],
)
def test_a_card_says_what_it_cannot_do_well(
    dtype: str, capability: tuple[int, int], name: str | None, tmp_path
) -> None:
    preset = validate(values(tmp_path, f"model.dtype={dtype}"))
    told = list(card_findings(preset, capability))
    assert [finding.name for finding in told] == ([name] if name else [])
    for finding in told:
        assert not list(card_findings(mended(preset, finding), capability))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (("model.family=sdxl", "model.vae_dtype=fp16"), "precision.vae"),
        (("model.vae_dtype=bf16",), "precision.vae"),
        (("model.dtype=fp16",), "precision.cpu_fp16"),
    ],
)
def test_formats_that_fail_are_said_and_mended(settings: tuple[str, ...], name: str, tmp_path: Path) -> None:
    preset = validate(values(tmp_path, *settings))
    (finding,) = findings(subject_of(preset))
    assert finding.name == name
    assert not list(findings(subject_of(mended(preset, finding))))
