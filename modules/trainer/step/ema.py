"""An exponential moving average of the trained weights, in fp32, beside them: on their device or in main memory."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from math import log

import torch
from torch import Tensor, nn

from modules.sentences.problem import Problem, problem
from modules.system.devices import is_card, recorded_event


class Ema:
    """An average in which the weights of a step lose half of their share in `half_life(decay)` steps.

    At first it looks back less far (`decay_at`), so that the start does not linger. Between its updates nothing
    happens: `every` changes how finely it follows, and not how far it looks back.

    In main memory beside a card, what an update needs is copied behind the step's own work on the card, and averaged
    by a thread of its own: training waits only if the update before is still not done.
    """

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], decay: float, *, every: int = 1, main_memory: bool = False
    ) -> None:
        self._parameters, self.decay, self.every = parameters, decay, every
        self._values = {
            name: p.detach().to("cpu" if main_memory else p.device, torch.float32, copy=True)
            for name, p in parameters.items()
        }
        aside = main_memory and any(is_card(p.device) for p in parameters.values())
        self._aside = _Aside(self._values) if aside else None

    @property
    def values(self) -> dict[str, Tensor]:
        """The average by name, fp32; waits for an update that is under way."""
        if self._aside:
            self._aside.join()
        return self._values

    def update(self, step: int, bad: Tensor | None = None) -> None:
        """Take in the weights after `step` steps.

        `bad`: whether to keep everything as it is instead, without dimensions, on the device.
        """
        if step % self.every:
            return
        share = 1 - decay_at(self.decay, step) ** self.every
        if self._aside:
            self._aside.update(self._parameters, share, bad)
            return
        for name, parameter in self._parameters.items():
            _take_in(self._values[name], parameter.detach(), share, bad)

    def state_dict(self) -> dict[str, Tensor]:
        return self.values

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        for name, value in self.values.items():
            value.copy_(state[name])


class _Aside:
    """Averages in main memory what lies on a card."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        self._values = values
        self._copies: dict[str, Tensor] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ema")
        self._under_way: Future[None] | None = None

    def join(self) -> None:
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None

    def update(self, parameters: Mapping[str, nn.Parameter], share: float, bad: Tensor | None) -> None:
        self.join()  # the copies are still being read until then
        for name, parameter in parameters.items():
            self._copied(name, parameter.detach())
        verdict = None if bad is None else self._copied(BAD, bad)
        arrived = recorded_event(next(iter(parameters.values())).device)
        self._under_way = self._pool.submit(self._work, arrived, share, verdict)

    def _copied(self, name: str, tensor: Tensor) -> Tensor:
        """A copy in pinned memory, which may still be on its way."""
        if name not in self._copies:
            self._copies[name] = torch.empty_like(tensor, device="cpu", pin_memory=True)
        return self._copies[name].copy_(tensor, non_blocking=True)

    def _work(self, arrived: torch.Event, share: float, bad: Tensor | None) -> None:
        arrived.synchronize()
        if bad is not None and bool(bad):
            return
        for name, value in self._values.items():
            _take_in(value, self._copies[name], share, None)


BAD = "verdict of the step"  # no parameter is called so


def _take_in(value: Tensor, weight: Tensor, share: float, bad: Tensor | None) -> None:
    weight = weight.to(value.device, torch.float32)
    if bad is None:
        value.lerp_(weight, share)
    else:
        value.copy_(torch.where(bad, value, torch.lerp(value, weight, share)))


def decay_at(decay: float, step: int) -> float:
    """The share of the average that is kept after `step` steps: rises to `decay`, and reaches 0.999 at step 8990.

    (1 + step) / (10 + step), as tf.train.ExponentialMovingAverage with `num_updates`, and OneTrainer.
    """
    return min(decay, (1 + step) / (10 + step))


def half_life(decay: float) -> float:
    """After how many steps the share of a step's weights in the average is half of what it was."""
    return log(0.5) / log(decay) if decay > 0 else 0.0


def describe_average(decay: float) -> Problem:
    """How far an average looks back."""
    steps = round(half_life(decay))
    return problem("ema.half", count=steps) if steps >= 1 else Problem("ema.none")
