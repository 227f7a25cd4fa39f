"""The table of tried values: a line for each run, sorted by a measure, with a star at the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.gui.jobs.trial_groups import label_of
from app.gui.kit import Badge, Card, Choice, Frame, Label, LinkButton, Option, ScrollArea, px
from app.gui.run.retention_card import band_of
from app.gui.trials.outcomes import USUAL, Outcome, best_of, known, number_words, sorted_by, value_words
from modules.language import tr

ROW, MOST_ROWS = 26, 5  # pixels of a line; lines that are seen without scrolling


class ResultsTable(Card):
    """`show(rows, tried)` draws it anew where something has changed.

    Args:
        use: called with the run whose settings are to be used.
        open_: called with the run that was clicked.
    """

    def __init__(
        self, master: Any, use: Callable[[Outcome], object], open_: Callable[[Outcome], object]
    ) -> None:  # fmt: skip
        super().__init__(master, tr("Results"))
        self._use, self._open = use, open_
        self.column: str | None = None  # None: the usual one
        self._shown: object = None
        self._rows: Sequence[Outcome] = ()
        self._tried: Sequence[str] = ()
        self.best = Badge(self.head, "")
        self.choice = Choice(self.head, [], "", self.sort, width=150)
        self.choice.pack(side="right")
        Label(self.head, tr("Sort by"), font="small").pack(side="right", padx=(0, px(8)))
        self.area = ScrollArea(self.body)
        self.area.pack(fill="x")
        self.area.pack_propagate(False)
        self.table = Frame(self.area.body)
        self.table.pack(fill="x")

    @property
    def key(self) -> str:
        """Of the measure by which it is sorted."""
        if self.column is not None:
            return self.column
        keys = {measure.key for measure in known(self._rows)}
        return next((key for key in USUAL if key in keys), "")

    def sort(self, key: str) -> None:
        """By another measure; "" for the order in which the runs were added."""
        self.column, self._shown = key, None
        self.show(self._rows, self._tried)

    def show(self, rows: Sequence[Outcome], tried: Sequence[str]) -> None:
        """These runs."""
        self._rows, self._tried = rows, tried
        now = [(row.label, row.state, tuple(row.numbers.items())) for row in rows]
        if now == self._shown:
            return
        self._shown = now
        measures = known(rows)
        self.choice.offer([Option("", tr("As added")), *(Option(each.key, tr(each.title)) for each in measures)])
        self.choice.set(self.key)
        self.table.clear()
        self._heads()
        best = best_of(rows, self.key)
        for number, row in enumerate(sorted_by(rows, self.key), 1):
            self._line(number, row, starred=row is best)
        self.area.configure(height=px(ROW) * (min(len(rows), MOST_ROWS) + 1))
        self._show_best(best_of(rows, "balance") or best)

    def _show_best(self, best: Outcome | None) -> None:
        if best is None:
            self.best.pack_forget()
            return
        words = tr("best balance: {value}") if "balance" in best.numbers else tr("best: {value}")
        self.best.set(words.format(value=best.label), "good")
        self.best.pack(side="left", padx=px(10))

    def _heads(self) -> None:
        columns = [*map(label_of, self._tried), *(tr(each.title) for each in known(self._rows)), ""]
        self.table.columnconfigure(0, minsize=px(34))
        for column, words in enumerate(columns, 1):
            self.table.columnconfigure(column, weight=1)
            label = Label(self.table, words, font="small", role="text2")
            label.grid(row=0, column=column, sticky="w", pady=px(4))
        for column, measure in enumerate(known(self._rows), 1 + len(self._tried)):
            self.table.grid_slaves(0, column)[0].bind("<ButtonRelease-1>", lambda _, key=measure.key: self.sort(key))

    def _line(self, number: int, row: Outcome, *, starred: bool) -> None:
        if starred:
            Label(self.table, image="star", role="changed").grid(row=number, column=0)
        column = 1
        for path in self._tried:
            words = value_words(path, row.entry.changes[path]) if path in row.entry.changes else "\u2013"
            label = Label(self.table, words, font="bold")
            label.grid(row=number, column=column, sticky="w", pady=px(4))
            label.bind("<ButtonRelease-1>", lambda _: self._open(row))
            column += 1
        for measure in known(self._rows):
            value = row.numbers.get(measure.key)
            words = number_words(measure.key, value)
            font = "bold" if measure.key == self.key and starred else "body"
            Label(self.table, words or "\u2013", font=font, role=role_of(measure.key, value)).grid(
                row=number, column=column, sticky="w"
            )
            column += 1
        if row.state:
            role = "error" if row.entry.state == "failed" else "text2"
            Label(self.table, row.state, font="small", role=role).grid(row=number, column=column, sticky="e")
        link = LinkButton(self.table, tr("Use these settings"), lambda: self._use(row))
        link.grid(row=number, column=column + 1, sticky="e", padx=(px(10), px(4)))


def role_of(key: str, value: float | None) -> str:
    """The colour of a number; its sign or its size says the same."""
    if value is None:
        return "text3"
    if key == "forgotten":
        return band_of(value)
    return ("good" if value >= 0 else "error") if key == "balance" else "text"
