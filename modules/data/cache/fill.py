"""Fills the cache: which entries are missing, images decoded in threads ahead of the encoder, bad ones put aside.

Each function returns what is bad as (row, reason). All keep what they have done when `stop` says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from modules.data.cache.contents import BYTES, Contents
from modules.data.cache.encoders import Encoders, TextEncoding
from modules.data.cache.store import Cache
from modules.data.image.pixels import open_image
from modules.data.image.variants import Content, Variant, checked_key, latents_key, load_pixels, text_key, variants_of
from modules.data.image_errors import UnusableImage
from modules.data.index import Index
from modules.data.source.file_hashes import FileHashes
from modules.data.source.parallel_read import A, Stop, T, map_in_threads
from modules.data.source.source import DataFile, reason_of
from modules.data.text.captions import possible_captions
from modules.sentences.problem import Problem
from modules.system.devices import device_named, empty_card_cache, is_out_of_memory, to_cpu

Report = Callable[[str, int, int], None]
IsUnchanged = Callable[[int, DataFile], bool]
BadRows = list[tuple[int, Problem]]  # and why

TEXTS_AT_ONCE = 32
FLUSH_EVERY = 256  # entries
AHEAD = 4  # images that are encoded while others are on their way from a card


def hash_files(index: Index, folder: Path, report: Report, stop: Stop) -> tuple[np.ndarray, BadRows]:
    """The content of every image file by its hash, (N, 32) uint8; zeros where it cannot be read."""
    bad: BadRows = []
    digests = np.zeros((len(index), BYTES), dtype=np.uint8)

    with FileHashes(folder) as known:

        def digest(file: DataFile) -> str | OSError:
            try:
                return known.of(file)
            except OSError as error:
                return error

        files = (index.file(row) for row in range(len(index)))
        for row, found in enumerate(map_in_threads(digest, files, stop)):
            if isinstance(found, OSError):
                bad.append((row, reason_of(index.file(row), found)))
            else:
                digests[row] = np.frombuffer(bytes.fromhex(found), dtype=np.uint8)
            if row % 100 == 0:
                report("stage.reading-images", row, len(index))
    return digests, bad


def fill_latents(
    index: Index,
    contents: Contents,
    encoders: Encoders,
    cache: Cache,
    report: Report,
    stop: Stop,
    same: IsUnchanged,
) -> BadRows:
    """Encode every variant of every image that the cache lacks.

    `same`: whether a row's file is as when it was hashed.
    """
    rows: list[int] = np.concatenate(list(index.bucket_rows().values())).tolist()
    jobs = [(row, _missing_variants(index, row, contents[row], encoders, cache)) for row in rows]
    missing = [(row, variants) for row, variants in jobs if variants]

    def decode(job: tuple[int, list[Variant]]) -> list[np.ndarray] | Problem:
        row, variants = job
        try:
            pixels = load_pixels(index.file(row), int(index.widths[row]), int(index.heights[row]), variants)
        except UnusableImage as error:
            return error.reason
        # Else one picture would be kept under the name of another, for every later run.
        return pixels if same(row, index.file(row)) else Problem("reason.changed-while-read")

    bad: BadRows = []
    encoding = _Encoding(encoders, cache)
    for done, ((row, variants), found) in enumerate(zip(missing, map_in_threads(decode, missing, stop), strict=False)):
        report("stage.encoding-images", done + 1, len(missing))
        if isinstance(found, Problem):
            bad.append((row, found))
        else:
            keys = [latents_key(contents[row].digest, variant, encoders.image_key) for variant in variants]
            encoding.add(keys, found)
    encoding.keep(0)
    return bad


def _missing_variants(index: Index, row: int, content: Content, encoders: Encoders, cache: Cache) -> list[Variant]:
    item = index[row]
    variants = variants_of(item, index.concepts[item.concept], content)
    return [variant for variant in variants if latents_key(content.digest, variant, encoders.image_key) not in cache]


def holds(cache: Cache, index: Index, row: int, content: Content, encoders: Encoders, *, text: bool) -> bool:
    """Whether all is there that this file keeps of a row; `text`: also of its captions."""
    if _missing_variants(index, row, content, encoders, cache):
        return False
    item = index[row]
    captions = possible_captions(item.caption_texts, index.concepts[item.concept]) if text else None
    return all(text_key(caption, encoders.text_key) in cache for caption in captions or ())


class _Encoding:
    """Encodes variants and keeps them.

    One at a time: how many are encoded together changes the last bits, so what a killed run left over, or another run
    had encoded, would change what is learnt. Only below 128 pixels is this slower on a CPU; above, it is faster.

    While latents are on their way from a card, it encodes the next ones.
    """

    def __init__(self, encoders: Encoders, cache: Cache) -> None:
        self.encoders, self.cache = encoders, cache
        self._unflushed = 0
        self._coming: deque[tuple[str, Tensor, torch.Event | None]] = deque()

    def add(self, keys: Sequence[str], variants: Sequence[np.ndarray]) -> None:
        for key, pixels in zip(keys, variants, strict=True):
            with torch.no_grad():
                latents, arrived = to_cpu(self.encoders.encode_image(pixels_to_tensor([pixels])))
            self._coming.append((key, latents[0], arrived))
            self.keep(AHEAD if arrived else 0)
        self._unflushed += len(keys)
        if self._unflushed >= FLUSH_EVERY:
            self.cache.flush()
            self._unflushed = 0

    def keep(self, most: int) -> None:
        """Write what has come, until no more than `most` are on their way."""
        while len(self._coming) > most:
            key, latents, arrived = self._coming.popleft()
            if arrived:
                arrived.synchronize()
            self.cache.put(key, {"latents": latents})


def in_smaller_batches(work: Callable[[Sequence[A]], T], things: Sequence[A]) -> Iterator[T]:
    """Work on things together; where memory is too small for that, on half of them at a time, down to one."""
    try:
        yield work(things)
        return
    except (RuntimeError, MemoryError) as error:
        if len(things) == 1 or not is_out_of_memory(error):
            raise
    # Only here, where the error is gone, and with it the tensors that its traceback held.
    empty_card_cache(device_named("auto"))
    half = len(things) // 2
    yield from in_smaller_batches(work, things[:half])
    yield from in_smaller_batches(work, things[half:])


def pixels_to_tensor(pixels: Sequence[np.ndarray]) -> Tensor:
    """Pixels (H, W, 3) of 8 bits to (B, 3, H, W), fp32 in [-1, 1]."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous().to(torch.float32) / 127.5 - 1


