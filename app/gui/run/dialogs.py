"""What is asked and said when a run begins again, ends, fails, or the window is closed while it runs."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any

from app.gui.draft.problem_labels import WORDS, describe_changes, failure_text
from app.gui.kit import Answer, App, Button, Dialog, Label, LogView, px
from app.gui.run_control import Resumable
from app.gui.session.engine_client import EngineDied
from modules.errors import UserError
from modules.language import plural, tr
from modules.messages import Failed, Fix

DETAILS_HIGH = 230
FAILED = {"train": "The run has failed", "": "Something went wrong"}


class ErrorDialog(Dialog):
    """What happened and what to do, in words; the details behind a button, ready to be copied."""

    def __init__(
        self,
        app: App,
        title: str,
        message: str,
        details: str,
        answers: tuple[Answer, ...] | None = None,
        on_close: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__(app, title, message, answers, on_close, width=560)
        self._app, self._details = app, details.strip()
        self.log: LogView | None = None
        if self._details:
            self.more = Button(self.footer, tr("Show details"), self.show_details, kind="quiet", image="chevron-down")
            self.more.pack(side="left")

    def show_details(self) -> None:
        """Lay the details open, once."""
        if self.log is not None:
            return
        self.log = LogView(self.body, lines=10)
        self.log.pack(fill="both", expand=True)
        self.log.append([("info", line) for line in self._details.splitlines()])
        self.more.set(tr("Copy details"), image="copy")
        self.more.on_press(self._copy)
        self.geometry(f"{px(720)}x{self.winfo_height() + px(DETAILS_HIGH)}")

    def _copy(self) -> None:
        self._app.copy(self._details)
        self.more.set(tr("Copied"), image="check")


def failed(
    app: App, event: Failed | EngineDied, what: str, back: Resumable | None,
    on_answer: Callable[[Resumable | Fix], object], printed: list[str],
) -> ErrorDialog:  # fmt: skip
    """A job has failed, or the engine's process has died. Answers what to do, if something is chosen.

    Args:
        back: the backup from which the run can go on.
        on_answer: gets that backup, or a mend that came with the event.
    """
    died = isinstance(event, EngineDied)
    title = tr("The engine has stopped") if died else tr(FAILED.get(what, "That did not work"))
    answers = [Answer(tr("Close"))]
    if back is not None and what == "train":
        answers.append(Answer(tr("Continue from backup step {step:,}", step=back.step), back, "primary", "play"))
    why = failure_text(event) if isinstance(event, Failed) else event.message
    message = "\n\n".join(filter(None, [why, lost_steps_text(back).strip() if back else ""]))
    details = event.details
    if details and not died and printed:
        details = "\n".join([details, "", tr("The engine's last lines:"), *printed])

    def closed(answer: Resumable | Fix | None) -> None:
        if answer is not None:
            on_answer(answer)

    shown = ErrorDialog(app, title, message, details, tuple(answers), closed)
    if not died:
        _offer(shown, event.fixes)
    return shown


def _offer(dialog: ErrorDialog, fixes: Sequence[Fix]) -> None:
    """What would help: a button each, which changes the settings and closes."""
    if fixes:
        Label(dialog.body, tr("What would help:"), font="bold").pack(anchor="w", pady=(0, px(4)))
    for fix in fixes:
        act = partial(dialog.close, fix)
        Button(dialog.body, WORDS.label(fix), act, image="wrench", hint=describe_changes(fix.changes)).pack(
            anchor="w", pady=px(3)
        )


def lost_steps_text(found: Resumable) -> str:
    """How much is done again; nothing where nothing is lost."""
    if not found.lost:
        return ""
    return plural(
        found.lost,
        " The run had reached step {reached:,}: 1 step is repeated if you continue.",
        " The run had reached step {reached:,}: {count:,} steps are repeated if you continue.",
        reached=found.reached,
    )


def broken(app: App, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> ErrorDialog:
    """The window itself has a fault: it says so and stays."""
    details = "".join(traceback.format_exception(kind, error, trace))
    return ErrorDialog(
        app,
        tr("Something went wrong in the window"),
        tr(
            "This is a fault in Seachange, not in your settings. A run is not affected, and what "
            "you edited is kept. If it happens again, please report it with the details."
        ),
        details,
    )


def refused(app: App, title: str, error: UserError) -> Dialog:
    """What cannot be done, and what to do instead."""
    return Dialog(app, title, error.text(WORDS), (Answer(tr("Close"), kind="primary"),), width=520)


def ask_beside(
    app: App, others: Sequence[str], on_start: Callable[[], object], on_queue: Callable[[], object]
) -> Dialog:  # fmt: skip
    """Another window, or a command line, trains in the same workspace: after it, or beside it?"""
    answers = (
        Answer(tr("Start anyway"), "start"), Answer(tr("Cancel")),
        Answer(tr("After it, in the queue"), "queue", "primary", "list-plus"),
    )  # fmt: skip
    return Dialog(
        app,
        tr("Another run is training"),
        plural(
            len(others),
            "“{names}” is being trained by another Seachange. Two runs at once share the graphics card and "
            "its memory: both are slower, or fail.",
            "“{names}” are being trained by other Seachanges. Runs at once share the graphics card and "
            "its memory: all are slower, or fail.",
            names="”, “".join(others),
        ),
        answers,
        lambda answer: {"start": on_start, "queue": on_queue}[answer]() if answer else None,
        width=560,
    )


def ask_close(
    app: App, what: str, on_stop: Callable[[], object], on_keep: Callable[[], object] | None = None,
    *, queued: bool = False,
) -> Dialog:  # fmt: skip
    """The window is to close while something runs; `on_keep`: the job goes on without it, where that is possible.

    Return keeps the job: of the two ways to close it is the one after which nothing is lost.
    """
    training = what == "train"
    ends = Answer(tr("Stop with a backup and close") if training else tr("Stop and close"), "stop", "danger", "square")
    goes_on = Answer(tr("Close and keep training") if training else tr("Close and keep going"), "keep", "primary")
    return Dialog(
        app,
        tr("Training is running") if training else tr("The engine is busy"),
        _closing_text(training, keeps=on_keep is not None) + (f" {_queue_text()}" if queued else ""),
        (Answer(tr("Cancel")), ends, goes_on) if on_keep else (Answer(tr("Do not close")), ends),
        lambda answer: {"stop": on_stop, "keep": on_keep or on_stop}[answer]() if answer else None,
        width=560,
    )


def _queue_text() -> str:
    return tr("The queue goes on with the run, or rests with it until you start it again.")


def _closing_text(training: bool, *, keeps: bool) -> str:
    if keeps and training:
        return tr(
            "The run can go on without the window: open Seachange again, and it is shown from its beginning, and can "
            "be stopped. Or stop it now: it makes a backup first, and you can continue from there next time."
        )
    if keeps:
        return tr("The engine can go on without the window: open Seachange again to see how far it is, or to stop it.")
    if training:
        return tr(
            "Closing the window ends the run. It makes a backup first, and you can continue from there next time."
        )
    return tr("Closing the window ends what the engine is doing now.")
