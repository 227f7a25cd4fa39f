"""The card of a tool: its settings, its button, how far it is, what came out or went wrong; and the project's tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS, failure_text, note_text
from app.gui.enqueue import enqueue, goes_into_queue, queue_reason, tool_entry
from app.gui.kit import Button, Card, Frame, Label, Progress, px
from app.gui.prepare.review_line import ReviewLine
from app.gui.run_control import begin, busy_reason, fix_first
from app.gui.session.engine_client import EngineDied
from app.gui.session.number_format import stage_text
from app.gui.session.run_state import WindowEvent
from app.gui.tools.form import ToolForm
from app.gui.tools.images import MadeImages
from app.gui.tools.kept_view import KeptView
from app.gui.tools.score_view import ScoreView
from app.gui.tools.shift_view import ShiftView
from app.gui.tools.sweep import SweepView
from app.gui.training_set.review import SetReview
from modules.errors import UserError
from modules.language import tr
from modules.messages import Failed, Finished, Fix, Note, RunTool, SampleReady, Stage, Stop
from modules.tools import Tool


class ResultView(Protocol):
    """What a tool has found, drawn below its button."""

    def begin(self) -> None:
        """The tool starts again."""
        ...

    def take(self, note: Note) -> bool:
        """Whether the note is shown here, and not as a line."""
        ...

    def show(self, path: str) -> None:
        """The tool has finished with this file or folder."""
        ...


VIEWS: dict[str, Callable[[Frame, AppContext], ResultView]] = {
    "weight-shift": ShiftView,
    "extract": KeptView,
    "score": ScoreView,
}  # by tool
IMAGES: dict[str, Callable[[Frame, AppContext], MadeImages | SetReview]] = {
    "sample": MadeImages,
    "training-set": SetReview,
}


BEFORE: dict[str, Any] = {  # by tool: a frame in which one looks before anything is written; `refresh` now and then
    "merge": SweepView,
    "prepare": ReviewLine,
}


class ToolCard(Card):
    """Any tool of the table; the engine does one job at a time.

    Args:
        bare: without title, help and form: somebody else fills the settings in, and has room left of the button.
        view_in: where what is found is drawn, if not on the card.
    """

    def __init__(
        self, master: Any, context: AppContext, tool: Tool, *, bare: bool = False, view_in: Frame | None = None
    ) -> None:
        super().__init__(master, "" if bare else tr(tool.title))
        self.context, self.tool = context, tool
        self.owns_job = False  # the job under way is this card's
        self._notes: list[str] = []
        self.form = ToolForm(self.body, context, tool)
        if not bare:
            Label(self.body, tr(tool.help), role="text2", wrap=True).pack(fill="x", pady=(0, px(6)))
            self.form.pack(fill="x")
        self.line = line = Frame(self.body)
        line.pack(fill="x", pady=(px(8), px(4)))
        self.words = tr(tool.title)  # of the button, where it starts at once
        self.button = Button(line, self.words, self.run, kind="primary", image=tool.icon)
        self.button.pack(side="right" if bare else "left")
        self.stop = Button(line, tr("Stop"), self._stop, image="square")
        self.stands = Label(self.body if bare else line, "", role="text2")
        if bare:
            self.stands.pack(fill="x")
        else:
            self.stands.pack(side="left", fill="x", expand=True, padx=px(12))
        self.bar = Progress(self.body, 0.0)
        self.result = Label(self.body, "", wrap=True)
        self.fixes = Frame(self.body)
        self.view = VIEWS[tool.name](view_in or self.body, context) if tool.name in VIEWS else None
        self.images = IMAGES[tool.name](self.body, context) if tool.name in IMAGES else None
        self.before = BEFORE[tool.name](self.body, context, self.form) if tool.name in BEFORE and not bare else None
        if self.before is not None:
            self.before.pack(fill="x")
        self.until_destroyed(context.running.listen(self._heard))

    def blocked(self) -> str:
        """Why it cannot start, in words, beside the engine being busy."""
        wrong = len(self.context.draft.errors()) if self._takes_the_project else 0
        return fix_first(wrong) if wrong else ""

    @property
    def _takes_the_project(self) -> bool:
        return any(setting.widget == "preset" for setting in self.form.settings.values())

    def run(self) -> None:
        """Start, unless something is wrong; while something else runs, wait in the queue."""
        if self.owns_job or (self.context.running.busy and not goes_into_queue(self.context)):
            return
        settings = self.form.read()
        if settings is None:
            return
        if goes_into_queue(self.context):
            enqueue(self.context, tool_entry(self.tool.name, settings))
            return
        try:
            begin(self.context, self.tool.name, RunTool(self.tool.name, settings))
        except UserError as error:
            self.tell(error.text(WORDS), "error")
            return
        self.owns_job, self._notes = True, []
        if self.images is not None:
            self.images.begin()
        if self.view is not None:
            self.view.begin()
        self.tell("")
        self._show_bar(None)
        self.refresh()

    def refresh(self) -> None:
        """Called now and then: whether it can start now."""
        if self.before is not None:
            self.before.refresh()
        if self.owns_job:
            self.button.disable(tr("This is running."))
            self.stop.pack(side=self.button.pack_info()["side"], padx=px(8), after=self.button)
            self.stop.disable(tr("Stopping as soon as possible.") if self.context.running.state == "stopping" else "")
            return
        self.stop.pack_forget()
        queues, busy = goes_into_queue(self.context), self.context.running.busy
        reason = busy_reason(self.context.running.what) if busy and not queues else self.blocked()
        self.button.set(tr("Add to queue") if queues else self.words, image="list-plus" if queues else self.tool.icon)
        self.button.disable(reason)
        self.stands.set(reason or (queue_reason(self.context) if queues else ""))

    def tell(self, words: str, role: str = "text") -> None:
        """The line of results; empty for none."""
        self.result.set(words, role)
        self.fixes.pack_forget()
        for button in self.fixes.winfo_children():
            button.destroy()
        if words:
            self.result.pack(fill="x", pady=(px(4), px(2)), after=self.line)
        else:
            self.result.pack_forget()

    def _stop(self) -> None:
        self.context.engine.send(Stop(now=True))
        self.context.running.stopping()
        self.refresh()

    def _heard(self, event: WindowEvent) -> None:
        if not self.owns_job:
            return
        match event:
            case Stage():
                self.stands.set(stage_text(event))
                self._show_bar(event.done / event.total if event.total else None)
            case Note():
                self._note(event)
            case Failed() | EngineDied():
                self._failed(event)
            case Finished():
                self._finished(event)
            case SampleReady() if self.images is not None:
                self.images.take(event)
            case _:
                pass

    def _note(self, event: Note) -> None:
        shown = self.view is not None and self.view.take(event)
        if event.text and not shown:
            self._notes.append(note_text(event))
            self.tell("\n".join(self._notes[-6:]), "changed" if event.level == "warning" else "text2")

    def _finished(self, event: Finished) -> None:
        self._ended("\n".join([*self._notes[-12:], self._result_text(event)]), "text")
        if self.view is not None and event.path and not event.stopped:
            self.view.show(event.path)

    def _result_text(self, event: Finished) -> str:
        if event.stopped:
            return tr("Stopped.")
        if self.images is not None:
            return self.images.in_words(event.path)
        return tr("Written: {path}", path=event.path) if event.path else tr("Done.")

    def _ended(self, words: str, role: str) -> None:
        self.owns_job = False
        self.stands.set("")
        self.bar.pack_forget()
        self.tell(words, role)
        self.refresh()

    def _failed(self, event: Failed | EngineDied) -> None:
        self._ended(failure_text(event) if isinstance(event, Failed) else event.message, "error")
        self._offer(event.fixes if isinstance(event, Failed) else ())

    def _offer(self, fixes: Sequence[Fix]) -> None:
        """What would help, of the tool's own settings: a button each, which sets it and starts again."""
        for fix in fixes:
            if fix.changes.keys() <= self.form.settings.keys():
                Button(self.fixes, WORDS.label(fix), partial(self._mend, fix), image="wrench").pack(anchor="w")
        if self.fixes.winfo_children():
            self.fixes.pack(fill="x", pady=px(4), after=self.result)

    def _mend(self, fix: Fix) -> None:
        for path, value in fix.changes.items():
            self.form.show(path, value)
        self.form.unfold()
        self.after_idle(self.run)  # which takes the button away that is being pressed

    def _show_bar(self, share: float | None) -> None:
        self.bar.set(share)
        if not self.bar.winfo_manager():
            self.bar.pack(fill="x", pady=(px(4), 0), after=self.line)


class ActionListCard(Card):
    """A card whose lines are words with a button each."""

    def line_of(self, words: str, below: str, button: str, image: str, act: Callable[[], object]) -> Label:
        """Add one; gives the label of the grey words."""
        line = Frame(self.body)
        line.pack(fill="x", pady=px(4))
        made = Button(line, button, act, image=image)
        made.pack(side="right", padx=(px(12), 0))
        Label(line, words).pack(fill="x")
        grey = Label(line, below, font="small", role="text3")
        grey.pack(fill="x")
        return grey
