"""One square of a picture sheet: a few canvas items that are moved, never made anew."""

from __future__ import annotations

import tkinter as tk

from PIL import ImageTk

from app.gui.kit.base.icons import icon
from app.gui.kit.base.theme import px, surface_of, theme
from app.gui.kit.controls.option_list import fitting
from app.gui.kit.images.grid_cell import card

RADIUS, RING = 5, 3
AWAY = -9999


class SheetCell:
    """The painter calls `image`, and `plate` where a word stands on the picture. `size`: pixels of its sides."""

    def __init__(self, canvas: tk.Canvas, size: int) -> None:
        self._canvas, self.size = canvas, size
        self._ring = canvas.create_image(0, 0, anchor="nw")
        self._back = canvas.create_image(0, 0, anchor="nw")
        self._image = canvas.create_image(0, 0)
        self._words = canvas.create_text(0, 0, justify="center", width=size)
        self._plate = canvas.create_rectangle(AWAY, AWAY, AWAY, AWAY, width=0)
        self._mark = canvas.create_text(AWAY, AWAY, anchor="sw")
        self._sign = canvas.create_image(AWAY, AWAY, anchor="sw")
        self._items = (self._ring, self._back, self._image, self._words, self._plate, self._mark, self._sign)
        self._photo: ImageTk.PhotoImage | None = None  # Tk keeps none alive
        self._said = self._instead = ""
        self._current = False
        self._shown: tuple[int, int] | None = None

    def image(self, photo: ImageTk.PhotoImage | None, instead: str = "") -> None:
        """The picture, or words where there is none (yet)."""
        self._photo = photo
        self._canvas.itemconfigure(self._image, image=photo or "")
        if instead == self._instead == "":
            return
        self._instead = instead
        words = fitting(instead, self.size - px(4), "small")
        self._place_words()
        self._canvas.itemconfigure(self._words, text=words, fill=theme.colour("text3"), font=theme.font("small"))

    def plate(self, text: str, image: str = "check") -> None:
        """A word with an icon in the lower left corner; "" for none. The picture may have any colour."""
        call = self._canvas.itemconfigure
        if text != self._said:
            self._said = text
            call(self._mark, text=text, font=theme.font("small"))
            self._place_plate()
        if text:
            call(self._mark, fill=theme.colour("text"))
            call(self._plate, fill=theme.colour("raised"))
            call(self._sign, image=icon(image, "text2", 12))

    def frame(self, current: bool) -> None:
        """Where the keys are."""
        behind, empty = theme.colour(surface_of(self._canvas)), theme.colour("raised")
        ring = self.size + 2 * px(RING)
        edge, self._current = theme.colour("accent"), current
        self._place_ring()
        shown = card(ring, ring, behind, edge, behind, px(2), RADIUS + RING) if current else ""
        self._canvas.itemconfigure(self._ring, image=shown)
        self._canvas.itemconfigure(self._back, image=card(self.size, self.size, empty, empty, behind, 1, RADIUS))

    def blank(self) -> None:
        """No square either: there is nothing here, and never will be."""
        self._canvas.itemconfigure(self._back, image="")

    def place(self, x: int, y: int) -> None:
        if (x, y) == self._shown:
            return
        self._shown = (x, y)
        middle, call = self.size // 2, self._canvas.coords
        call(self._back, x, y)
        call(self._image, x + middle, y + middle)
        self._place_ring()
        self._place_words()
        if self._said:
            self._place_plate()

    def _place_ring(self) -> None:
        """Only where it is seen: most cells have none, and all of them move when one scrolls."""
        if self._current and self._shown is not None:
            self._canvas.coords(self._ring, self._shown[0] - px(RING), self._shown[1] - px(RING))

    def _place_words(self) -> None:
        if self._instead and self._shown is not None:
            middle = self.size // 2
            self._canvas.coords(self._words, self._shown[0] + middle, self._shown[1] + middle)

    def _place_plate(self) -> None:
        if not self._said or self._shown is None:
            for item in (self._mark, self._sign):
                self._canvas.coords(item, AWAY, AWAY)
            self._canvas.coords(self._plate, AWAY, AWAY, AWAY, AWAY)
            return
        left, bottom = self._shown[0] + px(5), self._shown[1] + self.size - px(5)
        self._canvas.coords(self._sign, left + px(4), bottom - px(3))
        self._canvas.coords(self._mark, left + px(20), bottom - px(1))
        _, top, right, _ = self._canvas.bbox(self._mark)
        self._canvas.coords(self._plate, left, top - px(1), right + px(5), bottom)

    def remove(self) -> None:
        self._canvas.delete(*self._items)
