"""The left side: every page, with what is changed on it and what is wrong on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from app.gui.context import AppContext
from app.gui.kit import Button, Divider, Frame, NavEntry, NavList, ScrollArea, px
from app.gui.pages import FIRST_OF_THE_REST, PAGES, PageCard
from modules.language import tr

WIDTH = 184


class Navigation(Frame):
    """The list of pages, and the way to the help at the bottom."""

    def __init__(
        self, master: Frame, context: AppContext, go: Callable[[str], object], help_: Callable[[], object]
    ) -> None:
        super().__init__(master, "navigation", width=WIDTH)
        self._context = context
        self.pack_propagate(False)
        Divider(self).pack(side="right", fill="y")
        entries = [NavEntry(card.key, tr(card.title), card.image, card.key == FIRST_OF_THE_REST) for card in PAGES]
        Button(
            self, tr("Help"), help_, kind="quiet", image="circle-help", hint=tr("What to try first, and the keys")
        ).pack(side="bottom", anchor="w", padx=px(8), pady=px(10))
        self._area = ScrollArea(self)
        self._area.pack(fill="both", expand=True, pady=(px(12), 0))
        self.list = NavList(self._area.body, entries, go)
        self.list.pack(fill="x")

    def choose(self, key: str) -> None:
        """Mark the page that is shown; "" for none."""
        self.list.choose(key)
        if key and not self._pending:  # at once, the page that has just been made would be laid out twice
            self._pending = self.after_idle(self._scroll)

    def _scroll(self) -> None:
        self._pending = ""
        chosen, high = self.list.rows.get(self.list.chosen), self._area.winfo_height()
        if chosen and (high <= 1 or self._area.body.winfo_height() > high):  # not laid out yet, or not all in sight
            self._area.keep_visible(chosen)

    def refresh(self) -> None:
        """The badges as the draft is now."""
        changed, wrong = self._context.draft.changed_counts(), self._context.draft.error_counts()
        for card in PAGES:
            if card.sections:
                self.list.badge(card.key, _sum(card, changed), _sum(card, wrong))
        number = self._context.jobs.count
        self.list.count("queue", number, tr("{count} running or waiting", count=number) if number else "")


def _sum(card: PageCard, counts: Counter[str]) -> int:
    return sum(counts[section] for section in card.sections)
