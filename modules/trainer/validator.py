"""When it is time: measure, tell, keep the best model, and say when nothing gets better any more."""

from __future__ import annotations

import json

from modules.data.batches import Feed
from modules.errors import UserError
from modules.messages import ModelSaved, Phase, Validated
from modules.preset.validation import Validation as Settings
from modules.system.devices import ran_out
from modules.trainer.control import Interrupted
from modules.trainer.keeper import Keeper
from modules.trainer.patience import GaveUp
from modules.trainer.validation import Best, Validation, curves, told


class Validator:
    """Validates for a run. What it finds never changes what is learnt, only when a run ends."""

    def __init__(self, keeper: Keeper, feed: Feed) -> None:
        self.keeper, self.learner, self.control = keeper, keeper.learner, keeper.control
        self.validation = Validation(keeper.learner, feed)
        self.best = keeper.learner.state["validation"] = Best()
        self._validated_at = -1

    def notes(self) -> list[str]:
        """What is measured, in words."""
        index = self.validation.feed.index
        count, held = len(index), len(index.held_out)
        images = "1 image that is" if count == 1 else f"{count:,} images that are"
        times = "once" if self._settings.times == 1 else f"{self._settings.times} times"
        return [
            f"Validation: {images} not learnt from{', held out of the others' if held else ''}, each with other noise "
            f"{times}."
        ]

    def validate(self) -> bool:
        """Measure and tell, once a step; whether it was done. Whatever goes wrong is told, and training goes on."""
        step = self.learner.clock.step
        if self._validated_at == step:
            return False
        try:
            found = self._measured()
        except (Interrupted, GaveUp):
            raise
        except Exception as error:  # noqa: BLE001 - a number to look at: nothing in it may cost a run its hours
            words = "memory ran out" if ran_out(error) else str(error) if isinstance(error, UserError) else repr(error)
            self.keeper.note(f"No validation at step {step}: {words.rstrip('.')}. Training goes on.", "error")
            return False
        if found is None:
            return False
        self._validated_at = self.best.at = step
        self.keeper.records.numbers(step, curves(found))
        self.keeper.records.tell(found)
        if found.best and step and self._settings.keep_best:
            self._keep(found)
        return True

    def went_back(self) -> None:
        """The steps that come are others than those that had these numbers before."""
        self._validated_at = self.best.at = -1

    def over(self) -> str:
        """Why training has gone on long enough, in words; "" as long as it has not, or nobody wants to know."""
        patience = self._settings.patience
        if not patience or not self.best.since or self.best.since % patience:
            return ""
        kept = (
            f"; that model is {self.keeper.outputs.best().name}" if self.best.step and self._settings.keep_best else ""
        )
        return f"Validation has not become better since step {self.best.step}, in {self.best.since} validations{kept}."

    @property
    def _settings(self) -> Settings:
        return self.learner.preset.validation

    def _measured(self) -> Validated | None:
        with self.keeper.weights_for_use(live=self._settings.weights == "live"):
            measured = self.validation.measure(self._going_on)
        if measured is None:
            return None
        index = self.validation.feed.index
        return told(measured, index, self.validation.preset, self.best, self.learner.clock.step)

    def _going_on(self, done: int, total: int) -> bool:
        """Who stops a run does not wait for its validation."""
        self.control.check()
        self.keeper.records.tell(Phase("Validating", done + 1, total))
        return not self.control.stop_wanted()

    def _keep(self, found: Validated) -> None:
        about = {"step": found.step, "loss": round(found.mean, 8), "images": found.images}
        target = self.keeper.outputs.best()
        more = {"seachange.validation": json.dumps(about)}
        for path in self.keeper.export(target, "the best model", more, live=self._settings.weights == "live"):
            self.keeper.records.tell(ModelSaved(str(path), found.step))
