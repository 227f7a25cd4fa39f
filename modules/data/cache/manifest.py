"""What a run has found complete in the cache, so that the next one of the same images need not ask for each of them.

A manifest is believed while everything is as it was when it was written: the rows of the index, the files behind them,
what the concepts do with them, the encoders, and the shards. A few rows are looked up all the same. What is damaged in
a shard is found when it comes up, and made again then.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from modules.data.cache.contents import Contents
from modules.data.cache.encoders import Encoders
from modules.data.cache.fill import BadRows, holds
from modules.data.cache.store import Cache
from modules.data.columns import Columns
from modules.data.image.masks import open_mask
from modules.data.image.pixels import VERSION, open_image
from modules.data.image.variants import Content
from modules.data.image_errors import UnusableImage
from modules.data.index import Index
from modules.data.scan.file_watch import FileWatch
from modules.data.scan.stamped_table import read_table, write_table
from modules.errors import UserError
from modules.sentences.problem import Problem, reason_from

FOLDER = "manifests"
FROM_ROWS = 2000  # fewer are asked for one by one within a second
LOOKED_UP = 32  # rows
HELD = b"held"
LASTING = {
    "reason.no-image",
    "reason.torn",
    "reason.empty",
    "reason.pixels",
    "reason.side",
}  # while a file stays as it is
MOST = 16  # manifests that are kept
# What changes how often an image is shown, and not how.
SHOWINGS = {"name", "enabled", "repeats", "samples", "loss_weight"}


class Complete(NamedTuple):
    """What `BatchLoader.fill` finds out of an index."""

    contents: Contents  # of the rows that are left; of none where images are encoded as they are drawn
    bad: BadRows  # what is put aside
    encodes_text: bool


class Manifest:
    """That of an index as certain encoders encode it; `about` names what else decides what is cached."""

    def __init__(self, index: Index, encoders: Encoders, cache: Cache, watch: FileWatch, **about: bool) -> None:
        self._index, self._encoders, self._cache, self._about = index, encoders, cache, about
        states = _states(index, watch) if len(index) >= FROM_ROWS else []
        self._path = cache.folder / FOLDER / f"{self._key(states)}.arrow" if states and all(states) else None

    def read(self) -> Complete | None:
        """What an earlier run found; None where anything may be otherwise now."""
        table, _ = read_table(self._path) if self._path else (None, None)
        if table is None or not self._path:
            return None
        held: dict[str, Any] = json.loads(table.schema.metadata[HELD])
        bad = [(row, why) for row, reason in held["bad"] if (why := reason_from(reason))]
        found = Complete(Contents(Columns(table)), bad, held["encodes_text"])
        if not self._cache.use(held["shards"]) or not self._is_there(found):
            return None
        with suppress(OSError):
            os.utime(self._path)
        return found

    def _is_there(self, found: Complete) -> bool:
        """Whether the cache has what belongs to some of the rows that are left, and what was bad still is."""
        rows = np.flatnonzero(~self._index.rows_of_images([row for row, _ in found.bad]))
        places = np.linspace(0, len(rows) - 1, min(LOOKED_UP, len(rows))).astype(int).tolist()
        text = self._about["text"] and not found.encodes_text
        content = (lambda _: Content("")) if self._about["streams"] else found.contents.__getitem__
        if not all(_is_bad(self._index, *bad) for bad in found.bad[:LOOKED_UP]):
            return False
        return all(
            holds(self._cache, self._index, int(rows[place]), content(place), self._encoders, text=text)
            for place in places
        )

    def write(self, found: Complete) -> None:
        """Keep what was found, if the disk takes it."""
        if not self._path:
            return
        bad = [[row, asdict(why)] for row, why in found.bad]
        held = {"bad": bad, "encodes_text": found.encodes_text, "shards": self._cache.used()}
        write_table(self._path, found.contents.table.replace_schema_metadata({HELD: json.dumps(held)}))
        _keep_newest(self._path.parent)

    def _key(self, states: Sequence[str]) -> str:
        """Names all that the manifest depends on."""
        index, encoders = self._index, self._encoders
        buckets = [index.buckets[n] for n in np.flatnonzero(np.bincount(index.bucket_numbers)).tolist()]
        concepts = [index.concepts[n].model_dump(mode="json", exclude=SHOWINGS) for n in _concepts(index)]
        keys = [encoders.image_key(bucket) for bucket in buckets] if self._about["latents"] else []
        keys += [encoders.text_key] if self._about["text"] else []
        named = [VERSION, self._about, states, concepts, index.buckets, keys]
        digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode())
        for numbers in (index.concept_numbers, index.bucket_numbers, index.image_numbers, index.widths, index.heights):
            digest.update(np.ascontiguousarray(numbers).data)
        _add_texts(digest, index.parts("path"))
        if not all(index.sources[number].archives() for number in _concepts(index)):
            _add_lines(digest, index.parts("lines"))  # which may be told by another file than those that are watched
        return digest.hexdigest()[:32]


def _is_bad(index: Index, row: int, why: Problem) -> bool:
    """Whether an image is still to be put aside: that a disk failed, or no right was given, does not last."""
    if why.code in LASTING:
        return True
    try:
        if why.code.startswith("reason.mask"):
            file, alpha = index.mask_file(row)
            open_mask(file, alpha=alpha)
        else:
            open_image(index.file(row))
    except UnusableImage:
        return True
    return False


def _concepts(index: Index) -> list[int]:
    """The numbers of the concepts that have rows."""
    return np.flatnonzero(np.bincount(index.concept_numbers)).tolist()


def _states(index: Index, watch: FileWatch) -> list[str]:
    """Of each concept that has rows what changes with its files, but for the time; "" where that cannot be known."""
    found: list[str] = []
    for number in _concepts(index):
        state = ""
        with suppress(OSError, UserError):
            state = index.sources[number].state()
        # The masks of loose files are not watched.
        is_watched = not watch.is_fresh and index.concepts[number].masks == "none"
        found.append(state or (watch.loose.hexdigest() if is_watched else ""))
    return found


def _add_texts(digest: hashlib._Hash, parts: Iterator[pa.Array]) -> None:  # pyright: ignore[reportPrivateUsage]
    for part in parts:
        _, ends, letters = part.buffers()
        places = np.frombuffer(ends, dtype=np.int64, count=len(part) + 1, offset=8 * part.offset)
        digest.update(places - places[0])
        digest.update(letters[int(places[0]) : int(places[-1])] if letters else b"")


def _add_lines(digest: hashlib._Hash, parts: Iterator[pa.Array]) -> None:  # pyright: ignore[reportPrivateUsage]
    for part in parts:
        files = part.flatten()
        digest.update(np.diff(part.offsets.to_numpy()))
        digest.update(np.diff(files.offsets.to_numpy()))
        _add_texts(digest, iter([files.flatten()]))


def _keep_newest(folder: Path) -> None:
    """A manifest that nobody has asked for in a long time goes: what changed has another name."""
    with suppress(OSError):
        for path in sorted(folder.glob("*.arrow"), key=lambda path: path.stat().st_mtime)[:-MOST]:
            path.unlink()
