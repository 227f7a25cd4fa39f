"""One line over the charts: what the run is doing, what happened last, and how busy this machine is."""

from __future__ import annotations

from typing import Any

from app.gui.kit import Frame, Label, RoundFrame, fitting, px
from app.gui.run.hardware_meters import MachineMeters

EDGE = 14


class RunStatus(RoundFrame):
    """`notify` what is so; words that do not fit end in dots."""

    def __init__(self, master: Any) -> None:
        super().__init__(master)
        self.meters = MachineMeters(self, 4)
        self.meters.pack(side="right", padx=px(EDGE), pady=px(10))
        words = Frame(self)
        words.pack(side="left", fill="both", expand=True, padx=px(EDGE), pady=px(8))
        self.status_label = Label(words, "", font="bold")
        self.status_label.pack(fill="x", expand=True)
        self.events = Label(words, "", font="small", role="text2")

    def show(self, words: str, below: str = "", role: str = "text") -> None:
        """What is so now, and in grey what happened last."""
        room = self.status_label.winfo_width()
        self.status_label.set(fitting(words, room, "bold") if room > 1 else words, role)
        self.events.set(fitting(below, room, "small") if room > 1 else below)
        if not below:
            self.events.pack_forget()
        elif not self.events.winfo_manager():
            self.events.pack(fill="x")
