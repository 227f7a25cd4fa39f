"""The right side: the live pane where it is wanted, where the page leaves room for it, and where the window is wide."""

from __future__ import annotations

from typing import Any

from app.gui.desk import Desk
from app.gui.kit import Frame, px
from app.gui.page_stack import PageStack

FROM = 1100  # pixels of the window; below, the pane closes itself
WIDTH, WIDER, WIDER_FROM = 316, 380, 1700


class PaneSide:
    """`arrange` after anything that it depends on has changed. The pane is made when it is first shown."""

    def __init__(self, frame: Frame, pages: PageStack, desk: Desk) -> None:
        self._frame, self._pages, self._desk = frame, pages, desk
        self._kind = -1
        self.pane: Any = None

    @property
    def wanted(self) -> bool:
        return self._desk.remembered.get("pane", bool)

    def toggle(self) -> None:
        self._desk.remembered.put("pane", not self.wanted)
        self.arrange()

    def arrange(self) -> None:
        front, wide = self._pages.front, self._desk.app.winfo_width()
        if not (self.wanted and wide >= px(FROM) and front is not None and front.card.pane):
            if self.pane is not None:
                self.pane.pack_forget()
            return
        if self.pane is None:
            from app.gui.pane import LivePane  # noqa: PLC0415  charts and pictures, not needed where it is closed

            self.pane = LivePane(self._frame, self._desk)
        self.pane.configure(width=px(WIDER if wide >= px(WIDER_FROM) else WIDTH))
        self.pane.pack(side="right", fill="y", before=self._pages)

    def open_for_run(self) -> None:
        """What a run makes is to be seen, wherever one is."""
        if not self.wanted and self._desk.app.winfo_width() >= px(FROM):
            self.toggle()

    def resized(self, event: Any) -> None:
        """The window has another width; only crossing a bound means something."""
        if event.widget is not self._desk.app or not self._frame.winfo_exists():
            return
        kind = sum(event.width >= px(width) for width in (FROM, WIDER_FROM))
        if kind != self._kind:
            self._kind = kind
            self.arrange()
