"""scores.json: what was computed, of which images and with what, so that a second time only computes the rest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from modules.errors import UserError
from modules.system.files import write_text
from modules.system.reading import read_bytes

FILE, TABLE, FORMAT, VERSION = "scores.json", "scores.csv", "seachange-scores", 1
LARGEST = 200_000_000  # bytes of the file
Side = Literal["", "concept", "known", "other"]


@dataclass(frozen=True)
class Made:
    """What a score was computed with. `mark` changes with anything that would change its numbers."""

    model: str
    mark: str
    reference: str = ""  # the folder or the run whose images it was compared with
    references: int = 0  # images of it
    threshold: float = 0.0  # of near-copies


@dataclass(frozen=True)
class Scored:
    """An image, where it stands, and its numbers by score."""

    file: str  # inside the folder of the scores with "/", or the whole path
    mark: str  # sha256 of its bytes
    prompt: str = ""
    label: str = ""  # of its step or column
    order: int = 0  # of that
    step: int = -1
    column: int = -1  # of a grid
    row: int = -1
    tab: int = -1
    side: Side = ""
    values: dict[str, float] = field(default_factory=dict[str, float])
    nearest: str = ""  # the training image that it is most like
    too_long: tuple[str, ...] = ()  # scores whose model did not read its whole prompt
    folder: str = ""  # of the scores; not in the file

    @property
    def path(self) -> Path:
        return Path(self.folder) / self.file

    @property
    def cut(self) -> bool:
        return bool(self.too_long)


@dataclass(frozen=True)
class Scores:
    """All that is known of a folder of images."""

    kind: Literal["grid", "run", "images"]
    source: str
    run: str = ""
    by: Literal["step", "column", ""] = ""  # what the rows of a table are
    made: dict[str, Made] = field(default_factory=dict[str, Made])
    images: tuple[Scored, ...] = ()
    format: str = FORMAT
    version: int = VERSION


def read_scores(folder: Path) -> Scores | None:
    """The scores in a folder; None where none were computed.

    Raises:
        UserError: the file is damaged, or of a newer version.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        scores = TypeAdapter(Scores).validate_json(read_bytes(path, LARGEST))
    except (OSError, ValidationError) as error:
        raise UserError("score.not-ours", file=path) from error
    if (scores.format, scores.version) != (FORMAT, VERSION):
        raise UserError("score.not-ours", file=path)
    return replace(scores, images=tuple(replace(image, folder=str(folder)) for image in scores.images))


def write_scores(folder: Path, scores: Scores) -> None:
    """Replace the scores of a folder."""
    values = asdict(scores)
    for image in values["images"]:
        del image["folder"]
    write_text(folder / FILE, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def scores_of(folder: Path) -> dict[Path, Scored]:
    """The images of a folder with their scores, by path; none where the file is not there or cannot be read."""
    try:
        scores = read_scores(folder)
    except UserError:
        return {}
    return {image.path: image for image in scores.images} if scores else {}