def find_undecodable(
    index: Index, rows: Iterable[int], contents: Contents, cache: Cache, report: Report, stop: Stop
) -> BadRows:
    """Decode every image once in its life, where latents are not cached: a torn one must not end a run later."""
    unknown = [row for row in rows if checked_key(contents[row].digest) not in cache]

    def problem(row: int) -> Problem | None:
        try:
            open_image(index.file(row))
        except UnusableImage as error:
            return error.reason
        return None

    bad: BadRows = []
    for done, (row, reason) in enumerate(zip(unknown, map_in_threads(problem, unknown, stop), strict=False)):
        report("stage.checking-images", done, len(unknown))
        if reason:
            bad.append((row, reason))
        else:
            cache.put(checked_key(contents[row].digest), {})
    return bad


def fill_text(index: Index, encoders: Encoders, cache: Cache, report: Report, stop: Stop) -> bool:
    """Encode every caption that can occur, of images whose captions are few enough; returns whether all are."""
    captions: dict[str, str] = {}
    few = True
    for item in index:
        possible = possible_captions(item.caption_texts, index.concepts[item.concept])
        few = few and possible is not None
        for caption in possible or ():
            if caption not in captions:
                captions[caption] = text_key(caption, encoders.text_key)
    missing = [(caption, key) for caption, key in captions.items() if key not in cache]
    for start in range(0, len(missing), TEXTS_AT_ONCE):
        if stop():
            return few
        report("stage.encoding-captions", start, len(missing))
        part = missing[start : start + TEXTS_AT_ONCE]
        rows = chain.from_iterable(in_smaller_batches(_reader(encoders), [caption for caption, _ in part]))
        for (_, key), row in zip(part, rows, strict=True):
            cache.put(key, row)
    if missing:
        report("stage.encoding-captions", len(missing), len(missing))
    return few


def _reader(encoders: Encoders) -> Callable[[Sequence[str]], list[TextEncoding]]:
    def read(captions: Sequence[str]) -> list[TextEncoding]:
        with torch.no_grad():
            return encoders.encode_text(captions)

    return read
