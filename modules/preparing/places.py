"""Where prepared images go, and how their folder takes the place of the originals."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from modules.data.source.folders import KINDS
from modules.data.source.kinds import source_of
from modules.data.source.source import Source
from modules.errors import UserError
from modules.preparing.record import RECORD
from modules.preparing.settings import Settings
from modules.preset.sections.concept import Concept


def source_for(settings: Settings) -> Source:
    """The images that are prepared. Nothing is read yet.

    Raises:
        UserError: it names something bundled that there is not.
    """
    path = str(Path(settings.source).expanduser().absolute())
    return source_of(Concept(path=path, subfolders=settings.subfolders))


def target_folder(settings: Settings, source: Path | None) -> Path:
    """The folder to write; `source` is the folder that is read, if it is one.

    Raises:
        UserError: it is that of the originals, lies in it or holds it, or there is nothing to take the place of.
    """
    read = Path(settings.source).expanduser().absolute()
    if settings.replace and (source is None or settings.out):
        raise UserError("prepare.no-place" if source is None else "prepare.two-places", "replace")
    if not settings.out and not read.name:
        raise UserError("prepare.no-name", "out")
    folder = Path(settings.out).expanduser().absolute() if settings.out else read.with_name(f"{read.name} prepared")
    for one, other in ((folder, read), (read, folder)):
        if one.resolve().is_relative_to(other.resolve()):
            raise UserError("prepare.inside", "out", folder=folder, source=read)
    return folder


def keys_in(folder: Path) -> Iterator[str]:
    """Every file in a folder and those inside it, as keys: paths with "/" between their parts."""
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(root).relative_to(folder)
        yield from ((inside / name).as_posix() for name in files if not name.startswith("."))


def put_in_place(made: Path, originals: Path, of_images: Iterable[str]) -> Path:
    """Give the folder that was made the name of the other one; gives where the originals are now.

    Files that belong to no image are copied first, so that the new folder lacks nothing but what was left out.
    `of_images` are the keys of those that do. Between the two renames both folders are whole: a kill there leaves the
    originals under their new name.
    """
    owned, there = set(of_images), set(keys_in(made))
    for key in keys_in(originals):
        if key not in there and key not in owned and not key.lower().endswith(KINDS):
            (made / key).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(originals / key, made / key)
    (made / RECORD).unlink(missing_ok=True)
    kept, more = originals.with_name(f"{originals.name} originals"), 1
    while kept.exists():
        more += 1
        kept = originals.with_name(f"{originals.name} originals {more}")
    originals.replace(kept)
    made.replace(originals)
    return kept
