"""All samples of a run: a row for each prompt, a column for each step of the preset's prompts.

Prompts of the moment have steps of their own. A column for each of those would be a hole in every other row, so their
rows end at the right, where the newest stands, and each carries its step; where nothing but those is there, all begin
at the left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.kit import Frame, Head, PictureSheet, SheetCell
from app.gui.run.run_source import SampleImage, by_prompt
from modules.language import tr

HEADS = 118  # pixels of the words before a row


@dataclass(frozen=True)
class GalleryFacts:
    """What stands in the heads of the table, beside the samples themselves."""

    seeds: tuple[int, ...] = ()  # of the preset's prompts
    models: frozenset[int] = frozenset()  # steps with a saved model
    making: int = -1  # the step whose samples are being made; -1 for none


class Gallery(Frame):
    """`show(shots)`; the arrows go through steps and prompts, a click or Return opens a sample large.

    B held shows the first sample of the row in the place of the chosen one, K keeps the model of its column.

    Args:
        on_keep: called with the step of the chosen column.
        on_size: called with the size of the pictures once a person has changed it.
    """

    def __init__(
        self,
        master: Any,
        pictures: Any,
        *,
        size: int = 64,
        on_select: Callable[[SampleImage], object],
        on_open: Callable[[SampleImage], object],
        on_keep: Callable[[int], object] = lambda step: None,
        on_size: Callable[[float], object] = lambda size: None,
    ) -> None:
        super().__init__(master)
        self._pictures, self._on_select, self._on_open, self._on_keep = pictures, on_select, on_open, on_keep
        self._rows: list[list[SampleImage | None]] = []
        self._steps: list[int] = []
        self._facts = GalleryFacts()
        self._base = (-1, -1)  # the cell that shows its row's first sample for a moment
        self.table = PictureSheet(
            self, self._paint, size=size, heads=HEADS, on_select=self._selected, on_open=self._opened, on_size=on_size,
            follow=True,
        )  # fmt: skip
        self.table.pack(fill="both", expand=True)
        self.table.bind("<KeyPress-b>", lambda _: self._hold_base(self.table.current))
        self.table.bind("<KeyRelease-b>", lambda _: self._hold_base((-1, -1)))
        self.table.bind("<KeyPress-k>", lambda _: self._keep())

    def show(self, shots: Sequence[SampleImage], facts: GalleryFacts | None = None) -> None:
        """All samples of the run that is shown."""
        self._facts = facts or GalleryFacts()
        groups = list(by_prompt(shots).values())
        steps = sorted({shot.step for shot in shots if shot.number})
        if self._facts.making > max(steps, default=-1) and self._facts.making >= 0:
            steps.append(self._facts.making)
        columns = max(len(steps), *(len(group) for group in groups if not group[0].number), 0, 0)
        self._steps = [-1] * (columns - len(steps)) + steps
        self._rows = [_row(group, steps, columns) for group in groups]
        models = self._facts.models
        self.table.show(
            [
                Head(tr("base") if step == 0 else f"{step:,}" if step > 0 else "", star=step in models)
                for step in self._steps
            ],
            [Head(group[0].prompt or tr("(empty prompt)"), self._note(group[0])) for group in groups],
            (tr("Step"), ""),
        )

    def select(self, shot: SampleImage) -> None:
        """Mark the sample that is shown elsewhere."""
        for row, shots in enumerate(self._rows):
            if shot in shots:
                self.table.select(row, shots.index(shot))

    def shot_at(self, row: int, column: int) -> SampleImage | None:
        return self._rows[row][column]

    def _note(self, shot: SampleImage) -> str:
        """The seed of a prompt of the preset."""
        seeds = self._facts.seeds
        seed = seeds[shot.number - 1] if 0 < shot.number <= len(seeds) else -1
        return tr("seed {seed}", seed=seed) if seed >= 0 else ""

    def _paint(self, cell: SheetCell, row: int, column: int) -> None:
        shot = self.shot_at(row, column)
        if shot is not None and (row, column) == self._base:
            shot = next(shot for shot in self._rows[row] if shot is not None)
        if shot is None:
            self._paint_none(cell, row, column)
            return
        size = cell.size
        photo = self._pictures.thumb(shot.path, size, lambda _: self._arrived(row, column))
        gone = tr("gone") if self._pictures.failed(shot.path, size) else ""
        cell.image(photo, "" if photo is not None else gone)
        cell.plate("" if shot.number else f"{shot.step:,}", "camera")

    def _paint_none(self, cell: SheetCell, row: int, column: int) -> None:
        """Nothing yet, being made now, or never."""
        if self._steps[column] == self._facts.making >= 0:
            missing = [at for at, shots in enumerate(self._rows) if shots[column] is None]
            cell.image(None, tr("sampling") if missing[:1] == [row] else "")
        elif any(self._rows[row][:column]):
            cell.image(None, "\u2013")
        else:
            cell.blank()

    def _arrived(self, row: int, column: int) -> None:
        if self.winfo_exists():
            self.table.refresh(row, column)

    def _hold_base(self, place: tuple[int, int]) -> None:
        before, self._base = self._base, place
        for cell in {before, place} - {(-1, -1)}:
            self.table.refresh(*cell)

    def _keep(self) -> None:
        if self.table.current[1] >= 0:
            self._on_keep(self._steps[self.table.current[1]])

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
