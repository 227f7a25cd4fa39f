"""Gradients in main memory: bit for bit what they do beside their weights, with every optimizer and in whole runs."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modules.methods import Group
from modules.placement import gradients as placed
from modules.placement.gradients import Gradients, MainMemoryGradients
from modules.preset.optimizers import Other
from modules.trainer.step import learner, optimizers
from modules.trainer.step.optimizers import MixedPrecisionOptimizer
from tests.trainer.optimizer_kinds import FORMATS, NAMED, soon
from tests.trainer.runs import assert_equal, folder_of, run, trained, values

CPU = torch.device("cpu")
AWAY, BACK, MARKS, COPIES = "away", "back", "marks", "copies"


class DelayedLane:
    """Does what it is asked when it is waited for, and no sooner; `left_out`: with one of its rules broken."""

    def __init__(self, left_out: str = "") -> None:
        self.left_out, self.clock, self.ran = left_out, 0, 0
        self._rooms: list[Tensor] = []
        self._asked: list[tuple[str, weakref.ref[Tensor], Any]] = []
        self.most_waiting = 0

    def room(self, size: int) -> Tensor:
        self._rooms.append(torch.full((size,), 0x7F, dtype=torch.uint8))
        return self._rooms[-1]

    def mark(self) -> int:
        self.clock += 1
        return 0 if self.left_out == MARKS else self.clock

    def run(self, work: Any, source: Tensor, after: int) -> int:
        assert after == self.clock, "it may not be computed yet, or its memory still be used"
        way = BACK if any(source is room for room in self._rooms) else AWAY
        self._asked.append((way, weakref.ref(source), work))
        self.most_waiting = max(self.most_waiting, len(self._asked) - self.ran)
        return len(self._asked)

    def wait(self, mark: int) -> None:
        if self.left_out == self._asked[mark - 1][0]:
            return
        while self.ran < mark:
            way, source, work = self._asked[self.ran]
            self.ran += 1
            tensor = source()
            assert tensor is not None, "it was let go before it was copied"
            if self.left_out != COPIES or way == BACK or self.ran % 5:
                work(tensor)


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> DelayedLane:
    return use_lane(monkeypatch, DelayedLane())


def use_lane(monkeypatch: pytest.MonkeyPatch, lane: DelayedLane) -> DelayedLane:
    monkeypatch.setattr(placed, "lane_to", lambda _: lane)
    return lane


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little may be on its way, and little is updated at once."""
    monkeypatch.setattr(placed, "LEAVING", 6000)
    monkeypatch.setattr(optimizers, "CHUNK", 3000)


# Every optimizer ------------------------------------------------------------------------------------------------------


SHAPES = ((8, 320), (4100,), (8, 16, 3, 3), (64, 65), (3,))
BAD = {3: False, 4: True, 5: False}  # verdicts that lie on the device


def stepped(settings: Any, dtype: torch.dtype, *, aside: bool, clip: float = 1.0, scale: bool = False) -> list[Any]:
    """Weights and state after some steps of two batches each; one weight gets no gradient now and then."""
    torch.manual_seed(1)
    weights = [nn.Parameter(torch.randn(shape).to(dtype)) for shape in SHAPES]
    weights[2].data = weights[2].data.to(memory_format=torch.channels_last)
    held: Gradients = MainMemoryGradients(weights, CPU) if aside else Gradients(weights)
    groups = [Group("one", {str(i): weights[i] for i in (0, 1, 2)}, 1.0), Group("two", {"3": weights[3]}, 1.0)]
    groups.append(Group("three", {"4": weights[4]}, 1.0))
    update = MixedPrecisionOptimizer(settings, groups, seed=1, on_card=True, gradients=held)
    scaler, norms = torch.amp.GradScaler("cpu", enabled=scale, init_scale=2.0**10), list[Tensor]()
    for step in range(6):
        for batch in range(2):
            seen = weights if step % 2 else weights[:-1]
            goals = [torch.randn(w.shape, generator=torch.Generator().manual_seed(10 * step + batch)) for w in seen]
            loss = torch.stack([((w.float() - g) ** 2).mean() for w, g in zip(seen, goals, strict=True)]).sum()
            scaler.scale(loss * (torch.inf if scale and step == 2 else 1)).backward()
        held.unscale(scaler, update.inner)
        norm = held.clip(clip) if clip else held.norm()
        norms.append(norm)
        rates = {"one": 0.05, "two": 0.05 if settings.has_single_rate else 0.02, "three": 0.05}
        update.set_rates(dict.fromkeys(rates, 1.0) if settings.is_learning_rate_free else rates)
        bad = norm.isfinite().logical_not() if scale else torch.tensor(BAD[step]) if step in BAD else None
        update.step(step, bad)
        scaler.update()
        update.zero_grad()
        assert not any(held.has(weight) for weight in weights)
    return [*(w.detach() for w in weights), *norms, scaler.get_scale(), update.state_dict()["state"]]


