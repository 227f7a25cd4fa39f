"""A grid for others: a labelled picture, a folder with a web page that needs nothing else, a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

from modules.grids.record import FILE, Record, read_record
from modules.grids.settings import Settings
from modules.grids.sheet import write_sheet
from modules.sentences.problem import Problem, problem
from modules.system.bundled import ROOT
from modules.system.files import write_text
from modules.system.reading import read_text

__all__ = ["export_all", "sheets_of", "write_page", "write_sheet", "write_table"]

PAGE, TABLE = "index.html", "numbers.csv"
TEMPLATE = ROOT / "resources" / "grid.html"
RECORD_MARK = "{{record}}"


def export_all(folder: Path, settings: Settings) -> Iterator[Problem]:
    """Write beside the cells what the settings ask for; yields what there is to say.

    Raises:
        UserError: the folder is no grid.
    """
    if settings.sheet != "none":
        for tab, target in enumerate(sheets_of(read_record(folder), folder, settings.sheet)):
            scale = write_sheet(folder, target, tab=tab)
            if scale < 1:
                yield problem("grid.smaller", file=target.name, share=scale)
    if settings.page:
        write_page(folder, folder)
    if settings.table:
        write_table(folder, folder / TABLE)


def sheets_of(record: Record, folder: Path, ending: str) -> list[Path]:
    """What the pictures are called, one for each tab."""
    count = len(record["axes"]["tabs"]["heads"])
    names = [f"sheet {number}" for number in range(1, count + 1)] if count > 1 else ["sheet"]
    return [folder / f"{name}.{ending}" for name in names]


def write_page(folder: Path, target: Path) -> Path:
    """Write index.html into a folder, with the cells beside it if that is another one; gives the page.

    Raises:
        UserError: the folder is no grid.
        OSError: it cannot be written.
    """
    record = read_record(folder)
    if target.absolute() != folder.absolute():
        for cell in record["cells"]:
            if (source := folder / cell["file"]).is_file():
                place = target / cell["file"]
                place.parent.mkdir(parents=True, exist_ok=True)
                copyfile(source, place)
        copyfile(folder / FILE, target / FILE)
    shown = {name: record[name] for name in ("name", "axes", "cells")}
    # No text of the user's ends the script that it stands in.
    data = json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    write_text(target / PAGE, read_text(TEMPLATE).replace(RECORD_MARK, data))
    return target / PAGE


def write_table(folder: Path, target: Path) -> None:
    """Write a line for each cell, with the numbers of its step.

    Raises:
        UserError: the folder is no grid.
        OSError: it cannot be written.
    """
    record = read_record(folder)
    axes = [record["axes"][name] for name in ("columns", "rows", "tabs")]
    text = io.StringIO()
    writer = csv.writer(text)
    titles = [axis["title"] for axis in axes if axis["kind"] != "none"]
    writer.writerow([*titles, "forgotten", "learnt", "balance", "file", "drawn"])
    for cell in record["cells"]:
        heads = [axis["heads"][cell[name]] for axis, name in zip(axes, ("column", "row", "tab"), strict=True)]
        labels = [head["label"] for axis, head in zip(axes, heads, strict=True) if axis["kind"] != "none"]
        measured = next((head for head in heads if head["forgotten"] is not None), {})
        numbers = [measured.get(name, "") for name in ("forgotten", "learnt", "balance")]
        writer.writerow([*labels, *numbers, cell["file"], "yes" if cell["done"] else "no"])
    write_text(target, text.getvalue())
