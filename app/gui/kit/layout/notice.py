"""An amber box with a sentence and what can be done, as links."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence

from app.gui.kit.base.card import RoundFrame
from app.gui.kit.base.label import Label
from app.gui.kit.base.link import LinkButton
from app.gui.kit.base.theme import px
from app.gui.kit.layout.flow import Flow


class Notice(RoundFrame):
    """`show(words, actions)`; whoever makes it packs it while there is something to say."""

    def __init__(self, master: tk.Misc) -> None:
        super().__init__(master, "changed_soft", edge="changed_soft", radius=7)
        self.words = Label(self, font="small", role="changed", wrap=True)
        self.words.pack(fill="x", padx=px(10), pady=(px(6), 0))
        self._links = Flow(self)
        self._links.pack(fill="x", padx=px(8), pady=(0, px(5)))
        self._buttons: list[LinkButton] = []

    def show(self, words: str, actions: Sequence[tuple[str, Callable[[], object]]] = ()) -> None:
        self.words.set(words)
        while len(self._buttons) < len(actions):
            place = len(self._buttons)
            button = LinkButton(self._links, "", lambda place=place: self._acts[place]())
            self._buttons.append(button)
            self._links.add(button)
        self._acts = [act for _, act in actions]
        for place, button in enumerate(self._buttons):
            if place < len(actions):
                button.set(actions[place][0])
            self._links.show(button, place < len(actions))
