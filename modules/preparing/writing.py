"""Writes prepared images with their captions and masks."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image

from modules.data.image.masks import open_mask
from modules.data.image.pixels import has_other_profile, on_white, open_image, open_with_alpha
from modules.data.image_errors import UnusableImage
from modules.data.source.folders import MASK
from modules.data.source.source import CaptionFile, DataFile
from modules.preparing.beside import RECUT
from modules.preparing.planning import Planned
from modules.preparing.record import Record
from modules.preparing.settings import Settings
from modules.preparing.target import Size, Target
from modules.sentences.problem import Problem
from modules.system.files import staged_file
from modules.system.stamps import NO_STAMP

CAPTION = ".txt"
UNTOUCHED = ("RGB", "L", "1", "P")  # that training sees as they are, without transparent parts
FORMATS = {"jpg": ("JPEG", "MPO"), "jpeg": ("JPEG", "MPO"), "png": ("PNG",), "webp": ("WEBP",)}  # by ending

Enlarge = Callable[[Image.Image, Size], Image.Image]


@dataclass(frozen=True)
class Writing:
    """What goes for all images. `beside`: the files of each image, with what stands behind its name."""

    settings: Settings
    record: Record
    beside: dict[str, list[tuple[str, str]]]
    enlarge: Enlarge | None = None

    def write(self, planned: Planned) -> Problem | None:
        """Write an image and what lies beside it; gives why that could not be done.

        Raises:
            OSError: the folder cannot be written.
        """
        assert planned.target is not None
        try:
            self._image(planned, planned.target)
        except UnusableImage as error:
            return error.reason
        if not any(rest.lower() == CAPTION for _, rest in self.beside.get(planned.key, [])):
            self._captions(planned)
        for key, rest in self.beside.get(planned.key, []):
            self._file_beside(planned, planned.target, DataFile(planned.entry.file.source, key), rest)
        self.record.add(planned, self.settings)
        return None

    def _image(self, planned: Planned, target: Target) -> None:
        if self._stays(planned, target):
            self._copy(planned.entry.file, planned.name)
            return
        image = open_with_alpha(planned.entry.file)
        kind, clear = _kind(planned.name), image.mode == "RGBA"
        if clear and self.settings.transparency == "mask" and not self._has_mask(planned):
            self._save(_cut(image.getchannel("A"), target, image.size), f"{_stem(planned.name)}{MASK}")
        keeps = self.settings.transparency == "keep" and kind in ("png", "webp")
        texts = _texts_in(planned.entry.file) if kind == "png" else {}
        self._save(self._sized(image if keeps else on_white(image), target), planned.name, texts)

    def _sized(self, image: Image.Image, target: Target) -> Image.Image:
        if target.scale <= 1 or self.enlarge is None:
            return _cut(image, target, image.size)
        box = _whole(target, image.size)
        part = image.crop(box)
        large = self.enlarge(part.convert("RGB"), target.size)
        if part.mode == "RGBA":
            large.putalpha(part.getchannel("A").resize(large.size, Image.Resampling.LANCZOS))
        across, down = large.width / part.width, large.height / part.height
        left, top, right, bottom = target.box
        inside = (left - box[0]) * across, (top - box[1]) * down, (right - box[0]) * across, (bottom - box[1]) * down
        return _cut(large, Target(inside, target.size), large.size)

    def _stays(self, planned: Planned, target: Target) -> bool:
        """Whether an image needs no change: its bytes are copied."""
        with planned.entry.file.image() as image:
            same = image.format in FORMATS[_kind(planned.name)]
            clear = "A" in image.getbands() or "transparency" in image.info
            may_be_clear = self.settings.transparency == "keep" and image.mode == "RGBA"
            plain = (may_be_clear or (image.mode in UNTOUCHED and not clear)) and not has_other_profile(image)
        upright = not planned.info.is_animated and planned.info.orientation == 1
        return same and plain and upright and target.as_it_is(planned.size)

    def _has_mask(self, planned: Planned) -> bool:
        return any(rest.lower() == MASK for _, rest in self.beside.get(planned.key, []))

    def _file_beside(self, planned: Planned, target: Target, file: DataFile, rest: str) -> None:
        name = f"{_stem(planned.name)}{rest}"
        if rest.lower() not in RECUT or target.as_it_is(planned.size):
            self._copy(file, name)
            return
        try:
            image = open_mask(file, alpha=False) if rest.lower() == MASK else open_image(file)
        except UnusableImage:  # it goes as it is: the check names it
            self._copy(file, name)
        else:
            self._save(_cut(image, target, planned.size), name, _texts_in(file))

    def _captions(self, planned: Planned) -> None:
        """What an archive, a list or a table says of an image, as a file beside it."""
        lines = [line for caption in planned.entry.captions for line in _lines_of(caption)]
        if lines:
            text = "\n".join(lines) + "\n"
            self._put(f"{_stem(planned.name)}{CAPTION}", lambda file: file.write(text.encode()))

    def _copy(self, source: DataFile, name: str) -> None:
        with source.open() as opened:
            self._put(name, lambda file: shutil.copyfileobj(opened, file))

    def _save(self, image: Image.Image, name: str, texts: dict[str, str] | None = None) -> None:
        quality = self.settings.quality
        match _kind(name):
            case "png":
                self._put(name, lambda file: image.save(file, "PNG", pnginfo=_pnginfo(texts or {})))
            case "webp":
                self._put(name, lambda file: image.save(file, "WEBP", quality=quality, lossless=quality == 100))
            case _:
                rgb = image.convert("RGB")
                self._put(name, lambda file: rgb.save(file, "JPEG", quality=quality, subsampling=0))

    def _put(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        """Write a file, unless a person has changed what is there."""
        held = io.BytesIO()
        write(held)
        data = held.getbuffer()
        if self.record.may_write(name, data):
            with staged_file(self.record.folder / name, flush_folder=False) as draft:
                draft.write_bytes(data)
            self.record.wrote(name)


def _lines_of(caption: CaptionFile | tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(caption, CaptionFile):
        return caption
    if caption.stamp == NO_STAMP:
        return ()
    with caption.file.open() as file:
        return tuple(line for line in file.read().decode("utf-8-sig", "replace").splitlines() if line.strip())


def _kind(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _cut(image: Image.Image, target: Target, size: Size) -> Image.Image:
    """The part of an image, resized. `size` is what the target counts in: a mask may be smaller than its image."""
    across, down = image.width / size[0], image.height / size[1]
    left, top, right, bottom = target.box
    box = (left * across, top * down, min(right * across, image.width), min(bottom * down, image.height))
    if image.size == target.size and box == (0, 0, *image.size):
        return image
    return image.resize(target.size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _whole(target: Target, size: Size) -> tuple[int, int, int, int]:
    left, top, right, bottom = target.box
    return int(left), int(top), min(size[0], -int(-right // 1)), min(size[1], -int(-bottom // 1))


def _texts_in(file: DataFile) -> dict[str, str]:
    """What a PNG says of itself: prompts of the program that made it, say."""
    with file.image() as image:
        found: dict[Any, Any] = dict(image.info) if image.format == "PNG" else {}
    return {str(name): text for name, text in found.items() if isinstance(text, str)}


def _pnginfo(texts: dict[str, str]) -> Any:
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

    made = PngInfo()
    for name, text in texts.items():
        made.add_itxt(name, text)
    return made
