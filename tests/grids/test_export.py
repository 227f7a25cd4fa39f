"""Sheets, the web page and the table, of cells that are squares of one colour."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from modules.grids import sheet
from modules.grids.export import write_page, write_sheet, write_table

HOSTILE = "</script><script>alert(1)</script> & <b>"


def head(label: str, forgotten: float | None = None) -> dict[str, Any]:
    numbers = {"forgotten": forgotten, "learnt": None, "balance": None if forgotten is None else 0.5 - forgotten}
    return {"value": label, "label": label, "step": 0, "star": False, "backup": False, **numbers}


def grid(folder: Path, columns: int = 3, rows: int = 2, side: int = 64, tabs: tuple[str, ...] = ("",)) -> Path:
    """A grid of which the last cell is missing; the colour of a cell tells its place."""
    (folder / "cells").mkdir(parents=True)
    cells: list[dict[str, Any]] = []
    for tab in range(len(tabs)):
        for row in range(rows):
            for column in range(columns):
                name = f"cells/{tab}{row}{column}.png"
                done = (tab, row, column) != (len(tabs) - 1, rows - 1, columns - 1)
                if done:
                    Image.new("RGB", (side, side), colour(column, row, tab)).save(folder / name)
                place = {"column": column, "row": row, "tab": tab}
                cells.append({**place, "file": name, "done": done, "reused": False})
    axes = {
        "columns": {"kind": "step", "title": "step", "heads": [head(f"{n}00", 0.2 * n) for n in range(columns)]},
        "rows": {"kind": "prompt", "title": "prompt", "heads": [head(f"{HOSTILE} {n}") for n in range(rows)]},
        "tabs": {"kind": "none" if tabs == ("",) else "seed", "title": "seed", "heads": [head(tab) for tab in tabs]},
    }
    record = {"format": "seachange-grid", "version": 1, "name": "a grid", "axes": axes, "cells": cells}
    (folder / "grid.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def colour(column: int, row: int, tab: int) -> tuple[int, int, int]:
    return (40 + 60 * column, 40 + 60 * row, 40 + 60 * tab)


def test_a_sheet_has_every_cell_at_its_place_and_full_size(tmp_path: Path) -> None:
    folder = grid(tmp_path / "grid", tabs=("1", "2"))
    assert write_sheet(folder, tmp_path / "sheet.png", tab=1) == 1
    with Image.open(tmp_path / "sheet.png") as image:
        counts = {found[1]: found[0] for found in image.convert("RGB").getcolors(maxcolors=1_000_000) or []}
    for column in range(3):
        for row in range(2):
            wanted = 0 if (column, row) == (2, 1) else 64 * 64
            assert counts.get(colour(column, row, 1), 0) == wanted
    assert counts[sheet.EMPTY] == 64 * 64
    assert not {colour(c, r, 0) for c in range(3) for r in range(2)} & counts.keys()


def test_labels_are_whole_however_long_they_are(tmp_path: Path) -> None:
    font = sheet._font(14)  # pyright: ignore[reportPrivateUsage]
    text = "a very long prompt with many words, " * 20
    lines = sheet._wrapped(text, font, 200)  # pyright: ignore[reportPrivateUsage]
    assert " ".join(lines).split() == text.split()
    assert max(font.getlength(line) for line in lines) <= 200


def test_a_sheet_is_made_smaller_where_a_format_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = grid(tmp_path / "grid", columns=6, side=200)
    monkeypatch.setattr(sheet, "WEBP_LIMIT", 900)
    scale = write_sheet(folder, tmp_path / "sheet.webp")
    assert 0.3 < scale < 0.8
    with Image.open(tmp_path / "sheet.webp") as image:
        assert image.format == "WEBP" and max(image.size) <= 900
    assert write_sheet(folder, tmp_path / "sheet.png") == 1


class _Page(HTMLParser):
    """What a page is made of: the texts of its scripts, and everything that it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.links: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag == "script"
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)


def test_the_page_holds_the_grid_and_needs_nothing_else(tmp_path: Path) -> None:
    folder = grid(tmp_path / "grid")
    page = write_page(folder, tmp_path / "elsewhere")
    text = page.read_text(encoding="utf-8")
    parsed = _Page()
    parsed.feed(text)
    assert len(parsed.scripts) == 2 and parsed.links == []
    assert not re.search(r"https?:|//[a-z]", text.replace(HOSTILE, ""))
    held = json.loads(parsed.scripts[0])
    assert held["axes"]["rows"]["heads"][0]["label"] == f"{HOSTILE} 0"
    assert "innerHTML" not in text
    done = [cell["file"] for cell in held["cells"] if cell["done"]]
    assert len(done) == 5 and all((page.parent / file).is_file() for file in done)


def test_the_table_has_a_line_for_each_cell(tmp_path: Path) -> None:
    folder = grid(tmp_path / "grid")
    write_table(folder, tmp_path / "numbers.csv")
    with (tmp_path / "numbers.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 6 and lines[1]["step"] == "100" and lines[1]["forgotten"] == "0.2"
    assert lines[0]["prompt"] == f"{HOSTILE} 0" and [line["drawn"] for line in lines] == ["yes"] * 5 + ["no"]
