"""What one image and its caption file say of themselves, read without decoding a pixel. Runs in worker processes.

Imports little on purpose: every worker imports it anew.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, cast

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from modules.data.image_errors import UNREADABLE, formats_for, too_large
from modules.data.image_size import ORIENTATION, PNG_SIGNATURE, SIDEWAYS, plain_size
from modules.data.source.source import DataFile, Source, reason_of
from modules.errors import UserError
from modules.preset.files.text_file import LEGACY, NotText, decoded
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.text import KB

MAX_CAPTION_BYTES = 100 * KB
HEAD_BYTES = 16 * KB  # of an image: where most say their size, behind EXIF with a small preview
HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


class ImageInfo(NamedTuple):
    width: int  # after the rotation that EXIF asks for; 0 of a bad image
    height: int
    reason: Problem | None = None  # why the image cannot be used


class CaptionInfo(NamedTuple):
    lines: list[str]
    problem: Problem | None = None  # what is wrong with the file: a row that goes on behind its name
    legacy: bool = False  # it is not in UTF-8, and was read as Windows-1252


class ReadJob(NamedTuple):
    """What is to be read of a source: images, and captions with what of a JSON file is meant."""

    source: Source
    images: list[str]
    captions: list[tuple[str, str]]


class FileInfo(NamedTuple):
    images: list[ImageInfo]
    captions: list[CaptionInfo]


def read_job(job: ReadJob) -> FileInfo:
    """What many files say: the unit of work of a worker process."""
    return FileInfo(
        [read_image_info(DataFile(job.source, key)) for key in job.images],
        [read_caption(DataFile(job.source, key), field) for key, field in job.captions],
    )


def read_image_info(file: DataFile) -> ImageInfo:
    """Size of an image from its header, or why it cannot be used. A torn end is only noticed when it is decoded."""
    with suppress(OSError):
        head = file.head(HEAD_BYTES)
        size = plain_size(head, HEAD_BYTES, file.length)
        if size and (len(head) < HEAD_BYTES or not head.startswith(PNG_SIGNATURE) or not _has_late_exif(file)):
            return ImageInfo(*size)
    return _asked_of_pillow(file)


def _has_late_exif(file: DataFile) -> bool:
    with file.open() as stream:
        return _has_late_metadata(stream)


def _asked_of_pillow(file: DataFile) -> ImageInfo:
    try:
        with file.open() as stream, Image.open(stream, formats=formats_for(file.suffix)) as image:
            if reason := too_large(image):
                return ImageInfo(0, 0, reason)
            width, height = image.size
            # Pillow rotates TIFF by itself, and has swapped its size already.
            sideways = image.format != "TIFF" and _exif(image, stream).get(ORIENTATION) in SIDEWAYS
    except UNREADABLE as error:
        return ImageInfo(0, 0, reason_of(file, error))
    return ImageInfo(height, width) if sideways else ImageInfo(width, height)


def _exif(image: Image.Image, stream: BinaryIO) -> Image.Exif:
    """Pillow decodes a whole PNG to look for EXIF behind its pixels, which hardly any has: so look first."""
    if isinstance(image, PngImageFile) and not _has_late_metadata(stream):
        return Image.Image.getexif(image)
    return image.getexif()


def _has_late_metadata(stream: BinaryIO) -> bool:
    """Whether a PNG has EXIF or text after its first pixels. The stream is then where it was."""
    before = stream.tell()
    try:
        stream.seek(8)
        pixels = False
        while len(head := stream.read(8)) == 8:
            kind = head[4:]
            if pixels and kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            pixels = pixels or kind == b"IDAT"
            stream.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)
        return False
    finally:
        stream.seek(before)


def read_caption(file: DataFile, field: str = "") -> CaptionInfo:
    """The lines of a caption file that say something. Of JSON, what `field` names."""
    try:
        data = file.head(MAX_CAPTION_BYTES + 1)
        if not data:  # or it is no file any more
            with file.open() as stream:
                data = stream.read(MAX_CAPTION_BYTES + 1)
    except OSError as error:
        return CaptionInfo([], problem("caption.unreadable", error=error.strerror))
    if len(data) > MAX_CAPTION_BYTES:
        return CaptionInfo([], problem("caption.too-large", most=MAX_CAPTION_BYTES))
    try:
        text, encoding = decoded(data)
        if file.suffix.lower() == ".json":
            text = json_caption(text, field)
    except NotText as error:
        return CaptionInfo([], problem("caption.not-text", place=error.place))
    except UserError as error:
        return CaptionInfo([], problem("caption.unusable", reason=error.problem))
    return CaptionInfo([line.strip() for line in text.splitlines() if line.strip()], legacy=encoding == LEGACY)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def json_caption(document: str, field: str) -> str:
    """What a JSON file says under a key; without one, under "caption", or else "tags". Nothing where that is missing.

    Raises:
        UserError: it is not a JSON object, or there is neither a text nor a list of texts, or no whole letters.
    """
    try:
        held: object = json.loads(document) if document.strip() else {}
    except (ValueError, RecursionError) as error:
        raise UserError("caption.no-json", error=printable(error, line=True)) from error
    if not isinstance(held, dict):
        raise UserError("caption.no-object")
    values = cast("dict[str, Any]", held)
    found = next((name for name in ([field] if field else ["caption", "tags"]) if values.get(name)), field or "caption")
    said = values.get(found) or ""
    if field and _is_number(values.get(found)):
        return str(values[found])
    if isinstance(said, list) and all(isinstance(one, str) for one in cast("list[object]", said)):
        said = (", " if found == "tags" else "\n").join(cast("list[str]", said))
    if not isinstance(said, str):
        raise UserError("caption.no-text", field=found)
    if HALF_A_CHARACTER.search(said):
        raise UserError("caption.half-a-character", field=found)
    return said
