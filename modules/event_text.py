"""Events as sentences: one table for the terminal, the log of the window, and log.txt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modules import messages as m
from modules.language import tr, translated
from modules.plan_text import plan_problem
from modules.sentences.catalogue import CATALOGUE
from modules.sentences.problem import Problem
from modules.sentences.render import Renderer
from modules.text import counted, rate
from modules.trend import Trend

IN_LANGUAGE = Renderer(translate=translated)  # English but in a window that has another language


def sentence(event: object, *, full_paths: bool = False) -> str:
    """What an event says to a person; "" for those that are no sentence. Files by their name, or by their path."""
    words = SENTENCES.get(type(event))
    return words(event, str if full_paths else _name) if words else ""


def stage_title(event: m.Stage) -> str:
    """What is being done; one without a row (of an older version, of a tool) says it itself."""
    return IN_LANGUAGE.what(Problem(event.code)) if event.code in CATALOGUE else tr(event.title)


def progress_text(event: m.Progress) -> str:
    """Epoch 4 of 20, step 1,840 of 12,040."""
    epoch = min(event.epoch + 1, event.epochs)  # it counts those that are done
    values = {"epoch": epoch, "epochs": event.epochs, "step": event.step, "steps": event.steps}
    return tr("epoch {epoch:,} of {epochs:,}, step {step:,} of {steps:,}", **values)


TRENDS = {
    "falling": "still falling \u00b7 {change:.1f} % (\u00b1{error:.1f}) over {steps:,} steps",
    "flat": "flat over {steps:,} steps",
    "rising": "rising \u00b7 {change:.1f} % (\u00b1{error:.1f}) over {steps:,} steps",
}


def trend_text(trend: Trend) -> str:
    """Still falling, 4.1 % (give or take 1.6) over 500 steps."""
    return tr(TRENDS[trend.word], change=abs(trend.change) * 100, error=trend.error * 100, steps=trend.steps)


def _name(path: str) -> str:
    return Path(path).name


def _started(event: m.Started, place: Callable[[str], str]) -> str:
    origin = tr(", continued from step {step:,}", step=event.resumed_from) if event.resumed_from >= 0 else ""
    steps, epochs = counted(event.steps, "step"), counted(event.epochs, "epoch")
    values = {"run": place(event.folder), "steps": steps, "epochs": epochs, "origin": origin}
    return tr("Run {run}: {steps} in {epochs}{origin}", **values)


def _progress(event: m.Progress, _place: Callable[[str], str]) -> str:
    parts = [progress_text(event), tr("loss {value:.4f}", value=event.smooth_loss), rate(event.steps_per_second)]
    return ", ".join(filter(None, parts)).capitalize()


def _validated(event: m.Validated, _place: Callable[[str], str]) -> str:
    """How large the loss is, how sure that is, and whether it was ever as low."""
    error = f" \u00b1 {event.error:.5f}" if event.images > 1 else ""
    best = tr("the best is {loss:.5f} of step {step:,}", loss=event.best_mean, step=event.best_step)
    if event.best:
        best = tr("the best so far") if event.step else tr("before training")
    values = {"step": event.step, "loss": event.mean, "error": error, "best": best}
    return tr("Validation at step {step:,}: {loss:.5f}{error}, {best}", **values)


def _retention(event: m.Retention, _place: Callable[[str], str]) -> str:
    values = {"step": event.step, "forgotten": event.forgotten}
    if event.learnt is None:
        return tr("Step {step:,}: forgotten {forgotten:.2f}", **values)
    return tr("Step {step:,}: learnt {learnt:.2f}, forgotten {forgotten:.2f}", learnt=event.learnt, **values)


def _caption(event: m.CaptionReady, place: Callable[[str], str]) -> str:
    if event.problems:
        return IN_LANGUAGE.line(event.problems[0])
    return f"{place(event.image)}: {event.text}"


def _finished(event: m.Finished, place: Callable[[str], str]) -> str:
    if event.step:
        words = tr("Stopped at step {step:,}" if event.stopped else "Finished at step {step:,}", step=event.step)
    else:
        words = tr("Stopped") if event.stopped else tr("Finished")
    return words + (f": {place(event.path)}" if event.path else "")


def _note(event: m.Note, _place: Callable[[str], str]) -> str:
    return event.text if event.level == "info" else f"{event.level.capitalize()}: {event.text}"


def _paused(event: m.Paused, _place: Callable[[str], str]) -> str:
    words = tr("Paused at step {step:,}", step=event.step)
    return f"{words}: {event.reason}" if event.reason else words


def _at_step(template: str, event: Any, place: Callable[[str], str]) -> str:
    return tr(template, step=event.step, file=place(event.path))


SENTENCES: dict[type[Any], Callable[[Any, Callable[[str], str]], str]] = {
    m.Started: _started,
    m.Progress: _progress,
    m.Stage: lambda event, _: stage_title(event) if event.done == 0 else "",
    m.SampleReady: lambda event, place: _at_step("Sample at step {step:,}: {file}", event, place),
    m.Validated: _validated,
    m.Retention: _retention,
    m.BackupSaved: lambda event, place: _at_step("Backup at step {step:,}: {file}", event, place),
    m.ModelSaved: lambda event, place: _at_step("Model at step {step:,}: {file}", event, place),
    m.Note: _note,
    m.CaptionReady: _caption,
    m.Paused: _paused,
    m.Continued: lambda event, _: tr("Continued at step {step:,}", step=event.step),
    m.Finding: lambda event, _: event.title,
    m.Result: lambda event, _: "\n".join(map(IN_LANGUAGE.what, event.problems)) or event.text,
    m.MemoryPlan: lambda event, _: IN_LANGUAGE.what(plan_problem(event)),
    m.Failed: lambda event, _: tr("Failed: {reason}", reason=event.message),
    m.Finished: _finished,
}
