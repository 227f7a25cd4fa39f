"""What can be done with what a run left at a step: go on from a backup, use, keep or find a saved model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Option, popup
from app.gui.run.run_source import RunSource
from app.gui.session.event_log import Mark
from app.gui.session.open_external import open_external
from app.gui.session.run_history import Run
from app.gui.session.worker import Worker
from modules.language import tr

Act = Callable[[], object]


def place_of(source: RunSource, mark: Mark) -> Path | None:
    """Where it lies now: where it was written, or in the run's folder of today. None: it is gone."""
    path = Path(mark.path)
    places = [path, source.folder / path.parent.name / path.name] if source.folder else [path]
    return next((place for place in places if place.exists()), None)


def model_at(source: RunSource, step: int) -> Path | None:
    """The model that was saved at a step, if it is still there."""
    found = [place_of(source, mark) for mark in source.marks if mark.kind == "model" and mark.step == step]
    return next((path for path in reversed(found) if path), None)


def open_menu(
    under: Any, context: AppContext, source: RunSource, marks: Sequence[Mark], samples: Act | None = None
) -> None:
    """A list under a widget: what can be done with each of these marks; first of all, `samples` shows theirs."""
    acts: list[Act] = [samples] if samples else []
    options: list[Option] = [Option(0, tr("Show samples"))] if samples else []
    for mark in marks:
        group, offered = _offered(under, context, source, mark)
        for label, reason, act in offered:
            options.append(Option(len(acts), label, reason=reason, group=group))
            acts.append(act)
    if options:
        popup(under, options, lambda index: acts[index](), search="", width=300)


def keep_copy(owner: Any, context: AppContext, model: Path) -> None:
    """Copy a saved model to a place that the person chooses."""
    target: Path | None = context.app.ask_save_file(tr("Keep a copy of this model"), model.name)
    if target is None or target == model:
        return

    def copy(*_: object) -> str:
        if model.is_dir():
            shutil.copytree(model, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(model, target)
        return tr("The model was copied to {path}.", path=target)

    def work(*_: object) -> str:
        try:
            return copy()
        except OSError as error:
            return tr("The model could not be copied: {reason}", reason=error.strerror or str(error))

    copying = Worker(work)

    def ask() -> None:
        if copying.running:
            owner.after(100, ask)
        else:
            context.notify(copying.wait().result or "")

    ask()


def _offered(under: Any, context: AppContext, source: RunSource, mark: Mark) -> tuple[str, list[tuple[str, str, Act]]]:
    """The heading of a mark, and for each thing that it offers words, why it cannot be had, and what it does."""
    path = place_of(source, mark)
    gone = "" if path else tr("It is no longer there.")
    folder = path.parent if path and path.is_file() else path

    def show() -> None:
        if folder is not None and (problem := open_external(folder)):
            context.notify(problem)

    run = source.folder or Path()
    grid = tr("Grid around this step"), gone, lambda: context.go("examine", f"{run}@{mark.step}")
    if mark.kind == "backup":
        go_on = _reason_to_stay(context, source, mark, gone)
        return tr("Backup of step {step:,}", step=mark.step), [
            (tr("Continue from here"), go_on, lambda: context.resume(run)),
            grid,
            (tr("Open folder"), gone, show),
        ]
    return tr("Model of step {step:,}", step=mark.step), [
        (tr("Try this model"), gone, lambda: context.go("tools", str(path))),
        (tr("Keep a copy \u2026"), gone, lambda: keep_copy(under, context, path) if path else None),
        grid,
        (tr("Open folder"), gone, show),
    ]


def _reason_to_stay(context: AppContext, source: RunSource, mark: Mark, gone: str) -> str:
    """Why a run cannot be continued from this backup; "" if it can."""
    if gone or source.folder is None:
        return gone
    newest = Run(source.folder).backups()[:1]
    if context.running.busy:
        return tr("Something is running already.")
    if newest and newest[0][0] != mark.step:
        return tr("A run goes on from its newest backup, step {step:,}.", step=newest[0][0])
    return ""
