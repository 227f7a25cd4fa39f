"""Controls in a row that breaks into a second one where there is too little room."""

from __future__ import annotations

import tkinter as tk
from typing import Any

from app.gui.kit.base.frame import Frame
from app.gui.kit.base.theme import px

GAP = 8


class Flow(Frame):
    """Make the controls with the flow as master and `add` them in their order; `show` hides one or brings it back.

    `right`: they end at the right.
    """

    def __init__(self, master: tk.Misc, *, right: bool = False) -> None:
        super().__init__(master)
        self._right = right
        self._all: list[Any] = []
        self._hidden: set[Any] = set()
        self._laid: object = None
        self.bind("<Configure>", lambda _: self._lay())

    def add(self, *controls: Any) -> None:
        self._all += controls
        for control in controls:
            control.bind("<Configure>", lambda _: self._lay(), add=True)
        self._lay()

    def show(self, control: Any, wanted: bool) -> None:
        """Whether a control is to be seen."""
        if wanted == (control in self._hidden):
            self._hidden ^= {control}
            self._lay()

    def _lay(self) -> None:
        room = self.winfo_width()
        shown = [control for control in self._all if control not in self._hidden]
        plan = (room, [(control, control.winfo_reqwidth(), control.winfo_reqheight()) for control in shown])
        if room <= 1 or plan == self._laid:
            return
        self._laid = plan
        for control in self._hidden:
            control.place_forget()
        top = 0
        for row in _rows(plan[1], room):
            whole = sum(wide for _, wide, _ in row) + px(GAP) * (len(row) - 1)
            left, high = max(room - whole, 0) if self._right else 0, max(tall for _, _, tall in row)
            for control, wide, tall in row:
                control.place(x=left, y=top + (high - tall) // 2, width=wide, height=tall)
                left += wide + px(GAP)
            top += high + px(GAP)
        self.configure(height=max(top - px(GAP), 1))


def _rows(controls: list[tuple[Any, int, int]], room: int) -> list[list[tuple[Any, int, int]]]:
    """As many controls in each row as there is room for."""
    rows: list[list[tuple[Any, int, int]]] = []
    left = 0
    for each in controls:
        if not rows or left + each[1] > room:
            rows.append([])
            left = 0
        rows[-1].append(each)
        left += each[1] + px(GAP)
    return rows
