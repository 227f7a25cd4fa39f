"""Draws Seachange's mark, a wave and a spark on a rounded square, in the sizes that a window needs.

    python resources/icons/mark.py

At 16 and 32 pixels the spark is larger and the second wave is left out: detail that cannot be seen is dirt.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw

SIZES = (16, 32, 48, 128, 256)
TOP, BOTTOM = (47, 99, 232), (18, 170, 190)
FINER = 8


def mark(size: int) -> Image.Image:
    """The mark, `size` pixels square, on nothing."""
    side = size * FINER if size < 128 else size * 4
    image = background(side)
    draw = ImageDraw.Draw(image)
    small = size <= 32
    if small:
        wave(draw, side, level=0.70, height=0.10, thick=0.135)
    else:
        wave(draw, side, level=0.60, height=0.075, thick=0.078)
        wave(draw, side, level=0.785, height=0.075, thick=0.078, colour=(190, 232, 246))
    spark(draw, side * 0.66, side * (0.31 if not small else 0.30), side * (0.19 if not small else 0.25))
    image.putalpha(rounded(side))
    return image.resize((size, size), Image.Resampling.LANCZOS)


def background(side: int) -> Image.Image:
    """From blue at the top to sea green at the bottom."""
    column = Image.new("RGBA", (1, side))
    for y in range(side):
        share = y / (side - 1)
        column.putpixel((0, y), (*(round(a + (b - a) * share) for a, b in zip(TOP, BOTTOM, strict=True)), 255))
    return column.resize((side, side))


def rounded(side: int) -> Image.Image:
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side - 1, side - 1), radius=side * 0.23, fill=255)
    return mask


def wave(
    draw: ImageDraw.ImageDraw,
    side: int,
    *,
    level: float,
    height: float,
    thick: float,
    colour: tuple[int, int, int] = (255, 255, 255),
) -> None:
    """A line with one and a half waves and round ends. All measures in shares of the side."""
    radius = thick * side / 2
    for step in range(600):
        along = step / 599
        x = (0.17 + 0.66 * along) * side
        y = (level - height * math.sin(2 * math.pi * 1.5 * along)) * side
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*colour, 255))


def spark(draw: ImageDraw.ImageDraw, x: float, y: float, reach: float) -> None:
    """A star with four points and hollow sides."""
    points: list[tuple[float, float]] = []
    for step in range(120):
        angle = 2 * math.pi * step / 120
        radius = reach / (abs(math.cos(angle)) ** 0.62 + abs(math.sin(angle)) ** 0.62) ** (1 / 0.62)
        points.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
    draw.polygon(points, fill=(255, 255, 255, 255))


if __name__ == "__main__":
    here = Path(__file__).parent
    for each in SIZES:
        mark(each).save(here / f"seachange-{each}.png", optimize=True)
    mark(256).save(here / "seachange.ico", sizes=[(each, each) for each in (16, 32, 48, 256)])
