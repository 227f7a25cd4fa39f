"""What came of tried values: the table, and below it the samples by value, or the curves of all runs in one chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.jobs.trial_groups import label_of
from app.gui.kit import Card, Choice, Frame, Head, Label, Option, PictureSheet, ScrollArea, Segmented, SheetCell, px
from app.gui.run.charts import LossCard
from app.gui.run.retention_card import RetentionCard
from app.gui.run.run_source import SampleImage
from app.gui.run.samples.image_viewer import ImageViewer
from app.gui.trials.outcomes import Outcome, Outcomes, number_words, sorted_by, table_text
from app.gui.trials.results_table import ResultsTable
from modules.language import plural, tr
from modules.system.files import write_text
from modules.text import listed
from modules.trials.groups import group_name

LAST = -1
GAP, LEAST = 12, 260  # pixels between table and views, and of the views where there is little room
SIZE, HEADS = 110, 92  # pixels of a picture, and of the words before a row
VIEWS = {"samples": "Samples", "retention": "Learnt / forgotten", "loss": "Loss"}


class Results(Frame):
    """`refresh` now and then: it fills while runs are made."""

    def __init__(self, master: Any, context: AppContext, group: str) -> None:
        super().__init__(master)
        self._context = context
        self.outcomes = Outcomes(context.jobs, group)
        self.step, self._drawn, self._followed = LAST, None, list[Any]()
        self._grid: list[tuple[Outcome, dict[int, SampleImage]]] = []
        self._prompts: list[int] = []
        self.area = ScrollArea(self)  # a low window, or large letters
        self.area.pack(fill="both", expand=True)
        self.table = ResultsTable(self.area.body, self._use, self._open)
        self.table.pack(fill="x")
        self.holder = Frame(self.area.body)
        self.holder.pack_propagate(False)
        self.holder.pack(fill="x", pady=(px(GAP), 0))
        self._make_views()
        self.turn("samples")
        for part in (self.area, self.table):
            part.bind("<Configure>", lambda _: self._fit(), add=True)

    def _fit(self) -> None:
        """The views take what the table leaves, and never less than shows something."""
        left = self.area.winfo_height() - self.table.winfo_reqheight() - px(GAP)
        self.holder.configure(height=max(left, px(LEAST)))

    def _make_views(self) -> None:
        self.samples = Card(self.holder, tr("Samples by value"))
        self.sheet = PictureSheet(self.samples.body, self._paint, size=SIZE, heads=HEADS, on_open=self._open_shot)
        self.sheet.pack(fill="both", expand=True)
        self.steps = Choice(self.samples.head, [], LAST, self._choose_step, width=110)
        self.retention, self.losses = RetentionCard(self.holder), LossCard(self.holder)
        self.views = {"samples": self.samples, "retention": self.retention, "loss": self.losses}
        self.choices: list[Segmented] = []
        for card in self.views.values():
            options = [Option(key, tr(words)) for key, words in VIEWS.items()]
            choice = Segmented(card.head, options, "samples", self.turn)
            choice.pack(side="right", padx=(px(8), 0), before=card.head.pack_slaves()[0])
            self.choices.append(choice)
        self.steps.pack(side="right")
        Label(self.samples.head, tr("Step"), font="small").pack(side="right", padx=(0, px(8)))

    @property
    def words(self) -> str:
        """ "3 runs that differ in the learning rate" """
        count = len(self.outcomes.entries)
        what = listed([label_of(path).lower() for path in self.outcomes.tried])
        return plural(count, "1 run with its own {what}", "{count} runs that differ in {what}", what=what)

    # What is shown ----------------------------------------------------------------------------------------------------

    def turn(self, view: str) -> None:
        """Samples, learnt against forgotten, or losses."""
        for key, card in self.views.items():
            if key == view:
                card.pack(fill="both", expand=True)
            else:
                card.pack_forget()
        for choice in self.choices:
            choice.set(view)

    def refresh(self) -> bool:
        """Read on, and show what is new. True: there is more to read at once."""
        more = self.outcomes.update()
        rows = self.outcomes.rows()
        self.table.show(rows, list(self.outcomes.tried))
        sources = [self.outcomes.sources[row.entry.id] for row in rows if row.entry.id in self.outcomes.sources]
        if sources != self._followed:
            self._followed = sources
            self.retention.follow(sources)
            self.losses.follow(sources)
        self.retention.refresh()
        self.losses.refresh()
        self._show_samples(rows)
        return more

    def _show_samples(self, rows: Sequence[Outcome]) -> None:
        ordered = sorted_by(rows, "")
        grid = [(row, self.outcomes.shots(row, self.step)) for row in ordered]
        now = [(row.label, row.state, row.numbers.get("balance"), tuple(shots.items())) for row, shots in grid]
        if now == self._drawn:
            return
        self._drawn, self._grid = now, grid
        self._prompts = sorted({number for _, shots in grid for number in shots})
        titles = {number: shot.prompt for _, shots in grid for number, shot in shots.items()}
        heads = [Head(titles[number] or tr("(empty prompt)")) for number in self._prompts]
        self.sheet.show(heads, [self._head(row) for row, _ in grid])
        steps = self.outcomes.steps()
        self.steps.offer([Option(LAST, tr("last")), *(Option(step, f"{step:,}") for step in steps)])
        self.steps.set(self.step)

    def _head(self, row: Outcome) -> Head:
        if "balance" not in row.numbers:
            return Head(row.label, row.state)
        balance = row.numbers["balance"]
        words = tr("balance {value}", value=number_words("balance", balance))
        return Head(row.label, words, "good" if balance >= 0 else "error")

    def _choose_step(self, step: int) -> None:
        self.step, self._drawn = step, None
        self._show_samples(self.outcomes.rows())

    def _paint(self, cell: SheetCell, row: int, column: int) -> None:
        shot = self._shot(row, column)
        if shot is None:
            cell.image(None, "\u2013")
            return
        photo = self._context.pictures.thumb(shot.path, cell.size, lambda _: self._arrived(row, column))
        cell.image(photo)

    def _arrived(self, row: int, column: int) -> None:
        if self.winfo_exists():
            self.sheet.refresh(row, column)

    def _shot(self, row: int, column: int) -> SampleImage | None:
        if row >= len(self._grid) or column >= len(self._prompts):
            return None
        return self._grid[row][1].get(self._prompts[column])

    # What a person does -----------------------------------------------------------------------------------------------

    def _open_shot(self, row: int, column: int) -> None:
        shot = self._shot(row, column)
        if shot is not None:
            shots = [found for n in range(len(self._grid)) if (found := self._shot(n, column))]
            ImageViewer(self, self._context, shots, shot)

    def _open(self, row: Outcome) -> None:
        if row.folder is not None:
            self._context.go("run", str(row.folder))

    def _use(self, row: Outcome) -> None:
        """The settings of the window become those; that can be undone."""
        draft = self._context.draft
        wrong = draft.apply(row.entry.changes, tr("Settings of {name}", name=row.entry.title))
        if wrong:
            self._context.notify(tr("That cannot be set: {wrong}", wrong=wrong), role="changed")
        else:
            self._context.notify(tr("{value} is set", value=row.label), tr("Undo"), draft.undo)

    def export(self) -> None:
        """The table as CSV."""
        name = f"{group_name(self.outcomes.group)}.csv"
        target: Path | None = self._context.app.ask_save_file(tr("Save the table"), name)
        if target is None:
            return
        try:
            write_text(target, table_text(self.outcomes.rows(), list(self.outcomes.tried)))
        except OSError as error:
            reason = error.strerror or str(error)
            self._context.notify(tr("{path} cannot be written: {reason}", path=target, reason=reason), role="error")
            return
        self._context.notify(tr("Written: {path}", path=target))

    def as_grid(self) -> None:
        """All runs side by side on the page Examine."""
        folders = [str(row.folder) for row in self.outcomes.rows() if row.folder is not None]
        if folders:
            self._context.go("examine", "\n".join(folders))
        else:
            self._context.notify(tr("No run has begun yet."))
