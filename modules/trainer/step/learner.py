"""One optimizer step, and everything that learns: read `learn`, then `losses`.

A batch that memory is too small for is taken in parts. Chance belongs to the items, and captions are padded together
before they are parted, so that the parts sum up to what the whole would have given.

Shapes: B items of a batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from modules.data.batches import Batch
from modules.families import Condition, Family
from modules.methods import Method
from modules.placement.gradients import Gradients, MainMemoryGradients
from modules.preset.preset import Preset
from modules.sentences.problem import Problem
from modules.system.devices import empty_card_cache, is_card, is_out_of_memory
from modules.system.seeds import seed_of
from modules.trainer.backup import Stateful, read_backup
from modules.trainer.step.ema import Ema, describe_average
from modules.trainer.step.item_loss import LossComputer
from modules.trainer.step.optimizers import MixedPrecisionOptimizer
from modules.trainer.step.out_of_memory import BatchSplits, cannot_fit, update_cannot_fit
from modules.trainer.step.prior_preservation import TeacherCache
from modules.trainer.step.schedule import Alternation, Clock, rate_factor
from modules.trainer.step.step_guard import GOOD, Guard, RunningStats


class StepResult(NamedTuple):
    """What one step measured; it may still be under way on the card."""

    loss: Tensor
    norm: Tensor | None  # length of the gradient before it was shortened
    verdict: Tensor | None  # one of modules/trainer/step/step_guard.py; None if nobody judges


class Learner:
    """A family, a method attached to it, an optimizer, and the clock that addresses their chance."""

    def __init__(
        self, preset: Preset, family: Family, method: Method, steps: int, teacher: TeacherCache | None = None, *,
        on_card: bool | None = None,
    ) -> None:  # fmt: skip
        """`steps`: the length of the run, for the schedule of the learning rate. `teacher`: see `LossComputer`.

        `on_card`: work as on a card. None: if the family lies on one.
        """
        self.preset, self.family, self.method, self.steps = preset, family, method, steps
        self.device = family.options.device
        self.clock, self.loss_computer = Clock(), LossComputer(preset, family, method, teacher)
        self.turns = Alternation(preset)
        parameters, groups = method.parameters().values(), method.groups()
        aside = preset.training.gradients == "main_memory" and (is_card(self.device) if on_card is None else on_card)
        self.gradients = MainMemoryGradients(parameters, self.device) if aside else Gradients(parameters)
        self.optimizer = MixedPrecisionOptimizer(
            preset.optimizer, groups, preset.general.seed, on_card=on_card, gradients=self.gradients
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=family.options.dtype is torch.float16)
        self.ema = _average(preset, method)
        guards = preset.training.guards
        self.guard, self.running_stats = (
            Guard(guards, scaled=self.scaler.is_enabled()),
            RunningStats(guards.spikes, self.device),
        )
        self.judges_steps = guards.enabled or self.scaler.is_enabled()
        self.parts = BatchSplits()
        self.on_log: Callable[[Problem], None] = lambda _: None  # tells the user; set by whoever has somebody to tell
        # What a backup holds. Whoever adds a stateful thing to a run adds a row.
        self.state: dict[str, Stateful] = {"method": method, "optimizer": self.optimizer, "clock": self.clock}
        self.state |= {"guard": self.guard, "usual": self.running_stats, "parts": self.parts}
        if self.ema:
            self.state["ema"] = self.ema
        if self.scaler.is_enabled():
            self.state["scaler"] = self.scaler

    def resume(self, backup: Path) -> None:
        """Continue where a backup was made, as if nothing had happened."""
        read_backup(backup, self.state, self.device)

    def learn(self, batches: Sequence[Batch]) -> StepResult:
        """One optimizer step from one batch, or from several (accumulation). The result still lies on the card.

        Raises:
            UserError: memory is too small even for one item at a time, or for the update.
        """
        while (loss := self._gradients(batches)) is None:
            pass  # in smaller parts each time
        try:
            return self._update(loss)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise update_cannot_fit(self.preset, self.clock.step + 1) from error

    def losses(self, batch: Batch, shown: int, of: int, text: Condition | None = None) -> Tensor:
        """The loss of each item, (B,). `shown` of the step's `of` items came before: each has an address of chance.

        `text`: the batch's captions, if they were padded together with others.
        """
        seeds = [self._seed(shown + i) for i in range(len(batch.items))]
        parts = seed_of(self.preset.general.seed, "parts", self.clock.step, self.guard.attempt)
        return self.loss_computer.losses(
            batch, seeds, self.loss_computer.sample_timesteps(batch, seeds, first=shown, of=of, step=parts), text
        )

    def _seed(self, place: int) -> int:
        """The address of all chance of the item at this place of the step; another after the run went back."""
        again = ("attempt", self.guard.attempt) if self.guard.attempt else ()
        return seed_of(self.preset.general.seed, "item", self.clock.step, place, *again)

    def rates(self) -> dict[str, float]:
        """The learning rate of each group for the step that comes next; 0 for what rests."""
        factor = rate_factor(self.preset.schedule, self.clock.step, self.steps) * self.guard.factor
        factor *= self.preset.training.rate_scale
        active = self.turns.active(self.method.groups(), self.clock)
        return {
            group.name: group.learning_rate * factor if group.name in active else 0.0 for group in self.method.groups()
        }

    @contextmanager
    def finished_weights(self, *, average: bool = True, exact: bool = False) -> Generator[None]:
        """The weights as they are sampled and saved: the moving average, or schedule-free's. Put back bit for bit.

        Without `average` not the moving one. `exact`: with all of its digits, to be saved and not to be used.
        """
        with self.optimizer.averaged_weights():
            if self.ema is None or not average:
                yield
                return
            with self.method.weights(self.ema.values, exact=exact):
                yield

    def set_trainable(self) -> bool:
        """Let gradients flow to the groups whose turn it is, and to no other; False when nothing is left to train."""
        active = self.turns.active(self.method.groups(), self.clock)
        for group in self.method.groups():
            for parameter in group.parameters.values():
                if parameter.requires_grad != (group.name in active):
                    parameter.requires_grad_(group.name in active)
        return bool(active)

    def is_finite(self) -> bool:
        """Whether all that was trained is finite: the one question that waits for the card, before anything is kept."""
        values = [*self.method.parameters().values(), *(self.ema.values.values() if self.ema else ())]
        largest = torch.nn.utils.get_total_norm([value.detach() for value in values], torch.inf)
        return bool(largest.isfinite())

    def notes(self) -> list[Problem]:
        """What is done beside training, for the log."""
        return [describe_average(self.ema.decay)] if self.ema else []

    # Inside a step

    def _gradients(self, batches: Sequence[Batch]) -> Tensor | None:
        """Gather the gradients of a step; gives its loss, or None if memory ran out and smaller parts may fit."""
        count, shown = sum(len(batch.items) for batch in batches), 0
        losses: list[Tensor] = []
        for batch in batches:
            try:
                for part, before, text in self._split(batch):
                    loss = self.losses(part, shown + before, count, text).sum() / count
                    self.scaler.scale(loss).backward()
                    losses.append(loss.detach())
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failed = batch
                break
            shown += len(batch.items)
        else:
            return torch.stack(losses).sum()
        # Only here, where the error is gone, and with it the tensors that its traceback held.
        self.optimizer.zero_grad()
        empty_card_cache(self.device)
        message = self.parts.halve(failed, self.clock.step + 1)
        if message is None:
            raise cannot_fit(self.preset, self.clock.step + 1, failed)
        self.on_log(message)
        return None

    def _split(self, batch: Batch) -> Iterator[tuple[Batch, int, Condition | None]]:
        """The batch in parts that memory has room for: each with the items before it, and with its cached text."""
        cached = self.loss_computer.cached_text(batch)
        size = self.parts.size_of(batch)
        if size >= len(batch.items):
            yield batch, 0, cached
            return
        for start in range(0, len(batch.items), size):
            end = start + size
            yield batch.part(start, end), start, None if cached is None else cached.between(start, end)

    def _update(self, loss: Tensor) -> StepResult:
        """Turn gradients into new weights, unless the step is judged bad."""
        self.gradients.unscale(self.scaler, self.optimizer.inner)
        norm, verdict, bad = self._norm(), None, None
        if self.judges_steps:
            assert norm is not None
            verdict = self.running_stats.verdict(loss, norm)
            bad = verdict != GOOD
        self.optimizer.set_rates(self.rates())
        self.optimizer.step(self.clock.step, bad)
        if self.scaler.is_enabled():
            self.scaler.update()
        self.optimizer.zero_grad()
        self.method.after_step(bad)
        if self.ema:
            self.ema.update(self.clock.step + 1, bad)
        return StepResult(loss, norm, verdict)

    def _norm(self) -> Tensor | None:
        """The length of the gradient, if somebody wants to know it; too long a gradient is shortened here."""
        if longest := self.preset.training.clip_gradients:
            return self.gradients.clip(longest)
        return self.gradients.norm() if self.judges_steps else None


def _average(preset: Preset, method: Method) -> Ema | None:
    training = preset.training
    if not training.ema:
        return None
    main_memory = training.ema_device == "cpu"
    return Ema(method.parameters(), training.ema_decay, every=training.ema_every, main_memory=main_memory)
