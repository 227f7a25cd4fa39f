"""Cards in one column where it is narrow, in two where it is wide, each as high as it needs."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence

from app.gui.kit.base.theme import Painted, px, surface_of, theme

TWO_FROM = 860
GAP = 14
RESTS_MS = 40
FIRST = 200  # narrower than this it has not been laid out by anyone yet


class Masonry(Painted, tk.Frame):
    """Make cards with the masonry as master; they are laid out in the order in which they were made.

    Grid rows would give uneven gaps: each card goes to the column that is shorter. A card that is not to be seen is
    hidden with `hide(card)` and shown with `show(card)`.
    """

    def __init__(self, master: tk.Misc, *, two_from: float = TWO_FROM) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=1, height=1)
        self.surface = surface_of(master)
        self._two_from = two_from
        self._cards: list[tk.Widget] = []
        self._hidden: set[tk.Widget] = set()
        self._pending = ""
        self._done: tuple[object, ...] = ()
        self._arranged_for = 0
        self.bind("<Configure>", lambda event: self._resized(event.width))
        self.follow_theme()

    def add(self, card: tk.Widget) -> None:
        """Lay `card` out, after those before."""
        self._cards.append(card)
        card.bind("<Configure>", lambda _: self._soon(), add=True)
        self._soon()

    def order(self, cards: Sequence[tk.Widget]) -> None:
        """Lay out these in this order, and no others."""
        for card in set(self._cards) - set(cards):
            if card.winfo_exists():
                card.place_forget()
        for card in cards:
            if card not in self._cards:
                card.bind("<Configure>", lambda _: self._soon(), add=True)
        self._cards = list(cards)
        self._soon()

    def hide(self, card: tk.Widget) -> None:
        self._hidden.add(card)
        self._soon()

    def show(self, card: tk.Widget) -> None:
        self._hidden.discard(card)
        self._soon()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface))
        self._soon()

    def _resized(self, wide: int) -> None:
        """While the window is dragged larger the cards wait: each step would lay out every field anew."""
        if not self._done or self._arranged_for < px(FIRST):  # it has only just got its room
            self._soon()
        elif wide != self._done[0]:
            if self._pending:
                self.after_cancel(self._pending)
            self._pending = self.after(RESTS_MS, self._arrange)

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self._arrange)

    def _arrange(self) -> None:
        self._pending = ""
        wide = self.winfo_width()
        if wide <= 1:
            return
        cards = [card for card in self._cards if card.winfo_exists()]
        shown = [card for card in cards if card not in self._hidden]
        plan = (wide, px(GAP), tuple((str(card), card.winfo_reqheight()) for card in shown), len(cards))
        if plan == self._done:
            return
        self._done, self._cards, self._arranged_for = plan, cards, wide
        for card in self._hidden & set(cards):
            card.place_forget()
        columns = 2 if wide >= px(self._two_from) and len(shown) > 1 else 1
        each = (wide - px(GAP) * (columns - 1)) // columns
        bottoms = [0] * columns
        for card in shown:
            column = bottoms.index(min(bottoms))
            high = card.winfo_reqheight()
            card.place(x=column * (each + px(GAP)), y=bottoms[column], width=each, height=high)
            bottoms[column] += high + px(GAP)
        self.configure(height=max(*bottoms, px(GAP) + 1) - px(GAP))
