"""A picture of the net: kinds of layers by blocks, coloured by how far they have moved."""

from __future__ import annotations

from math import log10

from PIL import Image, ImageDraw, ImageFont

from modules.merging.shift import Cell, Shift
from modules.system.bundled import ROOT
from modules.text import fine_percent

FONT = ROOT / "resources" / "fonts" / "Inter-Regular.otf"
CELL, GAP, LEFT, TOP, BELOW = 30, 3, 150, 46, 80
SIDES = {"IN": "input blocks", "OUT": "output blocks"}
LEAST, MOST = 1e-5, 1e-1  # of the weight's norm: the ends of the scale, which is logarithmic
PALE, STRONG, INK, FAINT, PAPER = (232, 238, 252), (29, 78, 216), (31, 41, 55), (203, 213, 225), (255, 255, 255)


def picture(shift: Shift) -> Image.Image:
    """Rows are kinds, columns blocks in the order of the net; an empty outline: there are no such layers."""
    width = max(LEFT + len(shift.blocks) * (CELL + GAP) + 20, 520)
    height = TOP + len(shift.kinds) * (CELL + GAP) + BELOW
    image = Image.new("RGB", (width, height), PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(str(FONT), 13)
    small = ImageFont.truetype(str(FONT), 10)
    draw.text((14, 14), _title(shift), fill=INK, font=font)
    cells = {(cell.kind, cell.block): cell for cell in shift.cells}
    scale = _scale(shift)
    for row, kind in enumerate(shift.kinds):
        y = TOP + row * (CELL + GAP)
        draw.text((LEFT - 10, y + CELL / 2), kind, fill=INK, font=font, anchor="rm")
        for column, block in enumerate(shift.blocks):
            x = LEFT + column * (CELL + GAP)
            cell = cells.get((kind, block))
            box = (x, y, x + CELL, y + CELL)
            draw.rounded_rectangle(box, 4, fill=_colour(cell, scale) if cell else None, outline=None if cell else FAINT)
    bottom = TOP + len(shift.kinds) * (CELL + GAP)
    for column, block in enumerate(shift.blocks):
        x = LEFT + column * (CELL + GAP) + CELL / 2
        side = next((side for side in SIDES if block.startswith(side)), "")
        draw.text((x, bottom + 10), block.removeprefix(side), fill=INK, font=small, anchor="mm")
    for side, words in SIDES.items():
        places = [LEFT + n * (CELL + GAP) + CELL / 2 for n, block in enumerate(shift.blocks) if block.startswith(side)]
        if places:
            draw.text(((places[0] + places[-1]) / 2, bottom + 26), words, fill=INK, font=small, anchor="mm")
    _legend(draw, small, bottom + 46, scale, percent=shift.relative is not None)
    return image


def _title(shift: Shift) -> str:
    known = [name for name in (shift.base, shift.tuned) if name]
    whole = "" if shift.relative is None else f": {fine_percent(shift.relative)}"
    return f"{' to '.join(known)}{whole}"


def _scale(shift: Shift) -> tuple[float, float]:
    if shift.relative is not None:
        return LEAST, MOST
    most = max((cell.norm for cell in shift.cells), default=1.0) or 1.0
    return most / 1e4, most


def _colour(cell: Cell, scale: tuple[float, float]) -> tuple[int, int, int]:
    amount = cell.norm if cell.relative is None else cell.relative
    share = (log10(max(amount, 1e-30)) - log10(scale[0])) / (log10(scale[1]) - log10(scale[0]))
    return _between(min(1.0, max(0.0, share)))


def _between(share: float) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(PALE, STRONG, strict=True))
    return red, green, blue


def _legend(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, y: int, scale: tuple[float, float], *, percent: bool
) -> None:
    for step in range(180):
        draw.line((LEFT + step, y, LEFT + step, y + 10), fill=_between(step / 179))
    ends = [fine_percent(end) if percent else f"{end:.3g}" for end in scale]
    draw.text((LEFT - 8, y + 5), ends[0], fill=INK, font=font, anchor="rm")
    what = "of the weight's norm" if percent else "norm of the change"
    draw.text((LEFT + 188, y + 5), f"{ends[1]} {what} (log)", fill=INK, font=font, anchor="lm")
