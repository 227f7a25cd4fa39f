"""What lies in a concept's folder: its images, and the caption files of each, in an order that all systems agree on."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from modules.data.source.file_info import NO_STAMP, Stamp, TextFile, stamp_of
from modules.errors import UserError, printable, system_error
from modules.preset.sections.concept import Concept
from modules.system.sorting import natural_key

KINDS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".avif", ".tif", ".tiff")
MASK, CONDITION = "-masklabel.png", "-condlabel.png"  # behind the name of the image that they belong to
NOT_IMAGES = (MASK, CONDITION)


@dataclass(frozen=True, slots=True)
class Entry:
    """An image that was found, and its caption files, which may not be there."""

    concept: int
    inside: str  # path in the concept's folder, with "/"
    path: Path
    stamp: Stamp
    captions: tuple[TextFile, ...]  # in the order of the concept's caption_files
    mask: str = ""  # path in the concept's folder; "" where there is none
    condition: str = ""


class Listing(NamedTuple):
    """What a concept's folder holds: images, and what looks like one or like a caption and is none."""

    entries: list[Entry]  # naturally sorted: 2 before 10, capitals or not
    unreadable_images: list[tuple[Path, str]]  # and why they cannot be read
    unreadable_captions: list[tuple[Path, str]]
    orphan_captions: list[Path]  # caption files that no image stands beside


def images_in(number: int, concept: Concept, folder: Path) -> list[Entry]:
    """The images of a concept. Raises as `list_folder`."""
    return list_folder(number, concept, folder).entries


def list_folder(number: int, concept: Concept, folder: Path) -> Listing:
    """Everything in a concept's folder that has to do with images.

    Raises:
        UserError: the folder is missing, is none, cannot be opened, or holds no image.
    """
    title = concept.name or folder.name or f"number {number + 1}"
    try:
        _refuse_no_folder(title, concept, folder)
    except OSError as error:  # a name that is too long, links in a circle
        raise system_error(error) or error from error
    odd: list[tuple[Path, str]] = []
    endings = tuple(dict.fromkeys(source.ending.lower() for source in concept.caption_files))
    try:
        files = {inside: entry for inside, entry in _files(folder, "", concept.subfolders, set(), odd, endings)}
        found = _entries(number, concept, folder, files)
    except PermissionError as error:
        raise UserError(
            f'The concept "{title}": there is no permission to read {error.filename}.',
            advice="Change the permissions of the folder, or choose another one.",
        ) from error
    unreadable_captions = [(path, why) for path, why in odd if path.name.lower().endswith(endings)]
    unreadable_images = [(path, why) for path, why in odd if path.suffix.lower() in KINDS]
    if not found:
        first = (
            f" {printable(unreadable_images[0][0].name, line=True)}: {unreadable_images[0][1]}."
            if unreadable_images
            else ""
        )
        raise UserError(
            f'The concept "{title}": {_why_empty(concept, folder, len(files))}{first}', advice=_KINDS_ADVICE
        )
    own = {text.path for entry in found for text in entry.captions}
    lone = [folder / inside for inside in files if inside.lower().endswith(endings) and folder / inside not in own]
    return Listing(
        sorted(found, key=lambda entry: natural_key(entry.inside)), unreadable_images, unreadable_captions, lone
    )


_KINDS_ADVICE = f"Images are files that end in {', '.join(KINDS)}."


def _files(
    folder: Path,
    above: str,
    deep: bool,
    seen: set[tuple[int, int]],
    odd: list[tuple[Path, str]],
    endings: tuple[str, ...],
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(path inside the concept, entry) of every visible file. A folder that links lead to twice is taken once.

    What is neither a file nor a folder goes into `odd`: reading a pipe or a device may never end.
    """
    about = folder.stat()
    if (about.st_dev, about.st_ino) in seen:
        return
    seen.add((about.st_dev, about.st_ino))
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.name.startswith("."):
            continue
        why = _why_unreadable(entry, endings)
        if why:
            odd.append((Path(entry.path), why))
        elif not entry.is_dir():
            yield f"{above}{entry.name}", entry
        elif deep:
            yield from _files(Path(entry.path), f"{above}{entry.name}/", deep, seen, odd, endings)


def _why_unreadable(entry: os.DirEntry[str], endings: tuple[str, ...]) -> str:
    """Why something cannot be read as a file or opened as a folder; "" if it can."""
    try:
        mode = entry.stat().st_mode
    except FileNotFoundError:
        return "it is a link to something that is not there"
    except OSError as error:
        circle = error.errno == errno.ELOOP
        return "it is a link that leads back to itself" if circle else f"it cannot be read ({error.strerror})"
    if stat.S_ISDIR(mode):
        return "it is a folder" if entry.name.lower().endswith(endings) else ""
    return "" if stat.S_ISREG(mode) else "it is no file, but a pipe or a device"


def _entries(number: int, concept: Concept, folder: Path, files: dict[str, os.DirEntry[str]]) -> list[Entry]:
    texts = [(source, _by_stem(source.ending, files)) for source in concept.caption_files]
    beside = {inside.lower(): inside for inside in files if inside.lower().endswith(NOT_IMAGES)}
    found: list[Entry] = []
    for inside, entry in files.items():
        name = inside.lower()
        if not name.endswith(KINDS) or name.endswith(NOT_IMAGES):
            continue
        captions: list[TextFile] = []
        for source, named in texts:
            text = named.get(_stem(inside))
            stamp = stamp_of(files[text].stat()) if text else NO_STAMP
            captions.append(TextFile(folder / (text or f"{_stem(inside)}{source.ending}"), stamp, source.key))
        mask, condition = (beside.get(f"{_stem(name)}{end}", "") for end in NOT_IMAGES)
        stamp = stamp_of(entry.stat())
        found.append(Entry(number, inside, folder / inside, stamp, tuple(captions), mask, condition))
    return found


def _by_stem(ending: str, files: Iterable[str]) -> dict[str, str]:
    """The files with an ending, in capitals or not, by what stands before it."""
    return {inside[: -len(ending)]: inside for inside in files if inside.lower().endswith(ending.lower())}


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
