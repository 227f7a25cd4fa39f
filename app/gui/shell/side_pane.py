"""The live pane at the right: the newest sample, the loss, the meters. Redrawn four times a second at most."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Chart, Frame, Label, px
from app.gui.run.hardware_meters import MachineMeters
from app.gui.run.run_source import LiveRun
from app.gui.run.samples.before_after import BeforeAfter
from app.gui.run.samples.image_viewer import ImageViewer
from app.gui.shell.page_stack import PageStack
from modules.language import tr

FROM = 1100  # pixels of the window; below, the pane closes itself
WIDTH, WIDER, WIDER_FROM = 316, 380, 1700


class SidePane:
    """`arrange` after anything that it depends on has changed. The pane is made when it is first shown."""

    def __init__(self, frame: Frame, pages: PageStack, context: AppContext) -> None:
        self._frame, self._pages, self._context = frame, pages, context
        self._kind = -1
        self.pane: Any = None

    @property
    def wanted(self) -> bool:
        """On the page in front: those that are forms share one answer, each of the others has its own."""
        state, own = self._context.window_state, self._own
        return own in state.get("panes", list) if own else state.get("pane", bool)

    @property
    def _own(self) -> str:
        """The page in front, if it is one where the pane starts closed."""
        front = self._pages.front
        return "" if front is None or front.card.pane else front.card.key

    def toggle(self) -> None:
        state, own, wanted = self._context.window_state, self._own, not self.wanted
        if own:
            others = [key for key in state.get("panes", list) if key != own]
            state.put("panes", [*others, own] if wanted else others)
        else:
            state.put("pane", wanted)
        self.arrange()

    def arrange(self) -> None:
        front, wide = self._pages.front, self._context.app.winfo_width()
        if not (self.wanted and wide >= px(FROM) and front is not None):
            if self.pane is not None:
                self.pane.pack_forget()
            return
        if self.pane is None:
            from app.gui.shell.side_pane import LivePane  # noqa: PLC0415  charts and pictures, not needed where it is closed

            self.pane = LivePane(self._frame, self._context)
        self.pane.configure(width=px(WIDER if wide >= px(WIDER_FROM) else WIDTH))
        self.pane.pack(side="right", fill="y", before=self._pages)

    def open_for_run(self) -> None:
        """What a run makes is to be seen from every form."""
        if self._context.app.winfo_width() >= px(FROM):
            self._context.window_state.put("pane", True)
            self.arrange()

    def resized(self, event: Any) -> None:
        """The window has another width; only crossing a bound means something."""
        if not self._frame.winfo_exists():
            return
        kind = sum(event.width >= px(width) for width in (FROM, WIDER_FROM))
        if kind != self._kind:
            self._kind = kind
            self.arrange()


WIDE = 316
EDGE = 16
TICK_MS = 250


class LivePane(Frame):
    """As wide as the window says; it looks at the run only while it can be seen."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master, "panel", width=WIDE)
        self.pack_propagate(False)
        self.context = context
        self.source = LiveRun(context.running)
        self._drawn = (-1, 0, 0)  # generation, losses and samples that are on the screen
        head = Frame(self)
        head.pack(fill="x", padx=px(EDGE), pady=(px(14), px(8)))
        Label(head, tr("Latest sample"), font="section").pack(side="left")
        self.position = Label(head, "", font="small", role="text2")
        self.position.pack(side="right")
        self.pictures = BeforeAfter(self, context.pictures, on_open=self._open, on_change=self._moved)
        self.pictures.pack(fill="x", padx=px(EDGE))
        Label(self, tr("Loss"), font="section").pack(fill="x", padx=px(EDGE), pady=(px(14), px(4)))
        self.chart = Chart(self, full=False, height=80)
        self.chart.pack(fill="x", padx=px(EDGE))
        self._curve = self.chart.series("loss")
        self.meters = MachineMeters(self, 2)
        self.meters.pack(fill="x", padx=px(EDGE), pady=(px(16), px(EDGE)))
        self.bind("<Configure>", lambda event: self.pictures.compare.configure(height=event.width - 2 * px(EDGE)))
        self.until_destroyed(context.app.every(TICK_MS, self._tick))
        self.refresh()

    def refresh(self) -> None:
        """Draw what is new."""
        self.source.update()
        generation, losses, shots = self._drawn
        if generation != self.source.generation:
            self._curve.clear()
            losses, shots = 0, -1
        if new := self.source.losses[losses:]:
            self._curve.add([step for step, _ in new], [loss for _, loss in new])
        if new or generation != self.source.generation:
            self.chart.redraw()
        if shots != len(self.source.shots):
            self.pictures.show(self.source.shots)
        self._drawn = (self.source.generation, len(self.source.losses), len(self.source.shots))
        self.meters.refresh(self.context.meters.latest)

    def _tick(self) -> None:
        if self.winfo_viewable():
            self.refresh()

    def _moved(self) -> None:
        self.position.set(self.pictures.position)

    def _open(self, shot: Any) -> None:
        ImageViewer(self, self.context, self.source.shots, shot)
