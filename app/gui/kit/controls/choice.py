"""One of several: shows what is chosen, opens a list under itself."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Any

from app.gui.kit.base.events import events, keyboard
from app.gui.kit.base.icons import icon
from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.base.tip import show_reason
from app.gui.kit.controls.option_list import Option, fitting
from app.gui.kit.controls.popup import Popup, popup
from modules.language import tr

FITS = 220


class Choice(Painted, tk.Canvas):
    """A box with the chosen option. Click, space, Return: the list; Up and Down change at once; the wheel does nothing.

    Args:
        options: Options, or plain words that stand for themselves.
        value: what is chosen first.
        on_change: called with the new value.
        fit: wide enough for the longest option, up to FITS pixels.
    """

    def __init__(
        self,
        master: tk.Misc,
        options: Sequence[Option | str],
        value: Any = None,
        on_change: Callable[[Any], object] | None = None,
        *,
        width: float = 120,
        fit: bool = False,
        image: str = "",
        placeholder: str = "",
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=1, width=1, height=1)
        self.surface = surface_of(master)
        self._choices: list[Option] = as_options(options)
        self._value, self._on_change, self._wide, self._fit = value, on_change, width, fit
        self._image, self._placeholder = image, placeholder or tr("Choose")
        self._ring = self._over = self._wrong = False
        self.reason = ""
        self._box = RoundBox(self)
        self._words = self.create_text(0, 0, anchor="w")
        self._chevron = self.create_image(0, 0)
        self._icon = self.create_image(0, 0) if image else 0
        self.bind("<Configure>", lambda _: self._arrange())
        self.bind("<ButtonRelease-1>", lambda _: self.open())
        self.bind("<Enter>", lambda _: self._restyle(over=True))
        self.bind("<Leave>", lambda _: self._restyle(over=False))
        self.bind("<FocusIn>", lambda _: self._restyle(ring=events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._restyle(ring=False))
        self.bind("<Up>", lambda _: self._step(-1))
        self.bind("<Down>", lambda _: self._step(1))
        keyboard(self, self.open)
        self.follow_theme()

    def get(self) -> Any:
        return self._value

    def set(self, value: Any) -> None:
        """Choose `value`, without telling anyone."""
        if value != self._value:
            self._value = value
            self._arrange()

    def offer(self, options: Sequence[Option | str]) -> None:
        """Other options."""
        self._choices = as_options(options)
        self.configure(width=self._width())
        self._arrange()

    def open(self) -> Popup | None:
        if self.reason:
            return None
        return popup(self, self._choices, self._picked, current=self._value)

    def disable(self, reason: str) -> None:
        self.reason = reason
        show_reason(self)
        self.paint()

    def invalid(self, wrong: bool) -> None:
        if wrong != self._wrong:
            self._wrong = wrong
            self.paint()

    def paint(self) -> None:
        fill = theme.colour("hover" if self._over and not self.reason else "raised")
        edge = theme.colour("error") if self._wrong else theme.colour("accent") if self._ring else fill
        behind = theme.colour(self.surface)
        self.configure(bg=behind, width=self._width(), height=px(30))
        self._box.paint(px(7), fill, edge, behind, px(2) if self._ring else px(1))
        self.itemconfigure(self._chevron, image=icon("chevron-down", "text3" if self.reason else "text", 16))
        if self._icon:
            self.itemconfigure(self._icon, image=icon(self._image, "text2", 16))
        self._arrange()

    def _width(self) -> int:
        longest = max((theme.measure(option.label, "body") for option in self._choices), default=0) if self._fit else 0
        return max(px(self._wide), min(longest + px(44), px(FITS)) if longest else 0)

    def _arrange(self) -> None:
        wide, high = self.winfo_width(), self.winfo_height()
        if wide <= 1:
            return
        self._box.place(0, 0, wide, high)
        self.coords(self._chevron, wide - px(16), high // 2)
        left = px(38) if self._icon else px(9)
        self.coords(self._words, left, high // 2)
        if self._icon:
            self.coords(self._icon, px(16), high // 2)
        label = next((option.label for option in self._choices if option.value == self._value), None)
        shown = label if label is not None else self._placeholder if self._value in (None, "") else str(self._value)
        role = "text3" if self.reason or (label is None and self._value in (None, "")) else "text"
        self.itemconfigure(
            self._words,
            text=fitting(shown, wide - left - px(30), "body"),
            font=theme.font("body"),
            fill=theme.colour(role),
        )

    def _restyle(self, over: bool | None = None, ring: bool | None = None) -> None:
        self._over = self._over if over is None else over
        self._ring = self._ring if ring is None else ring
        self.paint()

    def _step(self, by: int) -> str:
        able = [option.value for option in self._choices if not option.reason]
        if able and not self.reason:
            at = able.index(self._value) + by if self._value in able else 0
            if 0 <= at < len(able):
                self._picked(able[at])
        return "break"

    def _picked(self, value: Any) -> None:
        if value != self._value:
            self._value = value
            self._arrange()
            if self._on_change is not None:
                self._on_change(value)


def as_options(options: Sequence[Option | str]) -> list[Option]:
    return [option if isinstance(option, Option) else Option(option, option) for option in options]
