"""Buttons: they act on release inside, on space and on Return; a disabled one says why."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any, Literal

from app.gui.kit.base.events import events, keyboard
from app.gui.kit.base.icons import icon
from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import Painted, mixed, px, surface_of, theme
from app.gui.kit.base.tip import tip

Kind = Literal["primary", "danger", "plain", "quiet", "icon", "chosen", "alarm", "notice"]

# kind: (fill, fill under the pointer, text). An empty fill is what lies behind.
STYLES: dict[str, tuple[str, str, str]] = {
    "primary": ("button", "button_hover", "on_button"),
    "danger": ("danger", "danger_hover", "on_button"),
    "plain": ("raised", "hover", "text"),
    "quiet": ("", "raised", "text2"),
    "icon": ("", "raised", "text2"),
    "chosen": ("selection", "selection", "accent"),
    "alarm": ("error_soft", "error_soft", "error"),
    "notice": ("changed_soft", "changed_soft", "changed"),
}
ICONS = ("icon", "chosen")


class Button(Painted, tk.Canvas):
    """A button with words, an icon, or both.

    Args:
        kind: primary, danger, plain, quiet (no box until pointed at), icon (square, quiet), chosen (such an icon,
            switched on), alarm, notice.
        image: name of an icon.
        hint: what the tip says while the button is enabled.
        role: another colour of the text.
        width: pixels at 100 %, or as wide as longer words need; an icon keeps it.
    """

    def __init__(  # noqa: PLR0913
        self,
        master: tk.Misc,
        text: str = "",
        on_press: Callable[[], object] = lambda: None,
        *,
        kind: Kind = "plain",
        image: str = "",
        hint: str = "",
        role: str = "",
        width: float = 0,
        height: float = 30,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=1, width=1, height=1)
        self.surface = surface_of(master)
        self.text, self._kind, self._image, self._role = text, kind, image, role
        self._wanted = (width, height)
        self._hint, self.reason, self._caption = hint, "", ""
        self._act = on_press
        self._over = self._down = self._ring = False
        self._box = RoundBox(self)
        self._icon = self.create_image(0, 0) if image else 0
        self._words = self.create_text(0, 0, text=text) if text or not image else 0
        self._below = 0  # small words under an icon
        self.bind("<Configure>", lambda _: self._arrange())
        self.bind("<Enter>", lambda _: self._restyle(over=True))
        self.bind("<Leave>", lambda _: self._restyle(over=False))
        self.bind("<ButtonPress-1>", lambda _: self._restyle(down=True))
        self.bind("<ButtonRelease-1>", self._released)
        self.bind("<FocusIn>", lambda _: self._restyle(ring=events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._restyle(ring=False))
        keyboard(self, self.press)
        tip(self, self._tip_text)
        self.follow_theme()

    @property
    def enabled(self) -> bool:
        return not self.reason

    def press(self) -> None:
        """As if clicked. A disabled button does nothing."""
        if self.enabled:
            self._act()

    def on_press(self, act: Callable[[], object]) -> None:
        self._act = act

    def enable(self) -> None:
        self.disable("")

    def disable(self, reason: str) -> None:
        """Grey it; `reason` is what its tip says. It stays reachable by Tab, so that the reason can be read."""
        if reason != self.reason:
            self.reason = reason
            self.paint()

    def set(
        self, text: str | None = None, *, kind: Kind | None = None, image: str | None = None, hint: str | None = None
    ) -> None:
        """Other words, another kind, another icon, another tip: what is not None."""
        if hint is not None:
            self._hint = hint
        now = (self.text, self._kind, self._image)
        self.text = self.text if text is None else text
        self._kind = kind or self._kind
        self._image = self._image if image is None else image
        if now == (self.text, self._kind, self._image):
            return
        if self._image and not self._icon:
            self._icon = self.create_image(0, 0)
        if self.text and not self._words:
            self._words = self.create_text(0, 0)
        self.paint()

    def caption(self, words: str) -> None:
        """Small words under an icon; "" for the icon alone."""
        if words != self._caption:
            self._caption = words
            self._below = self._below or self.create_text(0, 0)
            self.paint()

    def paint(self) -> None:
        fill, hover, text = STYLES[self._kind]
        behind = theme.colour(self.surface)
        rest = theme.colour(fill) if fill else behind
        shade = theme.colour(hover) if self._over and self.enabled else rest
        if self._down and self.enabled:
            shade = mixed(shade, "#000000", 0.12)
        colour = theme.colour(self._role or text)
        if not self.enabled:
            shade = theme.colour("raised") if fill else behind
            grey = theme.colour("text3")
            colour = mixed(grey, behind, 0.45) if self._kind in ICONS else grey  # words must stay readable
        ring = self._ring or self._kind == "chosen"
        edge = theme.colour("text" if self._kind in ("primary", "danger") else "accent") if ring else shade
        self.configure(bg=behind)
        self._box.paint(px(7), shade, edge, behind, px(2) if self._ring else px(1))
        if self._words:
            strong = self._kind in ("primary", "danger", "alarm")
            self.itemconfigure(self._words, text=self.text, fill=colour, font=theme.font("bold" if strong else "body"))
        if self._icon:
            shown = icon(self._image, colour, 18 if self._kind in ICONS else 16) if self._image else ""
            self.itemconfigure(self._icon, image=shown)
        if self._below:
            self.itemconfigure(self._below, text=self._caption, fill=colour, font=theme.font("small"))
        self._measure()

    def _measure(self) -> None:
        """Ask for the room that the words need."""
        width, height = self._wanted
        square = self._kind in ICONS and not self.text
        below = theme.measure(self._caption, "small") + px(8) if self._caption else 0
        needs = max(px(height), below) if square else self._content() + px(28)
        fixed = self._kind in ICONS or not self.text
        self.configure(
            width=(px(width) or needs) if fixed else max(px(width), needs), height=px(height + (12 if below else 0))
        )
        self._arrange()

    def _content(self) -> int:
        words = theme.measure(self.text, "bold") if self.text else 0
        return words + (px(16) if self._image else 0) + (px(8) if self._image and self.text else 0)

    def _arrange(self) -> None:
        wide, high = self.winfo_width(), self.winfo_height()
        if wide <= 1:
            wide, high = self.winfo_reqwidth(), self.winfo_reqheight()
        self._box.place(0, 0, wide, high)
        left, middle = (wide - self._content()) // 2, high // 2
        if self._icon:
            at = middle - px(8) if self._caption else middle
            self.coords(self._icon, wide // 2 if not self.text else left + px(8), at)
        if self._below:
            self.coords(self._below, wide // 2, middle + px(12))
        if self._words:
            self.coords(self._words, left + self._content() - theme.measure(self.text, "bold") // 2, middle)

    def _restyle(self, over: bool | None = None, down: bool | None = None, ring: bool | None = None) -> None:
        before = (self._over, self._down, self._ring)
        self._over = self._over if over is None else over
        self._down = self._down if down is None else down
        self._ring = self._ring if ring is None else ring
        if before != (self._over, self._down, self._ring):
            self.paint()

    def _released(self, event: tk.Event[Any]) -> None:
        was, inside = self._down, 0 <= event.x < self.winfo_width() and 0 <= event.y < self.winfo_height()
        self._restyle(down=False)
        if was and inside:
            self.press()

    def _tip_text(self) -> str:
        return self._hint
