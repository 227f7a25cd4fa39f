"""A row of a form: mark, label with help, control, unit, arrow back; what is wrong stands under the control."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Protocol

from app.gui.kit.base.frame import Frame
from app.gui.kit.base.label import Label
from app.gui.kit.base.theme import px
from app.gui.kit.base.tip import Words, tip
from app.gui.kit.controls.button import Button
from modules.language import tr

LABEL = 178
UNIT = 56
ARROW = 30


class Control(Protocol):
    """What a row asks of its control."""

    def invalid(self, wrong: bool) -> None: ...


class FormRow(Frame):
    """One setting. Make the control with the row as master, then `put` it.

    Args:
        label: words at the left.
        words: the tip of label and control: text, or a function asked each time.
        unit: grey words right of the control.
        on_reset: what the arrow does; it is shown while the row is marked as changed.
    """

    def __init__(
        self,
        master: tk.Misc,
        label: str,
        *,
        words: Words = "",
        unit: str = "",
        on_reset: Callable[[], object] | None = None,
        label_width: float = LABEL,
    ) -> None:
        super().__init__(master)
        self._words, self._on_reset, self._label_text = words, on_reset, label
        self._changed = self._wrong = False
        self._arrow: Button | None = None
        self._error: Label | None = None
        self.control: tk.Misc | None = None
        self.columnconfigure(0, minsize=px(13))
        self.columnconfigure(1, minsize=px(label_width))
        self.columnconfigure(2, weight=1)
        self.columnconfigure(3, minsize=px(UNIT))
        self.columnconfigure(4, minsize=px(ARROW))
        self._mark: Frame | None = None
        self.label = Label(self, label)
        self.label.configure(wraplength=px(label_width - 8), justify="left")  # a long one takes two lines
        self.label.grid(row=0, column=1, sticky="ew", pady=px(3))
        if unit:
            Label(self, unit, font="small", role="text3").grid(row=0, column=3, sticky="w", padx=(px(8), 0))
        if words:
            tip(self.label, words)

    def put(self, control: tk.Widget, *, stretch: bool = True) -> None:
        """Lay the control out; `stretch` it over the column, or leave it as wide as it is (switches)."""
        self.control = control
        control.grid(row=0, column=2, sticky="ew" if stretch else "w", pady=px(3))
        if isinstance(getattr(control, "inner", None), tk.Text):  # beside several lines the label stands at the top
            self.label.grid(sticky="new", pady=px(9))
        self.label.bind("<Button-1>", lambda _: control.focus_set())
        if self._words:
            tip(control, self._words, over=getattr(control, "inner", None))

    def changed(self, yes: bool) -> None:
        """Amber bar and arrow, or not."""
        if yes != self._changed:
            self._changed = yes
            self._show_mark()
            self._show_arrow()

    def error(self, text: str) -> None:
        """What is wrong, in words; empty for nothing."""
        if text and self._error is None:
            self._error = Label(self, text, font="small", role="error", wrap=True)
        if self._error is not None:
            if text:
                self._error.set(text)
                self._error.grid(row=1, column=2, columnspan=3, sticky="ew", pady=(0, px(4)))
            else:
                self._error.grid_remove()
        if bool(text) != self._wrong:
            self._wrong = bool(text)
            self._show_mark()
            invalid = getattr(self.control, "invalid", None)
            if invalid is not None:
                invalid(self._wrong)

    def _show_mark(self) -> None:
        if self._mark is None:
            self._mark = Frame(self, "changed", width=3)
        if self._wrong or self._changed:
            self._mark.surface = "error" if self._wrong else "changed"
            self._mark.paint()
            self._mark.grid(row=0, column=0, sticky="nsw", pady=px(5))
        else:
            self._mark.grid_remove()

    def _show_arrow(self) -> None:
        if self._on_reset is None:
            return
        if self._arrow is None:
            self._arrow = Button(
                self, "", self._on_reset, kind="icon", image="rotate-ccw", role="changed", height=26,
                hint=tr("{label}: back to the preset's value", label=self._label_text),
            )  # fmt: skip
        if self._changed:
            self._arrow.grid(row=0, column=4)
        else:
            self._arrow.grid_remove()
