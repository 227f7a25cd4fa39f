"""What is asked and said when a run begins again, ends, fails, or the window is closed while it runs."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any

from app.gui.draft.finding_labels import describe_changes
from app.gui.draft.problem_labels import WORDS, failure_text
from app.gui.kit import Answer, App, Button, Dialog, Label, LogView, px
from app.gui.run_control import Resumable
from app.gui.session.engine_client import EngineDied
from modules.errors import UserError
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
        answers: tuple[Answer, ...] = (Answer("Close"),),
        on_close: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__(app, title, message, answers, on_close, width=560)
        self._app, self._details = app, details.strip()
        self.log: LogView | None = None
        if self._details:
            self.more = Button(self.footer, "Show details", self.show_details, kind="quiet", image="chevron-down")
            self.more.pack(side="left")

    def show_details(self) -> None:
        """Lay the details open, once."""
        if self.log is not None:
            return
        self.log = LogView(self.body, lines=10)
        self.log.pack(fill="both", expand=True)
        self.log.append([("info", line) for line in self._details.splitlines()])
        self.more.set("Copy details", image="copy")
        self.more.on_press(self._copy)
        self.geometry(f"{px(720)}x{self.winfo_height() + px(DETAILS_HIGH)}")

    def _copy(self) -> None:
        self._app.copy(self._details)
        self.more.set("Copied", image="check")


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
    title = "The engine has stopped" if died else FAILED.get(what, "That did not work")
    answers = [Answer("Close")]
    if back is not None and what == "train":
        answers.append(Answer(f"Continue from backup step {back.step:,}", back, "primary", "play"))
    what = failure_text(event) if isinstance(event, Failed) else event.message
    message = "\n\n".join(filter(None, [what, lost_steps_text(back).strip() if back else ""]))
    details = event.details
    if details and not died and printed:
        details = "\n".join([details, "", "The engine's last lines:", *printed])

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
        Label(dialog.body, "What would help:", font="bold").pack(anchor="w", pady=(0, px(4)))
    for fix in fixes:
        act = partial(dialog.close, fix)
        Button(dialog.body, WORDS.label(fix), act, image="wrench", hint=describe_changes(fix.changes)).pack(
            anchor="w", pady=px(3)
        )


def lost_steps_text(found: Resumable) -> str:
    """How much is done again; nothing where nothing is lost."""
    if not found.lost:
        return ""
    again = "1 step since then is" if found.lost == 1 else f"{found.lost:,} steps since then are"
    return f" The run had reached step {found.reached:,}: the {again} done again if you continue."


def broken(app: App, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> ErrorDialog:
    """The window itself has a fault: it says so and stays."""
    details = "".join(traceback.format_exception(kind, error, trace))
    return ErrorDialog(
        app,
        "The window made a mistake",
        "This is a fault in Seachange, not in your settings. A run is not affected, and what you edited is kept. "
        "If it happens again, please report it with the details.",
        details,
    )


def refused(app: App, title: str, error: UserError) -> Dialog:
    """What cannot be done, and what to do instead."""
    return Dialog(app, title, error.text(WORDS), (Answer("Close", kind="primary"),), width=520)


def ask_continue(app: App, found: Resumable, on_answer: Callable[[str], object]) -> Dialog:
    """Start where the last run of this name was stopped, or anew? Answers "continue" or "anew"; Escape says nothing."""
    return Dialog(
        app,
        "Continue where it stopped?",
        f"\u201c{found.folder.name}\u201d was stopped and has a backup at step {found.step:,}. It can go on exactly "
        f"there.{lost_steps_text(found)} Starting anew makes a new folder beside it; the old run stays as it is.",
        (
            Answer("Cancel"),
            Answer("Start anew", "anew"),
            Answer(f"Continue at step {found.step:,}", "continue", "primary", "play"),
        ),
        lambda answer: on_answer(answer) if answer else None,
        width=540,
    )


def ask_close(app: App, what: str, on_stop: Callable[[], object]) -> Dialog:
    """The window is to close while something runs."""
    training = what == "train"
    message = (
        "Closing the window ends the run. It makes a backup first, and you can continue from there next time."
        if training
        else "Closing the window ends what the engine is doing now."
    )
    stop = "Stop with a backup and close" if training else "Stop and close"
    return Dialog(
        app,
        "Training is running" if training else "The engine is at work",
        message,
        (Answer("Keep running"), Answer(stop, "stop", "danger", "square")),
        lambda answer: on_stop() if answer else None,
        width=520,
    )
