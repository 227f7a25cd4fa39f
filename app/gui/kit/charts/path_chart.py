"""Points in a plane, joined in their order: older ones paler, over upright bands, with labels that keep clear."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import ImageTk

from app.gui.kit.base.events import events
from app.gui.kit.base.shapes import draw_star
from app.gui.kit.base.theme import Painted, mixed, px, surface_of, theme
from app.gui.kit.charts.axis import Axis, number
from app.gui.kit.charts.marks import Thumb, draw_read_out

NEAR = 12  # pixels from a dot within which it is meant
AROUND = 5  # pixels around a label where there is no other
SIDE = 52  # pixels of a picture under the pointer
PALE = 0.45  # of the colour of the oldest dot
Box = tuple[float, float, float, float]
Anchor = Literal["w", "e", "s", "n", "se", "nw"]
PLACES: tuple[tuple[Anchor, int, int], ...] = (  # of a label beside its dot, in the order in which they are tried
    ("w", 10, 0), ("e", -10, 0), ("s", 0, -9), ("n", 0, 9), ("se", -7, -7), ("nw", 7, 7),
)  # fmt: skip


@dataclass(frozen=True)
class Dot:
    """A point, its label if there is room, and what is read under the pointer."""

    x: float
    y: float
    label: str = ""
    words: str = ""
    star: bool = False
    ring: bool = False
    value: Any = None
    pictures: Sequence[Path] = ()  # seen under the pointer, too


@dataclass(frozen=True)
class DotPath:
    """Dots in their order. One that cannot be compared is grey."""

    dots: Sequence[Dot]
    name: str = ""
    grey: bool = False


@dataclass(frozen=True)
class Band:
    """From where the band before it ends up to `end`."""

    end: float
    role: str
    words: str


class PathChart(Painted, tk.Canvas):
    """`show(paths)`. Left and Right walk through the dots of the first, Return is a click.

    Args:
        titles: of the axes.
        bands: of the x axis, in their order; the last one ends at the edge.
        diagonal: words at the dashed line on which both are equal.
        least: how far both axes reach where nothing is beyond.
        on_pick: called with the value of the dot that was clicked, and where on the chart.
        thumb: as of `Pictures`; without it no pictures are seen.
    """

    def __init__(
        self,
        master: tk.Misc,
        titles: tuple[str, str],
        bands: Sequence[Band],
        diagonal: str,
        *,
        least: tuple[float, float],
        on_pick: Callable[[Any, int, int], object],
        height: float = 120,
        thumb: Thumb | None = None,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=px(200), height=px(height))
        self.surface = surface_of(master)
        self._titles, self._bands, self._diagonal, self._least = titles, bands, diagonal, least
        self._on_pick, self._high, self._thumb = on_pick, height, thumb
        self.paths: Sequence[DotPath] = ()
        self._pointed: Dot | None = None
        self._shown: list[ImageTk.PhotoImage] = []  # Tk forgets those that nobody holds
        self._x, self._y = Axis(0, 1, 0, 1), Axis(0, 1, 1, 0)
        self.bind("<Configure>", lambda _: self.redraw())
        self.bind("<Map>", lambda _: self.redraw())
        self.bind("<Motion>", lambda event: self._point(self._nearest(event.x, event.y)))
        self.bind("<Leave>", lambda _: self._point(None))
        self.bind("<Button-1>", lambda _: self.focus_set())
        self.bind("<ButtonRelease-1>", lambda event: self._pick(self._nearest(event.x, event.y)))
        self.bind("<Left>", lambda _: self._walk(-1))
        self.bind("<Right>", lambda _: self._walk(1))
        self.bind("<Return>", lambda _: self._pick(self._pointed))
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))
        self.follow_theme()

    def show(self, paths: Sequence[DotPath]) -> None:
        """Draw these; the first is in front."""
        self.paths = list(paths)
        self.redraw()

    def redraw(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self._draw)

    def place_of(self, dot: Dot) -> tuple[int, int]:
        """Where a dot lies on the canvas."""
        return round(self._x.at(dot.x)), round(self._y.at(dot.y))

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface), height=px(self._high))
        self._ring(False)
        self.redraw()

    # Drawing ----------------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        self._pending = ""
        if not self.winfo_viewable():
            return
        self.delete("all")
        self._set_axes()
        self._draw_bands()
        self._draw_axes()
        taken = [self._draw_diagonal()]
        for number_, path in reversed(list(enumerate(self.paths))):
            self._draw_path(path, number_)
        for path in self.paths:
            self._draw_labels(path, taken)
        self._point(None)

    def _set_axes(self) -> None:
        dots = [dot for path in self.paths for dot in path.dots]
        left = px(16) + max(theme.measure(text, "small") for text in ("0.5", "-0.5")) + px(6)
        right, bottom = max(self.winfo_width() - px(6), left + 1), self.winfo_height() - px(36)
        wide = max([self._least[0], *(dot.x * 1.1 for dot in dots)])
        low = min([0.0, *(dot.y * 1.1 for dot in dots)])
        self._x = Axis(0.0, wide, left, right)
        self._y = Axis(low, max([self._least[1], *(dot.y * 1.1 for dot in dots)]), bottom, px(4))

    def _draw_bands(self) -> None:
        first = 0.0
        for index, band in enumerate(self._bands):
            end = self._x.high if index == len(self._bands) - 1 else min(band.end, self._x.high)
            left, right = self._x.at(first), self._x.at(end)
            fill = theme.colour(f"{band.role}_soft")
            self.create_rectangle(left, self._y.stop, right, self._y.start, fill=fill, width=0)
            if theme.measure(band.words, "small") < right - left:
                self._write((left + right) / 2, self._y.stop + px(2), "n", band.words, band.role)
            first = end

    def _draw_axes(self) -> None:
        for value in self._y.ticks(max(2, int((self._y.start - self._y.stop) / px(50)))):
            y = self._y.at(value)
            self.create_line(self._x.start, y, self._x.stop, y, fill=theme.colour("hairline"))
            self._write(self._x.start - px(6), y, "e", number(value), "text3")
        for value in self._x.ticks(max(2, int((self._x.stop - self._x.start) / px(90)))):
            self._write(self._x.at(value), self._y.start + px(3), "n", number(value), "text3")
        middle = (self._x.start + self._x.stop) / 2
        self._write(middle, self.winfo_height() - px(2), "s", self._titles[0], "text2")
        self.create_text(
            px(8), (self._y.start + self._y.stop) / 2, text=self._titles[1], angle=90, fill=theme.colour("text2"),
            font=theme.font("small"),
        )  # fmt: skip

    def _draw_diagonal(self) -> Box:
        """On it as much is learnt as is forgotten; gives where its words stand."""
        end = min(self._x.high, self._y.high)
        first, last = (self._x.at(0), self._y.at(0)), (self._x.at(end), self._y.at(end))
        self.create_line(*first, *last, fill=theme.colour("text3"), dash=(4, 3))
        at = end * 0.72
        return self._write(self._x.at(at) + px(10), self._y.at(at) + px(2), "nw", self._diagonal, "text3")

    def _draw_path(self, path: DotPath, index: int) -> None:
        colour = theme.colour("border") if path.grey else theme.curve(index)
        places = [self.place_of(dot) for dot in path.dots]
        if len(places) > 1:
            self.create_line(*places, fill=mixed(theme.colour(self.surface), colour, 0.6), width=px(1.5))
        for number_, (dot, (x, y)) in enumerate(zip(path.dots, places, strict=True)):
            last = number_ == len(places) - 1
            age = PALE + (1 - PALE) * number_ / max(len(places) - 1, 1)
            reach = px(4 if last else 2.5)
            if dot.star and not path.grey:
                draw_star(self, x, y, px(6), theme.colour("changed"))
            else:
                fill = mixed(theme.colour(self.surface), colour, age)
                self.create_oval(x - reach, y - reach, x + reach, y + reach, fill=fill, width=0)
            if dot.ring and not path.grey:
                reach = px(10)
                edge = theme.colour("good")
                self.create_oval(x - reach, y - reach, x + reach, y + reach, outline=edge, width=px(2))

    def _draw_labels(self, path: DotPath, taken: list[Box]) -> None:
        """The last dot's, those of stars and of the best, then others, as long as none lies on another or on a dot."""
        dots = list(path.dots)
        taken += [(x - px(5), y - px(5), x + px(5), y + px(5)) for x, y in map(self.place_of, dots)]
        order = sorted(range(len(dots)), key=lambda i: (i != len(dots) - 1, not (dots[i].star or dots[i].ring), -i))
        for index in order:
            if dots[index].label and (box := self._labelled(dots[index], taken, grey=path.grey)):
                room = px(AROUND)
                taken.append((box[0] - room, box[1] - room, box[2] + room, box[3] + room))

    def _labelled(self, dot: Dot, taken: list[Box], *, grey: bool) -> Box | None:
        x, y = self.place_of(dot)
        wide, high = theme.measure(dot.label, "small"), px(14)
        for anchor, across, down in PLACES:
            far = 1.3 if dot.ring else 1
            at = x + px(across) * far, y + px(down) * far
            left = at[0] - (0 if "w" in anchor else wide if "e" in anchor else wide / 2)
            top = at[1] - (0 if "n" in anchor else high if "s" in anchor else high / 2)
            box = left, top, left + wide, top + high
            inside = (
                self._x.start <= left and box[2] <= self._x.stop and self._y.stop <= top and box[3] <= self._y.start
            )
            if inside and not any(_meet(box, other) for other in taken):
                self._write(*at, anchor, dot.label, "text3" if grey else "text")
                return box
        return None

    def _write(self, x: float, y: float, anchor: Any, text: str, role: str) -> Box:
        colour, font = theme.colour(role), theme.font("small")
        item = self.create_text(x, y, anchor=anchor, text=text, fill=colour, font=font)
        return self.bbox(item)

    # The pointer ------------------------------------------------------------------------------------------------------

    def _nearest(self, x: int, y: int) -> Dot | None:
        dots = [dot for path in self.paths for dot in path.dots]
        far = {id(dot): max(abs(x - at[0]), abs(y - at[1])) for dot in dots for at in [self.place_of(dot)]}
        found = min(dots, key=lambda dot: far[id(dot)], default=None)
        return found if found is not None and far[id(found)] <= px(NEAR) else None

    def _point(self, dot: Dot | None) -> None:
        self.delete("pointer")
        self._pointed = dot
        self.configure(cursor="hand2" if dot is not None and dot.value is not None else "")
        if dot is not None and dot.words:
            (x, y), photos = self.place_of(dot), self._photos_of(dot)
            lowest = self._y.start - px(76) - max((photo.height() for photo in photos), default=0)
            draw_read_out(self, x, max(min(y, lowest), px(6)), dot.words, self.winfo_width(), photos)

    def _photos_of(self, dot: Dot) -> list[ImageTk.PhotoImage]:
        """Its pictures that are there; when another comes, it is drawn anew, if it is still meant."""
        if self._thumb is None:
            return []

        def came(_: object) -> None:
            if self._pointed is dot and self.winfo_exists():
                self._point(dot)

        found = [self._thumb(place, px(SIDE), came) for place in dot.pictures]
        self._shown = [photo for photo in found if photo is not None]
        return self._shown

    def _walk(self, by: int) -> str:
        dots = list(self.paths[0].dots) if self.paths else []
        if dots:
            at = dots.index(self._pointed) if self._pointed in dots else len(dots) - 1 - by
            self._point(dots[min(max(at + by, 0), len(dots) - 1)])
        return "break"

    def _pick(self, dot: Dot | None) -> None:
        if dot is not None and dot.value is not None:
            self._on_pick(dot.value, *self.place_of(dot))

    def _ring(self, on: bool) -> None:
        behind = theme.colour(self.surface)
        self.configure(highlightbackground=behind, highlightcolor=theme.colour("accent") if on else behind)


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
