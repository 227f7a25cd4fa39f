"""Guidance: what is made of the denoiser's answers with and without the prompt, and with a weakened attention.

Shapes: B batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from modules.diffusion.solvers import Moment


@dataclass(frozen=True)
class Guidance:
    """How answers become one. As it stands by default it is classifier-free guidance (arXiv:2207.12598) and no more."""

    scale: float  # CFG; for CFG++ lambda, 0 to 1
    plus_plus: bool = False
    rescale: float = 0.0  # share of the answer that is brought back to the spread of the prompted one
    start: float = 0.0  # share of the steps from which on there is guidance at all
    end: float = 1.0  # and until which
    perturbed: float = 0.0  # scale of what leads away from the weakened answer
    norm_side: int = 0  # CFG keeps the length of the prompted answer in squares of so many latents; 0: it does not

    def is_active(self, moment: Moment) -> bool:
        """Whether there is guidance at this moment (arXiv:2404.07724: only in the middle it helps)."""
        return self.start <= moment.share < self.end

    def needs_unconditional(self, moment: Moment) -> bool:
        """Whether the answer to the negative prompt is needed."""
        return self.is_active(moment) and (self.scale != 1 or self.plus_plus)

    def needs_perturbed(self, moment: Moment) -> bool:
        """Whether the answer of the weakened denoiser is needed."""
        return self.is_active(moment) and self.perturbed > 0

    def combine(
        self, moment: Moment, conditional: Tensor, unconditional: Tensor | None, perturbed_prediction: Tensor | None
    ) -> Tensor:
        """One answer from up to three, all (B, C, h, w) of whatever the denoiser predicts."""
        prediction = conditional
        if unconditional is not None:
            prediction = unconditional + self._scale(moment) * (conditional - unconditional)
            prediction = as_long(prediction, conditional, self.norm_side) if self.norm_side else prediction
        if (
            perturbed_prediction is not None
        ):  # arXiv:2403.17377, eq. 15, and arXiv:2408.00760, which follow one another in form
            prediction = prediction + self.perturbed * (conditional - perturbed_prediction)
        return (
            rescaled(prediction, conditional, self.rescale)
            if self.rescale and prediction is not conditional
            else prediction
        )

    def _scale(self, moment: Moment) -> float:
        """CFG++ (arXiv:2406.08070, alg. 2) takes the image from the guided answer and the noise from the unprompted.

        For a step that is a straight line that is CFG whose scale follows the step: the guided image moves by
        lambda * sigma_t * (wanted - unwanted), plain CFG by scale * (sigma_t - sigma_next) of the same.
        """
        return self.scale * moment.stride if self.plus_plus else self.scale


def as_long(guided_BChw: Tensor, conditional_BChw: Tensor, side: int) -> Tensor:
    """The answer as long as the prompted one in every square of so many latents, as Qwen-Image's pipeline has it."""

    def lengths(x_BChw: Tensor) -> Tensor:
        return avg_pool2d(x_BChw.square().sum(dim=1, keepdim=True), side).sqrt()

    gain = lengths(conditional_BChw) / lengths(guided_BChw).clamp_min(torch.finfo(guided_BChw.dtype).tiny)
    return guided_BChw * gain.repeat_interleave(side, 2).repeat_interleave(side, 3)


def rescaled(guided: Tensor, conditional: Tensor, share: float) -> Tensor:
    """The answer with the spread of the prompted one, as far as `share` says (arXiv:2305.08891, section 3.4)."""
    axes = tuple(range(1, guided.dim()))
    gain = conditional.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True)
    return guided * (share * gain + (1 - share))
