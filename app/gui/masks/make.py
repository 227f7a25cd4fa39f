"""Masks made by a model, for the image in front or for all of its concept that have none: the tool `mask` at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS, failure_text, note_text
from app.gui.kit import Button, Choice, Flow, Frame, Label, LinkButton, Option, px
from app.gui.run_control import begin, busy_reason
from app.gui.session.engine_client import EngineDied
from app.gui.session.number_format import stage_text
from app.gui.session.run_state import WindowEvent
from modules.errors import UserError
from modules.language import tr
from modules.masking.kinds import BACKGROUND, FACES
from modules.messages import Failed, Finished, Note, RunTool, Stage, Stop
from modules.preset.paths import Values
from modules.text import in_bytes

TOOL = "mask"
MODELS = {"background": ("Background", BACKGROUND[0]), "faces": ("Faces", FACES[0])}


class MakeMasks(Frame):
    """`asked(all_without)` gives the settings that say which images, None for no image; `made` is called at the end."""

    def __init__(
        self, master: Any, context: AppContext, asked: Callable[[bool], Values | None], made: Callable[[], object]
    ) -> None:
        super().__init__(master)
        self._context, self._asked, self._made = context, asked, made
        self._going = context.running.busy and context.running.what == TOOL  # at another text size all is made anew
        Label(self, tr("Make masks"), font="section").pack(anchor="w", pady=(0, px(4)))
        options = [Option(kind, tr(title)) for kind, (title, _) in MODELS.items()]
        self.kind = Choice(self, options, "background", lambda _: self._say_model())
        self.kind.pack(fill="x")
        self._words = Label(self, "", font="small", role="text2", wrap=True)
        self._words.pack(fill="x", pady=(px(4), px(4)))
        line = Flow(self)
        line.pack(fill="x")
        self.one = Button(line, tr("This image"), lambda: self._start(False))
        self.all = Button(line, tr("All without"), lambda: self._start(True))
        self.stop = Button(line, tr("Stop"), self._stop, image="square")
        self._line = line
        line.add(self.one, self.all, self.stop)
        LinkButton(self, tr("By words …"), lambda: context.go("tools", TOOL)).pack(anchor="w", pady=(px(4), 0))
        self.until_destroyed(context.running.listen(self._heard))
        self._say_model()
        self.refresh("")

    def fit(self, roomy: bool) -> None:
        """Where there is little room, a link to the tool stands for all of it."""
        if roomy:
            self.pack(fill="x")
        else:
            LinkButton(self.master, tr("Make masks …"), lambda: self._context.go("tools", TOOL)).pack(anchor="w")

    def refresh(self, reason: str) -> None:
        """`reason`: why no mask can be made of the image in front."""
        running = self._context.running
        for button in (self.one, self.all):
            self._line.show(button, not self._going)
            button.disable(busy_reason(running.what) if running.busy else reason)
        self._line.show(self.stop, self._going)

    def _say_model(self) -> None:
        model = MODELS[self.kind.get()][1]
        size = in_bytes(model.size)
        self._words.set(tr("{model}, {size}, downloaded at first use", model=model.title, size=size), "text2")

    def _start(self, all_without: bool) -> None:
        which = self._asked(all_without)
        if which is None:
            return
        try:
            begin(self._context, TOOL, RunTool(TOOL, {"kind": self.kind.get(), **which}))
        except UserError as error:
            self._words.set(error.text(WORDS), "error")
            return
        self._going = True
        self._words.set(tr("Starting …"), "text2")
        self.refresh("")

    def _stop(self) -> None:
        self._context.engine.send(Stop(now=True))
        self._context.running.stopping()

    def _heard(self, event: WindowEvent) -> None:
        if not self._going:
            return
        match event:
            case Stage():
                self._words.set(stage_text(event), "text2")
            case Note():
                self._words.set(note_text(event), "changed" if event.level == "warning" else "text2")
            case Failed() | EngineDied():
                self._ended(failure_text(event) if isinstance(event, Failed) else event.message, "error")
            case Finished():
                self._ended("", "text2")
            case _:
                pass

    def _ended(self, words: str, role: str) -> None:
        self._going = False
        if words:
            self._words.set(words, role)
        self.refresh("")
        self._made()
