"""What was computed before and still holds: same image, same prompt, same model, same reference images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modules.data.source.source import DataFile
from modules.grids.cells import fingerprint
from modules.scores.image_set import ImageSet
from modules.scores.kinds import REFERENCES, SCORES
from modules.scores.record import Made, Scored, Scores, read_scores
from modules.scores.references import References

VERSION = 1  # raise it when the same files would give other numbers
PLACE = ("prompt", "label", "order", "step", "column", "row", "tab", "side")


@dataclass(frozen=True)
class Chosen:
    """A score that is wanted, and where its model lies."""

    name: str
    model: str  # as it was named
    folder: Path
    mark: str  # of the model's files
    head: Path | None = None


def mark_of(place: Path) -> str:
    """What changes when the files of a model do."""
    return fingerprint(str(place))[:16]


def made_of(each: Chosen, references: References | None, threshold: float) -> Made:
    """What a score is computed with."""
    facts = [str(VERSION), each.name, each.mark, mark_of(each.head) if each.head else ""]
    compared = references if REFERENCES in SCORES[each.name].needs else None
    if compared:
        facts.append(compared.mark)
    mark = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    title, count = (compared.title, len(compared.files)) if compared else ("", 0)
    return Made(each.model, mark, title, count, threshold if each.name == "copies" else 0.0)


def known_scores(
    images: ImageSet, made: Mapping[str, Made], folder: Path, hash_of: Callable[[DataFile], str]
) -> Scores:
    """The images of today with what is known of them. Scores that are not asked for now are kept.

    Raises:
        UserError: what stands in the folder is damaged.
    """
    before = read_scores(folder) or Scores(images.kind, "")
    kept = {**before.made, **made}
    valid = {name for name, about in before.made.items() if kept[name].mark == about.mark}
    old = {(image.mark, image.prompt): image for image in before.images}
    found: list[Scored] = []
    for picture in images.pictures:
        place: dict[str, Any] = {name: getattr(picture, name) for name in PLACE}
        mark = hash_of(picture.file)
        image = Scored(_inside(picture.file, folder), mark, folder=str(folder), **place)
        same = old.get((mark, picture.prompt))
        found.append(_with_known(image, same, valid) if same else image)
    run = str(images.run or "")
    return Scores(images.kind, str(images.folder), run, images.by, kept, tuple(found))


def _with_known(image: Scored, same: Scored, valid: set[str]) -> Scored:
    return replace(
        image,
        values={name: value for name, value in same.values.items() if name in valid},
        nearest=same.nearest if "copies" in valid else "",
        too_long=tuple(name for name in same.too_long if name in valid),
    )


def _inside(file: DataFile, folder: Path) -> str:
    path = file.path
    return path.relative_to(folder).as_posix() if path and path.is_relative_to(folder) else str(file)
