"""The card of a tool: its settings, its button, how far it is, and what came out or went wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.gui.desk import Desk
from app.gui.engine import EngineDied
from app.gui.figures import stand_of_phase
from app.gui.job import begin
from app.gui.kit import Button, Card, Frame, Label, Progress, px
from app.gui.running import WindowEvent
from app.gui.wording import in_words
from modules.errors import UserError
from modules.messages import Answer, Failed, Finished, Job, Note, Phase, Stop

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
        desk: Desk,
        title: str,
        sentence: str,
        *,
        what: str,
        button: str,
        image: str,
        stops: bool = True,
    ) -> None:
        super().__init__(master, title)
        self.desk, self.what, self._stops = desk, what, stops
        self.mine = False  # the job under way is this card's
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
        self._end = desk.running.listen(self._heard)

    def destroy(self) -> None:
        self._end()
        super().destroy()

    def job(self) -> Job | None:
        """What the engine shall do; None when a field is wrong and says so."""
        raise NotImplementedError

    def blocked(self) -> str:
        """Why it cannot start, in words, beside the engine being busy."""
        return ""

    def came_out(self, event: Finished) -> str:
        """What to say at a good end."""
        return f"Done: {event.path}" if event.path else "Done."

    def run(self) -> None:
        """Start, unless something is wrong."""
        if self.desk.running.busy:
            return
        try:
            job = self.job()
            if job is None:
                return
            begin(self.desk, self.what, job)
        except UserError as error:
            self.tell(in_words(str(error)), "error")
            return
        self.mine, self._notes = True, []
        self.tell("")
        self._show_bar(None)
        self.refresh()

    def refresh(self) -> None:
        """Called now and then: whether it can start now."""
        if self.mine:
            self.button.disable("It is at work.")
            if self._stops:
                self.stop.pack(side="left", padx=(px(8), 0), after=self.button)
                self.stop.disable("It ends as soon as it can." if self.desk.running.stand == "stopping" else "")
            return
        self.stop.pack_forget()
        busy = "After this run." if self.desk.running.what == "train" else "After the tool that is at work."
        reason = busy if self.desk.running.busy else self.blocked()
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
        self.desk.engine.send(Stop(now=True))
        self.desk.running.stopping()
        self.refresh()

    def _heard(self, event: WindowEvent) -> None:
        if not self.mine:
            return
        match event:
            case Phase():
                self.stands.set(stand_of_phase(event))
                self._show_bar(event.done / event.total if event.total else None)
            case Note() if event.level != "info" or event.text:
                self._notes.append(event.text)
                self.tell("\n".join(self._notes[-6:]), "changed" if event.level == "warning" else "text2")
            case Answer():
                self._notes.append(event.text)
            case Failed() | EngineDied():
                self._ended(in_words(event.message), "error")
            case Finished():
                words = "Stopped." if event.stopped else self.came_out(event)
                self._ended("\n".join([*self._notes[-12:], words]).strip(), "text")
            case _:
                self.heard(event)

    def _ended(self, words: str, role: str) -> None:
        self.mine = False
        self.stands.set("")
        self.bar.pack_forget()
        self.tell(words, role)
        self.refresh()

    def _show_bar(self, share: float | None) -> None:
        self.bar.set(share)
        if not self.bar.winfo_manager():
            self.bar.pack(fill="x", pady=(px(4), 0), after=self.line)


class LinesCard(Card):
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
