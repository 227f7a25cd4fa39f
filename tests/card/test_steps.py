"""What a step does to a card, seen without one: no tensor on the wrong device, no wait, copies at once, bytes as said.

A step of everything with everything would take minutes (`python -m tests.card.steps`). An optimizer knows nothing of
families, nor a method of optimizers, so here each of them meets every kind of weight that there is.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor

from modules.check.memory.step_memory import StepBytes
from modules.placement import gradients
from modules.trainer.step import ema, item_loss, optimizers
from tests.card.pretended import pretended_card, register
from tests.card.steps import (
    FAMILIES,
    METHODS,
    OPTIMIZERS,
    Seen,
    TwoLayers,
    learned,
    preset_for,
    said_on_the_card,
    tiny_family,
)

MID = "method.layers=mid"
BF16 = ("method.kind=full", "training.weights=bf16")


def assert_never_waits(seen: Seen) -> None:
    assert seen.copies, "the batch has to come from somewhere"
    assert not seen.waits
    assert not seen.late


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_of_every_family_never_waits_for_the_card(family: str) -> None:
    twice = f"training.gradient_checkpointing={'all' if family in {'sdxl', 'chroma'} else 'none'}"
    preset = preset_for(family, "method.kind=lora", "method.layers=attention", twice)
    assert_never_waits(learned(tiny_family(family), preset, steps=2))


@pytest.mark.parametrize("method", METHODS)
def test_a_step_of_every_method_never_waits_for_the_card(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a moving average in main memory, whose thread has no numbers to work on."""
    monkeypatch.setattr(ema._Aside, "_work", lambda *_: None)
    layers = () if method == "embedding" else (MID,)
    text = ("training.text_encoder_1.train=true",) if method == "lora" else ()
    preset = preset_for("sd", *METHODS[method], *layers, *text, "training.ema=true", "training.ema_device=cpu")
    assert_never_waits(learned(tiny_family("sd"), preset, steps=2))


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_step_of_every_optimizer_never_waits_for_the_card(kind: str) -> None:
    """But for those whose library asks the card for a number in each step."""
    settings = OPTIMIZERS[kind]
    method = ("method.kind=full",) if settings.is_schedule_free else BF16
    rate = ("training.learning_rate=1",) if settings.is_learning_rate_free else ()
    preset = preset_for("sd", *method, f"optimizer.kind={kind}", *rate)
    seen = learned(tiny_family("sd"), preset, steps=3, denoiser=TwoLayers())
    if settings.synchronizes:
        assert seen.waits
    else:
        assert_never_waits(seen)


HELD = [
    ("model.quantization=int8", "method.kind=lora", "method.conv=true"),
    ("model.quantization=int8", "model.int8_products=true", "method.kind=lora", "method.dora=true", "model.dtype=bf16"),
    ("model.quantization=nf4", "method.kind=loha", MID),
    ("model.offload=all", "method.kind=oft", MID),
    ("model.offload=50 %", "model.quantization=int8", "method.kind=lora", "training.gradient_checkpointing=all"),
]


