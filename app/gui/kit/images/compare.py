"""Before and after in one place, a divider between: dragging moves a window's edge, no pixel is copied."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import ImageTk

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.images.loader import Pictures
from modules.language import tr

SETTLES_MS = 80
STEP = 0.02


class Compare(Painted, tk.Frame):
    """`show(before, after, ("step 0", "step 1,800"))`; either may be None. Drag, or Left and Right, moves the divider.

    Both pictures are fitted into the same box. A click or Return calls `on_open` with the later picture.
    """

    def __init__(
        self,
        master: tk.Misc,
        pictures: Pictures,
        *,
        empty: str = "",
        on_open: Callable[[Path], object] | None = None,
        size: float = 284,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=px(size), height=px(size))
        self.surface = surface_of(master)
        self._pictures, self._on_open = pictures, on_open
        self._empty = empty or tr("Samples appear here while training.")
        self.share = 0.5
        self._paths: list[Path | None] = [None, None]
        self._photos: list[ImageTk.PhotoImage | None] = [None, None]
        self._pending = ""
        self._from, self._dragged = 0, False  # where the pointer was pressed, and whether it was moved since
        self._after = tk.Canvas(self, bd=0, highlightthickness=0, cursor="sb_h_double_arrow")
        self._clip = tk.Frame(self, bd=0)
        self._before = tk.Canvas(self._clip, bd=0, highlightthickness=0, cursor="sb_h_double_arrow")
        # White with a dark edge: seen on a picture of any colour.
        self._line = tk.Frame(
            self, bd=0, bg="#FFFFFF", cursor="sb_h_double_arrow", highlightthickness=1, highlightbackground="#3A3F4A"
        )
        self._after.place(x=0, y=0, relwidth=1, relheight=1)
        self._images = [canvas.create_image(0, 0) for canvas in (self._before, self._after)]
        # Words on a picture of any colour: white on a shadow.
        self._shadows = [canvas.create_text(0, 0, fill="#000000") for canvas in (self._before, self._after)]
        self._words = [canvas.create_text(0, 0, fill="#FFFFFF") for canvas in (self._before, self._after)]
        self._note = self._after.create_text(0, 0, text=self._empty, justify="center")
        self._listen()
        self.follow_theme()

    def _listen(self) -> None:
        for part in (self._before, self._after, self._line):
            part.bind("<Button-1>", self._pressed)
            part.bind("<B1-Motion>", self._drag)
            part.bind("<ButtonRelease-1>", self._released)
        self.bind("<Configure>", lambda _: self._resized())
        self.bind("<Left>", lambda _: self.move(self.share - STEP))
        self.bind("<Right>", lambda _: self.move(self.share + STEP))
        self.bind("<Home>", lambda _: self.move(0.0))
        self.bind("<End>", lambda _: self.move(1.0))
        self.bind("<Return>", lambda _: self._open())
        leave_to_window(self)
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))

    def show(self, before: Path | None, after: Path | None, words: tuple[str, str] = ("", "")) -> None:
        """Other pictures; the old ones stay until the new ones are decoded."""
        for side, canvas in enumerate((self._before, self._after)):
            for item in (self._shadows[side], self._words[side]):
                canvas.itemconfigure(item, text=words[side])
        if [before, after] != self._paths:
            self._paths = [before, after]
            self._load()

    def move(self, share: float) -> None:
        """Put the divider at `share` of the width, 0 to 1."""
        self.share = min(max(share, 0.0), 1.0)
        if self._photos[0] is None or self._photos[1] is None:
            self._clip.place_forget()
            self._line.place_forget()
            return
        wide = self._after.winfo_width()
        at = round(self.share * wide)
        if at > 0:
            self._clip.place(x=0, y=0, width=at, relheight=1)
        else:
            self._clip.place_forget()
        high = max(photo.height() for photo in self._photos if photo is not None)
        self._line.place(x=at - px(1) - 1, rely=0.5, anchor="w", width=px(2) + 2, height=high)
        self._line.lift()

    def paint(self) -> None:
        shown = self._photos[1] is not None or self._photos[0] is not None
        fill = theme.colour(self.surface if shown else "raised")
        self.configure(bg=fill, highlightbackground=fill)
        for part in (self._before, self._after, self._clip):
            part.configure(bg=fill)
        for side, canvas in enumerate((self._before, self._after)):
            for item in (self._shadows[side], self._words[side]):
                canvas.itemconfigure(item, font=theme.font("small_bold"))
        self._after.itemconfigure(self._note, fill=theme.colour("text2"), font=theme.font("small"))

    def _resized(self) -> None:
        wide, high = self._box()
        self._before.place(x=0, y=0, width=wide, height=high)
        for canvas, image in zip((self._before, self._after), self._images, strict=True):
            canvas.coords(image, wide // 2, high // 2)
        self._arrange_words()
        self._after.coords(self._note, wide // 2, high // 2)
        self._after.itemconfigure(self._note, width=max(wide - px(24), 1))
        self.move(self.share)
        if self._pending:
            self.after_cancel(self._pending)
        self._pending = self.after(SETTLES_MS, self._load)

    def _arrange_words(self) -> None:
        """Into the upper corners of the pictures, not of the box around them."""
        wide, high = self._box()
        for side, canvas in enumerate((self._before, self._after)):
            photo = self._photos[side]
            left = (wide - photo.width()) // 2 if photo is not None else 0
            top = (high - photo.height()) // 2 + px(10) if photo is not None else px(10)
            x, anchor = (left + px(10), "nw") if side == 0 else (wide - left - px(10), "ne")
            canvas.coords(self._words[side], x, top)
            canvas.coords(self._shadows[side], x + 1, top + 1)
            for item in (self._words[side], self._shadows[side]):
                canvas.itemconfigure(item, anchor=anchor)

    def _box(self) -> tuple[int, int]:
        edge = 2 * px(2)
        return max(self.winfo_width() - edge, 1), max(self.winfo_height() - edge, 1)

    def _load(self) -> None:
        self._pending = ""
        box = self._box()
        for side, path in enumerate(self._paths):
            if path is None:
                self._put(side, None)
                continue
            photo = self._pictures.picture(
                path, box, lambda found, side=side, path=path: self._arrived(side, path, found)
            )
            if photo is not None:
                self._put(side, photo)

    def _arrived(self, side: int, path: Path, photo: ImageTk.PhotoImage | None) -> None:
        if self.winfo_exists() and self._paths[side] == path:
            self._put(side, photo)

    def _put(self, side: int, photo: ImageTk.PhotoImage | None) -> None:
        self._photos[side] = photo
        canvas = (self._before, self._after)[side]
        canvas.itemconfigure(self._images[side], image=photo or "")
        self._arrange_words()
        if side == 0 and self._photos[1] is None and self._paths[1] is None:
            # Only one picture: it is shown whole.
            self._after.itemconfigure(self._images[1], image=photo or "")
        self._after.itemconfigure(self._note, text="" if any(self._paths) else self._empty)
        self.paint()
        self.move(self.share)

    def _pressed(self, event: tk.Event[Any]) -> None:
        self._from, self._dragged = event.x_root, False
        self.focus_set()

    def _released(self, event: tk.Event[Any]) -> None:
        """A click opens; what was dragged stays."""
        if not self._dragged:
            self._open()

    def _drag(self, event: tk.Event[Any]) -> None:
        if not self._dragged and abs(event.x_root - self._from) < px(3):
            return
        self._dragged = True
        if any(self._paths):
            self.focus_set()
            self.move((event.x_root - self._after.winfo_rootx()) / max(self._after.winfo_width(), 1))

    def _open(self) -> None:
        path = self._paths[1] or self._paths[0]
        if path is not None and self._on_open is not None:
            self._on_open(path)

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent") if on else str(self.cget("bg")))
