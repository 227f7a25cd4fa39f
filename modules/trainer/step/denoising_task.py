"""One denoising task of training: clean latents, noise of some strength, and the text that goes with them.

Shapes: B items of a batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from modules.data.batches import Batch
from modules.families import Condition, Family
from modules.preset.preset import Preset
from modules.system.devices import autocast, to_device
from modules.system.seeds import seed_of
from modules.trainer.step.inpainting import inpaint_condition
from modules.trainer.step.noise_and_loss import perturbed_noise, sample_noise, sample_timesteps


class NoisyBatch(NamedTuple):
    """A batch with noise in it: the denoiser's inputs, and the target of its prediction."""

    noisy_BChw: Tensor
    time_B: Tensor
    condition: Condition
    target_BChw: Tensor


class DenoisingTask:
    """Makes noisy batches and has the denoiser predict, for a family with or without a method attached."""

    def __init__(self, preset: Preset, family: Family) -> None:
        self.preset, self.family = preset, family
        self.device = family.options.device

    def sample_timesteps(self, batch: Batch, seeds: Sequence[int], *, first: int, of: int, step: int) -> Tensor:
        """How much noise each item gets, as a share, (B,): the items from `first` on of the `of` of a step.

        `step` is a seed of that step, for what its items share.
        """
        height, width = batch.items[0].bucket
        return sample_timesteps(
            self.preset.objective.times,
            [seed_of(seed, "time") for seed in seeds],
            first=first,
            of=of,
            step=step,
            growth=self.family.dynamic_shift(height, width),
        )

    def noisy_batch(
        self, batch: Batch, seeds: Sequence[int], shares_B: Tensor, text: Condition | None = None
    ) -> NoisyBatch:
        """The batch at these timesteps (shares of noise), with the randomness of these seeds.

        `text`: the batch's captions, if they were padded together with others.
        """
        clean, settings = self.latents(batch), self.preset.objective.noise
        on_hand = clean if batch.latents_BChw is None else batch.latents_BChw  # not to fetch them from the card again
        noise = sample_noise(settings, seeds, on_hand)
        perturbed = to_device(perturbed_noise(settings, seeds, noise), self.device)
        noise = to_device(noise, self.device)
        noise_schedule = self.family.noise_schedule
        time_B = to_device(noise_schedule.time(shares_B), self.device)
        condition = self.condition(batch, seeds, text)
        return NoisyBatch(
            noise_schedule.add_noise(clean, perturbed, time_B),
            time_B,
            condition,
            noise_schedule.target(clean, noise, time_B),
        )

    def predict(self, noisy_batch: NoisyBatch) -> Tensor:
        """What the denoiser predicts now, (B, C, h, w)."""
        with autocast(self.device, self.family.options.dtype):
            return self.family.predict(noisy_batch.noisy_BChw, noisy_batch.time_B, noisy_batch.condition)

    def latents(self, batch: Batch) -> Tensor:
        """Clean latents (B, C, h, w) in fp32: from the cache, or encoded now where nothing could be cached."""
        if batch.latents_BChw is not None:
            return to_device(batch.latents_BChw, self.device, torch.float32)
        assert batch.pixels_B3HW is not None
        return self.family.encode_image(to_device(batch.pixels_B3HW, self.device)).float()

    def cached_text(self, batch: Batch) -> Condition | None:
        """The cached text of a batch, padded as one; None where it must be read now."""
        return None if batch.text is None else Condition.stack(batch.text).to(self.device)

    def condition(self, batch: Batch, seeds: Sequence[int], text: Condition | None = None) -> Condition:
        """What the denoiser is conditioned on: cached text, or text encoded now because an encoder is trained."""
        text = text or self.cached_text(batch)
        if text is None:
            reads = autocast(self.device, self.family.options.dtype)
            with reads, torch.set_grad_enabled(self.preset.trains_text and torch.is_grad_enabled()):
                text = self.family.encode_text(batch.captions)
        inpaint = None
        if self.family.inpaints:
            assert batch.pixels_B3HW is not None
            # Outside of autocast: the VAE has a precision of its own, and SDXL's fails in fp16.
            inpaint = inpaint_condition(
                self.family, to_device(batch.pixels_B3HW, self.device), seeds, batch.hidden, batch.shown
            )
        return self.completed(text, to_device(batch.sizes_B6, self.device), inpaint)

    def completed(self, text: Condition, sizes_B6: Tensor | None, inpaint_BChw: Tensor | None) -> Condition:
        """Text, and what else the denoiser is given in training."""
        condition = replace(text, sizes_B6=sizes_B6, inpaint_BChw=inpaint_BChw)
        return self.family.with_guidance(condition, self.preset.objective.embedded_guidance)
