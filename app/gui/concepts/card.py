"""The card of a concept in the grid: picture, name, how many images, what is wrong, and its switch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.gui.concepts.folder_summary import FolderSummary
from app.gui.draft.choice_labels import choice_label
from app.gui.draft.labels import title_of
from app.gui.session.number_format import TIMES
from modules.data.source.folders import in_kinds
from modules.data.source.source import Kinds
from modules.language import plural, tr
from modules.preset.paths import Values
from modules.text import listed

if TYPE_CHECKING:
    from app.gui.kit import Cell

CELL = (196, 250)
LINES = 3
PICTURE = (188, 184)  # nearly square: what is cut off a portrait is not its head

SOURCES = {
    "file": "caption files",
    "filename": "file names",
    "folder": "folder names",
    "prompt": "one caption",
    "none": "no captions",
}


def amount_of(concept: Values, summary: FolderSummary | None) -> str:
    """How many images, how often; the folder's name where it cannot be used."""
    if summary is None:
        images = tr("Reading …")
    elif summary.problem:
        images = Path(str(concept["path"])).name or tr("no folder")
    else:
        images = plural(summary.images, "1 image", "{count:,} images")
    samples = int(concept["samples"])
    often = tr("{samples:,} per epoch", samples=samples) if samples else f"{TIMES}{float(concept['repeats']):g}"
    return f"{images} · {often}"


def state_of(concept: Values, summary: FolderSummary | None, wrong: int) -> tuple[str, str]:
    """The last line and the role of its colour: what is wrong, else where the captions come from."""
    if summary is not None and summary.problem:
        return summary.problem, "error"
    if wrong:
        return plural(wrong, "1 setting is wrong", "{count} settings are wrong"), "error"
    if summary is not None and summary.not_taken:
        return not_read(summary.not_taken), "changed"
    kind = "" if concept["kind"] == "train" else f"{choice_label('concepts.0.kind', concept['kind'])} · "
    return f"{kind}{tr(SOURCES[str(concept['captions'])])}", "text2"


def not_read(kinds: Kinds) -> str:
    """ "3 .heic and 1 .tga not read"."""
    return tr("{kinds} not read", kinds=listed(in_kinds(kinds)))


def write_card(cell: Cell, concept: Values, summary: FolderSummary | None, wrong: int) -> None:
    """Fill in everything but the picture."""
    on = bool(concept["enabled"])
    cell.switch(on)
    cell.words(0, title_of(concept), "text" if on else "text2", font="bold")
    cell.words(1, amount_of(concept, summary))
    cell.words(2, *state_of(concept, summary, wrong))
