"""The grid that says most of a run at the first look."""

from __future__ import annotations

from pathlib import Path

from modules.grids.axes import axis_of
from modules.grids.settings import Settings
from modules.grids.subject import subject_of


def usual_grid(run: Path) -> Settings:
    """Columns: base, five steps, the last and the best; rows: prompts of the run, prompts that the base knows, none.

    The values are spelled out, so that any of them can be taken away.

    Raises:
        UserError: the folder is no run, or the run has no model.
    """
    subject = subject_of(str(run), "")
    columns, rows = axis_of("step", (), subject, "column_values"), axis_of("prompt", (), subject, "row_values")
    return Settings(
        run=str(run),
        column_values=tuple(head.value for head in columns.heads),
        row_values=tuple(head.value for head in rows.heads),
    )
