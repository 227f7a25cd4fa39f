"""The card "Your own LoRA": four steps from a folder of images to a run."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Button, Card, Label, LinkButton, px
from app.gui.own_lora.images import ImagesStep
from app.gui.own_lora.model import ModelStep
from app.gui.own_lora.opening import KEY
from app.gui.own_lora.start import StartStep
from app.gui.own_lora.step import Step
from app.gui.own_lora.trigger import TriggerStep
from app.gui.session.open_external import open_external
from modules.language import tr
from modules.system.bundled import ROOT

MANUAL = ROOT / "resources/manual/window.md"


class OwnLoraCard(Card):
    """Steps that open in their order. Each value in it is a setting of Concepts, Model or Training."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master, tr("Your own LoRA"))
        self._context = context
        self._count = Label(self.head, role="text2")
        self._count.pack(side="left", padx=px(10))
        Button(self.head, "", self._close, kind="icon", image="x", hint=tr("Close; the list of presets opens it again"),
               height=26).pack(side="right")  # fmt: skip
        LinkButton(self.head, tr("How it works"), self._explain).pack(side="right", padx=px(10))
        self._images = ImagesStep(self.body, context, 1)
        trigger = TriggerStep(self.body, context, 2, self._images)
        self._steps: list[Step] = [
            self._images,
            trigger,
            ModelStep(self.body, context, 3),
            StartStep(self.body, context, 4),
        ]
        for step in self._steps:
            step.pack(fill="x")
        self.refresh()

    def look(self) -> None:
        """The page came to the front: the folders may have changed."""
        self._images.look()

    def refresh(self) -> None:
        """What is done, and what is next."""
        ready = True
        for step in self._steps:
            step.refresh(ready=ready)
            ready = ready and step.done
        done = sum(step.done for step in self._steps)
        self._count.set(tr("{done} of {steps}", done=done, steps=len(self._steps)))

    def _close(self) -> None:
        self._context.window_state.put(KEY, "closed")

    def _explain(self) -> None:
        if problem := open_external(MANUAL):
            self._context.notify(problem, role="changed")
