"""One concept in a large dialog: its settings at the left, what training sees of it and its numbers at the right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.gui.concepts.preview import ConceptPreview
from app.gui.concepts.settings import ConceptSettings
from app.gui.concepts.statistics import ConceptStatistics
from app.gui.context import AppContext
from app.gui.draft.labels import title_of
from app.gui.kit import Answer, Dialog, Frame, Segmented, labelled, px
from modules.language import tr

SIZE = (1160, 720)
SETTINGS = 486
VIEWS = {"preview": "What training sees", "statistics": "Statistics"}


class ConceptDialog(Dialog):
    """Changes go to the draft as they are made; Escape and Close end it, Ctrl+Z undoes."""

    def __init__(self, master: Any, context: AppContext, number: int) -> None:
        self._context, self._number = context, number
        concept = context.draft.get(f"concepts.{number}")
        super().__init__(
            master, title_of(concept), answers=(Answer(tr("Close"), kind="primary"),), width=SIZE[0], height=SIZE[1],
            on_close=lambda _: None,
        )  # fmt: skip
        left = Frame(self.body, width=SETTINGS)
        left.pack(side="left", fill="y")
        left.pack_propagate(False)
        self.settings = ConceptSettings(left, context, number)
        self.settings.pack(fill="both", expand=True)
        right = Frame(self.body)
        right.pack(side="left", fill="both", expand=True, padx=(px(20), 0))
        self._views = Segmented(right, labelled(VIEWS), "preview", self._show_view, width=300)
        self._views.pack(anchor="w", pady=(0, px(12)))
        self.preview = ConceptPreview(right, context, number)
        self.numbers = ConceptStatistics(right, context, number)
        self.preview.pack(fill="both", expand=True)
        self.until_destroyed(context.draft.watch("", lambda _: self._changed()))
        self._pending = ""
        self._wanted = ""
        self._rest: Iterator[None] | None = self.settings.build()
        for sequence, act in (
            ("<Control-z>", context.draft.undo),
            ("<Control-Shift-Z>", context.draft.redo),
            ("<Control-y>", context.draft.redo),
        ):
            self.bind(sequence, lambda _, act=act: act())
        self.bind("<FocusIn>", self._focused, add=True)
        self._build()

    def _focused(self, event: Any) -> None:
        """One comes back from another program, perhaps a text editor."""
        if event.widget is self:
            self.preview.look_again()

    def reveal(self, path: str) -> None:
        """Show and focus one of its settings, as soon as it is made."""
        self._wanted = path
        if self._rest is None:
            self.settings.reveal(path)

    def close(self, answer: Any) -> None:
        if self.winfo_exists():
            self.settings.flush()
        super().close(answer)

    def _build(self) -> None:
        """A few rows at a time, so that the dialog is there at once."""
        self._pending = ""
        for _ in range(3):
            if self._rest is not None and next(self._rest, self) is self:
                self._rest = None
        if self._rest is not None:
            self._pending = self.after(1, self._build)
        elif self._wanted:
            self.settings.reveal(self._wanted)

    def _show_view(self, view: str) -> None:
        shown, hidden = (self.preview, self.numbers) if view == "preview" else (self.numbers, self.preview)
        hidden.pack_forget()
        shown.pack(fill="both", expand=True)
        if shown is self.numbers:
            self.numbers.begin()

    def _changed(self) -> None:
        concepts = self._context.draft.get("concepts")
        if self._number >= len(concepts):
            self.after_idle(lambda: self.close(None))  # an undo took the concept away
            return
        self.preview.settle()
        self.numbers.stale()
