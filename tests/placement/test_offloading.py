"""Blocks in main memory: bit for bit the same, and no slot is read too early or overwritten too soon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from modules.families import Condition, Family, LoadOptions, family_class
from modules.methods import attach
from modules.placement import offloading
from modules.placement.frozen import Packed
from modules.placement.holding import Holding
from modules.placement.offloading import Ring, block_paths, offloaded_blocks
from modules.preset.preset import Preset
from modules.trainer.step.out_of_memory import use_gradient_checkpointing
from tests.tiny import tiny_sd

WAITS, MARKS = "waits", "marks"


class DelayedLane:
    """A card that copies when it is waited for, and no sooner; until then, and from the start, a slot holds noise."""

    def __init__(self, left_out: str = "") -> None:
        self.left_out, self.clock, self.copies = left_out, 0, 0
        self.reads: dict[int, int] = {}  # when a slot was read last
        self._waiting: list[tuple[Tensor, Tensor]] = []

    def room(self, size: int) -> Tensor:
        return torch.empty(size, dtype=torch.uint8)

    def mark(self) -> int:
        self.clock += 1
        return 0 if self.left_out == MARKS else self.clock

    def copy(self, slot: Tensor, source: Tensor, after: int) -> int:
        assert after > self.reads.get(slot.data_ptr(), -1), "it may still be read"
        slot.fill_(0x7F)
        self._waiting.append((slot, source))
        self.copies += 1
        return self.copies

    def wait(self, mark: int) -> None:
        if self.left_out != WAITS:
            while self._waiting and mark:
                slot, source = self._waiting.pop(0)
                slot[: len(source)].copy_(source)

    def read(self, slot: Tensor) -> None:
        self.clock += 1
        self.reads[slot.data_ptr()] = self.clock


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_sd(tmp_path_factory.mktemp("offloading") / "model"))


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> DelayedLane:
    return use_lane(monkeypatch, DelayedLane())


def use_lane(monkeypatch: pytest.MonkeyPatch, lane: DelayedLane) -> DelayedLane:
    monkeypatch.setattr(offloading, "lane_to", lambda _: lane)
    bring = Ring._bring  # pyright: ignore[reportPrivateUsage]

    def watched(self: Ring, block: int, views: Any) -> Any:
        held = bring(self, block, views)
        lane.read(self._slot_of(block).room)  # pyright: ignore[reportPrivateUsage]
        return held

    monkeypatch.setattr(Ring, "_bring", watched)
    return lane


def opened(model: str, holding: Holding, *, checkpointed: float = 0.0) -> tuple[Family, Any]:
    family = family_class("sd").load(model, LoadOptions(holding=holding))
    settings = {"kind": "lora", "rank": 2, "layers": "all", "conv": True}
    method = attach(family, Preset.model_validate({"method": settings, "model": {"source": model}}))
    if checkpointed:
        use_gradient_checkpointing(family, {"denoiser"}, checkpointed)
    family.denoiser.train()
    return family, method


def learnt(family: Family, method: Any) -> list[Tensor]:
    """What is predicted in two steps, and the gradients that follow."""
    found: list[Tensor] = []
    torch.manual_seed(0)
    denoiser: Any = family.denoiser
    for parameter in method.parameters().values():
        parameter.data += 0.01 * torch.randn(parameter.shape)
    for _ in range(2):
        condition = Condition(torch.randn(1, 77, denoiser.config.cross_attention_dim))
        said = family.predict(torch.randn(1, 4, 8, 8), torch.tensor([500]), condition)
        said.square().sum().backward()
        found += [said.detach(), *(p.grad.clone() for p in method.parameters().values())]
    return found


@pytest.mark.parametrize("checkpointed", [0.0, 0.5])
@pytest.mark.parametrize(("kind", "share"), [("", 1.0), ("", 0.4), ("int8", 1.0)])
def test_offloaded_blocks_learn_bit_for_bit_the_same(
    kind: str, share: float, checkpointed: float, model: str, lane: DelayedLane
) -> None:
    expected = learnt(*opened(model, Holding(kind), checkpointed=checkpointed))
    assert not lane.copies
    found = learnt(*opened(model, Holding(kind, share), checkpointed=checkpointed))
    assert lane.copies > 4
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("left_out", [WAITS, MARKS])
def test_a_ring_without_one_of_its_two_rules_is_caught(
    left_out: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = learnt(*opened(model, Holding()))
    use_lane(monkeypatch, DelayedLane(left_out))
    if left_out == MARKS:
        with pytest.raises(AssertionError, match="may still be read"):
            learnt(*opened(model, Holding(offloaded=1.0)))
    else:
        found = learnt(*opened(model, Holding(offloaded=1.0)))
        assert not all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_block_is_copied_once_on_each_way(model: str, lane: DelayedLane) -> None:
    """Forward all blocks; backward those but the two that are still there; the next step begins with what is there."""
    family, method = opened(model, Holding(offloaded=1.0))
    blocks = len([*block_paths(family.denoiser)])
    learnt(family, method)
    assert lane.copies == blocks + 3 * (blocks - 2)


def test_some_blocks_are_spread_evenly_and_their_weights_lie_in_main_memory(model: str) -> None:
    family = family_class("sd").load(model, LoadOptions(holding=Holding(offloaded=0.5)))
    paths, chosen = [*block_paths(family.denoiser)], offloaded_blocks(family.denoiser, 0.5)
    assert chosen == paths[1::2]
    assert len(paths) == len({*paths}) > 4
    packed = {name for name, module in family.denoiser.named_modules() if isinstance(module, Packed)}
    assert packed and all(name.startswith(tuple(f"{path}." for path in chosen)) for name in packed)
    assert offloaded_blocks(family.denoiser, 1.0) == paths and not offloaded_blocks(family.denoiser, 0.0)


def test_what_is_saved_is_the_model_s_own(model: str, tmp_path: Path) -> None:
    plain = family_class("sd").load(model, LoadOptions())
    held = family_class("sd").load(model, LoadOptions(holding=Holding("int8", 1.0)))
    held.component("denoiser")
    for family, name in ((plain, "plain"), (held, "held")):
        target = tmp_path / f"{name}.safetensors"
        parts = family.component_names
        family.save(target, single_file=True, dtype=None, parts=parts, metadata={}, tensors={})
    assert (tmp_path / "plain.safetensors").read_bytes() == (tmp_path / "held.safetensors").read_bytes()
