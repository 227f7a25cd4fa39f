"""Pictures from files, decoded in threads and shown without holding up the window; small ones are kept on disk.

Threads touch files and Pillow only. Once a tick the window's own thread turns at most 6 ms worth of decoded pictures
into Tk images. The newest request is served first, and what nobody waits for any more is not decoded.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import tkinter as tk
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import BinaryIO, NamedTuple, Protocol

from PIL import Image, ImageOps, ImageTk

from modules.data.image_errors import FORMATS, UNREADABLE, too_large
from modules.system.reading import open_file
from modules.system.stamps import Stamp, stamp_of

THUMB = 192  # pixels of the longer side in the cache on disk
THREADS = 2
BUDGET = 0.006  # seconds of the window's thread per tick
TICK_MS = 16
KEPT = 600
WAITING = 400  # requests; older ones are forgotten and asked again when they are painted again

Done = Callable[["ImageTk.PhotoImage | None"], object]


class PictureFile(Protocol):
    """A picture that need not be a file of its own. As a text it says where it is."""

    @property
    def name(self) -> str: ...

    def open(self) -> BinaryIO: ...

    def stamp(self) -> Stamp: ...


Place = Path | PictureFile


class Key(NamedTuple):
    """What was asked for: a file, the box it must fit, and whether it comes from the cache on disk."""

    place: Place
    wide: int
    high: int
    thumb: bool
    cover: bool = False  # fill the box instead


class Pictures:
    """Asks are answered at once if the picture is there, else later through `done` (with None if it cannot be read).

    Args:
        root: the window; its timer fetches what the threads have finished.
        folder: where thumbnails are kept; None for nowhere.
    """

    def __init__(self, root: tk.Misc, folder: Path | None) -> None:
        self._root, self._folder = root, folder
        self._shown: OrderedDict[Key, ImageTk.PhotoImage | None] = OrderedDict()
        self._waiting: OrderedDict[Key, list[Done]] = OrderedDict()
        self._wake = threading.Condition()
        self._ready: SimpleQueue[tuple[Key, Image.Image | None]] = SimpleQueue()
        self._running: set[Key] = set()
        self._over = False
        self._timer = ""
        self._threads: list[threading.Thread] = []

    def thumb(self, place: Place, size: int, done: Done) -> ImageTk.PhotoImage | None:
        """The picture at a place, at most `size` pixels long: now, or None and later through `done`."""
        return self._ask(Key(place, size, size, True), done)

    def cover(self, place: Place, box: tuple[int, int], done: Done) -> ImageTk.PhotoImage | None:
        """A thumbnail that fills the box: what is too much at the sides is cut off."""
        return self._ask(Key(place, max(box[0], 1), max(box[1], 1), True, cover=True), done)

    def picture(self, place: Place, box: tuple[int, int], done: Done) -> ImageTk.PhotoImage | None:
        """As large as fits into `box` (pixels), never larger than it is on disk times four."""
        return self._ask(Key(place, max(box[0], 1), max(box[1], 1), False), done)

    def failed(self, place: Place, size: int) -> bool:
        """Whether this thumbnail was asked for and could not be read."""
        return self._shown.get(Key(place, size, size, True), False) is None

    def forget(self, place: Place) -> None:
        """The file has changed: decode it anew when it is asked for."""
        for key in [key for key in self._shown if key.place == place]:
            del self._shown[key]

    def close(self) -> None:
        """End the threads; nothing is answered any more."""
        with self._wake:
            self._over = True
            self._waiting.clear()
            self._wake.notify_all()
        if self._timer:
            self._root.after_cancel(self._timer)
            self._timer = ""
        for thread in self._threads:
            thread.join()

    def _ask(self, key: Key, done: Done) -> ImageTk.PhotoImage | None:
        if key in self._shown:
            self._shown.move_to_end(key)
            return self._shown[key]
        with self._wake:
            self._waiting.setdefault(key, []).append(done)
            self._waiting.move_to_end(key)
            while len(self._waiting) > WAITING:
                self._waiting.popitem(last=False)
            self._wake.notify()
        if not self._threads:
            self._threads = [threading.Thread(target=self._work, daemon=True, name="pictures") for _ in range(THREADS)]
            for thread in self._threads:
                thread.start()
        if not self._timer:
            self._timer = self._root.after(TICK_MS, self._tick)
        return None

    def _next(self) -> Key | None:
        """The newest request that no thread works on; waits for one. None at the end."""
        with self._wake:
            while not self._over:
                for key in reversed(self._waiting):
                    if key not in self._running:
                        self._running.add(key)
                        return key
                self._wake.wait()
        return None

    def _work(self) -> None:
        while (key := self._next()) is not None:
            try:
                image = self._decoded(key)
            except UNREADABLE:
                image = None  # not a picture: the caller shows so
            self._ready.put((key, image))

    def _decoded(self, key: Key) -> Image.Image:
        if not key.thumb:
            return opened(key.place, (key.wide, key.high))
        kept = self._kept(key.place)
        if kept is not None and kept.is_file():
            with Image.open(kept) as image:
                small = image.convert("RGB")
        else:
            small = opened(key.place, (max(THUMB, key.wide), max(THUMB, key.high)))
            if kept is not None:
                with suppress(OSError):  # a full disk: it is decoded again the next time
                    keep(small, kept)
        if key.cover:
            return ImageOps.fit(small, (key.wide, key.high), Image.Resampling.LANCZOS)
        small.thumbnail((key.wide, key.high), Image.Resampling.LANCZOS)
        return small

    def _kept(self, place: Place) -> Path | None:
        if self._folder is None:
            return None
        known = stamp_of(place.stat()) if isinstance(place, Path) else place.stamp()
        where = place.absolute() if isinstance(place, Path) else place
        name = hashlib.sha1(f"{where}|{known.mtime_ns}|{known.size}".encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.jpg"

    def _tick(self) -> None:
        self._timer = ""
        end = time.perf_counter() + BUDGET
        while time.perf_counter() < end:
            try:
                key, image = self._ready.get_nowait()
            except Empty:
                break
            self._answer(key, None if image is None else ImageTk.PhotoImage(image))
        if self._waiting and not self._over:
            self._timer = self._root.after(TICK_MS, self._tick)

    def _answer(self, key: Key, picture: ImageTk.PhotoImage | None) -> None:
        with self._wake:
            asked = self._waiting.pop(key, [])
            self._running.discard(key)
        self._shown[key] = picture
        while len(self._shown) > KEPT:
            self._shown.popitem(last=False)
        for done in asked:
            done(picture)


def opened(place: Place, box: tuple[int, int] | None) -> Image.Image:
    """The picture at a place, upright, on white where it is transparent, as large as fits into `box` pixels.

    Without a box it is as large as on disk.

    Raises:
        OSError: it is no picture, or torn.
    """
    stream = open_file(place) if isinstance(place, Path) else place.open()
    with stream, Image.open(stream, formats=FORMATS) as image:
        if reason := too_large(image):  # a few kilobytes can claim to be gigabytes
            raise OSError(f"{place}: {reason}")
        if box is not None:
            image.draft("RGB", (box[0] * 2, box[1] * 2))
        upright = ImageOps.exif_transpose(image)
        flat = on_white(upright)
    if box is None:
        return flat
    share = min(box[0] / flat.width, box[1] / flat.height, 4.0)
    size = (max(1, round(flat.width * share)), max(1, round(flat.height * share)))
    if size == flat.size:
        return flat
    way = Image.Resampling.LANCZOS if share < 1 else Image.Resampling.BICUBIC
    return flat.resize(size, way, reducing_gap=2.0)


def on_white(image: Image.Image) -> Image.Image:
    """RGB; Tk blends transparent pictures in software, so it gets none."""
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        white = Image.new("RGB", clear.size, (255, 255, 255))
        white.paste(clear, mask=clear.getchannel("A"))
        return white
    return image.convert("RGB")


def keep(image: Image.Image, place: Path) -> None:
    """Write a thumbnail where two windows may be writing the same one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.{os.getpid()}.{threading.get_ident()}")
    image.save(part, "JPEG", quality=88)
    part.replace(place)
