"""Rounded corners without jagged edges and without cost: four cached corner images over one rectangle.

A stock CTk widget draws each corner as glyphs, up to 16 text items (1.6 CPU ms per entry). Opaque anti-aliased corners
are as smooth and cost a tenth. They are opaque because X11 blends transparent images in software.
"""

from __future__ import annotations

import math
import tkinter as tk
from functools import lru_cache

from PIL import Image, ImageDraw, ImageTk

from app.gui.kit.base.theme import rgb

POINTS, INNER = 5, 0.42  # of a star
FINER = 4  # drawn four times as large and averaged
PLACES = ("nw", "ne", "sw", "se")


@lru_cache(maxsize=512)
def corners(radius: int, width: int, fill: str, border: str, outside: str) -> tuple[ImageTk.PhotoImage, ...]:
    """The corners nw, ne, sw, se of a rounded box with a border of `width` pixels, each `radius` pixels square."""
    size = radius * 2 * FINER
    image = Image.new("RGB", (size, size), rgb(outside))
    draw = ImageDraw.Draw(image)
    draw.ellipse((0, 0, size - 1, size - 1), fill=rgb(border))
    inset = width * FINER
    draw.ellipse((inset, inset, size - 1 - inset, size - 1 - inset), fill=rgb(fill))
    image = image.resize((radius * 2, radius * 2), Image.Resampling.BOX)
    boxes = ((0, 0), (radius, 0), (0, radius), (radius, radius))
    return tuple(ImageTk.PhotoImage(image.crop((x, y, x + radius, y + radius))) for x, y in boxes)


@lru_cache(maxsize=128)
def pill(width: int, height: int, fill: str, outside: str, knob: str = "", at: float = 0.0) -> ImageTk.PhotoImage:
    """A filled pill, with a round knob at `at` (0 left, 1 right) if a colour is given for it."""
    wide, high = width * FINER, height * FINER
    image = Image.new("RGB", (wide, high), rgb(outside))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, wide - 1, high - 1), radius=high // 2, fill=rgb(fill))
    if knob:
        gap = max(1, round(height * 0.12)) * FINER
        side = high - 2 * gap
        left = gap + round((wide - 2 * gap - side) * at)
        draw.ellipse((left, gap, left + side, gap + side), fill=rgb(knob))
    return ImageTk.PhotoImage(image.resize((width, height), Image.Resampling.BOX))


@lru_cache(maxsize=32)
def dot(side: int, colour: str, outside: str, *, on: bool) -> ImageTk.PhotoImage:
    """The circle before one of several ways; filled in the chosen one."""
    large = side * 2 * FINER
    image = Image.new("RGB", (large, large), rgb(outside))
    draw = ImageDraw.Draw(image)
    draw.ellipse((FINER, FINER, large - FINER, large - FINER), outline=rgb(colour), width=large // 10)
    if on:
        draw.ellipse((large * 0.32, large * 0.32, large * 0.68, large * 0.68), fill=rgb(colour))
    return ImageTk.PhotoImage(image.resize((side, side), Image.Resampling.LANCZOS))


def draw_star(canvas: tk.Canvas, x: float, y: float, radius: float, colour: str, tags: str = "") -> None:
    """A star of five points."""
    places: list[float] = []
    for point in range(2 * POINTS):
        far = radius if point % 2 == 0 else radius * INNER
        turn = math.pi * point / POINTS
        places += [x + far * math.sin(turn), y - far * math.cos(turn)]
    canvas.create_polygon(*places, fill=colour, tags=tags)


class RoundBox:
    """A rounded box at the back of a canvas: `place` gives it its size, `paint` its colours."""

    def __init__(self, canvas: tk.Canvas) -> None:
        self._canvas = canvas
        self._rectangle = canvas.create_rectangle(0, 0, 1, 1)
        self._corners = [canvas.create_image(0, 0, anchor=place) for place in PLACES]  # pyright: ignore[reportArgumentType]
        self._box = (0, 0, 1, 1)
        self._width = 1
        self._images: tuple[ImageTk.PhotoImage, ...] = ()

    def place(self, left: int, top: int, right: int, bottom: int) -> None:
        """`right` and `bottom` are the first pixels outside."""
        self._box = (left, top, right, bottom)
        inset = self._width / 2
        call = self._canvas.coords
        # An outline is centred on its line: half of it would fall outside.
        call(
            self._rectangle,
            left + int(inset),
            top + int(inset),
            right - self._width + int(inset),
            bottom - self._width + int(inset),
        )
        for item, x, y in zip(self._corners, (left, right, left, right), (top, top, bottom, bottom), strict=True):
            call(item, x, y)

    def paint(self, radius: int, fill: str, border: str, outside: str, width: int = 1) -> None:
        """Colours as #RRGGBB; `outside` is what lies behind the corners."""
        self._images = corners(radius, width, fill, border, outside)
        call, name = (
            self._canvas.tk.call,
            str(self._canvas),
        )  # three times as fast as `itemconfigure`
        call(name, "itemconfigure", self._rectangle, "-fill", fill, "-outline", border, "-width", width)
        for item, image in zip(self._corners, self._images, strict=True):
            call(name, "itemconfigure", item, "-image", str(image))
        if width != self._width:
            self._width = width
            self.place(*self._box)
