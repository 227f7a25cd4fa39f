"""Fills the cache: which entries are missing, images decoded in threads ahead of the encoder, bad ones put aside.

Each function returns what is bad as (row, reason). All keep what they have done when `stop` says so.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from modules.data.cache import Cache
from modules.data.captions import possible_captions
from modules.data.digests import FileDigests
from modules.data.encoders import Encoders
from modules.data.index import Index
from modules.data.looks import Look, checked_key, latents_key, looks_of, pixels_in, text_key
from modules.data.pixels import open_image, reason_of
from modules.errors import UserError

A = TypeVar("A")
T = TypeVar("T")
Report = Callable[[str, int, int], None]
Stop = Callable[[], bool]
BadRows = list[tuple[int, str]]

PIXELS_AT_ONCE = 2**20  # that the VAE encodes together: one image of 1024 x 1024, or 64 of 128 x 128
TEXTS_AT_ONCE = 32
FLUSH_EVERY = 256  # entries


def digests_of(index: Index, folder: Path, report: Report, stop: Stop) -> tuple[list[str], BadRows]:
    """The content of every image file by its hash, "" where it cannot be read."""
    bad: BadRows = []
    digests: list[str] = []

    with FileDigests(folder) as known:

        def digest(path: Path) -> str | OSError:
            try:
                return known.of(path)
            except OSError as error:
                return error

        paths = (index.path(row) for row in range(len(index)))
        for row, found in enumerate(in_threads(digest, paths, stop)):
            if isinstance(found, OSError):
                bad.append((row, f"{reason_of(index.path(row), found)}"))
            digests.append(found if isinstance(found, str) else "")
            if row % 100 == 0:
                report("Reading images", row, len(index))
    return digests + [""] * (len(index) - len(digests)), bad


def fill_latents(
    index: Index, digests: Sequence[str], encoders: Encoders, cache: Cache, report: Report, stop: Stop
) -> BadRows:
    """Encode every look of every image that the cache lacks."""
    rows: list[int] = np.concatenate(list(index.bucket_rows().values())).tolist()
    jobs = [(row, _missing_looks(index, row, digests[row], encoders, cache)) for row in rows]
    missing = [(row, looks) for row, looks in jobs if looks]

    def decode(job: tuple[int, list[Look]]) -> list[np.ndarray] | str:
        row, looks = job
        try:
            return pixels_in(index.path(row), int(index.widths[row]), int(index.heights[row]), looks)
        except UserError as error:
            return _reason(index.path(row), error)

    bad: BadRows = []
    waiting = _Encoding(encoders, cache)
    for done, ((row, looks), found) in enumerate(zip(missing, in_threads(decode, missing, stop), strict=False)):
        report("Encoding images", done + 1, len(missing))
        if isinstance(found, str):
            bad.append((row, found))
        else:
            keys = [latents_key(digests[row], look, encoders.image_key) for look in looks]
            waiting.add(keys, found)
    waiting.finish()
    return bad


def _missing_looks(index: Index, row: int, digest: str, encoders: Encoders, cache: Cache) -> list[Look]:
    item = index[row]
    looks = looks_of(item, index.concepts[item.concept], digest)
    return [look for look in looks if latents_key(digest, look, encoders.image_key) not in cache]


class _Encoding:
    """Collects pixels of equal size and encodes them together."""

    def __init__(self, encoders: Encoders, cache: Cache) -> None:
        self.encoders, self.cache = encoders, cache
        self._keys: list[str] = []
        self._pixels: list[np.ndarray] = []
        self._unflushed = 0

    def add(self, keys: Sequence[str], looks: Sequence[np.ndarray]) -> None:
        for key, pixels in zip(keys, looks, strict=True):
            if self._pixels and self._pixels[0].shape != pixels.shape:
                self.finish()
            self._keys.append(key)
            self._pixels.append(pixels)
            height, width, _ = pixels.shape
            if (len(self._pixels) + 1) * height * width > PIXELS_AT_ONCE:
                self.finish()

    def finish(self) -> None:
        if not self._pixels:
            return
        with torch.no_grad():
            latents = self.encoders.encode_image(tensor_of(self._pixels)).cpu()
        for key, one in zip(self._keys, latents, strict=True):
            self.cache.put(key, {"latents": one})
        self._unflushed += len(self._keys)
        if self._unflushed >= FLUSH_EVERY:
            self.cache.flush()
            self._unflushed = 0
        self._keys, self._pixels = [], []


def _reason(path: Path, error: UserError) -> str:
    """Why an image cannot be used, without its path: whoever lists bad images names it."""
    return str(error.args[0]).removeprefix(f"{path} ").removeprefix("cannot be used: ").rstrip(".")


def tensor_of(pixels: Sequence[np.ndarray]) -> Tensor:
    """Pixels (H, W, 3) of 8 bits to (B, 3, H, W), fp32 in [-1, 1]."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous().to(torch.float32) / 127.5 - 1


def find_torn(index: Index, digests: Sequence[str], cache: Cache, report: Report, stop: Stop) -> BadRows:
    """Decode every image once in its life, where latents are not cached: a torn one must not end a run later."""
    unknown = [row for row in range(len(index)) if checked_key(digests[row]) not in cache]

    def problem(row: int) -> str:
        try:
            open_image(index.path(row))
        except UserError as error:
            return _reason(index.path(row), error)
        return ""

    bad: BadRows = []
    for done, (row, reason) in enumerate(zip(unknown, in_threads(problem, unknown, stop), strict=False)):
        report("Checking images", done, len(unknown))
        if reason:
            bad.append((row, reason))
        else:
            cache.put(checked_key(digests[row]), {})
    return bad


def fill_text(index: Index, encoders: Encoders, cache: Cache, report: Report, stop: Stop) -> None:
    """Encode every caption that can occur, of images whose captions are few enough."""
    captions: dict[str, str] = {}
    for item in index:
        for caption in possible_captions(item.captions, index.concepts[item.concept]) or ():
            if caption not in captions:
                captions[caption] = text_key(caption, encoders.text_key)
    missing = [(caption, key) for caption, key in captions.items() if key not in cache]
    for start in range(0, len(missing), TEXTS_AT_ONCE):
        if stop():
            return
        report("Encoding captions", start, len(missing))
        part = missing[start : start + TEXTS_AT_ONCE]
        with torch.no_grad():
            rows = encoders.encode_text([caption for caption, _ in part])
        for (_, key), row in zip(part, rows, strict=True):
            cache.put(key, row)
    if missing:
        report("Encoding captions", len(missing), len(missing))


def in_threads(work: Callable[[A], T], jobs: Iterable[A], stop: Stop) -> Iterator[T]:
    """Results in the order of the jobs, worked out a little ahead; fewer of them when `stop` says so."""
    count = min(8, os.cpu_count() or 1)
    waiting = iter(jobs)
    with ThreadPoolExecutor(count) as pool:
        pending: deque[Future[T]] = deque()
        try:
            while not stop():
                while len(pending) < 2 * count and (job := next(waiting, _END)) is not _END:
                    pending.append(pool.submit(work, job))  # pyright: ignore[reportArgumentType]
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


_END = object()
