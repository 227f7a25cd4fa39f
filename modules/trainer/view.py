"""The denoiser as samples ask it: with the prompt, without it, and weakened.

Shapes: B images drawn together, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from modules.diffusion.guidance import Guidance
from modules.diffusion.solvers import Moment
from modules.families import Condition, Family
from modules.system.devices import autocast
from modules.trainer.perturbing import Weakening, weakened


@dataclass
class View:
    """The denoiser as a group of prompts asks it: with and without the prompt, and weakened, as the guidance wants."""

    family: Family
    guidance: Guidance
    condition: Condition  # of the prompts; after them, where they are heard, of the negative ones
    count: int  # images
    layers: Sequence[str]  # self-attentions to weaken
    kind: str
    how: Weakening
    moment: Moment = field(default_factory=lambda: Moment(0.0))

    def stand(self, moment: Moment) -> None:
        self.moment = moment

    def predict(self, noisy_BChw: Tensor, time_B: Tensor) -> Tensor:
        """One answer for each image."""
        guidance, moment = self.guidance, self.moment
        unwanted = weak = None
        if guidance.hears_negative(moment):
            said = self._said(torch.cat([noisy_BChw] * 2), torch.cat([time_B] * 2), self.condition)
            wanted, unwanted = said.chunk(2)
        else:
            wanted = self._said(noisy_BChw, time_B, self.condition.part(0, self.count))
        if guidance.hears_weakened(moment):
            with weakened(self.family.denoiser, self.layers, self.kind, self.how):
                weak = self._said(noisy_BChw, time_B, self.condition.part(0, self.count))
        return guidance.combined(moment, wanted, unwanted, weak)

    def _said(self, noisy: Tensor, time: Tensor, condition: Condition) -> Tensor:
        with autocast(self.family.options.device, self.family.options.dtype):
            return self.family.predict(noisy, time, condition).float()
