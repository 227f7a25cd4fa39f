"""A picture that can be looked into: the wheel zooms at the pointer, dragging moves it, `pixels` shows it 1 to 1."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageTk

from app.gui.kit.base.theme import Painted, px, theme
from app.gui.kit.images.loader import opened
from modules.data.image_errors import UNREADABLE

GROWS = 1.25  # with a notch of the wheel
MOST = 16.0  # pixels of the screen for one of the picture
FIT_MOST = 4.0  # the same while it fits
MARGIN = 20


class ZoomView(Painted, tk.Canvas):
    """`show(path)` fits the picture in; the zoom stays while pictures of one size follow one another.

    Args:
        on_click: called after a click that did not move it.
    """

    surface = "raised"

    def __init__(self, master: tk.Misc, *, empty: str = "", on_click: Callable[[], object] = lambda: None) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=px(200), height=px(200))
        self._empty, self._on_click = empty, on_click
        self.path: Path | None = None
        self._picture: Image.Image | None = None
        self._photo: ImageTk.PhotoImage | None = None
        self.zoom = 0.0  # pixels of the screen for one of the picture; 0: as large as fits
        self._centre = (0.5, 0.5)  # of the view, as shares of the picture
        self._drag: tuple[int, int, bool] | None = None
        self._image = self.create_image(0, 0)
        self._words = self.create_text(0, 0, justify="center")
        self.bind("<Configure>", lambda _: self._soon())
        self.bind("<Button-1>", lambda event: setattr(self, "_drag", (event.x, event.y, False)))
        self.bind("<B1-Motion>", self._dragged)
        self.bind("<ButtonRelease-1>", lambda _: self._released())
        self.follow_theme()

    def show(self, path: Path | None) -> None:
        """Another picture; the words of `empty` without one."""
        if path == self.path:
            return
        before, self.path = self._picture and self._picture.size, path
        try:
            self._picture = opened(path, None) if path is not None else None
        except UNREADABLE:
            self._picture = None
        if self._picture is not None and self._picture.size != before:
            self.zoom, self._centre = 0.0, (0.5, 0.5)
        self._draw()

    def pixels(self) -> None:
        """One pixel of the picture for one of the screen; again: as large as fits."""
        self.zoom = 0.0 if self.zoom == 1.0 else 1.0
        self._draw()

    def wheel(self, steps: float, sideways: bool) -> bool:
        """The point under the pointer stays there."""
        if self._picture is None or sideways:
            return False
        x, y = self.winfo_pointerx() - self.winfo_rootx(), self.winfo_pointery() - self.winfo_rooty()
        before = self._scale()
        fit = self._fit()
        scale = min(max(before * GROWS**-steps, fit), MOST)
        for axis, at in enumerate((x, y)):
            off = at - (self.winfo_width(), self.winfo_height())[axis] / 2
            self._move(axis, off / before - off / scale)
        self.zoom = 0.0 if scale <= fit else scale
        self._draw()
        return True

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface))
        self.itemconfigure(self._words, fill=theme.colour("text2"), font=theme.font("small"))

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self._draw)

    def _room(self) -> tuple[int, int]:
        return max(self.winfo_width(), 1), max(self.winfo_height(), 1)

    def _fit(self) -> float:
        if self._picture is None:
            return 1.0
        wide, high = (max(room - 2 * px(MARGIN), 1) for room in self._room())
        return min(wide / self._picture.width, high / self._picture.height, FIT_MOST * max(theme.scale, 1.0))

    def _scale(self) -> float:
        return self.zoom or self._fit()

    def _move(self, axis: int, pixels: float) -> None:
        """The view, along one axis, by so many pixels of the picture."""
        if self._picture is not None:
            centre = list(self._centre)
            centre[axis] = min(max(centre[axis] + pixels / self._picture.size[axis], 0.0), 1.0)
            self._centre = (centre[0], centre[1])

    def _draw(self) -> None:
        self._pending = ""
        wide, high = self._room()
        self.coords(self._words, wide // 2, high // 2)
        self.itemconfigure(self._words, text="" if self._picture is not None else self._empty)
        if self._picture is None or wide <= 1:
            self._photo = None
            self.itemconfigure(self._image, image="")
            return
        part, place = self._part(self._picture, self._scale())
        self._photo = ImageTk.PhotoImage(part, master=self)
        self.itemconfigure(self._image, image=self._photo)
        self.coords(self._image, *place)

    def _part(self, picture: Image.Image, scale: float) -> tuple[Image.Image, tuple[int, int]]:
        """What is in view of the picture, in pixels of the screen, and where its middle lies."""
        box: list[float] = []
        place: list[int] = []
        for axis, room in enumerate(self._room()):
            size = picture.size[axis]
            seen = min(room / scale, size)
            start = min(max(self._centre[axis] * size - seen / 2, 0), size - seen)
            box += [start, start + seen]
            place.append(room // 2)
        left, right, top, bottom = box
        shown = (max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1))
        way = (
            Image.Resampling.LANCZOS
            if scale < 1
            else Image.Resampling.NEAREST
            if scale >= 4
            else Image.Resampling.BICUBIC
        )
        return picture.resize(shown, way, box=(left, top, right, bottom)), (place[0], place[1])

    def _dragged(self, event: tk.Event[Any]) -> None:
        if self._drag is None or self._picture is None:
            return
        x, y, moved = self._drag
        if not moved and abs(event.x - x) + abs(event.y - y) < px(4):
            return
        for axis, pixels in enumerate((x - event.x, y - event.y)):
            self._move(axis, pixels / self._scale())
        self._drag = (event.x, event.y, True)
        self._draw()

    def _released(self) -> None:
        drag, self._drag = self._drag, None
        if drag is not None and not drag[2]:
            self._on_click()
