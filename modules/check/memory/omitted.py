"""What blocks that were left out of a step hold from step to step: what one like them held, as many times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from modules.check.memory.memory_tracker import address_of, bytes_in
from modules.check.memory.repeated import FEW, Run, last_two
from modules.families.parts.building import saved_tensors
from modules.trainer.step.learner import Learner


class Bytes(NamedTuple):
    """Of all blocks that were left out."""

    weights: int  # that nobody trains
    trained: int
    state: int
    average: int
    for_passes: int  # made before the first block, and kept until a step is over


class Omitted:
    """The blocks that a learner's denoiser lacks."""

    def __init__(self, learner: Learner, runs: Sequence[Run]) -> None:
        self._learner, self.counts = learner, {run: run.count - FEW for run in runs}
        self._paths = {run: last for run, (_, last) in last_two(runs).items()}
        parameters = learner.method.parameters()
        self._trained = {run: dict(self._of(parameters, run)) for run in runs}
        self._for_passes = dict.fromkeys(runs, 0)

    @property
    def share(self) -> float:
        """How many parameters they have, of those that are there."""
        left_out = sum(count * len(self._trained[run]) for run, count in self.counts.items())
        return left_out / max(1, len(self._learner.method.parameters()))

    def see_what_passes_need(self) -> None:
        """Look, while passes go on, at what methods have made for them."""
        methods: Any = getattr(self._learner.method, "methods", (self._learner.method,))
        for run in self.counts:
            updates = [u for m in methods for _, u in self._of(getattr(m, "updates", {}), run)]
            made = [x for update in updates for x in (*update.lowered.values(), update.gate_BX) if x is not None]
            self._for_passes[run] = sum(x.numel() * x.itemsize for x in made)

    def bytes(self) -> Bytes:
        """After a step, which has made the state."""
        return Bytes(
            weights=self._sum(self._weights),
            trained=self._sum(self._values),
            state=self._sum(self._state),
            average=self._sum(self._average),
            for_passes=self._sum(self._for_passes.__getitem__),
        )

    def _sum(self, of_one: Any) -> int:
        return sum(count * of_one(run) for run, count in self.counts.items())

    def _of(self, held: Mapping[str, Any], run: Run) -> Iterator[tuple[str, Any]]:
        start = f"denoiser|{self._paths[run]}."
        return ((name, thing) for name, thing in held.items() if name.startswith(start))

    def _weights(self, run: Run) -> int:
        mine = {id(parameter) for parameter in self._trained[run].values()}
        held = saved_tensors(self._learner.family.denoiser.get_submodule(self._paths[run])).values()
        return bytes_in(x for x in held if id(x) not in mine and x.device.type == self._learner.device.type)

    def _values(self, run: Run) -> int:
        return bytes_in(self._trained[run].values())

    def _average(self, run: Run) -> int:
        ema = self._learner.ema
        return 0 if ema is None else bytes_in(ema.values[name] for name in self._trained[run])

    def _state(self, run: Run) -> int:
        """Without what an optimizer has but once, and shares among all weights."""
        states = self._learner.optimizer.inner.state
        mine = [*self._trained[run].values()]
        others = {address_of(x) for p in states if all(p is not each for each in mine) for x in _tensors(states[p])}
        return bytes_in(x for p in mine for x in _tensors(states[p]) if address_of(x) not in others)


def _tensors(state: Mapping[str, Any]) -> Iterable[Tensor]:
    return (x for x in state.values() if isinstance(x, Tensor))
