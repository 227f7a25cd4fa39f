"""A line that says what happened, with a way back; it goes by itself."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from functools import partial

from app.gui.kit.base.card import RoundFrame
from app.gui.kit.base.label import Label
from app.gui.kit.base.link import LinkButton
from app.gui.kit.base.theme import px
from app.gui.kit.controls.button import Button
from modules.language import tr

STAYS_MS = 6000
OFFERS_MS = 20_000  # with a way back: who reads what happened needs time to want that


class Toast(RoundFrame):
    """The newest line at the upper edge of the window, where no bar of actions is; `toast(...)` shows one."""

    now: Toast | None = None

    def __init__(
        self, master: tk.Misc, text: str, actions: Sequence[tuple[str, Callable[[], object] | None]], role: str
    ) -> None:
        super().__init__(master, "raised", edge="border", radius=8)
        image = {"error": "circle-alert", "changed": "triangle-alert", "good": "check"}.get(role, "info")
        Label(self, image=image, role=role).pack(side="left", padx=(px(12), px(8)), pady=px(9))
        self.words = Label(self, text)
        self.words.pack(side="left", pady=px(9))
        for words, act in actions:
            LinkButton(self, words, partial(self._act, act), font="bold").pack(side="left", padx=(px(14), 0))
        Button(self, "", self.close, kind="icon", image="x", hint=tr("Dismiss"), height=26).pack(
            side="left", padx=(px(8), px(6))
        )
        self.stays = OFFERS_MS if actions else STAYS_MS
        self._end = self.after(self.stays, self.close)

    def close(self) -> None:
        if Toast.now is self:
            Toast.now = None
        if self.winfo_exists():
            self.after_cancel(self._end)
            self.destroy()

    def _act(self, act: Callable[[], object] | None) -> None:
        self.close()
        if act is not None:
            act()


def toast(
    master: tk.Misc,
    text: str,
    action: str = "",
    on_action: Callable[[], object] | None = None,
    *,
    role: str = "text2",
    more: Sequence[tuple[str, Callable[[], object]]] = (),
) -> Toast:
    """Say `text` in the middle of the top bar: six seconds, or twenty if it offers anything.

    Args:
        action: words of the link, such as "Undo".
        more: further links, with what they do.
        role: text2, good, changed or error: the colour and the icon.
    """
    if Toast.now is not None:
        Toast.now.close()
    actions = [*([(action, on_action)] if action else []), *more]
    shown = Toast(master.winfo_toplevel(), text, actions, role)
    Toast.now = shown
    shown.place(relx=0.5, y=px(6), anchor="n")
    shown.lift()
    return shown
