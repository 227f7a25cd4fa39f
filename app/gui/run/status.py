"""The card over the charts: eight facts of a run under way, large enough to be read from afar; or how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.kit import Button, Frame, Label, RoundFrame, fitting, px, theme
from app.gui.run.hardware_meters import MachineMeters
from modules.language import tr

EDGE, GAP = 14, 24


@dataclass(frozen=True)
class Fact:
    label: str
    value: str
    role: str = "text"


class RunStatus(RoundFrame):
    """`show(facts)`; with buttons once the run is over. The first fact may be a sentence, in red if it failed."""

    def __init__(self, master: Any, on_continue: Any, on_folder: Any) -> None:
        super().__init__(master)
        self.meters = MachineMeters(self, 2, most=2)
        self.meters.pack(side="right", padx=px(EDGE), pady=px(8))
        self.buttons = Frame(self)
        self.resume = Button(self.buttons, tr("Continue"), on_continue, image="play")
        self.folder = Button(self.buttons, tr("Open folder"), on_folder, kind="quiet", image="folder-open")
        self.folder.pack(side="right")
        self.row = Frame(self)
        self.row.pack(side="left", fill="both", expand=True, padx=px(EDGE), pady=px(8))
        self._cells: list[tuple[Frame, Label, Label]] = []
        self._shown: object = None

    def show(self, facts: Sequence[Fact], *, over: bool, resumable: bool) -> None:
        """The facts in their order; those that do not fit are left out, from the end."""
        shown = (tuple(facts), over, resumable, self.row.winfo_width())
        if shown == self._shown:
            return
        self._shown = shown
        while len(self._cells) < len(facts):
            self._cells.append(self._cell())
        room = self.row.winfo_width() if self.row.winfo_width() > 1 else px(2000)
        for index, (cell, label, value) in enumerate(self._cells):
            fact = facts[index] if index < len(facts) else None
            if fact is not None:
                label.set(fact.label)
                value.set(fitting(fact.value, room, "section") if index == 0 else fact.value, fact.role)
                room -= max(theme.measure(fact.label, "small"), theme.measure(fact.value, "section")) + px(GAP)
            if fact is None or (room < px(8 - GAP) and index):
                cell.pack_forget()
            elif not cell.winfo_manager():
                cell.pack(side="left", padx=(0, px(GAP)))
        self._put(self.meters, not over)
        self._put(self.buttons, over)
        self._put(self.resume, resumable)

    def _cell(self) -> tuple[Frame, Label, Label]:
        cell = Frame(self.row)
        label, value = Label(cell, "", font="small", role="text2"), Label(cell, "", font="section")
        label.pack(fill="x")
        value.pack(fill="x")
        return cell, label, value

    def _put(self, part: Any, wanted: bool) -> None:
        if wanted != bool(part.winfo_manager()):
            if not wanted:
                part.pack_forget()
            elif part is not self.resume:
                part.pack(side="right", padx=px(EDGE), pady=px(8), before=self.row)
            else:
                part.pack(side="left", padx=(0, px(8)))
