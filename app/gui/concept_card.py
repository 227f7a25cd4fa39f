"""The card of a concept in the grid: picture, name, how many images, what is wrong, and its switch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.gui.folder_facts import Facts
from app.gui.words_of_choices import word_of
from modules.preset.paths import Values
from modules.system.bundled import SCHEME

if TYPE_CHECKING:
    from app.gui.kit import Cell

CELL = (196, 250)
LINES = 3
PICTURE = (188, 184)  # nearly square: what is cut off a portrait is not its head
TIMES = "\u00d7"

SOURCES = {
    "file": "captions from files",
    "filename": "captions from names",
    "folder": "captions from folders",
    "prompt": "one caption for all",
    "none": "no captions",
}


def title_of(concept: Values) -> str:
    """Its name; else that of its folder."""
    path = str(concept["path"])
    folder = path.removeprefix(SCHEME).capitalize() if path.startswith(SCHEME) else Path(path).name
    return str(concept["name"]) or folder or "New concept"


def amount_of(concept: Values, facts: Facts | None) -> str:
    """How many images, how often; the folder's name where it cannot be used."""
    if facts is None:
        images = "Looking …"
    elif facts.problem:
        images = Path(str(concept["path"])).name or "no folder"
    else:
        images = "1 image" if facts.images == 1 else f"{facts.images:,} images"
    samples = int(concept["samples"])
    often = f"{samples:,} an epoch" if samples else f"{TIMES}{float(concept['repeats']):g}"
    return f"{images} · {often}"


def state_of(concept: Values, facts: Facts | None, wrong: int) -> tuple[str, str]:
    """The last line and the role of its colour: what is wrong, else where the captions come from."""
    if facts is not None and facts.problem:
        return facts.problem, "error"
    if wrong:
        return "1 setting is wrong" if wrong == 1 else f"{wrong} settings are wrong", "error"
    kind = "" if concept["kind"] == "train" else f"{word_of('concepts.0.kind', concept['kind'])} · "
    return f"{kind}{SOURCES.get(str(concept['captions']), '')}", "text2"


def write_card(cell: Cell, concept: Values, facts: Facts | None, wrong: int) -> None:
    """Fill in everything but the picture."""
    on = bool(concept["enabled"])
    cell.words(0, title_of(concept), "text" if on else "text2", font="bold")
    cell.words(1, amount_of(concept, facts))
    cell.words(2, *state_of(concept, facts, wrong))
    cell.switch(on)
