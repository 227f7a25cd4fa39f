"""A picture from a file, as large as fits; a click opens it large."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageTk

from app.gui.kit.base.events import events, keyboard
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.images.loader import Pictures, Place
from modules.language import tr

SETTLES_MS = 80


class ImageView(Painted, tk.Canvas):
    """`show(path)`; without a path the words of `empty`. Click, space and Return call `on_open` with the path."""

    def __init__(
        self,
        master: tk.Misc,
        pictures: Pictures,
        *,
        empty: str = "",
        on_open: Callable[[Path], object] | None = None,
        width: float = 200,
        height: float = 200,
    ) -> None:
        super().__init__(
            master, bd=0, highlightthickness=px(2), takefocus=on_open is not None, width=px(width), height=px(height)
        )
        self.surface = surface_of(master)
        self._pictures, self._empty, self._on_open = pictures, empty, on_open
        self.path: Place | None = None
        self._photo: ImageTk.PhotoImage | None = None
        self._pending = ""
        self._drawn = False
        self._image = self.create_image(0, 0)
        self._words = self.create_text(0, 0, text=empty, justify="center")
        self.bind("<Configure>", lambda _: self._resized())
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))
        if on_open is not None:
            keyboard(self, self.open)
            self.bind("<ButtonRelease-1>", lambda _: self.open())
            self.configure(cursor="hand2")
        self.follow_theme()

    def show(self, path: Place | None) -> None:
        """Another picture; the old one stays until the new one is decoded."""
        if path != self.path or self._drawn:
            self.path, self._drawn = path, False
            self._load()

    def draw(self, image: Image.Image | None, empty: str = "") -> None:
        """A picture that is in no file, made to fit already (`room`); without one the words of `empty`."""
        self.path = None
        self._drawn, self._empty = image is not None, empty
        self._put(None if image is None else ImageTk.PhotoImage(image, master=self), "" if image else empty)

    def room(self) -> tuple[int, int]:
        """Width and height in pixels that a picture may have."""
        return max(self.winfo_width() - px(4), 1), max(self.winfo_height() - px(4), 1)

    def open(self) -> None:
        if isinstance(self.path, Path) and self._on_open is not None:
            self._on_open(self.path)

    def paint(self) -> None:
        behind = theme.colour("raised" if self._photo is None else self.surface)
        self.configure(bg=behind, highlightbackground=behind)
        self.itemconfigure(self._words, fill=theme.colour("text2"), font=theme.font("small"))

    def _resized(self) -> None:
        wide, high = self.winfo_width(), self.winfo_height()
        self.coords(self._image, wide // 2, high // 2)
        self.coords(self._words, wide // 2, high // 2)
        self.itemconfigure(self._words, width=max(wide - px(20), 1))
        if self._pending:
            self.after_cancel(self._pending)
        self._pending = self.after(SETTLES_MS, self._load)

    def _load(self) -> None:
        self._pending = ""
        path = self.path
        if self._drawn:
            return
        if path is None:
            self._put(None, self._empty)
            return
        box = (self.winfo_width() - px(4), self.winfo_height() - px(4))
        photo = self._pictures.picture(path, box, lambda found: self._arrived(path, found))
        if photo is not None:
            self._put(photo, "")

    def _arrived(self, path: Place, photo: ImageTk.PhotoImage | None) -> None:
        if self.winfo_exists() and path == self.path:
            self._put(photo, "" if photo is not None else tr("{name} cannot be read as an image", name=path.name))

    def _put(self, photo: ImageTk.PhotoImage | None, words: str) -> None:
        self._photo = photo
        self.itemconfigure(self._image, image=photo or "")
        self.itemconfigure(self._words, text=words)
        self.paint()

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent") if on else str(self.cget("bg")))