@pytest.mark.parametrize("settings", HELD, ids=" ".join)
def test_weights_that_are_packed_or_offloaded_never_make_a_step_wait(
    settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    family, preset = tiny_family("sd"), preset_for("sd", *settings)
    said = said_on_the_card(monkeypatch, family, preset)  # after which the run's own settings mean the card, too
    seen = learned(family, preset, steps=2)
    assert_never_waits(seen)
    assert_as_said(seen, said)


PEAKS = [
    ("method.kind=lora", "training.gradient_checkpointing=all"),
    ("method.kind=full", MID),
    (*BF16, MID, "optimizer.kind=adafactor"),
]


@pytest.mark.parametrize("settings", PEAKS, ids=" ".join)
def test_a_step_takes_the_memory_that_the_check_said(settings: tuple[str, ...], monkeypatch: Any) -> None:
    family, preset = tiny_family("sd"), preset_for("sd", *settings)
    assert_as_said(learned(family, preset, steps=2), said_on_the_card(monkeypatch, family, preset))


ASIDE = ("training.gradients=main_memory", "training.accumulation=2")


@pytest.mark.parametrize(
    "settings", [(*BF16, "optimizer.kind=adafactor", MID), ("method.kind=full", MID)], ids=" ".join
)
def test_gradients_leave_for_main_memory_and_come_back_without_a_wait(
    settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "LEAVING", 16_000)
    monkeypatch.setattr(optimizers, "CHUNK", 3000)
    family, preset = tiny_family("sd"), preset_for("sd", *settings, *ASIDE)
    said = said_on_the_card(monkeypatch, family, preset)
    seen = learned(family, preset, steps=3)
    assert_never_waits(seen)
    assert {copy.partition(" at ")[0] for copy in seen.copies} == {"cpu -> pretended", "pretended -> cpu"}
    assert_as_said(seen, said)
    on_card = said_on_the_card(monkeypatch, family, preset_for("sd", *settings, *ASIDE[1:]))
    assert said.gradients_aside == pytest.approx(on_card.gradients, rel=TOLERANCE)
    assert seen.peak < on_card.held + on_card.passes - 0.4 * on_card.gradients


def assert_as_said(seen: Seen, said: StepBytes) -> None:
    assert seen.peak == pytest.approx(said.held + max(said.passes, said.update), rel=TOLERANCE)


TOLERANCE = 0.05


# Each of these can fail --------------------------------------------------------------------------------------------


LOSSES = item_loss.LossComputer.losses


def sabotaged(monkeypatch: pytest.MonkeyPatch, change: Any) -> Seen:
    """A step whose losses something is done to."""
    losses = LOSSES
    monkeypatch.setattr(item_loss.LossComputer, "losses", lambda self, *args: change(losses(self, *args)))
    return learned(tiny_family("sd"), preset_for("sd", *BF16), steps=2, denoiser=TwoLayers())


def test_a_step_that_asks_for_a_number_is_found_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(losses_B: torch.Tensor) -> torch.Tensor:
        return losses_B * (1 if losses_B.sum() > 0 else 2)

    (wait,) = sabotaged(monkeypatch, asked).waits
    assert "_local_scalar_dense" in wait
    assert "modules/trainer/step/learner.py:" in wait


def test_a_tensor_on_the_wrong_device_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"pretended:0.*cpu|cpu.*pretended:0"):
        sabotaged(monkeypatch, lambda losses_B: losses_B * torch.ones(len(losses_B)))


@pytest.mark.parametrize(("pinned", "at_once", "said"), [(False, True, "unpinned"), (True, False, "blocking")])
def test_a_copy_that_makes_the_program_wait_is_found(
    pinned: bool, at_once: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(losses_B: torch.Tensor) -> torch.Tensor:
        weights = torch.ones(len(losses_B))
        weights = weights.pin_memory() if pinned else weights
        return losses_B * weights.to(losses_B.device, non_blocking=at_once)

    (late,) = sabotaged(monkeypatch, copied).late
    assert late.endswith(said)


def test_memory_that_the_check_did_not_foresee_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    hoard: list[torch.Tensor] = []

    def hoarded(losses_B: torch.Tensor) -> torch.Tensor:
        hoard.append(losses_B.new_empty(2000))
        return losses_B

    more, as_it_is = (sabotaged(monkeypatch, change).peak for change in (hoarded, lambda losses_B: losses_B))
    assert more - as_it_is >= 8000 > TOLERANCE * as_it_is


def test_other_tests_see_no_card() -> None:
    register()
    assert not torch.get_device_module("pretended").is_available()
    assert not torch.accelerator.is_available()
    weight = torch.nn.Parameter(torch.ones(3))
    (weight * 2).sum().backward()
    assert weight.grad is not None
    assert not isinstance(weight.grad, FakeTensor)
    with pretended_card():
        assert torch.ones(1, device=register()).device.type == "pretended"
