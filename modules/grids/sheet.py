"""A grid as one labelled picture, a tab at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from modules.grids.pictures import picture_of, size_of
from modules.grids.record import Record, read_record
from modules.system.bundled import ROOT
from modules.system.files import staged_file

FONTS = ROOT / "resources" / "fonts"
WEBP_LIMIT = 16_383  # pixels on a side; the format holds no more
MOST_PIXELS = 150_000_000  # that programs open without asking back
GAP, SMALLEST_FONT, QUALITY = 8, 14, 90
PAPER, EMPTY, INK, FAINT = (255, 255, 255), (236, 239, 244), (24, 27, 34), (104, 112, 128)
BANDS = ((0.4, (21, 112, 67)), (1.4, (161, 86, 6)), (float("inf"), (180, 35, 40)))  # kept, partly, overwritten
Font = ImageFont.FreeTypeFont


@dataclass(frozen=True)
class _Lines:
    """Words under one another, wrapped; the last line may have a colour of its own."""

    text: tuple[str, ...]
    font: Font
    note: str = ""
    colour: tuple[int, int, int] = FAINT

    @property
    def height(self) -> int:
        return (len(self.text) + bool(self.note)) * _line(self.font)

    def draw(self, draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
        for number, line in enumerate(self.text):
            draw.text((left, top + number * _line(self.font)), line, font=self.font, fill=INK)
        if self.note:
            draw.text((left, top + len(self.text) * _line(self.font)), self.note, font=self.font, fill=self.colour)


def write_sheet(folder: Path, target: Path, *, tab: int = 0, scale: float = 1.0) -> float:
    """Write a tab of a grid as PNG or WebP, by the ending of `target`; gives the scale of its pictures.

    `scale`: what is wanted; it is made smaller where the picture would be larger than the format or programs allow.

    Raises:
        UserError: the folder is no grid.
        OSError: it cannot be written.
    """
    record = read_record(folder)
    limit = WEBP_LIMIT if target.suffix.lower() == ".webp" else MOST_PIXELS
    sheet, used = _fitted(record, folder, tab, scale, limit)
    with staged_file(target) as draft:
        if target.suffix.lower() == ".webp":
            sheet.save(draft, "webp", quality=QUALITY, method=4)
        else:
            sheet.save(draft, "png")
    return used


def _fitted(record: Record, folder: Path, tab: int, scale: float, limit: int) -> tuple[Image.Image, float]:
    """The sheet at the largest scale up to this one that keeps within the limits."""
    layout = _Layout(record, folder, tab, scale)
    while (over := layout.beyond(limit)) > 1:
        scale *= 0.98 / over
        layout = _Layout(record, folder, tab, scale)
    return layout.drawn(), scale


class _Layout:
    """Where everything stands."""

    def __init__(self, record: Record, folder: Path, tab: int, scale: float) -> None:
        axes = record["axes"]
        self._columns, self._rows = axes["columns"]["heads"], axes["rows"]["heads"]
        self._cells = {
            (cell["column"], cell["row"]): folder / cell["file"] for cell in record["cells"] if cell["tab"] == tab
        }
        self._scale = scale
        self.side = _largest([path for path in self._cells.values() if path.is_file()], scale)
        font = _font(max(SMALLEST_FONT, min(self.side) // 20))
        bold = _font(font.size, bold=True)
        self._title = _Lines((_title(record, tab),), bold) if _title(record, tab) else None
        self.column = max([self.side[0], *(_widest(head["label"], bold) for head in self._columns)])
        self.heads = [_head(head, bold, self.column) for head in self._columns]
        longest = max((_length(head["label"], font) for head in self._rows), default=0)
        most = max(240, round(1.25 * self.side[0]), *(_widest(head["label"], font) for head in self._rows))
        self.label = max(min(longest, most), _length(axes["columns"]["title"], font) if longest else 0)
        self.labels = [_head(head, font, self.label) for head in self._rows]
        self.corner = _corner(axes["columns"], font)
        self.row_heights = [max(self.side[1], label.height) for label in self.labels]
        self.top = GAP + (self._title.height + GAP if self._title else 0)
        self.first_row = self.top + max(head.height for head in (self.corner, *self.heads)) + GAP
        self.left = GAP + (self.label + 2 * GAP if self.label else 0)

    @property
    def width(self) -> int:
        words = _length(self._title.text[0], self._title.font) + 2 * GAP if self._title else 0
        return max(self.left + len(self.heads) * (self.column + GAP), words)

    @property
    def height(self) -> int:
        return self.first_row + sum(height + GAP for height in self.row_heights)

    def beyond(self, limit: int) -> float:
        """How many times too large it is; 1 or less where it is not."""
        return max(self.width / limit, self.height / limit, sqrt(self.width * self.height / MOST_PIXELS))

    def drawn(self) -> Image.Image:
        sheet = Image.new("RGB", (self.width, self.height), PAPER)
        draw = ImageDraw.Draw(sheet)
        if self._title:
            self._title.draw(draw, GAP, GAP)
        if self.label:
            self.corner.draw(draw, GAP, self.top)
        for column, head in enumerate(self.heads):
            head.draw(draw, self.left + column * (self.column + GAP), self.top)
        top = self.first_row
        for row, (label, height) in enumerate(zip(self.labels, self.row_heights, strict=True)):
            label.draw(draw, GAP, top)
            for column in range(len(self.heads)):
                self._put(sheet, draw, self._cells.get((column, row)), self.left + column * (self.column + GAP), top)
            top += height + GAP
        return sheet

    def _put(self, sheet: Image.Image, draw: ImageDraw.ImageDraw, path: Path | None, left: int, top: int) -> None:
        wide, tall = self.side
        picture = _scaled(path, self._scale) if path else None
        if picture is None:
            draw.rectangle((left, top, left + wide - 1, top + tall - 1), fill=EMPTY)
        else:
            sheet.paste(picture, (left + (wide - picture.width) // 2, top + (tall - picture.height) // 2))


def _head(head: Mapping[str, Any], font: Font, width: int) -> _Lines:
    forgotten = head["forgotten"]
    if forgotten is None:
        return _Lines(_wrapped(head["label"], font, width), font)
    colour = next(colour for most, colour in BANDS if forgotten < most or most == float("inf"))
    return _Lines(_wrapped(head["label"], font, width), font, f"{forgotten:.2f}", colour)


def _corner(axis: Mapping[str, Any], font: Font) -> _Lines:
    """What the heads of the columns are, and the numbers under them."""
    measured = any(head["forgotten"] is not None for head in axis["heads"])
    return _Lines((axis["title"],), font, "forgotten" if measured else "")


def _title(record: Record, tab: int) -> str:
    """What the tab is, where there are several."""
    axis = record["axes"]["tabs"]
    return f"{axis['title']}: {axis['heads'][tab]['label']}" if axis["kind"] != "none" else ""


def _scaled(path: Path, scale: float) -> Image.Image | None:
    """None for a cell that was not drawn yet, or cannot be read."""
    found = picture_of(path)
    if found is None or scale == 1:
        return found
    size = max(1, round(found.width * scale)), max(1, round(found.height * scale))
    return found.resize(size, Image.Resampling.LANCZOS)


def _largest(paths: Sequence[Path], scale: float) -> tuple[int, int]:
    """The size that every picture fits in; only headers are read."""
    sizes = [size for path in paths if (size := size_of(path))]
    wide, tall = (max((size[axis] for size in sizes), default=64) for axis in (0, 1))
    return max(1, round(wide * scale)), max(1, round(tall * scale))


@lru_cache(8)
def _font(size: float, *, bold: bool = False) -> Font:
    name = "Inter-Bold.otf" if bold else "Inter-Regular.otf"
    return ImageFont.truetype(str(FONTS / name), size)


def _line(font: Font) -> int:
    return round(font.size * 1.3)


def _length(text: str, font: Font) -> int:
    return max((-int(-font.getlength(line) // 1) + 1 for line in text.splitlines()), default=0)


def _widest(text: str, font: Font) -> int:
    """Of the words of a label: no column is narrower."""
    return max((_length(word, font) for word in text.split()), default=0)


def _wrapped(text: str, font: Font, width: int) -> tuple[str, ...]:
    """All of a text in lines that are no wider, unless a single word is."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return tuple(lines)