def assert_same(one: Any, other: Any) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(("kind", "dtype"), FORMATS)
def test_every_optimizer_learns_bit_for_bit_the_same(kind: Any, dtype: torch.dtype, lane: DelayedLane) -> None:
    settings = Other(name="torch.optim:Adamax") if kind is Other else soon(kind)
    assert_same(stepped(settings, dtype, aside=True), stepped(settings, dtype, aside=False))
    assert lane.ran > 50


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("clip", [0.0, 0.3])
def test_clipped_or_not_and_scaled_as_in_fp16_it_is_the_same(clip: float, scale: bool, lane: DelayedLane) -> None:
    settings = NAMED["adamw"]()
    found, expected = (stepped(settings, torch.float32, aside=aside, clip=clip, scale=scale) for aside in (True, False))
    assert_same(found, expected)
    assert scale == (not all(norm.isfinite() for norm in found[len(SHAPES) : len(SHAPES) + 6]))


def test_few_gradients_are_on_their_way_at_once(lane: DelayedLane) -> None:
    stepped(NAMED["adamw"](), torch.float32, aside=True)
    assert lane.most_waiting <= 2 + 1 < len(SHAPES)


@pytest.mark.parametrize("left_out", [AWAY, BACK, MARKS, COPIES])
def test_a_rule_that_is_broken_is_noticed(left_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = stepped(NAMED["adamw"](), torch.float32, aside=False)
    use_lane(monkeypatch, DelayedLane(left_out))
    with pytest.raises((AssertionError, KeyError)):
        assert_same(stepped(NAMED["adamw"](), torch.float32, aside=True), expected)


# Whole runs -----------------------------------------------------------------------------------------------------------

FULL = ("method.kind=full", "training.steps=4", "training.ema=true", "training.clip_gradients=0.5")
RUNS = [
    ("training.accumulation=3", "training.text_encoder_1.train=true", "training.text_encoder_1.learning_rate=1e-4",
     "model.dtype=fp16", "optimizer.kind=adamw8bit"),
    ("training.weights=bf16", "optimizer.kind=adafactor", "training.text_encoder_1.stop_after=2 steps",
     "training.text_encoder_1.train=true"),
]  # fmt: skip


@pytest.mark.parametrize("settings", RUNS, ids=" ".join)
def test_a_run_ends_in_the_same_weights_average_and_state(
    settings: tuple[str, ...], tmp_path: Path, lane: DelayedLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = run(values(tmp_path / "card", *FULL, *settings))
    assert not lane.ran
    monkeypatch.setattr(learner, "is_card", lambda _: True)
    there = run(values(tmp_path / "aside", *FULL, *settings, "training.gradients=main_memory", "general.device=auto"))
    assert lane.ran > 50
    for name in ("method", "ema"):
        assert_equal(trained(folder_of(here), name), trained(folder_of(there), name))
    one, other = (trained(folder_of(events), "optimizer")["state"] for events in (here, there))
    assert_same(one, other)


def test_what_ran_out_of_memory_leaves_nothing_behind(lane: DelayedLane) -> None:
    weight = nn.Parameter(torch.ones(3))
    held = MainMemoryGradients([weight], CPU)
    (weight * 2).sum().backward()
    held.clear()
    (weight * 3).sum().backward()
    assert held.norm() == torch.full((3,), 3.0).norm()
