"""Measures for a run what it has learnt and what it has forgotten. Nothing of it ever changes what is learnt."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from math import isfinite

import torch

from modules.data.batches import BatchLoader
from modules.messages import Fix, ModelSaved, Retention, Stage, note
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix
from modules.trainer.control import Interrupted
from modules.trainer.retention.anchors import Anchors
from modules.trainer.retention.drift import Drift, drift_of, text_drift
from modules.trainer.retention.fixed_loss import FixedLoss, Losses, learnt
from modules.trainer.retention.schedule import pace_for
from modules.trainer.retention.series import ENTRY, Measured, Series
from modules.trainer.run_folder.disk_retry import GaveUp
from modules.trainer.run_folder.run_writer import RunWriter, reasons_of

PRIOR_IMAGES = 100  # that are offered where what is known is forgotten


class Unfinished(Exception):
    """The run is to stop: it does not wait for its numbers."""


class Examiner:
    """Knows when a run is to be measured, does so, and tells."""

    def __init__(
        self, writer: RunWriter, anchors: Anchors, steps: int, practised: BatchLoader | None,
        held_out: BatchLoader | None,
    ) -> None:  # fmt: skip
        """`steps`: of the whole run."""
        self.writer, self.learner, self.anchors, self.steps = writer, writer.learner, anchors, steps
        most = anchors.extent.images
        self.practised = FixedLoss(writer.learner, practised, most) if practised else None
        self.held_out = FixedLoss(writer.learner, held_out, most) if held_out else None
        self.series = writer.learner.state[ENTRY] = Series()
        validation = writer.learner.preset.validation
        self.keeps_best = validation.enabled and validation.keep_best and validation.best_by == "balance"

    def notes(self) -> list[Problem]:
        """What is measured, for the log."""
        return [problem("retention.measured", count=len(self.anchors.prompts), points=self.anchors.count)]

    def begin(self) -> None:
        """Before the first step of this process: measure the start, or what a stop right here left out."""
        assert self.anchors.points is not None
        if self.series.points != self.anchors.points.key:  # other prompts: what was measured cannot be compared
            self.series.points, self.series.measured = self.anchors.points.key, []
        self.series.extent = self.anchors.extent
        self.series.seconds += self.anchors.seconds
        if not self.series.measured or self.is_due:
            self.measure()

    @property
    def is_due(self) -> bool:
        """Whether this step is to be measured, and has not been."""
        return self.series.is_due(self.step, self.steps)

    def before_writing(self) -> None:
        """A model or a backup is about to be written: measure it, while there is room."""
        pace, last = self.series.pace, self.series.last
        if pace and pace.extra and last and last.step < self.step:
            self.series.pace = replace(pace, extra=pace.extra - 1)
            self.measure()

    def end(self) -> None:
        """What is to be said of the whole run."""
        best = self.series.best
        if best and best.balance < 0:
            self.writer.records.tell(
                note(problem("retention.never", balance=best.balance), level="warning", fixes=self._fixes())
            )

    @property
    def step(self) -> int:
        return self.learner.clock.step

    def measure(self) -> None:
        """Measure and tell. Whatever goes wrong is told, and training goes on."""
        began = time.monotonic()
        try:
            drift, losses, text = self._measured()
        except (Interrupted, GaveUp):
            raise
        except Unfinished:
            return
        except Exception as error:  # noqa: BLE001 - a number to look at: nothing in it may cost a run its hours
            self.writer.note(problem("retention.none", step=self.step, why=reasons_of(error)), level="error")
            return
        if not isfinite(drift.forgotten):  # so are the weights, and others say it
            return
        seconds = time.monotonic() - began
        self.series.seconds += seconds
        self._take(drift, losses)
        self._tell(drift, text)
        series, best = self.series, self.series.best
        if self.keeps_best and best and best.step == self.step:
            self._keep(best)
        if series.pace is None and self.step and (each := self.writer.stopwatch.seconds_per_step):
            room = self.learner.preset.examine.budget / 100 * self.steps * each - series.seconds
            series.pace = pace_for(self.step, self.steps, max(0, int(room / seconds)))

    def _take(self, drift: Drift, losses: tuple[Losses, Losses]) -> None:
        series = self.series
        if self.step == 0:
            series.practised, series.held_out = losses
        practised, held_out = learnt(series.practised, losses[0]), learnt(series.held_out, losses[1])
        series.measured.append(Measured(self.step, drift.forgotten, practised, held_out))

    def _tell(self, drift: Drift, text: float) -> None:
        event, records = self._event(drift), self.writer.records
        moved = {"examine/text_encoders": text} if text else {}
        records.numbers(self.step, {**curves(event), **moved})
        records.tell(event)
        if text:
            self.writer.note(problem("retention.text", step=self.step, share=text))
        if self.series.alarms_anew:
            records.tell(note(Problem("retention.alarm"), level="warning", fixes=self._fixes()))

    def _keep(self, best: Measured) -> None:
        about = {"step": best.step, "balance": round(best.balance, 6), "forgotten": round(best.forgotten, 6)}
        more = {"seachange.retention": json.dumps(about)}
        for path in self.writer.export(self.writer.outputs.best(), "written.best", more):
            self.writer.records.tell(ModelSaved(str(path), best.step))

    def _event(self, drift: Drift) -> Retention:
        series, points = self.series, self.anchors.points
        assert points is not None and series.last is not None
        last, best = series.last, series.best
        return Retention(
            self.step,
            drift.forgotten,
            list(zip(self.anchors.prompts, drift.by_prompt, strict=True)),
            last.practised,
            last.held_out,
            last.balance,
            drift.cosine,
            best.step if best else 0,
            series.alarms(),
            points.key,
        )

    # Measuring

    def _measured(self) -> tuple[Drift, tuple[Losses, Losses], float]:
        """What has moved, the losses, and how far what the text encoders say has moved."""
        self.writer.records.tell(Stage("stage.retention"))
        with self.writer.inference_weights(live=False), self._as_it_is():
            start = self.series.practised or self.series.held_out
            if self.step and not start and self.learner.method.has_original:  # it was not measured from its start on
                with self.learner.method.original():
                    self.series.practised, self.series.held_out = self._losses()
            losses = self._losses()
            with self.learner.method.without_training_adapters():
                drift, text = self._drift()
        return drift, losses, text

    def _losses(self) -> tuple[Losses, Losses]:
        def of(measured: FixedLoss | None) -> Losses:
            return measured.losses(self._going_on) if measured else {}

        return of(self.practised), of(self.held_out)

    def _drift(self) -> tuple[Drift, float]:
        anchors, points = self.anchors, self.anchors.points
        assert points is not None
        texts = anchors.read_now() if self.learner.preset.trains_text else anchors.texts
        answers = anchors.ask(texts, self._going_on)
        schedule = self.learner.family.noise_schedule
        drift = drift_of(points, answers, anchors.unprompted, anchors.extent.times, schedule)
        return drift, text_drift(anchors.texts, texts)

    @contextmanager
    def _as_it_is(self) -> Generator[None]:
        """Without compiled blocks: batches of other sizes would change which graphs training is given."""
        if not self.learner.preset.general.compiles:
            yield
            return
        with torch.compiler.set_stance("force_eager"):
            yield

    def _going_on(self, done: int, total: int) -> bool:
        del done, total
        self.writer.control.check()
        if self.writer.control.stop_requested():
            raise Unfinished
        return True

    def _fixes(self) -> list[Fix]:
        """What slows forgetting down."""
        preset = self.learner.preset
        rate = preset.training.learning_rate / 2
        found = [fix("fix.half-rate", {"training.learning_rate": rate}, rate=rate)]
        kinds = {concept.kind for concept in preset.concepts if concept.enabled}
        if not kinds & {"class", "prior"} and not preset.prior.made.count:
            prompts = "\n".join(self.anchors.prompts)
            made = {"prior.made.count": PRIOR_IMAGES, "prior.made.prompts": prompts}
            found.append(fix("fix.prior-images", made, count=PRIOR_IMAGES))
        return found


def curves(event: Retention) -> dict[str, float]:
    """A measurement as points of TensorBoard's curves."""
    found = {"examine/forgotten": event.forgotten, "examine/balance": event.balance}
    found |= {f"examine/forgotten/{prompt}": drift for prompt, drift in event.prompts}
    known = {
        "examine/learnt": event.practised, "examine/held_out": event.held_out, "examine/cosine": event.cosine
    }  # fmt: skip
    return found | {name: value for name, value in known.items() if value is not None}
