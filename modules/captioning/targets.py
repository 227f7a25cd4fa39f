"""Which images get captions, and the files that these are written to. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modules.captioning.settings import TAGS, Settings
from modules.data.source.file_info import read_caption
from modules.data.source.kinds import source_of
from modules.data.source.source import CaptionFile, DataFile
from modules.errors import UserError
from modules.preset.sections.concept import Concept
from modules.system.bundled import ROOT

Kind = Literal["tags", "sentences"]
Text = CaptionFile | tuple[str, ...]
BUNDLED = ROOT / "resources"  # what came with Seachange stays as it is
BESIDE: dict[Kind, str] = {"tags": ".tags", "sentences": ".prose"}


@dataclass(frozen=True)
class Target:
    """An image and where its captions go, by kind; not those whose file holds one that is to be kept."""

    image: DataFile
    files: dict[Kind, Path]
    tags: Text | None = None  # its tags of before: of the file with tags, or else its caption


def kinds_of(settings: Settings) -> tuple[Kind, ...]:
    """What is made, in this order."""
    return ("tags", "sentences") if settings.kind == "both" else (settings.kind,)


def ending_of(settings: Settings, kind: Kind) -> str:
    """Of the files that captions of a kind go into."""
    aside = settings.kind == "both" or settings.existing == "beside"
    return BESIDE[kind] if aside else settings.ending


def entries_of(source: str, ending: str, *, subfolders: bool) -> list[tuple[DataFile, dict[str, Text]]]:
    """The images of a source, with what captions there are of each kind, by extension.

    Raises:
        UserError: it cannot be read, or holds no images.
    """
    endings = dict.fromkeys([ending, *BESIDE.values()])
    more = ", ".join([*endings][1:])
    concept = Concept(path=source, subfolders=subfolders, caption_ending=ending, more_captions=more, several="pick")
    listing = source_of(concept).listing()
    return [(entry.file, dict(zip(endings, entry.captions, strict=False))) for entry in listing.entries]


def taken(settings: Settings, has: Callable[[str], bool]) -> list[Kind]:
    """Which kinds of captions an image gets. `has`: whether its caption with this extension says something."""
    if settings.images == "missing" and has(settings.ending):
        return []
    return [kind for kind in kinds_of(settings) if settings.existing != "keep" or not has(ending_of(settings, kind))]


def targets_of(settings: Settings, stop: Callable[[], bool] = lambda: False) -> list[Target]:
    """The images that captions are to be made of.

    Raises:
        UserError: there are no images, or they lie where no file can be written beside them.
    """
    only = set(settings.only)
    found: list[Target] = []
    for image, texts in entries_of(settings.source, settings.ending, subfolders=settings.subfolders):
        if stop():
            break
        if only and str(image) not in only:
            continue
        if settings.preview:
            found.append(Target(image, dict.fromkeys(kinds_of(settings), Path()), _tags(settings, texts)))
            continue
        kinds = taken(settings, lambda ending, texts=texts: says_something(texts.get(ending)))
        if kinds:
            files: dict[Kind, Path] = {kind: _file(settings, texts.get(ending_of(settings, kind))) for kind in kinds}
            found.append(Target(image, files, _tags(settings, texts)))
    return found


def _tags(settings: Settings, texts: dict[str, Text]) -> Text | None:
    """Looked for only where the prompt has a place for them."""
    if TAGS not in settings.prompt:
        return None
    return next(
        (text for ending in (BESIDE["tags"], settings.ending) if says_something(text := texts.get(ending))), None
    )


def text_of(text: Text | None) -> str:
    """What a caption says, on one line; "" where there is none or it cannot be read."""
    if not isinstance(text, CaptionFile):
        return ", ".join(text or ())
    return ", ".join(read_caption(text.file, text.field)[0])


def _file(settings: Settings, text: Text | None) -> Path:
    path = text.file.path if isinstance(text, CaptionFile) else None
    if path is None:
        raise UserError("captioning.no-files", "source", source=settings.source)
    if path.suffix.lower() == ".json":
        raise UserError("captioning.json", "ending", file=path)
    if path.is_relative_to(BUNDLED):
        raise UserError("captions.bundled")
    return path


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
