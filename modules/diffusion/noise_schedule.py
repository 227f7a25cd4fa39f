"""How clean latents are mixed with noise, and what the denoiser is taught to say about the mixture.

Every scheme is x_t = alpha(t) * clean + sigma(t) * noise; they differ in the two curves and in the target.
What a time is belongs to the scheme: DDPM counts its noisy levels with integers from 0, flows use numbers from 0 to 1.

Shapes: B batch, C latent channels, h w latent size, N levels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor


class NoiseSchedule(ABC):
    """Training's side of a diffusion process; modules/diffusion/solvers.py is the sampling side of the same object."""

    prediction: ClassVar[str]
    predicts: ClassVar[str]  # what it predicts: a row of the sentences

    @abstractmethod
    def time(self, share_B: Tensor) -> Tensor:
        """Times for shares in [0, 1): 0 is almost clean, 1 all noise."""

    @abstractmethod
    def share(self, time_B: Tensor) -> Tensor:
        """The other way round: how far each time lies between clean (0) and all noise (1), float64."""

    @abstractmethod
    def alpha_sigma(self, time_B: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha and sigma, each (B, 1, 1, 1)."""

    @abstractmethod
    def target(self, clean: Tensor, noise: Tensor, time_B: Tensor) -> Tensor:
        """What the denoiser should say."""

    @abstractmethod
    def scheduler_config(self) -> dict[str, object]:
        """The same process in the words of diffusers' schedulers."""

    def add_noise(self, clean: Tensor, noise: Tensor, time_B: Tensor) -> Tensor:
        alpha, sigma = self.alpha_sigma(time_B)
        return alpha * clean + sigma * noise

    def snr(self, time_B: Tensor) -> Tensor:
        """Signal-to-noise ratio, (B,): 0 for pure noise."""
        alpha, sigma = self.alpha_sigma(time_B)
        return ((alpha / sigma) ** 2).reshape(-1)

    @abstractmethod
    def gain(self, time_B: Tensor) -> Tensor:
        """The squared error of the answer over that of the clean image which it implies, (B,)."""

    @property
    @abstractmethod
    def zero_terminal_snr(self) -> bool:
        """Whether the noise was rescaled so that its last time is pure noise. A flow always ends there: it says no."""


class EpsilonPrediction(NoiseSchedule):
    """DDPM (arXiv:2006.11239) that predicts the noise, on scaled-linear betas. SD 1, SD 2 base, SDXL."""

    prediction = "epsilon"
    predicts = "predicts.epsilon"

    def __init__(
        self, start: float = 0.00085, end: float = 0.012, count: int = 1000, *, zero_terminal_snr: bool = False
    ) -> None:
        """The betas of Stable Diffusion, unless others are given."""
        self.start, self.end = start, end
        # In fp32 as in diffusers: with the same rounding, training, sampling and other programs agree to a digit.
        self.betas_N = torch.linspace(start**0.5, end**0.5, count) ** 2
        alphas_cumprod_N = torch.cumprod(1 - self.betas_N, dim=0)
        if zero_terminal_snr:
            alphas_cumprod_N = rescaled_to_zero_terminal_snr(alphas_cumprod_N)
        self._zero_terminal_snr = zero_terminal_snr
        self.alphas_N, self.sigmas_N = alphas_cumprod_N.sqrt(), (1 - alphas_cumprod_N).sqrt()

    @property
    def zero_terminal_snr(self) -> bool:
        return self._zero_terminal_snr

    @property
    def count(self) -> int:
        return len(self.betas_N)

    def time(self, share_B: Tensor) -> Tensor:
        return (share_B.double() * self.count).long().clamp(0, self.count - 1)

    def share(self, time_B: Tensor) -> Tensor:
        return time_B.double() / (self.count - 1)

    def alpha_sigma(self, time_B: Tensor) -> tuple[Tensor, Tensor]:
        if (
            self.alphas_N.device != time_B.device
        ):  # once per run: indexing on the CPU would make the card wait each step
            self.alphas_N, self.sigmas_N = self.alphas_N.to(time_B.device), self.sigmas_N.to(time_B.device)
        return self.alphas_N[time_B].reshape(-1, 1, 1, 1), self.sigmas_N[time_B].reshape(-1, 1, 1, 1)

    def target(self, clean: Tensor, noise: Tensor, time_B: Tensor) -> Tensor:
        return noise

    def gain(self, time_B: Tensor) -> Tensor:
        return self.snr(time_B)

    def scheduler_config(self) -> dict[str, object]:
        return {
            "num_train_timesteps": self.count,
            "beta_start": self.start,
            "beta_end": self.end,
            "beta_schedule": "scaled_linear",
            "prediction_type": self.prediction,
            "rescale_betas_zero_snr": self.zero_terminal_snr,
            # "trailing" starts at the last level, as the model was trained (arXiv:2305.08891, section 3.3).
            "timestep_spacing": "trailing",
            "steps_offset": 1,
        }


class VPrediction(EpsilonPrediction):
    """The same noise, predicted as a velocity (arXiv:2202.00512, appendix D). SD 2, NoobAI-v."""

    prediction = "v_prediction"
    predicts = "predicts.v"

    def target(self, clean: Tensor, noise: Tensor, time_B: Tensor) -> Tensor:
        alpha, sigma = self.alpha_sigma(time_B)
        return alpha * noise - sigma * clean

    def gain(self, time_B: Tensor) -> Tensor:
        return self.snr(time_B) + 1


class RectifiedFlow(NoiseSchedule):
    """A straight line from image to noise, predicted as its direction: rectified flow (arXiv:2209.03003).

    Times are numbers from 0 to 1000, because that is what the U-Nets of Stable Diffusion know how to hear.
    """

    prediction = "flow"
    predicts = "predicts.flow"
    COUNT = 1000

    def __init__(self, shift: float = 1.0, terminal: float | None = None) -> None:
        """Both are for sampling. `shift`: towards noise (modules/diffusion/shift.py).

        `terminal`: the noise before the last step, to which the times are stretched; None: where the shift leaves it.
        """
        self.shift, self.terminal = shift, terminal

    @property
    def zero_terminal_snr(self) -> bool:
        return False

    def time(self, share_B: Tensor) -> Tensor:
        return (share_B * self.COUNT).float()

    def share(self, time_B: Tensor) -> Tensor:
        return time_B.double() / self.COUNT

    def alpha_sigma(self, time_B: Tensor) -> tuple[Tensor, Tensor]:
        sigma = (time_B.float() / self.COUNT).reshape(-1, 1, 1, 1)
        return 1 - sigma, sigma

    def target(self, clean: Tensor, noise: Tensor, time_B: Tensor) -> Tensor:
        return noise - clean

    def gain(self, time_B: Tensor) -> Tensor:
        return self.alpha_sigma(time_B)[1].reshape(-1) ** -2

    def scheduler_config(self) -> dict[str, object]:
        config: dict[str, object] = {
            "num_train_timesteps": self.COUNT,
            "shift": self.shift,
            "use_flow_sigmas": True,
            "flow_shift": self.shift,
            "prediction_type": "flow_prediction",
            "steps_offset": 1,
        }
        return config if self.terminal is None else {**config, "shift_terminal": self.terminal}


def rescaled_to_zero_terminal_snr(alphas_cumprod_N: Tensor) -> Tensor:
    """Shift and scale the signal so that nothing of the image is left at the last level (arXiv:2305.08891, alg. 1)."""
    signal_N = alphas_cumprod_N.sqrt()
    first, last = signal_N[0].clone(), signal_N[-1].clone()
    rescaled_N = ((signal_N - last) * (first / (first - last))) ** 2
    # Taken apart into steps and put together again, as diffusers does: its schedulers then agree to a digit.
    steps_N = torch.cat([rescaled_N[:1], rescaled_N[1:] / rescaled_N[:-1]])
    return torch.cumprod(1 - (1 - steps_N), dim=0)
