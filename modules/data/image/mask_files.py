"""Masks as files beside their images: where one belongs, how it is written, and who made it.

A mask that a model made says so in a text of its PNG; every other counts as painted by hand, and no tool replaces it.
Nor one whose pixels are no longer those that were made: an editor may keep the text of what it has changed.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modules.data.image_errors import UNREADABLE
from modules.data.source.folders import MASK
from modules.data.source.source import DataFile, Entry
from modules.system.files import staged_file

MADE_BY = "seachange-mask"  # the text of a PNG that says which tool, model and settings made it, as JSON

PIXELS = "seachange-mask-pixels"  # a hash of what was made


def mask_of(entry: Entry) -> DataFile:
    """The mask of an image: that which it has, or where one would be looked for."""
    return DataFile(entry.file.source, entry.mask or f"{entry.file.key.rpartition('.')[0]}{MASK}")


def png_of(mask: Image.Image, made_by: Mapping[str, Any] | None = None) -> bytes:
    """The file of a mask. `made_by`: tool, model and settings; None where a person painted it."""
    about, held, mask = PngInfo(), io.BytesIO(), mask.convert("L")
    if made_by is not None:
        about.add_itxt(MADE_BY, json.dumps(made_by))
        about.add_text(PIXELS, _digest(mask))
    mask.save(held, "PNG", pnginfo=about)
    return held.getvalue()


def write_mask(path: Path, mask: Image.Image, made_by: Mapping[str, Any] | None = None) -> None:
    """Write a mask, as a whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with staged_file(path) as draft:
        draft.write_bytes(png_of(mask, made_by))


def maker_of(file: DataFile) -> dict[str, Any] | None:
    """What made a mask; None for one that a person painted, and for what cannot be read. Only the header is read."""
    try:
        with file.image() as image:
            made_by = json.loads(str(image.info[MADE_BY]))
    except UNREADABLE:  # no such text among them
        return None
    return made_by if isinstance(made_by, dict) else None


def is_as_made(file: DataFile) -> bool:
    """Whether a model made a mask and nobody has touched it since. Reads all of it."""
    if maker_of(file) is None:
        return False
    try:
        with file.image() as image:
            image.load()
            return image.info.get(PIXELS) == _digest(image)
    except UNREADABLE:
        return False


def _digest(mask: Image.Image) -> str:
    return hashlib.sha256(f"{mask.mode} {mask.size} ".encode() + mask.tobytes()).hexdigest()
