"""Spending time to save memory: computing things twice, taking a batch in parts; and what helps where that does not."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from modules.data.batches import Batch
from modules.data.index import Bucket
from modules.errors import UserError
from modules.families import Family
from modules.placement.checkpointing import checkpoint_blocks
from modules.preset.preset import Preset
from modules.sentences.problem import Problem, problem
from modules.system.devices import device_named, is_card
from modules.text import bytes_of
from modules.trainer.memory_fixes import memory_fixes

SLOW = 3.0  # times the usual: no other bucket makes a step so slow
FULL = 0.95  # of the card's memory
STEPS_SEEN = 50
STEPS_SLOW = 5  # in a row; one slow step is a sample, a backup or another program


def use_gradient_checkpointing(family: Family, parts: Iterable[str], share: float = 1.0) -> None:
    """Gradient checkpointing of a share of the blocks of these parts (modules/placement/checkpointing.py)."""
    for name in parts if share else ():
        checkpoint_blocks(family.component(name), share)


class BatchSplits:
    """How many items of a bucket are learnt from at once, where memory has run out or the plan has said so.

    It holds until the run ends, and in one that goes on from its backup: sums of other parts have other last bits.
    """

    may_be_missing = True  # in backups of older versions

    def __init__(self) -> None:
        self._sizes: dict[Bucket, int] = {}
        self._most = 0  # that the memory plan has found room for; 0: all

    def state_dict(self) -> dict[str, Any]:
        return {"most": self._most, "sizes": self._sizes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """What has run out meanwhile, as before the run went back, still holds."""
        self._most = state["most"]
        self._sizes = {bucket: min(size, self._sizes.get(bucket, size)) for bucket, size in state["sizes"].items()}

    def restart(self, most: int) -> None:
        """Forget what ran out of memory: the model is held otherwise now."""
        self._most, self._sizes = most, {}

    def size_of(self, batch: Batch) -> int:
        """How many of the items to take at once."""
        return min(len(batch.items), self._sizes.get(batch.items[0].bucket, self._most or len(batch.items)))

    def halve(self, batch: Batch, step: int) -> Problem | None:
        """Take half as many from here on, and say so; None where it was one already."""
        size = self.size_of(batch)
        if size == 1:
            return None
        self._sizes[batch.items[0].bucket] = half = -(-size // 2)
        parts = -(-len(batch.items) // half)
        return problem("memory.split", step=step, count=len(batch.items), size=_size(batch), parts=parts)


def cannot_fit(preset: Preset, step: int, batch: Batch) -> UserError:
    """Not even one item at a time has room."""
    return _out_of_memory(preset, "memory.step", step=step, size=_size(batch))


def update_cannot_fit(preset: Preset, step: int) -> UserError:
    """The gradients are there, and what the optimizer needs beside them has no room."""
    return _out_of_memory(preset, "memory.update", step=step)


def _out_of_memory(preset: Preset, code: str, **values: Any) -> UserError:
    fixes = memory_fixes(preset, on_card=is_card(device_named(preset.general.device)))
    ways = [
        problem(
            "memory.way",
            what=problem(each.code, **each.values),
            settings=", ".join(f"{path}={_value(value)}" for path, value in each.changes.items()),
        )
        for each in fixes
    ]
    return UserError(problem(code, **values, ways=[problem("memory.ways", ways=ways)] if ways else []), fixes=fixes)


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _size(batch: Batch) -> str:
    height, width = batch.items[0].bucket
    return f"{width}x{height}"


class SpillDetector:
    """Notices when the driver begins to use the computer's memory as if it were the card's (Windows does so silently).

    `memory` gives the free bytes of the card and all that it has; it is asked only when steps have become slow.
    """

    def __init__(self, memory: Callable[[], tuple[int, int]]) -> None:
        self._memory, self._seconds, self._said = memory, deque[float](maxlen=STEPS_SEEN), False

    def step(self, seconds: float) -> Problem | None:
        """Take in how long a step took; gives what the user should know, once."""
        self._seconds.append(seconds)
        if self._said or not is_slower(self._seconds):
            return None
        free, total = self._memory()
        if not total or 1 - free / total < FULL:
            return None
        self._said = True
        usual, now = median(list(self._seconds)[:-STEPS_SLOW]), self._seconds[-1]
        return problem("memory.spills", times=now / usual, memory=bytes_of(total - free, total))


def is_slower(seconds: Sequence[float]) -> bool:
    """Whether each of the last steps took several times as long as the middle one of those before."""
    before, last = list(seconds)[:-STEPS_SLOW], list(seconds)[-STEPS_SLOW:]
    return len(before) >= 2 * STEPS_SLOW and min(last) > SLOW * median(before)
