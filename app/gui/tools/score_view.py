"""What "Score images" has found: a table by step or column, a chart of one score, near-copies of training images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import (
    Badge,
    Bar,
    BarList,
    Chart,
    Divider,
    Frame,
    Label,
    LinkButton,
    Option,
    Segmented,
    px,
    tip,
)
from app.gui.session.open_external import open_external
from app.gui.tools.near_copies import NearCopies
from modules.errors import UserError
from modules.language import plural, tr
from modules.messages import Note
from modules.scores.kinds import SCORES
from modules.scores.record import TABLE, Scores, read_scores
from modules.scores.table import Number, Row, sides_of, table_of

HEAD, PITCH, LABEL = 80, 96, 70  # pixels: after which the name of a score is broken, of a column, of the first one
BESIDE = 620  # pixels from which near-copies stand beside the chart
ORDER = ""  # sorted by step or column
SHORT = {"": "All", "concept": "Concept", "known": "Known to the base", "other": "Others"}  # whose prompts
TITLES = {"step": "Step", "column": "Column", "": "Images"}


class ScoreView(Frame):
    """`show(folder)`. A click on the name of a score sorts by it and draws it; again: the other way round."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self.scores: Scores | None = None
        self.folder = Path()
        self.side = ""
        self.column, self.falling = ORDER, False  # what is sorted by
        self.drawn = ""  # the score of the chart
        self.chart: Chart | None = None
        self._wide, self._first = px(BESIDE), 0  # pixels that there are; the first score of the table
        self._pending = ""
        self.bind("<Configure>", lambda event: self._resized(event.width))

    def begin(self) -> None:
        self.pack_forget()

    def take(self, note: Note) -> bool:
        """Whether the note is shown here: the table says the same."""
        return any(problem.code.startswith(("score.row", "score.table")) for problem in note.problems)

    def show(self, path: str) -> None:
        """What was computed of this folder; nothing where nothing was."""
        try:
            self.scores = read_scores(Path(path))
        except UserError as error:
            self.scores = None
            self._context.notify(error.text(WORDS), role="error")
        self.folder = Path(path)
        if self.scores is None or not self.scores.made:
            self.pack_forget()
            return
        if self.side not in sides_of(self.scores):
            self.side = ""
        if self.drawn not in self.scores.made:
            self.drawn = next(name for name in SCORES if name in self.scores.made)
            self.column, self.falling = ORDER, False
        self._draw()
        self.pack(fill="x", pady=(px(4), 0))

    def sort(self, column: str) -> None:
        """By a score, the highest first; by the same again the other way round."""
        self.falling = not self.falling if column == self.column else column != ORDER
        self.column = column
        self.drawn = column or self.drawn
        self._draw()

    def turn(self, side: str) -> None:
        """Only what was drawn of such prompts."""
        self.side = side
        self._draw()

    def rows(self) -> list[Row]:
        """Those of the table, as they are sorted."""
        assert self.scores is not None
        rows = table_of(self.scores, self.side)
        if self.column != ORDER:
            rows = [row for row in rows if self.column in row.numbers]
            rows.sort(key=lambda row: row.numbers[self.column].mean)
        return rows[::-1] if self.falling else rows

    # Drawing ----------------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        scores = self.scores
        assert scores is not None
        self.clear()
        self._head(scores)
        self._table(scores)
        Divider(self).pack(fill="x", pady=px(10))
        below = Frame(self)
        below.pack(fill="x")
        beside = self._wide >= px(BESIDE)
        left = Frame(below)
        if "copies" in scores.made:
            copies = NearCopies(below, self._context, scores, self.side)
            if beside:
                copies.pack(side="right", padx=(px(16), 0), anchor="n")
            else:
                copies.pack(side="bottom", fill="x", pady=(px(12), 0))
        left.pack(side="left" if beside else "top", fill="both", expand=True)
        self._chart(left, scores)

    def _head(self, scores: Scores) -> None:
        line = Frame(self)
        line.pack(fill="x")
        Badge(line, plural(len(scores.images), "1 image", "{count:,} images")).pack(side="left")
        LinkButton(line, "CSV", lambda: self._open(self.folder / TABLE)).pack(side="right", padx=(px(10), 0))
        sides = ["", *sides_of(scores)]
        if len(sides) > 2:
            options = [Option(side, tr(SHORT[side])) for side in sides]
            Segmented(line, options, self.side, self.turn).pack(side="right")
        if sum(image.cut for image in scores.images):
            words = tr("Prompts that are longer than the model reads are compared by their beginning.")
            Label(self, words, font="small", role="text2", wrap=True).pack(fill="x", pady=(px(4), 0))

    def _open(self, file: Path) -> None:
        if problem := open_external(file):
            self._context.notify(problem)

    def _table(self, scores: Scores) -> None:
        table = Frame(self)
        table.pack(fill="x", pady=(px(8), 0))
        names, hidden = self._columns(scores)
        table.columnconfigure(list(range(len(names) + 1)), weight=1)
        self._title(table, 0, ORDER, tr(TITLES[scores.by]), "")
        for number, name in enumerate(names, 1):
            made, kind = scores.made[name], SCORES[name]
            within = tr("Compare only within one prompt.") if kind.within_prompt else ""
            words = [tr(kind.help), within, tr("Model: {model}", model=made.model)]
            self._title(table, number, name, tr(kind.title), "\n\n".join(filter(None, words)))
        rows = self.rows()
        best = {name: _best(name, rows) for name in names}
        for number, row in enumerate(rows, 1):
            label = Label(table, row.label or tr("all"))
            label.grid(row=number, column=0, sticky="nw", pady=px(3))
            tip(label, plural(row.images, "1 image", "{count:,} images"))
            for column, name in enumerate(names, 1):
                self._number(table, number, column, name, row, starred=row is best[name])
        if hidden:
            words = tr("More: {scores}", scores=", ".join(tr(SCORES[name].title) for name in hidden))
            LinkButton(self, words, self._next_columns).pack(anchor="e", pady=(px(4), 0))

    def _columns(self, scores: Scores) -> tuple[list[str], list[str]]:
        """The scores that there is room for, and the others, which a click brings."""
        names = [name for name in SCORES if name in scores.made]
        fit = max(1, (self._wide - px(LABEL)) // px(PITCH))
        if fit >= len(names):
            return names, []
        turned = [*names[self._first % len(names) :], *names[: self._first % len(names)]]
        return turned[:fit], turned[fit:]

    def _next_columns(self) -> None:
        assert self.scores is not None
        self._first += len(self._columns(self.scores)[0])
        self._draw()

    def _resized(self, wide: int) -> None:
        """Draw again where another number of columns, or one beside the other, has room now."""
        before, self._wide = self._wide, wide
        if self.scores is not None and self.winfo_manager() and before // px(PITCH) != wide // px(PITCH):
            self._pending = self._pending or self.after_idle(self._redraw)

    def _redraw(self) -> None:
        self._pending = ""
        self._draw()

    def _title(self, table: Frame, column: int, name: str, title: str, words: str) -> None:
        arrow = (" \u2193" if self.falling else " \u2191") if name == self.column else ""
        link = LinkButton(table, f"{title}{arrow}", lambda: self.sort(name))
        link.configure(wraplength=px(HEAD), justify="right" if column else "left")
        link.grid(row=0, column=column, sticky="se" if column else "sw", padx=px(6 if column else 0))
        if words:
            tip(link, words)

    def _number(self, table: Frame, row: int, column: int, name: str, of: Row, *, starred: bool) -> None:
        """The mean, and below it its interval."""
        if (number := of.numbers.get(name)) is None:
            return
        place = Frame(table)
        place.grid(row=row, column=column, sticky="ne", padx=px(6), pady=px(3))
        mean = Frame(place)
        mean.pack(anchor="e")
        Label(mean, mean_of(name, number), font="bold" if starred else "body", role="good" if starred else "text").pack(
            side="right"
        )
        if starred:
            Label(mean, image="star", role="good", size=12).pack(side="right", padx=px(3))
        Label(place, beside_mean(name, number), font="small", role="text3").pack(anchor="e")

    def _chart(self, master: Frame, scores: Scores) -> None:
        kind = SCORES[self.drawn]
        title = tr(kind.title) if scores.by != "step" else tr("{score} by step", score=tr(kind.title))
        Label(master, title, font="bold").pack(fill="x", pady=(0, px(4)))
        rows = [row for row in table_of(scores, self.side) if self.drawn in row.numbers]
        if len({row.step for row in rows if row.step >= 0}) < 2:
            bars = BarList(master)
            bars.pack(fill="x")
            bars.show([Bar(row.label, row.numbers[self.drawn].mean, mean_of(self.drawn, row.numbers[self.drawn]))
                       for row in rows])  # fmt: skip
            self.chart = None
            return
        self.chart = chart = Chart(master, height=200, from_zero=False)
        chart.pack(fill="x")
        for side in [self.side] if self.side else sides_of(scores) or [""]:
            known = [row for row in table_of(scores, side) if self.drawn in row.numbers and row.step >= 0]
            curve = chart.series(tr(SHORT[side]), dots=True)
            curve.add([row.step for row in known], [row.numbers[self.drawn].mean for row in known])


def _best(name: str, rows: list[Row]) -> Row | None:
    """The row with the best mean, where more or less is better and there is a choice."""
    known = [row for row in rows if name in row.numbers]
    better = SCORES[name].better
    if len(known) < 2 or not better:
        return None
    return (max if better == "higher" else min)(known, key=lambda row: row.numbers[name].mean)


def mean_of(name: str, number: Number) -> str:
    return f"{number.mean:.{SCORES[name].digits}f}"


def beside_mean(name: str, number: Number) -> str:
    """Half of the 95 % interval of the mean; how many near-copies there are."""
    if name == "copies":
        return plural(number.copies, "1 copy", "{count:,} copies")
    if number.low is None or number.high is None:
        return ""
    return f"\u00b1{(number.high - number.low) / 2:.{SCORES[name].digits}f}"
