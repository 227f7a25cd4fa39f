"""All samples of a run: a row for each prompt, a column for each step of the preset's prompts.

Prompts of the moment have steps of their own. A column for each of those would be a hole in every other row, so their
rows end at the right, where the newest stands; where nothing but those is there, all begin at the left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.gui.kit import Cell, Frame, PictureTable
from app.gui.run.run_source import SampleImage, by_prompt
from modules.language import tr


class Gallery(Frame):
    """`show(shots)`; the arrows go through steps and prompts, a click or Return opens a sample large."""

    def __init__(
        self,
        master: Any,
        pictures: Any,
        *,
        on_select: Callable[[SampleImage], object],
        on_open: Callable[[SampleImage], object],
    ) -> None:
        super().__init__(master)
        self._pictures, self._on_select, self._on_open = pictures, on_select, on_open
        self._rows: list[list[SampleImage | None]] = []
        self.table = PictureTable(self, self._paint, on_select=self._selected, on_open=self._opened)
        self.table.pack(fill="both", expand=True)

    def show(self, shots: Sequence[SampleImage]) -> None:
        """All samples of the run that is shown."""
        groups = list(by_prompt(shots).values())
        steps = sorted({shot.step for shot in shots if shot.number})
        columns = max(len(steps), *(len(group) for group in groups if not group[0].number), 0, 0)
        self._rows = [_row(group, steps, columns) for group in groups]
        self.table.show([group[0].prompt or tr("(empty prompt)") for group in groups], columns)

    def select(self, shot: SampleImage) -> None:
        """Mark the sample that is shown elsewhere."""
        for row, shots in enumerate(self._rows):
            if shot in shots:
                self.table.select(row, shots.index(shot))

    def shot_at(self, row: int, column: int) -> SampleImage | None:
        return self._rows[row][column]

    def _paint(self, cell: Cell, row: int, column: int) -> None:
        shot = self.shot_at(row, column)
        if shot is None:
            if any(self._rows[row][:column]):
                cell.image(None, "\u2013")
            else:
                cell.blank()
            return
        cell.words(0, f"{shot.step:,}", "text3")
        size = cell.picture_size
        photo = self._pictures.thumb(shot.path, size, lambda _: self._arrived(row, column))
        cell.image(photo, "" if photo is not None else "gone" if self._pictures.failed(shot.path, size) else "")

    def _arrived(self, row: int, column: int) -> None:
        if self.winfo_exists():
            self.table.refresh(row, column)

    def _selected(self, row: int, column: int) -> None:
        if shot := self.shot_at(row, column):
            self._on_select(shot)

    def _opened(self, row: int, column: int) -> None:
        if shot := self.shot_at(row, column):
            self._on_open(shot)


def _row(group: Sequence[SampleImage], steps: Sequence[int], columns: int) -> list[SampleImage | None]:
    """The samples of one prompt by column."""
    if not group[0].number and not steps:
        return [*group, *[None] * (columns - len(group))]
    if not group[0].number:
        return [*[None] * (columns - len(group)), *group]
    found = {shot.step: shot for shot in group}
    return [*[None] * (columns - len(steps)), *(found.get(step) for step in steps)]
