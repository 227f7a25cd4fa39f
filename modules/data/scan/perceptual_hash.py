"""What only the pixels of an image say: whether they can be read to the end, what they look like, what is transparent.

Every image is decoded once in its life, as small as its format allows, and what they say is kept in the read cache
while the file does not change: 10,000 photos of 512 pixels take about 10 seconds of one core, and then half a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from modules.data.image.pixels import KINDS
from modules.data.image_errors import UNREADABLE, FloatingPoint, too_large
from modules.data.source.file_info import ORIENTATION
from modules.data.source.parallel_read import map_in_threads
from modules.data.source.source import DataFile, reason_of
from modules.sentences.problem import Problem, reason_from
from modules.system.read_cache import ReadCache

SIDE = 32  # of the grey image that the hash is made of
THUMB = 8  # of the colours that are kept to confirm it
MIN_CONTRAST = 2.0  # grey levels: what varies less has no shapes to compare

Report = Callable[[int, int], None]
Stop = Callable[[], bool]


class PixelInfo(NamedTuple):
    """What the pixels of an image say."""

    reason: Problem | None  # why they cannot be read
    hash: int  # 64 bits that change little where the picture changes little; 0 of a picture without shapes
    thumb: bytes  # THUMB x THUMB x RGB of 8 bits
    transparent_share: float  # share of the pixels that are not wholly opaque
    is_animated: bool  # more pictures follow the first
    orientation: int  # as EXIF has it: 1 is upright
    mode: str  # as Pillow calls it: "RGB", "CMYK", "I;16"


PIXELS = "pixels 1"


def read_pixel_info(files: Sequence[DataFile], cache: Path, report: Report, stop: Stop) -> list[PixelInfo]:
    """What the pixels of each file say, or of as many as were decoded before `stop` said so: those are kept, too.

    `cache` is the folder of the read cache.
    """
    stamps = [file.stamp() for file in files]
    with ReadCache(cache) as known:
        before = known.get(PIXELS, {str(file): stamp for file, stamp in zip(files, stamps, strict=True)})
        found = [_decoded(before[name]) if (name := str(file)) in before else None for file in files]
        unknown = [row for row, info in enumerate(found) if info is None]
        for done, info in enumerate(map_in_threads(pixel_info_of, (files[row] for row in unknown), stop)):
            found[unknown[done]] = info
            if done % 50 == 0:
                report(len(files) - len(unknown) + done, len(files))
        new = ((row, info) for row in unknown if (info := found[row]))
        known.put(PIXELS, {str(files[row]): (stamps[row], _encoded(info)) for row, info in new})
    first_missing = next((row for row, info in enumerate(found) if info is None), len(found))
    return [info for info in found[:first_missing] if info]


def _encoded(info: PixelInfo) -> bytes:
    return json.dumps(info._replace(thumb=info.thumb.hex()), default=asdict).encode()  # pyright: ignore[reportArgumentType]


def _decoded(value: bytes) -> PixelInfo:
    info = PixelInfo(*json.loads(value))
    return info._replace(reason=reason_from(info.reason), thumb=bytes.fromhex(info.thumb))  # pyright: ignore[reportArgumentType]


def pixel_info_of(file: DataFile) -> PixelInfo:
    """Decode an image, as small as its format allows: a JPEG at an eighth of its size, and yet to its last byte."""
    try:
        with file.image() as image:
            if reason := too_large(image):
                return _unreadable_info(reason)
            mode = image.mode
            # Phones put a preview behind a JPEG, which Pillow counts as a second picture (MPO).
            is_animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
            image.draft(mode, (2 * SIDE, 2 * SIDE))
            image.load()
            orientation = int(image.getexif().get(ORIENTATION, 1) or 1) if image.format != "TIFF" else 1
            transparent_share = _transparent_share(image)
            thumb, grey = _small(image)
    except UNREADABLE as error:
        return _unreadable_info(reason_of(file, error))
    return PixelInfo(None, hash_of(grey), thumb.tobytes(), transparent_share, is_animated, orientation, mode)


def _unreadable_info(reason: Problem) -> PixelInfo:
    return PixelInfo(reason, 0, b"", 0.0, is_animated=False, orientation=1, mode="")


def _transparent_share(image: Image.Image) -> float:
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if "A" not in image.getbands():
        return 0.0
    levels = image.getchannel("A").histogram()
    return sum(levels[:255]) / max(1, sum(levels))


def _small(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """(THUMB, THUMB, 3) and (SIDE, SIDE) uint8. What is transparent counts as white, as in training."""
    if image.mode == "F":
        raise FloatingPoint
    if image.mode in KINDS:
        grey = np.asarray(image).astype(np.float64)
        scaled = (grey - grey.min()) * (255.0 / max(float(grey.max() - grey.min()), 1.0))
        image = Image.fromarray(scaled.astype(np.uint8))
    clear = "transparency" in image.info or "A" in image.getbands()
    if clear:
        image = image.convert("RGBA")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if (factor := min(image.width, image.height) // (2 * SIDE)) > 1:
        image = image.reduce(factor)
    if clear:
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    thumb = np.asarray(small).reshape(THUMB, SIDE // THUMB, THUMB, SIDE // THUMB, 3).mean(axis=(1, 3))
    return thumb.round().astype(np.uint8), np.asarray(small.convert("L"))


# A discrete cosine transform (DCT-II) as a matrix: its row k counts how much of k half waves a line of pixels holds.
_DCT = np.cos(np.pi / SIDE * (np.arange(SIDE)[None, :] + 0.5) * np.arange(SIDE)[:, None])


def hash_of(grey: np.ndarray) -> int:
    """The signs of the 8 x 8 lowest frequencies about their median (pHash; Zauner 2010, section 3.2.1)."""
    if float(grey.std()) < MIN_CONTRAST:
        return 0
    low = (_DCT[:8] @ grey.astype(np.float64) @ _DCT[:8].T).ravel()
    bits = low > np.median(low[1:])
    return int(np.packbits(bits).view(">u8")[0])
