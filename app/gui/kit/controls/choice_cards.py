"""One of a few ways on, each a card with its words and what follows from it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from app.gui.kit.base.card import RoundFrame
from app.gui.kit.base.events import events
from app.gui.kit.base.frame import Frame
from app.gui.kit.base.label import Label
from app.gui.kit.base.shapes import dot
from app.gui.kit.base.theme import Painted, px, surface_of, theme

DOT = 16


class ChoiceCards(Frame):
    """`add` a card for each way; a click, space, Up and Down choose. `on_change` is called with the chosen value."""

    def __init__(self, master: tk.Misc, on_change: Callable[[Any], object] = lambda _: None) -> None:
        super().__init__(master)
        self._on_change = on_change
        self._cards: dict[Any, ChoiceCard] = {}
        self._value: Any = None

    def add(self, value: Any, title: str, text: str) -> Frame:
        """A card more; the first one is chosen. Gives the place for what belongs to it, under its words."""
        card = ChoiceCard(self, title, text, lambda: self.pick(value), self._step)
        card.pack(fill="x", pady=(0, px(8)))
        self._cards[value] = card
        if len(self._cards) == 1:
            self.set(value)
        return card.body

    def get(self) -> Any:
        return self._value

    def set(self, value: Any) -> None:
        """Choose a card; tells nobody."""
        self._value = value
        for each, card in self._cards.items():
            card.choose(each == value)

    def pick(self, value: Any) -> None:
        """As if clicked."""
        self.set(value)
        self._on_change(value)

    def focus_set(self) -> None:
        self._cards[self._value].focus_set()

    def _step(self, by: int) -> str:
        values = list(self._cards)
        self.pick(values[(values.index(self._value) + by) % len(values)])
        self.focus_set()
        return "break"


class ChoiceCard(RoundFrame):
    """One of them."""

    def __init__(
        self, master: ChoiceCards, title: str, text: str, on_pick: Callable[[], object], on_step: Callable[[int], str]
    ) -> None:
        super().__init__(master)
        self._chosen = self._ring = False
        self.configure(takefocus=1)
        self._dot = Dot(self)
        self._dot.pack(side="left", anchor="n", padx=(px(12), px(10)), pady=px(11))
        words = Frame(self)
        words.pack(side="left", fill="both", expand=True, padx=(0, px(12)), pady=px(9))
        labels = [Label(words, title, font="bold"), Label(words, text, font="small", role="text2", wrap=True)]
        for label in labels:
            label.pack(fill="x")
        self.body = Frame(words)
        self.body.pack(fill="x")
        self._parts = [words, *labels, self.body, self._dot]
        for part in (self, *self._parts):
            part.bind("<Button-1>", lambda _: on_pick(), add=True)
        self.bind("<space>", lambda _: on_pick())
        for key, by in (("<Up>", -1), ("<Down>", 1)):
            self.bind(key, lambda _, by=by: on_step(by))
        self.bind("<FocusIn>", lambda _: self._restyle(ring=events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._restyle(ring=False))

    def choose(self, on: bool) -> None:
        self._chosen = on
        self._restyle()

    def _restyle(self, ring: bool | None = None) -> None:
        self._ring = self._ring if ring is None else ring
        self.surface = "selection" if self._chosen else "card"
        for part in (*self._parts, *self.body.winfo_children()):
            if isinstance(part, Painted):
                part.surface = self.surface
                part.paint()
        self._dot.set(self._chosen)
        self._edge = "accent" if self._chosen or self._ring else "hairline"
        self.paint()


class Dot(Painted, tk.Label):
    """The circle of a card, filled in the chosen one."""

    def __init__(self, master: tk.Misc) -> None:
        super().__init__(master, bd=0, padx=0, pady=0, takefocus=0)
        self.surface, self._on = surface_of(master), False
        self.follow_theme()

    def set(self, on: bool) -> None:
        self._on = on
        self.paint()

    def paint(self) -> None:
        behind, edge = theme.colour(self.surface), theme.colour("accent" if self._on else "border")
        self.configure(bg=behind, image=dot(px(DOT), edge, behind, on=self._on))
