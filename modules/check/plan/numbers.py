"""What a way of holding a model comes to: counted where one count serves many ways, and arithmetic between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from modules.catalog.gpus import Gpu
from modules.check.memory.findings import MemoryEstimator, with_changes
from modules.check.memory.phases import Estimate, Work, phases_of
from modules.check.memory.step_memory import StepBytes
from modules.check.plan.held import HeldWeights, held_weights, share_of
from modules.check.plan.ladder import Way
from modules.check.plan.pace import Load, seconds
from modules.placement.gradients import LEAVING
from modules.preset.preset import Preset
from modules.preset.text.share import Share
from modules.system.devices import DTYPES
from modules.trainer.preparation import without_plan
from modules.trainer.step.optimizers import CHUNK

SPARE = 2  # blocks: one is computed again on top, and among the first may be one of text alone, which saves little
UNPACKED = 4  # bytes for each number of a packed weight while it is unpacked, at most


@dataclass(frozen=True)
class Choice:
    """A way with its amounts."""

    way: Way
    checkpointed: int  # blocks
    batch_parts: int
    offloaded: int  # blocks


class Missing(NamedTuple):
    """Bytes that a step takes more than was thought."""

    passes: int = 0
    update: int = 0


class Numbers:
    """Of one model, its images and its settings.

    A step is counted with every block checkpointed, and with none where that may fit.
    """

    def __init__(self, estimator: MemoryEstimator, preset: Preset) -> None:
        self._estimator, self._preset = estimator, without_plan(preset)
        self._short: dict[Choice, Missing] = {}  # that a count found

    @property
    def blocks(self) -> int:
        return len(self._held.blocks)

    def estimate(self, choice: Choice, room: int) -> Estimate:
        """The phases of a run that is done so where there are `room` bytes."""
        preset, kind = self._preset, choice.way.quantization
        step = self._step(choice)
        if preset.method.kind != "full":
            step = replace(step, weights=step.weights | {"denoiser": self._held.on_card(kind, choice.offloaded)})
        work = replace(self._counted, step=step, aside=self.aside(choice))
        return phases_of(self._estimator.family, preset, work, self._estimator.held(preset), room)

    def aside(self, choice: Choice) -> int:
        """Bytes of main memory."""
        return self._held.aside(choice.way.quantization, choice.offloaded)

    def main_memory(self, choice: Choice) -> int:
        """Bytes of the computer's own memory that lie there for a card."""
        return self.aside(choice) + self._step(choice).gradients_aside

    def settings(self, choice: Choice) -> dict[str, Any]:
        """What makes a run do it so."""
        return {
            "model.quantization": choice.way.quantization,
            "model.offload": str(Share(share_of(choice.offloaded, self.blocks))),
            "training.gradient_checkpointing": str(Share(share_of(choice.checkpointed, self.blocks))),
            "training.gradients": choice.way.gradients,
        }

    def seconds(self, choice: Choice, gpu: Gpu) -> float:
        """How long a step takes, about."""
        kind, held = choice.way.quantization, self._held
        packed = held.packed(kind) if kind != "off" else 0
        numbers = held.packed("off") // 2 if packed else 0
        share = choice.checkpointed / self.blocks if self.blocks else 0.0
        load = Load(share, choice.batch_parts, packed, numbers, self.aside(choice), self._step(choice).gradients_aside)
        return seconds(gpu, self._counted.step, self._preset.training.accumulation, load)

    def correct(self, choice: Choice) -> bool:
        """Count a way as it will be run; whether that takes more than was thought, which is then thought from now on.

        A share of the blocks is between none and all, and is not counted itself.
        """
        if 0 < choice.checkpointed < self.blocks:
            choice = replace(choice, checkpointed=self.blocks)
        changes = {**self.settings(choice), "model.offload": "none"}
        if choice.batch_parts > 1:
            training = self._preset.training
            changes["training.batch_size"] = training.batch_size // choice.batch_parts
            changes["training.accumulation"] = training.accumulation * choice.batch_parts
        changed = with_changes(self._preset, changes)
        if changed is None or changed in self._as_counted:
            return False
        aside = choice.way.gradients == "main_memory"  # the only thing that an update depends on
        counted, thought = self._estimator.step(changed, "all" if aside else "passes"), self._step(choice)
        passes = _going(counted) - _going(thought)
        update = _update(counted) - _update(thought) if aside else 0
        if max(passes, update) <= 0:
            return False
        before = self._short.get(_alike(choice), Missing())
        self._short[_alike(choice)] = Missing(before.passes + max(0, passes), before.update + max(0, update))
        return True

    def _step(self, choice: Choice) -> StepBytes:
        """What is kept grows with the blocks that are not checkpointed, and with the images that are learnt at once."""
        step = self._counted.step
        going = _going(step)
        if choice.checkpointed < self.blocks:
            more = _going(self._kept) - going
            going += round(more * min(1, (self.blocks - choice.checkpointed + SPARE) / self.blocks))
        going //= choice.batch_parts
        if choice.way.quantization != "off" or choice.offloaded:
            going += UNPACKED * self._held.largest
        short = self._short.get(_alike(choice), Missing())
        if choice.way.gradients == "main_memory" and not step.gradients_aside:
            step, leaving = self._aside(step)
            going += leaving
        going += short.passes
        return replace(step, passes=going + step.passes_gradients, update=step.update + short.update)

    def _aside(self, step: StepBytes) -> tuple[StepBytes, int]:
        """A step whose gradients lie in main memory, and bytes of those that are still on their way there.

        For the update those of two chunks are on the card at once.
        """
        width, largest = DTYPES[self._preset.training.weights].itemsize, self._held.largest
        coming = min(step.trained, 2 * max(CHUNK, largest) * width)
        update = _update(step) + coming
        step = replace(step, passes_gradients=0, gradients=0, update=update, gradients_aside=step.trained)
        return step, min(step.trained, LEAVING + largest * width)

    @cached_property
    def _counted(self) -> Work:
        return self._estimator.work(_checkpointed(self._preset, "all"))

    @cached_property
    def _kept(self) -> StepBytes:
        return self._estimator.step(_checkpointed(self._preset, "none"), "passes")

    @cached_property
    def _as_counted(self) -> tuple[Preset, ...]:
        """What a way may be that needs no count: it was where all other numbers come from."""
        return tuple(_checkpointed(self._preset, share) for share in ("all", "none"))

    @cached_property
    def _held(self) -> HeldWeights:
        return held_weights(self._estimator.family, self._preset)


def _going(step: StepBytes) -> int:
    """What comes and goes in a step, beside its gradients."""
    return step.passes - step.passes_gradients


def _update(step: StepBytes) -> int:
    """What the optimizer takes for its work."""
    return max(0, step.update - step.gradients)


def _alike(choice: Choice) -> Choice:
    """What a correction holds for: neither where blocks lie nor how many are checkpointed changes it."""
    return replace(
        choice, offloaded=0, checkpointed=0, way=Way(choice.way.quantization, gradients=choice.way.gradients)
    )


def _checkpointed(preset: Preset, share: str) -> Preset:
    training = preset.training.model_copy(update={"gradient_checkpointing": share})
    return preset.model_copy(update={"training": training})
