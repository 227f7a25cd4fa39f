"""How answers of the denoiser are judged: the distance to the target, and how much each time counts.

Shapes: B batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from modules.diffusion.noising import Noising


def squared(said: Tensor, target: Tensor) -> Tensor:
    """The mean squared error of each item, (B,), in fp32."""
    return F.mse_loss(said.float(), target.float(), reduction="none").mean(dim=(1, 2, 3))


def huber(said: Tensor, target: Tensor, delta: float) -> Tensor:
    """Squared up to `delta`, linear beyond, (B,), in fp32.

    Twice the usual Huber loss, so that small errors cost what MSE would make them cost: the learning rate keeps its
    meaning.
    """
    return 2 * F.huber_loss(said.float(), target.float(), reduction="none", delta=delta).mean(dim=(1, 2, 3))


def min_snr_weights(noising: Noising, time_B: Tensor, gamma: float) -> Tensor:
    """How much each time counts, (B,): min-SNR-gamma (arXiv:2303.09556, eq. 4 and section 3.4).

    min(snr, gamma) / snr on a loss of the noise, and min(snr, gamma) / (snr + 1) on a loss of the velocity, so that
    both weigh the implied clean image alike.
    """
    snr_B = noising.snr(time_B)
    return snr_B.clamp_max(gamma) / (snr_B + 1 if noising.prediction == "v_prediction" else snr_B)
