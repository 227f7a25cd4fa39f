"""An exponential moving average of the trained weights, in fp32, beside them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class Ema:
    """Averages over the last 1 / (1 - decay) steps; at first over fewer, so that the start does not linger."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._parameters, self.decay = parameters, decay
        self.values = {name: p.detach().float().clone() for name, p in parameters.items()}

    def update(self, step: int) -> None:
        """Take in the weights after `step` steps. The warm-up is min(decay, (1 + step) / (10 + step))."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, parameter in self._parameters.items():
            self.values[name].lerp_(parameter.detach().float(), share)

    def state_dict(self) -> dict[str, Tensor]:
        return self.values

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        for name, value in self.values.items():
            value.copy_(state[name])
