"""Marks of what happened: a dot for a sample, a square for a backup, a star for a saved model, and a legend of them."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import ImageTk

from app.gui.kit.base.shapes import draw_star
from app.gui.kit.base.theme import px, theme
from app.gui.kit.charts.axis import Axis

Kind = Literal["dot", "square", "star", "diamond", "line"]
ROLES: dict[Kind, str] = {
    "dot": "text3", "square": "accent", "star": "changed", "diamond": "text2", "line": "changed",
}  # fmt: skip
ORDER: tuple[Kind, ...] = ("star", "square", "diamond", "dot")  # in which marks take their place
Thumb = Callable[[Path, int, Callable[[Any], object]], "ImageTk.PhotoImage | None"]  # as Pictures.thumb
NEAR = 6  # pixels from a mark within which it is meant


@dataclass(frozen=True)
class ChartMark:
    """Something at a place of the x axis. A "line" is dashed and goes up through the chart, with `label` beside it."""

    x: float
    kind: Kind
    words: str = ""  # read where the pointer is
    label: str = ""
    value: Any = None  # for who hears of a click


class MarkKeys(tk.Frame):
    """Takes the focus for the marks in a lane: Left and Right go from one place to the next, Return is a click.

    Args:
        places: of what can be clicked, from the left.
        show: called with the place that is meant; None when the focus has gone.
    """

    def __init__(
        self, chart: tk.Misc, places: Callable[[], list[float]], show: Callable[[float | None], object],
        pick: Callable[[float], object],
    ) -> None:  # fmt: skip
        super().__init__(chart, width=1, height=1, takefocus=1, bd=0, highlightthickness=0)
        self._places, self._show, self._pick = places, show, pick
        self._at: float | None = None
        self.bind("<FocusIn>", lambda _: self._go(0))
        self.bind("<FocusOut>", lambda _: show(None))
        self.bind("<Left>", lambda _: self._go(-1))
        self.bind("<Right>", lambda _: self._go(1))
        for key in ("<Return>", "<KP_Enter>", "<space>"):
            self.bind(key, lambda _: self._at is not None and pick(self._at))

    def _go(self, by: int) -> str:
        """By so many places; at first to the last one."""
        if places := self._places():
            at = places.index(self._at) if self._at in places else len(places) - 1
            self._at = places[min(max(at + by, 0), len(places) - 1)]
            self._show(self._at)
        return "break"


def draw_mark(canvas: tk.Canvas, kind: Kind, x: float, y: float, tags: str = "") -> None:
    """One mark, its middle here."""
    colour = theme.colour(ROLES[kind])
    if kind == "star":
        draw_star(canvas, x, y, px(6), colour, tags)
    elif kind == "dot":
        reach = px(2)
        canvas.create_oval(x - reach, y - reach, x + reach, y + reach, fill=colour, width=0, tags=tags)
    elif kind == "square":
        reach = px(3)
        canvas.create_rectangle(
            x - reach, y - reach, x + reach, y + reach, outline=colour, width=max(1, px(1.4)), tags=tags
        )
    else:
        reach = px(4)
        places = (x, y - reach, x + reach, y, x, y + reach, x - reach, y)
        canvas.create_polygon(*places, fill=colour, tags=tags)


def draw_lane(canvas: tk.Canvas, marks: Iterable[ChartMark], axis: Axis, y: float) -> None:
    """All but the lines, in a row. A dot gives way to what else is at its place, a square stands beside a star."""
    taken: list[float] = []
    signs = [mark for mark in marks if mark.kind != "line"]
    for mark in sorted(signs, key=lambda mark: ORDER.index(mark.kind)):
        x = axis.at(mark.x)
        if any(abs(x - other) < px(8) for other in taken):
            if mark.kind == "dot":
                continue
            x -= px(10)
        if x not in taken:
            taken.append(x)
            draw_mark(canvas, mark.kind, x, y)


def draw_line(canvas: tk.Canvas, x: float, axis: Axis, label: str, right: float) -> None:
    """A dashed line over the whole height of the axis, its label on the side where there is room."""
    colour = theme.colour("changed")
    canvas.create_line(x, axis.stop, x, axis.start, fill=colour, dash=(4, 3))
    if label:
        room = x + px(6) + theme.measure(label, "small") < right
        canvas.create_text(
            x + px(6) if room else x - px(6), axis.stop, anchor="nw" if room else "ne", text=label, fill=colour,
            font=theme.font("small"),
        )  # fmt: skip


Line = tuple[str, tuple[int, ...], str]  # colour, dash, name


def draw_legend(canvas: tk.Canvas, lines: Iterable[Line], kinds: Mapping[Kind, str], y: float) -> int:
    """What lines and marks are, in a row that begins at the left edge; gives where it ends."""
    left = 0
    for colour, dash, name in lines:
        canvas.create_line(left, y, left + px(16), y, fill=colour, width=px(2), dash=dash or ())
        left = _words(canvas, left + px(22), y, name)
    for kind, name in kinds.items():
        draw_mark(canvas, kind, left + px(5), y)
        left = _words(canvas, left + px(15), y, name)
    return left


def _words(canvas: tk.Canvas, x: float, y: float, text: str) -> int:
    """Small grey words; gives where the next sign may begin."""
    item = canvas.create_text(x, y, anchor="w", text=text, fill=theme.colour("text2"), font=theme.font("small"))
    return canvas.bbox(item)[2] + px(16)


def draw_read_out(
    canvas: tk.Canvas, x: float, y: float, text: str, wide: int, photos: Sequence[ImageTk.PhotoImage] = ()
) -> None:
    """A box of words, pictures under them, beside the pointer and within the canvas. All has the tag "pointer"."""
    left = x < wide / 2
    item = canvas.create_text(
        x + px(12 if left else -12), y, anchor="nw" if left else "ne", text=text,
        fill=theme.colour("text"), font=theme.font("small"), tags="pointer",
    )  # fmt: skip
    x0, y0, x1, y1 = canvas.bbox(item)
    across = sum(photo.width() + px(4) for photo in photos)
    x0, x1 = (x0, max(x1, x0 + across)) if left else (min(x0, x1 - across), x1)
    high = max((photo.height() + px(6) for photo in photos), default=0)
    box = (x0 - px(6), y0 - px(4), x1 + px(6), y1 + high + px(4))
    canvas.create_rectangle(*box, fill=theme.colour("raised"), outline=theme.colour("border"), tags="pointer")
    canvas.tag_raise(item)
    for photo in photos:
        canvas.create_image(x0, y1 + px(6), anchor="nw", image=photo, tags="pointer")
        x0 += photo.width() + px(4)
