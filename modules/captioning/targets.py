"""Which images get captions, and the files that these are written to. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modules.captioning.settings import Settings
from modules.data.source.kinds import source_of
from modules.data.source.source import CaptionFile, DataFile
from modules.errors import UserError
from modules.preset.sections.concept import Concept

Kind = Literal["tags", "sentences"]
Text = CaptionFile | tuple[str, ...]
BESIDE: dict[Kind, str] = {"tags": ".tags", "sentences": ".prose"}


@dataclass(frozen=True)
class Target:
    """An image and where its captions go, by kind; not those whose file holds one that is to be kept."""

    image: DataFile
    files: dict[Kind, Path]


def kinds_of(settings: Settings) -> tuple[Kind, ...]:
    """What is made, in this order."""
    return ("tags", "sentences") if settings.kind == "both" else (settings.kind,)


def ending_of(settings: Settings, kind: Kind) -> str:
    """Of the files that captions of a kind go into."""
    aside = settings.kind == "both" or settings.existing == "beside"
    return BESIDE[kind] if aside else settings.ending


def targets_of(settings: Settings, stop: Callable[[], bool] = lambda: False) -> list[Target]:
    """The images that captions are to be made of.

    Raises:
        UserError: there are no images, or they lie where no file can be written beside them.
    """
    kinds = kinds_of(settings)
    endings = [settings.ending, *(ending_of(settings, kind) for kind in kinds)]
    concept = Concept(
        path=settings.source, subfolders=settings.subfolders, caption_ending=settings.ending,
        more_captions=", ".join(endings[1:]), several="pick",
    )  # fmt: skip
    places = [source.ending for source in concept.caption_files]
    only = set(settings.only)
    found: list[Target] = []
    for entry in source_of(concept).listing().entries:
        if stop():
            break
        beside = dict(zip(places, entry.captions, strict=False))
        if not only or str(entry.file) in only:
            files = _files(settings, beside)
            found += [Target(entry.file, files)] if files else []
    return found


def _files(settings: Settings, beside: Mapping[str, Text]) -> dict[Kind, Path]:
    """Those that captions of an image go into; `beside`: what there is, by ending."""
    if settings.images == "missing" and not settings.preview and says_something(beside.get(settings.ending)):
        return {}
    files: dict[Kind, Path] = {}
    for kind in kinds_of(settings):
        text = beside.get(ending_of(settings, kind))
        path = text.file.path if isinstance(text, CaptionFile) else None
        if path is None and not settings.preview:
            raise UserError("captioning.no-files", "source", source=settings.source)
        if settings.preview or settings.existing != "keep" or not says_something(text):
            files[kind] = path or Path()
    return files


def says_something(text: Text | None) -> bool:
    """Whether there is a caption. A file that cannot be read counts as one."""
    if not isinstance(text, CaptionFile):
        return bool(text)
    try:
        with text.file.open() as file:
            return bool(file.read(2**12).strip())
    except FileNotFoundError:
        return False
    except OSError:
        return True
