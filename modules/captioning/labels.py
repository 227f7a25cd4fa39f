"""The tags that a tagger knows, in the order of its outputs, and from which probability each counts.

selected_tags.csv is SmilingWolf's format, which others took over; deepghs adds categories.json and thresholds.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.captioning.kinds import CATEGORIES
from modules.errors import UserError
from modules.system import reading
from modules.text import MB

FILE = "selected_tags.csv"
MOST = 50 * MB
DANBOORU = {
    "0": "general", "1": "artist", "3": "copyright", "4": "character", "5": "meta", "9": "rating", "10": "year",
}  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """Names with underscores, as boorus have them. `thresholds` are those that the files recommend, by category."""

    names: tuple[str, ...]
    categories: tuple[str, ...]
    thresholds: Mapping[str, float]


def labels_of(folder: Path) -> Labels:
    """The labels of the tagger in a folder.

    Raises:
        UserError: there are none, or they are damaged.
    """
    file = folder / FILE
    if not file.is_file():
        raise UserError("captioning.no-labels", "tagger", folder=folder, file=FILE)
    try:
        numbers = {**DANBOORU, **_category_names(folder)}
        rows = [(row["name"], numbers.get(row["category"], "other")) for row in _rows(file)]
        thresholds = _thresholds(folder, numbers)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise UserError("captioning.labels", "tagger", file=file) from error
    if not rows:
        raise UserError("captioning.labels", "tagger", file=file)
    names, categories = zip(*rows, strict=True)
    return Labels(names, tuple(known if known in CATEGORIES else "other" for known in categories), thresholds)


def _rows(file: Path) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(reading.read_text(file, MOST), newline=""))


def _category_names(folder: Path) -> dict[str, str]:
    file = folder / "categories.json"
    if not file.is_file():
        return {}
    return {str(each["category"]): str(each["name"]).lower() for each in reading.read_json(file)}


def _thresholds(folder: Path, numbers: Mapping[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    table, modes = folder / "thresholds.csv", folder / "threshold.json"
    if table.is_file():
        for row in _rows(table):  # one for each category, or several: the first is recommended
            found.setdefault(numbers.get(row["category"], "other"), float(row["threshold"]))
    elif modes.is_file():
        about: dict[str, Any] = reading.read_json(modes)
        found = {name: float(each["balanced"]["threshold"]) for name, each in about.items() if "balanced" in each}
    return found
