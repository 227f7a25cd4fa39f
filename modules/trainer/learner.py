"""One optimizer step, and everything that learns: read `learn`, then `losses`.

Shapes: B items of a batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from modules.data.batches import Batch
from modules.families import Condition, Family
from modules.methods import Method
from modules.preset.interval import Interval
from modules.preset.preset import Preset
from modules.system.devices import autocast, sent
from modules.system.seeds import seed_of
from modules.trainer.backup import Stateful, read_backup
from modules.trainer.clock import Clock
from modules.trainer.ema import Ema
from modules.trainer.inpainting import hidden_part
from modules.trainer.objective import item_losses, noise_for, time_shares
from modules.trainer.optimizers import Updater
from modules.trainer.rates import rate_factor


class Learner:
    """A family, a method attached to it, an optimizer, and the clock that addresses their chance."""

    def __init__(self, preset: Preset, family: Family, method: Method, steps: int) -> None:
        """`steps`: the length of the run, which the schedule of the learning rate needs."""
        self.preset, self.family, self.method, self.steps = preset, family, method, steps
        self.device = family.options.device
        self.clock = Clock()
        self.updater = Updater(preset.optimizer, method.groups(), preset.general.seed)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=preset.model.dtype == "fp16")
        self.ema = Ema(method.parameters(), preset.training.ema_decay) if preset.training.ema else None
        # What a backup holds. Whoever adds a stateful thing to a run adds a row.
        self.state: dict[str, Stateful] = {"method": method, "optimizer": self.updater, "clock": self.clock}
        if self.ema:
            self.state["ema"] = self.ema
        if self.scaler.is_enabled():
            self.state["scaler"] = self.scaler

    def resume(self, backup: Path) -> None:
        """Continue where a backup was made, as if nothing had happened."""
        read_backup(backup, self.state, self.device)

    def learn(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor | None]:
        """One optimizer step from one batch, or from several (accumulation). The result still lies on the card."""
        count, shown = sum(len(batch.items) for batch in batches), 0
        losses: list[Tensor] = []
        for batch in batches:
            loss = self.losses(batch, shown).sum() / count
            self.scaler.scale(loss).backward()
            losses.append(loss.detach())
            shown += len(batch.items)
        return torch.stack(losses).sum(), self._update()

    def losses(self, batch: Batch, shown: int) -> Tensor:
        """The loss of each item, (B,). `shown` items of this step came before: each has its own address of chance."""
        seeds = [seed_of(self.preset.general.seed, "item", self.clock.step, shown + i) for i in range(len(batch.items))]
        clean = self.latents(batch)
        noise = sent(noise_for(self.preset.objective, seeds, clean.shape[1:]), self.device)
        shares_B = time_shares(self.preset.objective, [seed_of(seed, "time") for seed in seeds])
        time_B = sent(self.family.noising.time(shares_B), self.device)
        self.method.prepare([seed_of(seed, "method") for seed in seeds])
        condition = self.condition(batch, seeds)
        with autocast(self.device, self.family.options.dtype):
            said = self.family.predict(self.family.noising.mix(clean, noise, time_B), time_B, condition)
        target = self.family.noising.target(clean, noise, time_B)
        weights_B = sent(batch.loss_weights_B, self.device)
        return item_losses(self.preset.objective, self.family.noising, said, target, time_B) * weights_B

    def latents(self, batch: Batch) -> Tensor:
        """Clean latents (B, C, h, w) in fp32: from the cache, or encoded now where nothing could be cached."""
        if batch.latents_BChw is not None:
            return sent(batch.latents_BChw, self.device, torch.float32)
        assert batch.pixels_B3HW is not None
        return self.family.encode_image(sent(batch.pixels_B3HW, self.device)).float()

    def condition(self, batch: Batch, seeds: Sequence[int]) -> Condition:
        """What the denoiser hears: cached text, or text read now because reading is what is being trained."""
        if batch.text is not None:
            text = Condition.stack(batch.text).to(self.device)
        else:
            reads = autocast(self.device, self.family.options.dtype)
            with reads, torch.set_grad_enabled(self.preset.trains_text):
                text = self.family.encode_text(batch.captions)
        inpaint = None
        if self.family.inpaints:
            assert batch.pixels_B3HW is not None
            # Outside of autocast: the VAE has a precision of its own, and SDXL's fails in fp16.
            inpaint = hidden_part(self.family, sent(batch.pixels_B3HW, self.device), seeds)
        sizes = sent(batch.sizes_B6, self.device)
        return Condition(text.tokens_BTD, text.mask_BT, text.pooled_BD, sizes, inpaint)

    def rates(self) -> dict[str, float]:
        """The learning rate of each group for the step that comes next; 0 for what has stopped."""
        factor = rate_factor(self.preset.schedule, self.clock.step, self.steps)
        return {
            group.name: 0.0 if self.clock.passed(Interval.parse(group.stop_after)) else group.learning_rate * factor
            for group in self.method.groups()
        }

    @contextmanager
    def finished_weights(self) -> Generator[None]:
        """The weights as they are sampled and saved: the moving average, or schedule-free's. Put back bit for bit."""
        with self.updater.averaged():
            if self.ema is None:
                yield
                return
            with self.method.weights(self.ema.values):
                yield

    def freeze_what_is_over(self) -> bool:
        """Stop gradients of groups whose time is over; False when nothing is left to train."""
        left = False
        for group in self.method.groups():
            over = self.clock.passed(Interval.parse(group.stop_after))
            left = left or not over
            for parameter in group.parameters.values():
                if over and parameter.requires_grad:
                    parameter.requires_grad_(False)
        return left

    # Inside a step

    def _update(self) -> Tensor | None:
        """Turn gradients into new weights; gives the length of the gradient, if it was measured."""
        self.scaler.unscale_(self.updater.inner)
        norm = None
        if self.preset.training.clip_gradients:
            parameters = self.method.parameters().values()
            norm = torch.nn.utils.clip_grad_norm_(parameters, self.preset.training.clip_gradients)
        self.updater.set_rates(self.rates())
        if self.scaler.is_enabled():
            self.scaler.step(self.updater.inner)
            self.scaler.update()
        else:
            self.updater.step(self.clock.step)
        self.updater.clear()
        self.method.after_step()
        if self.ema:
            self.ema.update(self.clock.step + 1)
        return norm
