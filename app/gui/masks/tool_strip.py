"""The column of tools beside the canvas, each with its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.kit import Button, Divider, Frame, RoundFrame, px
from modules.language import tr

# tool: (key, icon, what it does)
TOOLS: dict[str, tuple[str, str, str]] = {
    "brush": ("b", "brush", "Brush: what it covers is learnt"),
    "eraser": ("e", "eraser", "Eraser: what it covers is left out"),
    "lasso": ("l", "lasso", "Lasso: what it encloses is learnt"),
    "rectangle": ("r", "square", "Rectangle"),
    "magic": ("w", "wand-sparkles", "Similar colour: what hangs together with a click"),
    "pan": ("h", "hand", "Move the image, also with space held"),
    "zoom": ("z", "zoom-in", "Zoom in, with the right button out; also the wheel"),
}
LINES_BEFORE = ("pan",)
PAINT = ("brush", "eraser", "lasso", "rectangle", "magic")


class ToolStrip(RoundFrame):
    """`choose(tool)` marks one; `can(undo, redo)` greys the arrows. Two columns where it is not `roomy`."""

    def __init__(
        self, master: Any, choose: Callable[[str], object], undo: Callable[[], object], redo: Callable[[], object],
        *, roomy: bool,
    ) -> None:  # fmt: skip
        super().__init__(master)
        self._columns = 1 if roomy else 2
        self._box = Frame(self)
        self._box.pack(padx=px(4), pady=px(2))
        self._place = 0
        self._buttons: dict[str, Button] = {}
        for tool, (key, image, words) in TOOLS.items():
            if tool in LINES_BEFORE:
                self._line()
            hint = f"{tr(words)} ({key.upper()})"
            if tool in PAINT:
                hint += "\n" + tr("The right button does the opposite.")
            self._buttons[tool] = self._button(image, hint, lambda tool=tool: choose(tool))
        self._line()
        self._undo = self._button("undo-2", tr("Undo the last stroke (Ctrl+Z)"), undo)
        self._redo = self._button("redo-2", tr("Do it again (Ctrl+Y)"), redo)

    def _button(self, image: str, hint: str, act: Callable[[], object]) -> Button:
        button = Button(self._box, "", act, kind="icon", image=image, hint=hint, width=34, height=34)
        button.grid(row=self._place // self._columns, column=self._place % self._columns, padx=px(2), pady=(px(3), 0))
        self._place += 1
        return button

    def _line(self) -> None:
        self._place = -(-self._place // self._columns) * self._columns
        divider = Divider(self._box)
        divider.grid(
            row=self._place // self._columns, column=0, columnspan=self._columns, sticky="ew", pady=(px(5), px(2))
        )
        self._place += self._columns

    def choose(self, tool: str) -> None:
        for name, button in self._buttons.items():
            button.set(kind="chosen" if name == tool else "icon")

    def can(self, undo: bool, redo: bool) -> None:
        self._undo.disable("" if undo else tr("There is nothing to undo on this image"))
        self._redo.disable("" if redo else tr("There is nothing to do again on this image"))
