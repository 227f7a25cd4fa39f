"""A rounded surface with a title, a link at the right and a body."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from app.gui.kit.base.frame import Frame
from app.gui.kit.base.label import Label
from app.gui.kit.base.link import LinkButton
from app.gui.kit.base.shapes import PLACES, corners
from app.gui.kit.base.theme import Painted, px, surface_of, theme

RADIUS = 10


class RoundFrame(Painted, tk.Frame):
    """A frame with a hairline and rounded corners: four small pictures over it. Nothing is drawn on resize."""

    def __init__(self, master: tk.Misc, role: str = "card", *, edge: str = "hairline", radius: float = RADIUS) -> None:
        super().__init__(master, bd=0, highlightthickness=px(1), takefocus=0)
        self.surface, self._behind, self._edge, self._radius = role, surface_of(master), edge, radius
        self._corners = [tk.Label(self, bd=0, padx=0, pady=0, takefocus=0) for _ in PLACES]
        for label, place in zip(self._corners, PLACES, strict=True):
            label.place(
                relx=float("e" in place),
                rely=float("s" in place),
                anchor=place,
                bordermode="outside",  # pyright: ignore[reportArgumentType]
            )
        self.follow_theme()

    def edge(self, role: str) -> None:
        """Another colour of the line around it."""
        if role != self._edge:
            self._edge = role
            self.paint()

    def paint(self) -> None:
        fill, edge = theme.colour(self.surface), theme.colour(self._edge)
        self.configure(bg=fill, highlightbackground=edge, highlightcolor=edge)
        for label, image in zip(
            self._corners, corners(px(self._radius), px(1), fill, edge, theme.colour(self._behind)), strict=True
        ):
            label.configure(image=image)


class Card(RoundFrame):
    """A card: build into `card.body`.

    Args:
        title: bold words at the top; without them and without an action there is no head.
        action: words of a link at the right of the title.
        on_action: what the link does.
    """

    def __init__(
        self, master: tk.Misc, title: str = "", *, action: str = "", on_action: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(master)
        self.title: Label | None = None
        self.link: LinkButton | None = None
        if title or action:
            self.head = Frame(self)
            self.head.pack(fill="x", padx=px(14), pady=(px(9), px(2)))
            self.title = Label(self.head, title, font="section")
            self.title.pack(side="left")
            self._on_action = on_action
            self.action(action)
        self.body = Frame(self)
        self.body.pack(fill="both", expand=True, padx=px(14), pady=(px(2) if title else px(10), px(10)))

    def action(self, words: str, on_action: Callable[[], object] | None = None) -> None:
        """Other words for the link; empty words take it away."""
        self._on_action = on_action or self._on_action
        if not words:
            if self.link is not None:
                self.link.destroy()
                self.link = None
        elif self.link is None:
            self.link = LinkButton(self.head, words, self._act)
            self.link.pack(side="right")
        else:
            self.link.set(words)

    def _act(self) -> None:
        self._on_action()
