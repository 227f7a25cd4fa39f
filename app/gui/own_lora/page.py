"""The page General, with the card "Your own LoRA" on top: four steps from a folder of images to a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Button, Card, Frame, Label, LinkButton, px
from app.gui.own_lora.images import ImagesStep
from app.gui.own_lora.model import ModelStep
from app.gui.own_lora.start import StartStep
from app.gui.own_lora.step import Step
from app.gui.own_lora.trigger import TriggerStep
from app.gui.pages.settings import LONG_PATHS, SettingsPage
from app.gui.session.open_external import open_external
from modules.language import tr
from modules.system.bundled import ROOT, is_bundled

KEY = "own_lora"
TICK_MS = 250
MANUAL = ROOT / "resources/manual/window.md"


def open_card(context: AppContext) -> None:
    """Show it; the example images of the tutorial leave, and come back with an undo."""
    draft = context.draft
    examples = [n for n, concept in enumerate(draft.get("concepts")) if is_bundled(str(concept["path"]))]
    if examples:
        draft.remove("concepts", *examples)
    context.window_state.put(KEY, "open")
    context.go("general")


class GeneralPage(SettingsPage):
    """The run's name, the seed, this machine; and the way to a LoRA of one's own images, until it is closed."""

    sections = ("general",)
    two_from = LONG_PATHS
    card: OwnLoraCard | None = None

    def above(self, inside: Frame) -> Iterator[None]:
        self._top = Frame(inside)
        self._top.pack(fill="x")
        self.until_destroyed(self.context.app.every(TICK_MS, self._tick))
        self._tick()
        yield

    def shown(self) -> None:
        if self.card is not None:
            self.card.look()

    def _tick(self) -> None:
        wanted = self.context.window_state.get(KEY, str) == "open"
        if wanted and self.card is None:
            self.card = OwnLoraCard(self._top, self.context)
            self.card.pack(fill="x", pady=(0, px(14)))
            self.area.to_top()
        elif not wanted and self.card is not None:
            self.card.destroy()
            self.card = None
            self._top.configure(height=1)
        if self.card is not None and self.winfo_viewable():
            self.card.refresh()


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
