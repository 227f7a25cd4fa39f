"""A grid as it is being put together: its settings, what they come to, and which pictures are there. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from modules.errors import Problems, UserError
from modules.grids.axes import Axis, Head
from modules.grids.cells import Cell
from modules.grids.plan import Plan, plan
from modules.grids.record import read_record
from modules.grids.settings import Settings
from modules.preset.paths import Values
from modules.preset.validate import CANNOT_BE_USED, examine_section

Place = tuple[int, int, int]  # column, row, tab
Side = Literal["columns", "rows", "tabs"]
SIDES: tuple[Side, ...] = ("columns", "rows", "tabs")
VALUES: dict[Side, str] = {"columns": "column_values", "rows": "row_values", "tabs": "tab_values"}
EMPTY_PROMPT = "@empty"
KEPT, LOST = 0.4, 1.4  # of the number "forgotten": below kept, above overwritten


@dataclass(frozen=True)
class ShownGrid:
    """What the sheet shows: three axes, and the files that are there."""

    folder: Path
    columns: Axis
    rows: Axis
    tabs: Axis
    files: dict[Place, Path] = field(default_factory=dict[Place, Path])  # that are there; more come while it is made
    places: dict[Place, Cell] = field(default_factory=dict[Place, Cell])  # what is known of each before it is made
    reused: int = 0
    seconds: float = 0.0  # for what is missing; 0: nobody knows

    @property
    def count(self) -> int:
        return len(self.columns.heads) * len(self.rows.heads) * len(self.tabs.heads)

    @property
    def run_name(self) -> str:
        """Of the run whose grid it is; "" for none."""
        return self.folder.parent.parent.name if self.folder.parent.name == "grids" else ""

    def axis(self, side: Side) -> Axis:
        return getattr(self, side)

    def base_of(self, place: Place) -> Place | None:
        """The place beside it where the model is the base: its step, strength 0, or nothing merged in."""
        for number, side in enumerate(SIDES):
            axis = self.axis(side)
            for index, head in enumerate(axis.heads):
                if is_base(axis.kind, head):
                    return cast("Place", (*place[:number], index, *place[number + 1 :]))
        return None

    def step_head(self, place: Place) -> Head | None:
        """The step that a place belongs to, if an axis has steps."""
        found = (self.axis(side).heads[place[n]] for n, side in enumerate(SIDES) if self.axis(side).kind == "step")
        return next(found, None)


def is_base(kind: str, head: Head) -> bool:
    """Whether this value of an axis is the model as it was before."""
    if kind == "step":
        return head.value == "base"
    return kind in ("strength", "ratio") and float(head.value) == 0


def settings_of(values: Values) -> Settings:
    """Raises Problems for what cannot be used."""
    settings, wrong = examine_section(Settings, values)
    if wrong:
        raise Problems(CANNOT_BE_USED, list(wrong.values()))
    return cast("Settings", settings)


def planned(values: Values) -> ShownGrid:
    """The grid that these settings make. Takes a while: for a thread.

    Raises:
        UserError: they cannot be used, or the run is not there.
    """
    return shown(plan(settings_of(values)))


def shown(made: Plan) -> ShownGrid:
    cells = {(cell.column, cell.row, cell.tab): cell for cell in made.cells}
    files = {place: path for place, cell in cells.items() if (path := cell.path if cell.done else cell.sample)}
    return ShownGrid(made.folder, made.columns, made.rows, made.tabs, files, cells, made.found, made.seconds)


def opened(folder: Path) -> tuple[Values, ShownGrid]:
    """A grid from its folder: what is recorded there, where its models or its run have gone since.

    Raises:
        UserError: there is no such grid.
    """
    record = read_record(folder)
    settings = cast("Values", record["settings"])
    try:
        return settings, planned(settings)
    except UserError:
        axes = {side: _axis(cast("dict[str, Any]", record["axes"])[side]) for side in SIDES}
        cells = cast("Sequence[dict[str, Any]]", record["cells"])
        files = {
            (int(cell["column"]), int(cell["row"]), int(cell["tab"])): path
            for cell in cells
            if (path := folder / str(cell["file"])).is_file()
        }
        return settings, ShownGrid(folder, axes["columns"], axes["rows"], axes["tabs"], files)


def _axis(recorded: dict[str, Any]) -> Axis:
    return Axis(recorded["kind"], recorded["title"], tuple(Head(**head) for head in recorded["heads"]))


def forgotten_role(value: float | None) -> str:
    """The colour of the band that the number lies in."""
    if value is None:
        return "text3"
    return "good" if value < KEPT else "changed" if value <= LOST else "error"
