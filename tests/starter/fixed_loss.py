"""How well a model knows a concept: its loss on the pictures, always at the same times and with the same noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image


@torch.no_grad()
def concept_loss(pipeline: Any, folder: Path, draws: int = 4) -> float:
    """Mean squared error of the predicted v over every picture (.png with .txt) of `folder`, `draws` times each.

    `pipeline` is a diffusers StableDiffusionPipeline in fp32 with v-prediction; nothing in it is changed.
    Numbers of one folder compare between models; numbers of two folders do not share their noise.
    """
    pictures = sorted(folder.glob("*.png"))
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB"), np.float32) for path in pictures])
    captions = [path.with_suffix(".txt").read_text(encoding="utf-8").strip() for path in pictures]
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
    latents = pipeline.vae.encode(images).latent_dist.mode() * pipeline.vae.config.scaling_factor
    tokens = pipeline.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    words = pipeline.text_encoder(tokens).last_hidden_state
    step_generators = torch.Generator().manual_seed(5)
    losses = []
    for _ in range(draws):
        times = torch.randint(0, 1000, (len(latents),), generator=step_generators)
        noise = torch.randn(latents.shape, generator=step_generators)
        predicted = pipeline.unet(pipeline.scheduler.add_noise(latents, noise, times), times, words).sample
        losses.append(F.mse_loss(predicted, pipeline.scheduler.get_velocity(latents, noise, times)))
    return float(torch.stack(losses).mean())
