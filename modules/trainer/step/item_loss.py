"""How wrong the model is: the loss of each item of a batch, with all the chance that goes into it.

Shapes: B items of a batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from modules.data.batches import Batch
from modules.families import Condition, Family
from modules.methods import Method
from modules.preset.preset import Preset
from modules.system.devices import to_device
from modules.system.seeds import seed_of
from modules.trainer.step.denoising_task import DenoisingTask
from modules.trainer.step.noise_and_loss import item_losses, mask_weights
from modules.trainer.step.prior_preservation import TeacherCache, prior_target


class LossComputer(DenoisingTask):
    """Compares what a family predicts, with a method attached to it, with its targets."""

    def __init__(self, preset: Preset, family: Family, method: Method, teacher: TeacherCache | None = None) -> None:
        """`teacher`: the base model's predictions for "prior" images, where training changes the model itself."""
        super().__init__(preset, family)
        self.method, self.teacher = method, teacher

    def losses(self, batch: Batch, seeds: Sequence[int], shares_B: Tensor, text: Condition | None = None) -> Tensor:
        """The loss of each item, (B,), with the randomness of these seeds, at these timesteps (shares of noise).

        `text`: the batch's captions, if they were padded together with others.
        """
        if self.teacher:
            seeds, shares_B = self.teacher.with_cached_noise(batch, seeds, shares_B)
        self.method.prepare([seed_of(seed, "method") for seed in seeds])  # first: captions may be read by what it drops
        noisy_batch = self.noisy_batch(batch, seeds, shares_B, text)
        target = prior_target(self, self.method, self.teacher, batch, noisy_batch)
        prediction = self.predict(noisy_batch)
        weights_B = to_device(batch.loss_weights_B, self.device)
        mask = self.mask(batch, target)
        losses_B = item_losses(
            self.preset.objective, self.family.noise_schedule, prediction, target, noisy_batch.time_B, mask
        )
        return losses_B * weights_B

    def mask(self, batch: Batch, latents: Tensor) -> Tensor | None:
        """How much each place of these latents counts, (B, 1, h, w); None where all count.

        An inpainting model is given its mask as an input, and its loss is over the whole image.
        """
        if batch.masks_B1hw is None or self.family.inpaints:
            return None
        return mask_weights(self.preset.training.masks, to_device(batch.masks_B1hw, self.device), latents.shape[2:])
