"""The plan of a grid: its axes and cells, in the order in which they are drawn, and which of them are there already.

The dearest change comes last: cells of one base model stand together, then those of one file, then of one strength.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.grids.axes import Axis, Head, axis_of
from modules.grids.cells import Cell, Weights, mark_of, name_of, prompt_for, weights_of
from modules.grids.measured import forgotten_in
from modules.grids.record import pace_of
from modules.grids.samples import Samples
from modules.grids.settings import Settings
from modules.grids.subject import Subject, subject_of
from modules.preset.files.naming import folder_name

MOST_CELLS = 20_000
AXES = (("columns", "column_values"), ("rows", "row_values"), ("tabs", "tab_values"))
CELLS = "cells"  # the folder of their files


@dataclass(frozen=True)
class Plan:
    """What a grid is to be, and how much of it there is."""

    settings: Settings
    folder: Path
    columns: Axis
    rows: Axis
    tabs: Axis
    cells: tuple[Cell, ...]  # in the order of drawing
    seconds: float  # for what is missing; 0: nobody knows

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def count(self) -> int:
        return len(self.cells)

    @property
    def found(self) -> int:
        """Cells that need not be drawn."""
        return sum(cell.done or cell.sample is not None for cell in self.cells)

    def is_there(self, cell: Cell) -> bool:
        return cell.path.is_file()


def plan(settings: Settings) -> Plan:
    """Look at the run and at what was drawn before. Reads no weights.

    Raises:
        UserError: there is no such run, a value is wrong, or two axes are alike.
    """
    _check_kinds(settings)
    subject = subject_of(settings.run, settings.model, average=settings.average)
    columns, rows, tabs = (
        axis_of(getattr(settings, kind), getattr(settings, values), subject, values) for kind, values in AXES
    )
    _check_size(columns, rows, tabs)
    folder = _folder(settings, subject)
    maker = _Cells(settings, subject, folder / CELLS)
    cells = maker.all(columns, rows, tabs)
    columns, rows, tabs = (maker.measured(axis, n, cells) for n, axis in enumerate((columns, rows, tabs)))
    missing = {cell.path: cell.prompt.steps for cell in cells if not (cell.done or cell.sample)}
    seconds = sum(missing.values()) * pace_of(folder.parent)
    return Plan(settings, folder, columns, rows, tabs, cells, seconds)


class _Cells:
    """Makes the cells of a grid; what several share is looked up once."""

    def __init__(self, settings: Settings, subject: Subject, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._subjects: dict[str, Subject] = {"": subject}
        self._samples: dict[str, Samples] = {}
        self._marks: dict[str, str] = {}

    def all(self, columns: Axis, rows: Axis, tabs: Axis) -> tuple[Cell, ...]:
        places = product(enumerate(tabs.heads), enumerate(rows.heads), enumerate(columns.heads))
        cells = [self._cell(column, row, tab, heads) for tab, row, column, heads in map(_placed, places)]
        order = _order(cells)
        return tuple(sorted(cells, key=lambda cell: (*order[cell.weights], cell.tab, cell.row, cell.column)))

    def measured(self, axis: Axis, side: int, cells: Sequence[Cell]) -> Axis:
        """With what this grid has measured of the weights at each ratio. `side`: 0 of columns, 1 of rows, 2 of tabs."""
        known = forgotten_in(self._folder.parent) if axis.kind == "ratio" else {}
        if not known:
            return axis
        heads: list[Head] = []
        for place, head in enumerate(axis.heads):
            weights = {cell.weights for cell in cells if (cell.column, cell.row, cell.tab)[side] == place}
            marks = {mark_of(each, self._marks) for each in weights}
            heads.append(replace(head, forgotten=known.get(marks.pop()) if len(marks) == 1 else None))
        return replace(axis, heads=tuple(heads))

    def _cell(self, column: int, row: int, tab: int, heads: Sequence[Head]) -> Cell:
        changes: dict[str, Any] = {kind: value for head in heads for kind, value in head.changes.items()}
        subject = self._subject(changes)
        weights = weights_of(changes, self._settings, subject)
        prompt = prompt_for(changes, self._settings, subject.preset)
        path = self._folder / f"{name_of(prompt, weights, subject.preset, self._marks)}.png"
        cell = Cell(column, row, tab, path, prompt, weights, done=path.is_file())
        if cell.done or not self._settings.reuse:
            return cell
        return replace(cell, sample=self._sample(subject, cell, changes))

    def _subject(self, changes: Mapping[str, Any]) -> Subject:
        key = str(changes.get("run", ""))
        if key not in self._subjects:
            self._subjects[key] = subject_of(key, self._settings.model, average=self._settings.average)
        return self._subjects[key]

    def _sample(self, subject: Subject, cell: Cell, changes: Mapping[str, Any]) -> Path | None:
        samples = self._samples.setdefault(str(subject.run), Samples(subject))
        step = 0
        if cell.weights.file:
            step = subject.picked(changes.get("step", self._settings.step), near="run" in changes).step
        return samples.alike(cell.prompt, cell.weights, step)


def _placed(place: Any) -> tuple[int, int, int, list[Head]]:
    (tab, of_tab), (row, of_row), (column, of_column) = place
    return tab, row, column, [of_column, of_row, of_tab]


def _order(cells: Sequence[Cell]) -> dict[Weights, tuple[int, ...]]:
    """When each set of weights has its turn: by base, merge, file, strength, each as first met; the bare base first."""
    seen: list[dict[Any, int]] = [{}, {}, {}, {}]
    found: dict[Weights, tuple[int, ...]] = {}
    for weights in dict.fromkeys(cell.weights for cell in cells):
        base, merge = (weights.source, weights.opening), (weights.second, weights.merge, weights.ratio)
        keys = (base, merge, (weights.file, weights.average), weights.strength)
        turns = [known.setdefault(key, len(known)) for known, key in zip(seen, keys, strict=True)]
        found[weights] = (turns[0], weights.merges, turns[1], bool(weights.file), turns[2], turns[3])
    return found


def _check_kinds(settings: Settings) -> None:
    """No kind twice; and what two kinds would both say is said by one."""
    kinds = [kind for kind in (settings.columns, settings.rows, settings.tabs) if kind != "none"]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice:
        raise UserError("grid.twice", "rows" if twice == settings.rows else "tabs", kind=twice)
    if "ratio" in kinds and not (settings.second or settings.merge):
        raise UserError("grid.no-second", "second")
    if settings.model and not settings.run and "step" in kinds and "run" not in kinds:
        raise UserError("grid.no-run", "run")


def _check_size(*axes: Axis) -> None:
    count = 1
    for axis in axes:
        count *= len(axis.heads)
    if count > MOST_CELLS:
        raise UserError("grid.too-many-cells", count=count, most=MOST_CELLS)


def _folder(settings: Settings, subject: Subject) -> Path:
    kinds = [kind for kind in (settings.columns, settings.rows, settings.tabs) if kind != "none"]
    name = folder_name(settings.name or " x ".join(kinds) or "one picture")
    if settings.out:
        return Path(settings.out).expanduser().absolute() / name
    return (subject.run or Path(subject.preset.general.workspace)) / "grids" / name
