"""The VAE: 128-pixel pictures to 16x16x4 latents and back, trained from nothing on crops of the drawings.

Tensors carry their shape in letters: B batch, C channels, H and W rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from tools.starter.drawings import Pixels, over_background
from tools.starter.muon import optimizers
from tools.starter.training_loop import Plan, TrainingLoop, step_generators

SIDE = 128
CROP = 64  # the net has no attention, so what it learns on crops holds for whole pictures
HELD_OUT = 64
STEPS = 1192
AFTER_NOISE = -7.0  # log variance at the start: with noise of size 1 on every latent, the decoder would learn nothing


@dataclass(frozen=True)
class CropSampler:
    """Drawings to crop from [N, H, W, 4]: two thirds of a batch are of the set that is learnt, one third others."""

    own: Pixels
    others: Pixels

    def batch(self, size: int, rng: np.random.Generator) -> Tensor:
        """Random crops [B, 3, CROP, CROP] in -1..1, on paper of random shades, some with other or inverted colours."""
        crops = []
        for _ in range(size):
            source = self.own if rng.random() < 0.65 or not len(self.others) else self.others
            top, left = rng.integers(0, SIDE - CROP + 1, 2)
            rgba = source[rng.integers(len(source)), top : top + CROP, left : left + CROP]
            crops.append(recolour(rgba, rng))
        return as_tensor(np.stack(crops))


def recolour(rgba: Pixels, rng: np.random.Generator) -> Pixels:
    """One crop [H, W, 3], different every time: a VAE must carry all colours, not only those of 451 drawings."""
    shade = rng.integers(0, 256, 3) if rng.random() < 0.3 else np.array([255, 255, 255])
    rgb = over_background(rgba, shade)
    if rng.random() < 0.3:
        rgb = rgb[..., rng.permutation(3)]
    if rng.random() < 0.5:
        rgb = rgb[:, ::-1]
    return 255 - rgb if rng.random() < 0.05 else rgb


def new_vae(channels: tuple[int, ...] = (16, 32, 64, 64)) -> AutoencoderKL:
    """An untrained VAE with the layout of Stable Diffusion's, factor 8 and 4 latent channels, but very thin."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=SIDE,
    )
    with torch.no_grad():
        vae.quant_conv.bias[4:] = AFTER_NOISE
        vae.quant_conv.weight[4:] *= 0.05
    return vae


def vae_loss(vae: AutoencoderKL, pictures: Tensor, noise: torch.Generator) -> Tensor:
    """How far the decoded pictures [B, 3, H, W] are from the true ones: values, edges, and a trace of KL."""
    with torch.autocast(pictures.device.type, torch.bfloat16):
        posterior = vae.encode(pictures).latent_dist
        decoded = vae.decode(posterior.sample(generator=noise)).sample
    error = decoded.float() - pictures
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    return 5 * error.square().mean() + 0.5 * error.abs().mean() + 0.2 * edges + 1e-5 * kl


def train_vae(
    own: Pixels, others: Pixels, file: Path, vae: AutoencoderKL, plan: Plan, batch: int, seed: int
) -> AutoencoderKL:
    """Train, or continue, and give back the averaged VAE. `own` [N, H, W, 4] lends up to 64 drawings as a test."""
    held = min(HELD_OUT, len(own) // 4)
    order = np.random.default_rng(seed).permutation(len(own))
    drawn, test = (
        CropSampler(own[order[held:]], others),
        as_tensor(np.stack([over_background(own[i]) for i in order[:held]])),
    )
    device = next(vae.parameters()).device
    course = TrainingLoop({"vae": vae}, optimizers([vae], 0.02, 1.5e-3, in_bf16=False), plan, file)

    def loss_at(step: int) -> Tensor:
        choices, noise = step_generators(seed, step)
        return vae_loss(vae, drawn.batch(batch, choices).to(device), noise)

    course.run(loss_at, max_decay=0.995)
    course.load_average()
    print(f"  {peak_signal(vae, test.to(device)):.2f} dB on {held} drawings it has not seen")
    return vae


@torch.no_grad()
def peak_signal(vae: AutoencoderKL, pictures: Tensor) -> float:
    """Peak signal to noise ratio, in decibels, of pictures [N, 3, H, W] that went through the VAE and back."""
    ratios = []
    for part in pictures.split(16):
        decoded = vae.decode(vae.encode(part).latent_dist.mode()).sample.clamp(-1, 1)
        ratios.append(-10 * ((decoded - part) / 2).square().mean((1, 2, 3)).log10())
    return float(torch.cat(ratios).mean())


def as_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """Pictures [N, H, W, 3] in 0..255 as a tensor [N, 3, H, W] in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
