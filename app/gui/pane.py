"""The live pane at the right: the newest sample, the loss, the meters. Redrawn four times a second at most."""

from __future__ import annotations

from typing import Any

from app.gui.before_after import BeforeAfter
from app.gui.desk import Desk
from app.gui.kit import Chart, Frame, Label, px
from app.gui.large_picture import LargePicture
from app.gui.machine_meters import MachineMeters
from app.gui.run_story import LiveStory

WIDE = 316
EDGE = 16
TICK_MS = 250


class LivePane(Frame):
    """As wide as the window says; it looks at the run only while it can be seen."""

    def __init__(self, master: Any, desk: Desk) -> None:
        super().__init__(master, "panel", width=WIDE)
        self.pack_propagate(False)
        self.desk = desk
        self.story = LiveStory(desk.running)
        self._drawn = (-1, 0, 0)  # generation, losses and samples that are on the screen
        head = Frame(self)
        head.pack(fill="x", padx=px(EDGE), pady=(px(14), px(8)))
        Label(head, "Latest sample", font="section").pack(side="left")
        self.position = Label(head, "", font="small", role="text2")
        self.position.pack(side="right")
        self.pictures = BeforeAfter(self, desk.pictures, on_open=self._open, on_change=self._moved)
        self.pictures.pack(fill="x", padx=px(EDGE))
        Label(self, "Loss", font="section").pack(fill="x", padx=px(EDGE), pady=(px(14), px(4)))
        self.chart = Chart(self, full=False, height=80)
        self.chart.pack(fill="x", padx=px(EDGE))
        self._curve = self.chart.series("loss")
        self.meters = MachineMeters(self, 2)
        self.meters.pack(fill="x", padx=px(EDGE), pady=(px(16), px(EDGE)))
        self.bind("<Configure>", lambda event: self.pictures.compare.configure(height=event.width - 2 * px(EDGE)))
        self._end = desk.app.every(TICK_MS, self._tick)
        self.refresh()

    def destroy(self) -> None:
        self._end()
        super().destroy()

    def refresh(self) -> None:
        """Draw what is new."""
        self.story.update()
        generation, losses, shots = self._drawn
        if generation != self.story.generation:
            self._curve.clear()
            losses, shots = 0, -1
        if new := self.story.losses[losses:]:
            self._curve.add([step for step, _ in new], [loss for _, loss in new])
        if new or generation != self.story.generation:
            self.chart.redraw()
        if shots != len(self.story.shots):
            self.pictures.show(self.story.shots)
        self._drawn = (self.story.generation, len(self.story.losses), len(self.story.shots))
        self.meters.refresh(self.desk.meters.latest)

    def _tick(self) -> None:
        if self.winfo_viewable():
            self.refresh()

    def _moved(self) -> None:
        self.position.set(self.pictures.position)

    def _open(self, shot: Any) -> None:
        LargePicture(self, self.desk, self.story.shots, shot)
