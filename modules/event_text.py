"""Events as sentences: one table for the terminal, the log of the window, and log.txt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modules import messages as m
from modules.text import counted, rate


def sentence(event: object, *, full_paths: bool = False) -> str:
    """What an event says to a person; "" for those that are no sentence. Files by their name, or by their path."""
    words = SENTENCES.get(type(event))
    return words(event, str if full_paths else _name) if words else ""


def progress_text(event: m.Progress) -> str:
    """Epoch 4 of 20, step 1,840 of 12,040."""
    epoch = min(event.epoch + 1, event.epochs)  # it counts those that are done
    return f"epoch {epoch:,} of {event.epochs:,}, step {event.step:,} of {event.steps:,}"


def _name(path: str) -> str:
    return Path(path).name


def _started(event: m.Started, place: Callable[[str], str]) -> str:
    origin = f", continued from step {event.resumed_from:,}" if event.resumed_from >= 0 else ""
    length = f"{counted(event.steps, 'step')} in {counted(event.epochs, 'epoch')}"
    return f"Run {place(event.folder)}: {length}{origin}"


def _progress(event: m.Progress, _place: Callable[[str], str]) -> str:
    parts = [progress_text(event), f"loss {event.smooth_loss:.4f}", rate(event.steps_per_second)]
    return ", ".join(filter(None, parts)).capitalize()


def _validated(event: m.Validated, _place: Callable[[str], str]) -> str:
    """How large the loss is, how sure that is, and whether it was ever as low."""
    error = f" \u00b1 {event.error:.5f}" if event.images > 1 else ""
    best = f"the best is {event.best_mean:.5f} of step {event.best_step:,}"
    if event.best:
        best = "the best so far" if event.step else "before training"
    return f"Validation at step {event.step:,}: {event.mean:.5f}{error}, {best}"


def _finished(event: m.Finished, place: Callable[[str], str]) -> str:
    where = f" at step {event.step:,}" if event.step else ""
    return f"{'Stopped' if event.stopped else 'Finished'}{where}" + (f": {place(event.path)}" if event.path else "")


def _note(event: m.Note, _place: Callable[[str], str]) -> str:
    return event.text if event.level == "info" else f"{event.level.capitalize()}: {event.text}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


SENTENCES: dict[type[Any], Callable[[Any, Callable[[str], str]], str]] = {
    m.Started: _started,
    m.Progress: _progress,
    m.Phase: lambda event, _: event.title if event.done == 0 else "",
    m.SampleReady: lambda event, place: f"Sample at step {event.step:,}: {place(event.path)}",
    m.Validated: _validated,
    m.BackupSaved: lambda event, place: f"Backup at step {event.step:,}: {place(event.path)}",
    m.ModelSaved: lambda event, place: f"Model at step {event.step:,}: {place(event.path)}",
    m.Note: _note,
    m.Paused: lambda event, _: f"Paused at step {event.step:,}{_because(event.reason)}",
    m.Continued: lambda event, _: f"Continued at step {event.step:,}",
    m.Finding: lambda event, _: event.title,
    m.Result: lambda event, _: event.text,
    m.Failed: lambda event, _: f"Failed: {event.message}",
    m.Finished: _finished,
}
