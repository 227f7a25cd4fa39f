"""Bad steps: judged on the device so that nothing waits, heard of later, and what is done when they repeat.

A step is bad if its loss or the length of its gradient is no number, or a spike: many times what is usual. The verdict
is a number on the device; the optimizer, the moving average and the method's bounds are told and keep what they had.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from math import isnan
from typing import Any

import torch
from torch import Tensor

from modules.data.index import Item
from modules.preset.sections.training import Guards
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.trainer.step.meter import StepMetrics, has_arrived

GOOD, GRADIENT_SPIKE, LOSS_SPIKE, GRADIENT_NAN, LOSS_NAN = range(5)  # verdicts; of several, the highest
WARM_UP = 20  # good steps before anything can be a spike
HISTORY = 100  # good steps that the usual size looks back on
WINDOW = 20  # steps among which bad ones are counted
MAX_NAMES = 8  # items of a bad step that are named
MAX_LOGGED = 20  # bad steps that are told one by one


class RunningStats:
    """The usual size of loss and gradient: running means of the good steps, and the judge of the next one."""

    def __init__(self, spikes: float, device: torch.device) -> None:
        """`spikes`: how many times the usual size is too much; 0: nothing is."""
        self.spikes = spikes
        self.means_2 = torch.zeros(2, device=device)  # loss, length of the gradient
        self.count = torch.zeros((), device=device)
        self._verdicts_4 = torch.tensor([LOSS_NAN, GRADIENT_NAN, LOSS_SPIKE, GRADIENT_SPIKE], device=device)

    def verdict(self, loss: Tensor, norm: Tensor) -> Tensor:
        """Judge a step and, if it is good, learn from it; a whole number without dimensions, on the device."""
        measured_2 = torch.stack([loss.detach().float(), norm.detach().float()])
        limit_2 = torch.where(self.count >= WARM_UP, self.means_2 * (self.spikes or torch.inf), torch.inf)
        faults_4 = torch.cat([~measured_2.isfinite(), measured_2 > limit_2])
        verdict = (faults_4 * self._verdicts_4).amax()
        good = verdict == GOOD
        share = 1 / (self.count + 1).clamp(max=HISTORY)
        self.means_2 = torch.where(good, torch.lerp(self.means_2, measured_2, share), self.means_2)
        self.count = self.count + good
        return verdict

    def state_dict(self) -> dict[str, Tensor]:
        return {"means": self.means_2, "count": self.count}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.means_2, self.count = (state[name].to(self.count.device).clone() for name in ("means", "count"))


class Guard:
    """Hears the verdicts when they have arrived, and knows when there were too many."""

    def __init__(self, settings: Guards, *, scaled: bool) -> None:
        """`scaled`: in fp16 a gradient is too large now and then by design, until its scale fits."""
        self.settings, self.scaled = settings, scaled
        self.attempt = 0  # how often the run went back: a part of the address of all chance
        self.factor = 1.0  # of every learning rate
        self.left_out = 0
        self._bad: list[int] = []  # steps that count, among the last WINDOW
        self._overflows = 0  # in a row
        self._waiting: deque[tuple[StepMetrics, Sequence[Item]]] = deque()

    def watch(self, point: StepMetrics, items: Sequence[Item]) -> None:
        """A step was taken, and its verdict is on its way."""
        self._waiting.append((point, items))

    def skipped(self, *, wait: bool = False) -> Iterator[Problem]:
        """The bad ones among the steps whose verdicts have arrived. Stops short when patience is over.

        What was done after that is undone by going back: it must not count, or it would matter when it was heard.
        """
        ready = len(self._waiting) if wait else sum(1 for _ in takewhile(lambda w: has_arrived(w[0]), self._waiting))
        for _ in range(ready):
            if self.must_roll_back:
                return
            point, items = self._waiting.popleft()
            if bad := self._skipped_step(point, items):
                yield bad

    @property
    def must_roll_back(self) -> bool:
        """Whether there were so many bad steps that the run is to go back."""
        return self.settings.enabled and len(self._bad) >= self.settings.patience

    @property
    def bad_steps(self) -> list[int]:
        return list(self._bad)

    def rolled_back(self, *, lower: bool) -> None:
        """Begin anew: with other chance, and with half the rate if `lower`."""
        self.attempt += 1
        self.factor *= 0.5 if lower else 1
        self._bad, self._overflows = [], 0
        self._waiting.clear()

    def _skipped_step(self, point: StepMetrics, items: Sequence[Item]) -> Problem | None:
        loss, norm, verdict = point.numbers()
        self._bad = [step for step in self._bad if step > point.step - WINDOW]
        if verdict == GOOD:
            self._overflows = 0
            return None
        if self.scaled and verdict == GRADIENT_NAN:
            self._overflows += 1
            if self._overflows < WINDOW:  # the scale is halved each time, from 65,536 on
                return None
        self._bad.append(point.step)
        self.left_out += 1
        names = list(dict.fromkeys(printable(item.file.name, line=True) for item in items))
        values: dict[str, Any] = {"files": ", ".join(names[:MAX_NAMES]), "more": len(names) - MAX_NAMES}
        code = "step.skipped:more" if len(names) > MAX_NAMES else "step.skipped"
        return problem(code, step=point.step, why=self._why(loss, norm, int(verdict)), **values)

    def _why(self, loss: float, norm: float, verdict: int) -> Problem:
        what, value = ("loss", loss) if verdict in (LOSS_NAN, LOSS_SPIKE) else ("gradient", norm)
        if verdict in (LOSS_NAN, GRADIENT_NAN):
            return Problem(f"step.{what}-nan" if isnan(value) else f"step.{what}-infinite")
        return problem(f"step.{what}-spike", value=value, times=self.settings.spikes)

    def state_dict(self) -> dict[str, Any]:
        names = ("attempt", "factor", "left_out", "_bad", "_overflows")
        return {name.strip("_"): getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.attempt, self.factor, self.left_out = state["attempt"], state["factor"], state["left_out"]
        self._bad, self._overflows = list(state["bad"]), state["overflows"]
