"""Every picture as latents, once, and a VAE whose latents have mean 0 and standard deviation 1 in each channel."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from tools.starter.drawings import Entry, Pixels
from tools.starter.train_vae import as_tensor

SCALE = 0.18215  # Stable Diffusion's: every program multiplies latents by it, so ours must be right with it


def normalise(vae: AutoencoderKL, mean_C: Tensor, std_C: Tensor) -> None:
    """Fold (z - mean) / std / SCALE into the layers next to the latents, so that z * SCALE is normal in each channel.

    Exact: both layers are 1x1 convolutions. The decoder undoes what the encoder now does.
    """
    gain = 1 / (std_C * SCALE)
    channels = len(gain)
    before, after = vae.quant_conv, vae.post_quant_conv
    with torch.no_grad():
        before.weight[:channels] *= gain.view(-1, 1, 1, 1)
        before.bias[:channels] = (before.bias[:channels] - mean_C) * gain
        before.bias[channels:] += 2 * gain.log()  # the log variance follows the scale
        after.bias += after.weight[:, :, 0, 0] @ mean_C
        after.weight /= gain.view(1, -1, 1, 1)
    vae.register_to_config(scaling_factor=SCALE)


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: list[Pixels]) -> Tensor:
    """Latents [N, 4, h, w] of pictures [H, W, 3], unscaled, on the CPU."""
    device = next(vae.parameters()).device
    parts = [pictures[at : at + 32] for at in range(0, len(pictures), 32)]
    return torch.cat([vae.encode(as_tensor(np.stack(part)).to(device)).latent_dist.mode().cpu() for part in parts])


def write_latents(vae: AutoencoderKL, made: list[tuple[Entry, Pixels]], folder: Path) -> None:
    """Encode all pictures, normalise the VAE by them, and write both: folder/vae and folder/latents.pt."""
    latents = encode(vae.eval(), [picture for _, picture in made])
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    device = next(vae.parameters()).device
    normalise(vae, mean.to(device), std.to(device))
    vae.save_pretrained(folder / "vae")
    scaled = (latents - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)
    draft = folder / "latents.part"
    torch.save({"latents": scaled.half(), "entries": [asdict(entry) for entry, _ in made]}, draft)
    draft.replace(folder / "latents.pt")


def read_latents(folder: Path) -> tuple[list[Entry], Tensor]:
    """The entries, and their latents [N, 4, h, w], scaled, as the denoiser is trained on them."""
    kept = torch.load(folder / "latents.pt", weights_only=True)
    entries = [Entry(**{**row, "tags": tuple(row["tags"])}) for row in kept["entries"]]
    return entries, kept["latents"].float()
