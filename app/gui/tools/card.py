"""The card of a tool: its settings, its button, how far it is, what came out or went wrong; and the project's tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.labels import in_words
from app.gui.kit import Button, Card, Frame, Label, Progress, px
from app.gui.run_control import begin
from app.gui.session.engine_client import EngineDied
from app.gui.session.number_format import phase_text
from app.gui.session.run_state import WindowEvent
from modules.errors import UserError
from modules.messages import Failed, FillCache, Finished, Job, Note, Phase, Result, Stop

LABEL = 124  # pixels of the names of fields


class ToolCard(Card):
    """Subclasses build their settings into `form` and give the job; the engine does one job at a time.

    Args:
        what: what running.Running calls the job: "sample", "convert", "cache", "check".
        stops: whether the job listens to Stop.
    """

    def __init__(
        self,
        master: Any,
        context: AppContext,
        title: str,
        sentence: str,
        *,
        what: str,
        button: str,
        image: str,
        stops: bool = True,
    ) -> None:
        super().__init__(master, title)
        self.context, self.what, self._stops = context, what, stops
        self.owns_job = False  # the job under way is this card's
        self._notes: list[str] = []
        Label(self.body, sentence, role="text2", wrap=True).pack(fill="x", pady=(0, px(6)))
        self.form = Frame(self.body)
        self.form.pack(fill="x")
        self.line = line = Frame(self.body)
        line.pack(fill="x", pady=(px(8), px(4)))
        self.button = Button(line, button, self.run, kind="primary", image=image)
        self.button.pack(side="left")
        self.stop = Button(line, "Stop", self._stop, image="square")
        self.stands = Label(line, "", role="text2")
        self.stands.pack(side="left", fill="x", expand=True, padx=px(12))
        self.bar = Progress(self.body, 0.0)
        self.result = Label(self.body, "", wrap=True)
        self._end = context.running.listen(self._heard)

    def destroy(self) -> None:
        self._end()
        super().destroy()

    def job(self) -> Job | None:
        """What the engine shall do; None when a field is wrong and says so."""
        raise NotImplementedError

    def blocked(self) -> str:
        """Why it cannot start, in words, beside the engine being busy."""
        return ""

    def result_text(self, event: Finished) -> str:
        """What to say at a good end."""
        return f"Done: {event.path}" if event.path else "Done."

    def run(self) -> None:
        """Start, unless something is wrong."""
        if self.context.running.busy:
            return
        try:
            job = self.job()
            if job is None:
                return
            begin(self.context, self.what, job)
        except UserError as error:
            self.tell(in_words(str(error)), "error")
            return
        self.owns_job, self._notes = True, []
        self.tell("")
        self._show_bar(None)
        self.refresh()

    def refresh(self) -> None:
        """Called now and then: whether it can start now."""
        if self.owns_job:
            self.button.disable("It is at work.")
            if self._stops:
                self.stop.pack(side="left", padx=(px(8), 0), after=self.button)
                self.stop.disable("It ends as soon as it can." if self.context.running.state == "stopping" else "")
            return
        self.stop.pack_forget()
        busy = "After this run." if self.context.running.what == "train" else "After the tool that is at work."
        reason = busy if self.context.running.busy else self.blocked()
        self.button.disable(reason)
        self.stands.set(reason)

    def tell(self, words: str, role: str = "text") -> None:
        """The line of results; empty for none."""
        self.result.set(words, role)
        if words:
            self.result.pack(fill="x", pady=(px(4), px(2)), after=self.line)
        else:
            self.result.pack_forget()

    def heard(self, event: WindowEvent) -> None:
        """What else comes while this card's job is under way."""

    def _stop(self) -> None:
        self.context.engine.send(Stop(now=True))
        self.context.running.stopping()
        self.refresh()

    def _heard(self, event: WindowEvent) -> None:
        if not self.owns_job:
            return
        match event:
            case Phase():
                self.stands.set(phase_text(event))
                self._show_bar(event.done / event.total if event.total else None)
            case Note() if event.level != "info" or event.text:
                self._notes.append(event.text)
                self.tell("\n".join(self._notes[-6:]), "changed" if event.level == "warning" else "text2")
            case Result():
                self._notes.append(event.text)
            case Failed() | EngineDied():
                self._ended(in_words(event.message), "error")
            case Finished():
                words = "Stopped." if event.stopped else self.result_text(event)
                self._ended("\n".join([*self._notes[-12:], words]).strip(), "text")
            case _:
                self.heard(event)

    def _ended(self, words: str, role: str) -> None:
        self.owns_job = False
        self.stands.set("")
        self.bar.pack_forget()
        self.tell(words, role)
        self.refresh()

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


def typed_path(text: str) -> str:
    """A file or folder as a full path; a name on the hub, a bundled one, or what is not there, as it is."""
    path = Path(text.strip()).expanduser()
    return str(path.absolute()) if text.strip() and path.exists() else text.strip()


class ProjectCard(ToolCard):
    """A tool that takes the project's settings."""

    def blocked(self) -> str:
        wrong = len(self.context.draft.errors())
        return f"{wrong} setting{'s are' if wrong > 1 else ' is'} wrong (F8)." if wrong else ""


class CacheCard(ProjectCard):
    """Fill the cache."""

    def __init__(self, master: Any, context: AppContext) -> None:
        sentence = "Encode all images and captions now, so that later runs begin at once."
        super().__init__(
            master, context, "Fill the cache", sentence, what="cache", button="Fill the cache", image="download"
        )  # fmt: skip

    def job(self) -> FillCache:
        return FillCache(self.context.draft.freeze())

    def result_text(self, event: Finished) -> str:
        return "The cache is filled."
