"""What becomes of each image, before anything is written: what is left out and why, what is cut, what it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from modules.data.image.masks import open_mask
from modules.data.image.pixels import open_image
from modules.data.image_errors import UnusableImage
from modules.data.scan.duplicates import near_duplicates
from modules.data.scan.perceptual_hash import PixelInfo, read_pixel_info
from modules.data.source.pairing import folded
from modules.data.source.source import DataFile, Entry
from modules.preparing.focus import SIDE, point_in_mask, point_of_detail
from modules.preparing.settings import Settings, points_of
from modules.preparing.target import MIDDLE, Point, Size, Target, is_small, part_of, target_of
from modules.sentences.problem import Problem, problem

ENDINGS = {"png": ".png", "jpg": ".jpg", "webp": ".webp"}
WRITTEN = (".jpg", ".jpeg", ".png", ".webp")  # kinds that stay what they are
TURNED = range(5, 9)  # EXIF orientations that swap width and height
PHOTOS = (".heic", ".heif", ".jxl", ".avif", ".jpe", ".jfif", ".jfi")  # become JPEG

FACES_SIDE = 1280  # pixels of the image in which faces are looked for

Faces = Callable[[Image.Image], Image.Image]
Report = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Planned:
    """An image: `left_out` says why it is not written; `name` is its key in the new folder, with its new ending."""

    entry: Entry
    info: PixelInfo
    size: Size = (0, 0)  # as a viewer shows it
    target: Target | None = None
    name: str = ""
    left_out: Problem | None = None
    of_copy: str = ""  # the key of the image that it is a copy of

    @property
    def key(self) -> str:
        return self.entry.file.key


def plan(
    entries: Sequence[Entry], settings: Settings, cache: Path, report: Report, stop: Stop, faces: Faces | None = None
) -> list[Planned]:
    """What becomes of each image, in their order; fewer of them if `stop` said so.

    `cache` is the folder of the read cache. `faces` makes a mask of the faces in an image.
    """
    infos = read_pixel_info([entry.file for entry in entries], cache, report, stop)
    entries = entries[: len(infos)]
    sizes = [_size(entry, info) for entry, info in zip(entries, infos, strict=True)]
    copies = _copies(entries, infos, sizes, settings)
    aside, kept = set(lines_of(settings.aside)), set(lines_of(settings.kept))
    points = points_of(settings.points)
    names = _names(settings)
    planned: list[Planned] = []
    for entry, info, size in zip(entries, infos, sizes, strict=True):
        if stop():
            break
        of_copy = copies.get(entry.file.key, "")
        key = entry.file.key
        why = info.reason or (Problem("prepare.aside") if key in aside else None)
        if why is None and key not in kept:
            why = _left_out(size, of_copy, settings)
        if why is not None:
            planned.append(Planned(entry, info, size, left_out=why, of_copy=of_copy))
            continue
        target = target_of(size, settings, _point(entry, size, points, settings, faces))
        planned.append(Planned(entry, info, size, target, names(entry.file, settings.format)))
    return planned


def _left_out(size: Size, of_copy: str, settings: Settings) -> Problem | None:
    if of_copy:
        return problem("prepare.copy", file=of_copy)
    if min(size) < settings.smallest:
        return problem("prepare.small", width=size[0], height=size[1], least=settings.smallest)
    if settings.small == "leave_out" and is_small(size, settings):
        return problem("prepare.too-small", width=size[0], height=size[1])
    return None


def _size(entry: Entry, info: PixelInfo) -> Size:
    """As a viewer shows it; (0, 0) of what cannot be read. What a list says of sizes may be wrong."""
    if info.reason is not None:
        return 0, 0
    with entry.file.image() as image:
        return (image.height, image.width) if info.orientation in TURNED else image.size


def _copies(
    entries: Sequence[Entry], infos: Sequence[PixelInfo], sizes: Sequence[Size], settings: Settings
) -> dict[str, str]:
    """By the key of each copy that of the image which is kept: the largest, and of these the one with most bytes."""
    if settings.copies == "keep":
        return {}
    found: dict[str, str] = {}
    for rows in near_duplicates(infos) if settings.copies == "near" else _equal(entries):
        best = max(rows, key=lambda row: (sizes[row][0] * sizes[row][1], entries[row].stamp.size, -row))
        for row in rows:
            if row != best:
                found[entries[row].file.key] = entries[best].file.key
    return found


def _equal(entries: Sequence[Entry]) -> Iterator[list[int]]:
    """Rows of files with the same bytes; only what is of one length is read."""
    by_length: dict[int, list[int]] = {}
    for row, entry in enumerate(entries):
        by_length.setdefault(entry.stamp.size, []).append(row)
    for rows in by_length.values():
        by_bytes: dict[str, list[int]] = {}
        for row in rows if len(rows) > 1 else []:
            by_bytes.setdefault(entries[row].file.sha256(), []).append(row)
        yield from (same for same in by_bytes.values() if len(same) > 1)


def _point(entry: Entry, size: Size, points: dict[str, Point], settings: Settings, faces: Faces | None) -> Point:
    """What a crop keeps in its middle."""
    if (chosen := points.get(entry.file.key)) is not None:
        return chosen
    whole = target_of(size, settings)
    if settings.focus == "centre" or whole.box == (0, 0, *size):
        return MIDDLE
    try:
        return _subject(entry, size, whole, faces)
    except UnusableImage:  # it is named when it is written
        return MIDDLE


def _subject(entry: Entry, size: Size, whole: Target, faces: Faces | None) -> Point:
    """The faces, or what the mask shows, or where most detail is."""
    if faces and (seen := point_in_mask(faces(open_image(entry.file, min(1.0, FACES_SIDE / max(size)))))):
        return seen
    if entry.mask and (seen := point_in_mask(open_mask(DataFile(entry.file.source, entry.mask), alpha=False))):
        return seen
    image = open_image(entry.file, min(1.0, SIDE / max(size)))
    return point_of_detail(image, part_of(image.size, (whole.box[2] - whole.box[0], whole.box[3] - whole.box[1])))


def _names(settings: Settings) -> Callable[[DataFile, str], str]:
    """Gives each image its key in the new folder; no two are the same on any system."""
    taken: set[str] = set()
    number = 0

    def name(file: DataFile, format: str) -> str:
        nonlocal number
        folder, slash, _ = file.key.rpartition("/")
        stem, ending = file.name.removesuffix(file.suffix), _ending(file, format)
        if settings.names == "number":
            number += 1
            stem = f"{settings.prefix}{number:04}"
        found, more = stem, 1
        while folded(f"{folder}{slash}{found}") in taken:
            more += 1
            found = f"{stem}_{more}"
        taken.add(folded(f"{folder}{slash}{found}"))
        return f"{folder}{slash}{found}{ending}"

    return name


def _ending(file: DataFile, format: str) -> str:
    if format != "keep":
        return ENDINGS[format]
    ending = file.suffix.lower()
    if ending in WRITTEN:
        return file.suffix
    return ".jpg" if ending in PHOTOS else ".png"


def lines_of(text: str) -> list[str]:
    """The names in a setting that takes one a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]
