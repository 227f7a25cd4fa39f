"""One cell of the virtual grid: a few canvas items that are moved, never made anew."""

from __future__ import annotations

import tkinter as tk
from functools import lru_cache

from PIL import Image, ImageDraw, ImageTk

from app.gui.kit.base.shapes import pill
from app.gui.kit.base.theme import px, rgb, surface_of, theme
from app.gui.kit.controls.option_list import fitting

LINE = 19
PADDING, BESIDE = 4, 9
LONGEST = 600  # letters of a text that is broken into lines: more cannot be seen
FINER = 3
SWITCH = (34, 18, 9)  # width, height, distance from the edges


class Cell:
    """A picture over words. The painter calls `image`, `paragraph`, `words` and `mark`.

    Args:
        size: in pixels of the screen.
        lines: of words, each by itself.
        wrapped: lines of a text above those, broken where the cell ends.
    """

    def __init__(self, canvas: tk.Canvas, size: tuple[int, int], lines: int, wrapped: int = 0) -> None:
        self._canvas, self._size, self._wrapped = canvas, size, wrapped
        self._pitch = int(theme.font("small").metrics("linespace")) if wrapped else 0
        self._back = canvas.create_image(0, 0, anchor="nw")
        self._image = canvas.create_image(0, 0)
        self._empty = canvas.create_text(0, 0, justify="center")
        self._lines = [canvas.create_text(0, 0, anchor="w") for _ in range(lines)]
        self._text = canvas.create_text(0, 0, anchor="nw", width=size[0] - px(2 * BESIDE)) if wrapped else 0
        self._plate = canvas.create_rectangle(-99, -99, -99, -99, width=0)
        self._mark = canvas.create_text(0, 0, anchor="ne")
        self._shown: tuple[int, int] | None = None
        self._photo: ImageTk.PhotoImage | None = None
        self._word = ""
        self._switch = 0  # made for cells that have one
        self._on, self._fill = False, "card"

    @property
    def picture_size(self) -> int:
        """Pixels of the longer side that a picture may have."""
        wide, high = self._size
        return min(wide, high - self._words_high) - 2 * px(PADDING)

    @property
    def _words_high(self) -> int:
        high = len(self._lines) * px(LINE)
        return high + self._wrapped * self._pitch + px(PADDING) if self._wrapped else high

    def clear(self) -> None:
        self.image(None)
        for line in range(len(self._lines)):
            self.words(line, "")
        if self._text:
            self.paragraph("")
        self.mark("")

    def image(self, photo: ImageTk.PhotoImage | None, instead: str = "") -> None:
        """The picture, or words where there is none (yet)."""
        self._photo = photo
        self._canvas.itemconfigure(self._image, image=photo or "")
        self._canvas.itemconfigure(self._empty, text=instead, fill=theme.colour("text3"), font=theme.font("small"))

    def blank(self) -> None:
        """No card either: there is nothing here, and never will be."""
        self._canvas.itemconfigure(self._back, image="")

    def words(self, line: int, text: str, role: str = "text2", *, font: str = "small") -> None:
        beside = px(SWITCH[0] + SWITCH[2] - 4) if self._switch and line == len(self._lines) - 1 else 0
        cut = fitting(text, self._size[0] - px(16) - beside, font)
        self._canvas.itemconfigure(self._lines[line], text=cut, fill=theme.colour(role), font=theme.font(font))

    def paragraph(self, text: str, role: str = "text") -> None:
        """The text above the lines; what is too long for it ends in "…"."""
        canvas, item = self._canvas, self._text
        canvas.itemconfigure(item, text=text[:LONGEST], fill=theme.colour(role), font=theme.font("small"))
        if not text:
            return
        left, top, _, bottom = canvas.bbox(item)
        if bottom - top > (self._wrapped + 0.5) * self._pitch:
            below = top + (self._wrapped - 0.5) * self._pitch
            end = canvas.index(item, f"@{left + self._size[0]},{below}")
            canvas.itemconfigure(item, text=f"{text[: max(end - 2, 0)].rstrip(' ,')}…")

    def mark(self, text: str, role: str = "changed") -> None:
        """A word in the upper right corner, on a plate: the picture may have any colour."""
        if text != self._word:
            self._word = text
            self._canvas.itemconfigure(self._mark, text=text, font=theme.font("small_bold"))
            self._place_plate()
        if text:
            self._canvas.itemconfigure(self._mark, fill=theme.colour(role))
            self._canvas.itemconfigure(self._plate, fill=theme.colour("card"))

    def switch(self, on: bool) -> None:
        """A switch in the lower right corner; the grid calls `on_switch` when it is clicked."""
        if not self._switch:
            self._switch = self._canvas.create_image(0, 0, anchor="se")
            self._place_switch()
        self._on = on
        self._draw_switch()

    def _draw_switch(self) -> None:
        if self._switch:
            track = theme.colour("accent" if self._on else "track")
            knob = pill(px(SWITCH[0]), px(SWITCH[1]), track, theme.colour(self._fill), "#FFFFFF", float(self._on))
            self._canvas.itemconfigure(self._switch, image=knob)

    def _place_switch(self) -> None:
        if self._switch and self._shown is not None:
            (x, y), gap = self._shown, px(SWITCH[2])
            self._canvas.coords(self._switch, x + self._size[0] - gap, y + self._size[1] - gap)

    def frame(self, chosen: bool, current: bool) -> None:
        """The card behind it."""
        edge = "accent" if chosen or current else "hairline"
        fill = self._fill = "selection" if chosen else "card"
        self._draw_switch()
        behind = surface_of(self._canvas)
        back = card(*self._size, theme.colour(fill), theme.colour(edge), theme.colour(behind), px(2 if current else 1))
        self._canvas.itemconfigure(self._back, image=back)

    def place(self, x: int, y: int) -> None:
        if (x, y) == self._shown:
            return
        self._shown = (x, y)
        self._place_switch()
        wide, high = self._size
        call = self._canvas.coords
        words = self._words_high
        middle = y + (high - words - px(PADDING if words else 0)) // 2 + px(1)
        call(self._back, x, y)
        call(self._image, x + wide // 2, middle)
        call(self._empty, x + wide // 2, middle)
        if self._text:
            call(self._text, x + px(BESIDE), y + high - words - px(2))
        below = y + high - len(self._lines) * px(LINE)
        for line, item in enumerate(self._lines):
            call(item, x + px(8), below + line * px(LINE) + px(LINE) // 2 - px(4))
        call(self._mark, x + wide - px(10), y + px(8))
        if self._word:
            self._place_plate()

    def _place_plate(self) -> None:
        if self._word:
            left, top, right, bottom = self._canvas.bbox(self._mark)
            self._canvas.coords(self._plate, left - px(4), top - px(1), right + px(4), bottom + px(1))
        else:
            self._canvas.coords(self._plate, -99, -99, -99, -99)

    def remove(self) -> None:
        self._canvas.delete(self._back, self._image, self._empty, self._plate, self._mark, *self._lines)
        self._canvas.delete(*(item for item in (self._switch, self._text) if item))


@lru_cache(maxsize=24)
def card(wide: int, high: int, fill: str, edge: str, behind: str, width: int, radius: float = 8) -> ImageTk.PhotoImage:
    """A rounded card, drawn once for all cells that look the same; opaque, because transparent ones are slow on X11."""
    image = Image.new("RGB", (wide * FINER, high * FINER), rgb(behind))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle(
        (0, 0, wide * FINER - 1, high * FINER - 1),
        px(radius) * FINER,
        fill=rgb(fill),
        outline=rgb(edge),
        width=width * FINER,
    )
    return ImageTk.PhotoImage(image.resize((wide, high), Image.Resampling.BOX))
