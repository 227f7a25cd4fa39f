"""What lies in a concept's folder: its images, and the caption file of each, in an order that all systems agree on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modules.data.facts import NO_STAMP, Stamp, stamp_of
from modules.errors import UserError
from modules.preset.concepts import Concept
from modules.system.sorting import natural

KINDS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".avif", ".tif", ".tiff")
NOT_IMAGES = ("-masklabel.png", "-condlabel.png")  # masks and conditions of other trainers, beside their images


@dataclass(frozen=True, slots=True)
class Entry:
    """An image that was found, and its caption file if there is one."""

    concept: int
    inside: str  # path in the concept's folder, with "/"
    path: Path
    stamp: Stamp
    caption: Path
    caption_stamp: Stamp


def entries_of(number: int, concept: Concept, folder: Path) -> list[Entry]:
    """The images of a concept, naturally sorted: 2 before 10, capitals or not.

    Raises:
        UserError: the folder is missing, is none, cannot be opened, or holds no image.
    """
    title = concept.name or folder.name or f"number {number + 1}"
    _refuse_no_folder(title, concept, folder)
    try:
        files = {inside: entry for inside, entry in _files(folder, "", concept.subfolders, set())}
        found = _entries(number, folder, files)
    except PermissionError as error:
        raise UserError(
            f'The concept "{title}": there is no permission to read {error.filename}.',
            advice="Change the permissions of the folder, or choose another one.",
        ) from error
    if not found:
        raise UserError(f'The concept "{title}": {_why_empty(concept, folder, len(files))}', advice=_KINDS_ADVICE)
    return sorted(found, key=lambda entry: natural(entry.inside))


_KINDS_ADVICE = f"Images are files that end in {', '.join(KINDS)}."


def _files(folder: Path, above: str, deep: bool, seen: set[tuple[int, int]]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(path inside the concept, entry) of every visible file. A folder that links lead to twice is taken once."""
    stat = folder.stat()
    if (stat.st_dev, stat.st_ino) in seen:
        return
    seen.add((stat.st_dev, stat.st_ino))
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if deep:
                yield from _files(Path(entry.path), f"{above}{entry.name}/", deep, seen)
        elif entry.is_file():
            yield f"{above}{entry.name}", entry


def _entries(number: int, folder: Path, files: dict[str, os.DirEntry[str]]) -> list[Entry]:
    texts = {_stem(inside): inside for inside in files if inside.lower().endswith(".txt")}
    found: list[Entry] = []
    for inside, entry in files.items():
        name = inside.lower()
        if not name.endswith(KINDS) or name.endswith(NOT_IMAGES):
            continue
        text = texts.get(_stem(inside))
        caption = folder / (text or f"{_stem(inside)}.txt")
        caption_stamp = stamp_of(files[text].stat()) if text else NO_STAMP
        found.append(Entry(number, inside, folder / inside, stamp_of(entry.stat()), caption, caption_stamp))
    return found


def _stem(inside: str) -> str:
    return inside.rpartition(".")[0]


def _refuse_no_folder(title: str, concept: Concept, folder: Path) -> None:
    if not concept.path.strip():
        raise UserError(f'The concept "{title}" has no folder.', advice="Choose the folder with its images.")
    if not folder.exists():
        raise UserError(
            f'The concept "{title}": there is no folder {folder}.',
            advice="Was it moved or renamed, or is its drive not connected? Choose it again in the tab concepts.",
        )
    if not folder.is_dir():
        raise UserError(
            f'The concept "{title}": {folder} is a file, not a folder.',
            advice="Choose the folder that holds the images.",
        )


def _why_empty(concept: Concept, folder: Path, others: int) -> str:
    found = f"there are no images in {folder}" + (f", only {others} files of other kinds." if others else ".")
    if concept.subfolders or not any(child.is_dir() for child in folder.iterdir()):
        return found
    return f'{found} It has folders inside: turn on "Include sub-folders" if the images are there.'
