"""Bars with words: how many of each. For buckets, tags, anything counted."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageTk

from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.charts.marks import Thumb
from app.gui.kit.controls.option_list import fitting

LINE, PICTURE = 24, 30


@dataclass(frozen=True)
class Bar:
    """One bar; `note` stands at the right instead of the number."""

    label: str
    value: float
    note: str = ""
    role: str = "accent"  # of the bar, and of a note that is not plain
    pictures: tuple[Path | None, ...] = ()  # before the label; None keeps the place of one


class BarList(Painted, tk.Canvas):
    """Horizontal bars, the longest as long as there is room; as high as it has bars.

    Args:
        thumb: as of `Pictures`, for bars with pictures.
    """

    def __init__(self, master: tk.Misc, *, label_width: float = 96, thumb: Thumb | None = None) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, height=px(LINE), width=px(200))
        self.surface = surface_of(master)
        self._bars: Sequence[Bar] = ()
        self._label_width, self._thumb = label_width, thumb
        self._photos: list[ImageTk.PhotoImage] = []  # Tk forgets those that nobody holds
        self.bind("<Configure>", lambda _: self._draw())
        self.follow_theme()

    def show(self, bars: Sequence[Bar]) -> None:
        self._bars = list(bars)
        self.paint()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface), height=max(1, self._line * len(self._bars)))
        self._draw()

    @property
    def _across(self) -> int:
        """Pictures before each label."""
        return max((len(bar.pictures) for bar in self._bars), default=0) if self._thumb else 0

    @property
    def _line(self) -> int:
        return px(PICTURE + 6) if self._across else px(LINE)

    def _draw_pictures(self, bar: Bar, top: int) -> None:
        for number, place in enumerate(bar.pictures):
            photo = self._thumb(place, px(PICTURE), self._came) if self._thumb and place else None
            if photo is not None:
                self._photos.append(photo)
                self.create_image(number * px(PICTURE + 6), top + px(3), anchor="nw", image=photo)

    def _came(self, photo: object) -> None:
        if photo is not None and self.winfo_exists():
            self._draw()

    def _draw(self) -> None:
        self.delete("all")
        self._photos = []
        most = max((bar.value for bar in self._bars), default=0) or 1
        notes = [bar.note or f"{bar.value:,.0f}" for bar in self._bars]
        pictures = self._across * px(PICTURE + 6)
        left, line = px(self._label_width) + pictures, self._line
        right = max((theme.font("small").measure(note) for note in notes), default=0) + px(10)
        room = max(self.winfo_width() - left - right, 1)
        for index, (bar, note) in enumerate(zip(self._bars, notes, strict=True)):
            middle = index * line + line // 2
            self._draw_pictures(bar, index * line)
            label = fitting(bar.label, left - pictures - px(8), "small")
            self.create_text(
                pictures, middle, anchor="w", text=label, fill=theme.colour("text2"), font=theme.font("small")
            )
            end = left + (max(px(2), room * bar.value / most) if bar.value > 0 else 0)
            half = px(LINE) // 2 - px(6)
            self.create_rectangle(left, middle - half, end, middle + half, width=0, fill=theme.colour(bar.role))
            colour = theme.colour("text" if bar.role == "accent" else bar.role)
            self.create_text(end + px(6), middle, anchor="w", text=note, fill=colour, font=theme.font("small"))
