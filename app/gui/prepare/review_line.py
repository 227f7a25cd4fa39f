"""What stands on the card of "Prepare images": a button that shows what will become of the images."""

from __future__ import annotations

from typing import Any, Protocol

from app.gui.context import AppContext
from app.gui.kit import Button, Frame, Label, px
from app.gui.prepare.review import PrepareReview
from modules.language import plural, tr
from modules.preparing.planning import lines_of
from modules.preparing.settings import Settings
from modules.preset.paths import Values


class Form(Protocol):
    """What is asked of the tool's form."""

    def read(self) -> Values | None: ...
    def show(self, name: str, value: Any) -> None: ...


class ReviewLine(Frame):
    """Opens the review and puts into the form what was changed there."""

    def __init__(self, master: Any, context: AppContext, form: Form) -> None:
        super().__init__(master)
        self._context, self._form = context, form
        self.button = Button(self, tr("Review \u2026"), self.open, image="eye")
        self.button.pack(side="left", pady=px(4))
        self.says = Label(self, tr("Look at frames and left out images before anything is written."), role="text2")
        self.says.pack(side="left", padx=px(10))

    def open(self) -> None:
        """Look at the images, if the settings can be used."""
        values = self._form.read()
        if values is not None:
            PrepareReview(self, self._context, Settings.model_validate(values), self._take)

    def refresh(self) -> None:
        """Nothing of it changes with time."""

    def _take(self, values: Values | None) -> None:
        if values is None:
            return
        for name, value in values.items():
            self._form.show(name, value)
        frames, out = (len(lines_of(values[name])) for name in ("points", "aside"))
        words = plural(frames, "1 frame set by hand", "{count:,} frames set by hand")
        self.says.set(tr("{frames}, {out:,} left out by hand", frames=words, out=out))
