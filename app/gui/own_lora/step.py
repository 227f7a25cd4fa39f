"""One step of the card: its number or a tick, its title with a few words, and its body while it is open."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Badge, Divider, Frame, Label, px

INDENT = 38


class Step(Frame):
    """`refresh` shows what is so now; `ready` says whether the steps before it are done."""

    def __init__(self, master: Any, context: AppContext, number: int, title: str, hint: str) -> None:
        super().__init__(master)
        self.context, self.hint = context, hint
        self._number, self._look = number, ("", "")
        Divider(self).pack(fill="x", pady=(px(8), px(10)))
        self.head = Frame(self)
        self.head.pack(fill="x")
        self._mark = Badge(self.head, str(number))
        self._mark.configure(width=2)
        self._mark.pack(side="left", padx=(0, px(10)))
        Label(self.head, title, font="bold").pack(side="left", padx=(px(4), px(10)))
        self.words = Label(self.head, hint, role="text2")
        self.words.pack(side="left")
        self.body = Frame(self)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do here."""
        raise NotImplementedError

    def show(self) -> None:
        """The body, as the settings are now; called while it is open."""

    def refresh(self, *, ready: bool) -> None:
        """Open it when its turn has come."""
        done = self.done
        look = ("\u2713", "good") if done else (str(self._number), "accent" if ready else "plain")
        if look != self._look:
            self._look = look
            self._mark.set(look[0], look[1])  # pyright: ignore[reportArgumentType]
        if ready:
            self.show()
        if ready == bool(self.body.winfo_manager()):
            return
        if ready:
            self.body.pack(fill="x", padx=(px(INDENT), 0), pady=(px(8), 0))
        else:
            self.body.pack_forget()
