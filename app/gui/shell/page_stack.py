"""The pages: each made when it is first shown, in slices, and kept; one in front."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from app.gui.context import AppContext
from app.gui.kit import EmptyState, Frame, Label, LinkButton, px, theme
from app.gui.page import Page
from app.gui.pages import PageCard
from modules.language import tr

SLICE_S = 0.006  # of building at once, then the window draws and listens


class PageView(Frame):
    """One page with its header, as far as it has been built. A page may change `line` and put controls into `head`."""

    def __init__(self, master: Frame, card: PageCard, context: AppContext) -> None:
        super().__init__(master, "window")
        self.card = card
        self.head = head = Frame(self)  # a page may put a few controls at its right
        head.pack(fill="x", padx=px(20), pady=(px(14), px(10)))
        Label(head, tr(card.title), font="title").pack(side="left")
        self.line = Label(head, tr(card.line), role="text2", wrap=True)
        self.line.pack(side="left", fill="x", expand=True, padx=px(12), pady=(px(6), 0))
        self._rest: Iterator[None] | None = None
        self.page: Page | None = None
        self._pending = ""
        self._context = context
        self.until_destroyed(lambda: theme.wake(self))

    def begin(self) -> None:
        """Make the page and its first slice; the rest comes by itself."""
        try:
            self.page = self.card.page_class()(self, self._context)
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("app."):
                raise
            EmptyState(self, self.card.image, tr("This page does not exist yet.")).pack(fill="both", expand=True)
            return
        self.page.pack(fill="both", expand=True)
        self._rest = iter(self.page.build())
        self._slice()

    def finish(self) -> None:
        """Build what is left, now."""
        for _ in self._rest or ():
            pass
        self._rest = None

    @property
    def whole(self) -> bool:
        return self._rest is None

    def _slice(self) -> None:
        self._pending = ""
        end = time.perf_counter() + SLICE_S
        while self._rest is not None and time.perf_counter() < end:
            try:
                next(self._rest)
            except StopIteration:
                self._rest = None
        if self._rest is not None:
            self._pending = self.after(1, self._slice)


class PageStack(Frame):
    """`show(card)` brings a page to the front; `front` is its sheet. Other frames may be laid over with `cover`."""

    def __init__(self, master: Frame, context: AppContext, on_shown: Callable[[PageCard], object]) -> None:
        super().__init__(master, "window")
        self._context, self._on_shown = context, on_shown
        self.page_views: dict[str, PageView] = {}
        self.front: PageView | None = None
        self._cover: Frame | None = None

    def show(self, card: PageCard) -> None:
        """Put a page in front."""
        sheet = self.page_views.get(card.key)
        if sheet is not None and sheet is self.front and self._cover is None:
            return
        new = sheet is None
        if sheet is None:
            sheet = self.page_views[card.key] = PageView(self, card, self._context)
        self._leave(sheet)
        self.front = sheet
        theme.wake(sheet)
        sheet.place(x=0, y=0, relwidth=1, relheight=1)
        if new:
            sheet.begin()
        if sheet.page is not None:
            sheet.page.shown()
        self._on_shown(card)

    def focus_first(self, tries: int = 30) -> None:
        """Into the first field of the page in front, as soon as it is on the screen."""
        page = self.front.page if self.front is not None else None
        if page is None:
            return
        page.update_idletasks()  # else a card further down may be on the screen before the first one
        first = page.tk_focusNext() if page.winfo_viewable() else None
        while isinstance(first, LinkButton):  # of the head of a card
            first = first.tk_focusNext()
        if first is not None and str(first).startswith(f"{page}."):
            first.focus_set()
        elif tries:
            self.after(10, lambda: self.focus_first(tries - 1) if self.front and self.front.page is page else None)

    def reveal(self, path: str) -> None:
        """The setting on the page in front; what is not built yet is built now."""
        if self.front is not None and self.front.page is not None:
            self.front.finish()
            self.front.page.reveal(path)

    def cover(self, frame: Frame) -> None:
        """Show something else instead of the page, until a page is shown."""
        if self._cover is frame:
            return
        if self.front is not None:
            self.front.place_forget()
        self._cover = frame
        frame.place(x=0, y=0, relwidth=1, relheight=1)

    @property
    def covered(self) -> bool:
        return self._cover is not None

    def uncover(self) -> None:
        if self._cover is not None:
            self._cover.place_forget()
            self._cover = None
            if self.front is not None:
                self.front.place(x=0, y=0, relwidth=1, relheight=1)

    def _leave(self, coming: PageView) -> None:
        if self._cover is not None:
            self._cover.place_forget()
            self._cover = None
        before = self.front
        if before is not None and before is not coming:
            before.place_forget()
            theme.sleep(before)
            if before.page is not None:
                before.page.hidden()
