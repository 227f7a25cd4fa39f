"""The U-Net and its text encoder, trained together from nothing on the latents of the drawings.

Tensors carry their shape in letters: B batch, C channels, h and w rows and columns of latents, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tools.starter.drawings import Entry, caption
from tools.starter.muon import optimizers
from tools.starter.training_loop import Plan, TrainingLoop, step_generators

STEPS, POLISH_STEPS = 4464, 1130  # of batch 48: what the study took, and its second course at lower rates
SHARES = {"plain": 0.75, "hue": 0.15, "ground": 0.10}  # of a batch


@dataclass(frozen=True)
class Networks:
    """What is trained."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel


def new_networks(tokenizer: CLIPTokenizer, channels: tuple[int, ...] = (48, 80, 112)) -> Networks:
    """Untrained networks with the layout of Stable Diffusion's, small, for the tokenizer's vocabulary and length."""
    unet = UNet2DConditionModel(
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=channels,
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=(1, 2, 3),  # diffusers' old name for the number of heads
        cross_attention_dim=128,
    )
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        projection_dim=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        hidden_act="quick_gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Networks(unet, CLIPTextModel(config))


def new_schedule() -> DDIMScheduler:
    """Stable Diffusion's noise schedule with v-prediction."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        steps_offset=1,
    )


class Batches:
    """Latents and tokens for any step: chosen by kind, captioned by chance."""

    def __init__(self, entries: list[Entry], latents: Tensor, tokenizer: CLIPTokenizer) -> None:
        self.entries, self.latents = entries, latents
        found = {kind: [i for i, entry in enumerate(entries) if entry.kind == kind] for kind in SHARES}
        self.kinds = {kind: np.array(rows) for kind, rows in found.items() if rows}
        weights = np.array([SHARES[kind] for kind in self.kinds])
        self.shares = weights / weights.sum()
        self.tokens = cache(lambda text: tuple(tokenizer(text, padding="max_length", truncation=True).input_ids))

    def at(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Latents [B, C, h, w] and tokens [B, T]."""
        kinds = rng.choice(list(self.kinds), size, p=self.shares)
        rows = [int(rng.choice(self.kinds[kind])) for kind in kinds]
        tokens = [self.tokens(caption(self.entries[row], rng)) for row in rows]
        return self.latents[rows], torch.tensor(tokens)


def denoising_loss(
    networks: Networks, schedule: DDIMScheduler, latents: Tensor, tokens: Tensor, noise: torch.Generator
) -> Tensor:
    """Mean squared error of the predicted v, at uniform times. Noise is drawn on the CPU: the same on every device."""
    device = latents.device
    times = torch.randint(0, 1000, (len(latents),), generator=noise).to(device)
    added = torch.randn(latents.shape, generator=noise).to(device)
    noisy, target = schedule.add_noise(latents, added, times), schedule.get_velocity(latents, added, times)
    with torch.autocast(device.type, torch.bfloat16):
        words = networks.text_encoder(tokens).last_hidden_state
        predicted = networks.unet(noisy, times, words).sample
    return F.mse_loss(predicted.float(), target)


def train_denoiser(networks: Networks, batches: Batches, file: Path, plan: Plan, batch: int, seed: int) -> None:
    """Train, or continue; in the end the networks hold the averaged weights."""
    parts = {"unet": networks.unet, "text_encoder": networks.text_encoder}
    course = TrainingLoop(parts, optimizers(parts.values(), 0.02, 1e-3), plan, file)
    schedule, device = new_schedule(), networks.unet.device

    def loss_at(step: int) -> Tensor:
        choices, noise = step_generators(seed, step)
        latents, tokens = batches.at(batch, choices)
        return denoising_loss(networks, schedule, latents.to(device), tokens.to(device), noise)

    course.run(loss_at, max_decay=0.999)
    course.load_average()
