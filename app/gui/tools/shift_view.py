"""What "Compare weights" has found: the net as a map, the cell that is pointed at, the layers that moved most."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import log10
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Badge, Chart, Frame, HeatMap, Label, LinkButton, Option, RoundFrame, Segmented, px
from app.gui.session.open_external import open_external
from app.gui.tools.blocks import columns_of
from modules.errors import UserError
from modules.language import plural, tr
from modules.merging.shift import NAME, Cell, Layer, Shift, read_shift
from modules.messages import Note
from modules.preset.sections.method import Adapter
from modules.text import fine_percent

MOST = 8  # layers that are listed
FOLDER = NAME  # of a run, where what was measured of it is kept
LAYERS = "method.layers"
DENOISER = "denoiser|"
UNIFORM = {"norm, bias", "embedding"}  # kinds of layers that no adapter changes
FACTS = (190, 200)  # pixels of the card beside the map
LEAST, LARGEST = 1e-5, 1e-1  # of the weight's norm: the ends of the scale
Value = Callable[[Cell | Layer], float | None]
MEASURES: dict[str, tuple[str, Value]] = {
    "relative": ("Relative", lambda cell: cell.relative),
    "norm": ("L2", lambda cell: cell.norm),
    "largest": ("Largest \u03c3", lambda cell: cell.largest),
    "cosine": ("Cosine", lambda cell: cell.cosine),
}


class ShiftView(Frame):
    """Below the tool's button; packed where there is something to show."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self.shift: Shift | None = None
        self.map: HeatMap | None = None
        self.measure = "relative"

    def begin(self) -> None:
        self.pack_forget()

    def take(self, note: Note) -> bool:
        """Whether this note is shown here and need not stand as a line: the table says the same."""
        return any(problem.code.startswith("shift.") for problem in note.problems)

    def show(self, path: str) -> None:
        """What was measured into this folder."""
        try:
            self.shift = shift = read_shift(Path(path))
        except UserError as error:
            self._context.notify(error.text(WORDS), role="error")
            return
        self.clear()
        given = [name for name, (_, value) in MEASURES.items() if any(value(cell) is not None for cell in shift.cells)]
        self.measure = given[0] if given else "norm"
        self._head(shift, given, Path(path))
        middle = Frame(self)
        middle.pack(fill="x", pady=px(6))
        card = RoundFrame(middle, "raised")
        card.configure(width=px(FACTS[0]), height=px(FACTS[1]))
        card.pack_propagate(False)
        card.pack(side="right", fill="y", padx=(px(10), 0))
        self.facts = Frame(card)
        self.facts.pack(fill="x", padx=px(12), pady=px(10))
        self.map = HeatMap(middle, self._look)
        self.map.pack(side="left", fill="x", expand=True)
        self._draw()
        self._look(None)
        below = Frame(self)
        below.pack(fill="x")
        if len(shift.steps) > 1:
            self._steps(below, shift)
        self._layers(below, shift, Path(path))
        self.pack(fill="x", pady=(px(10), 0))

    def _head(self, shift: Shift, given: list[str], folder: Path) -> None:
        line = Frame(self)
        line.pack(fill="x")
        Label(line, tr("Weight shift"), font="section").pack(side="left")
        if shift.relative is not None:
            words = tr("whole model {share}", share=in_words("relative", shift.relative))
            Badge(line, words).pack(side="left", padx=px(10))
        for ending in ("png", "csv"):
            file = folder / f"{NAME}.{ending}"
            LinkButton(line, ending.upper(), lambda file=file: self._open(file)).pack(side="right", padx=(px(10), 0))
        if len(given) > 1:
            options = [Option(name, tr(MEASURES[name][0])) for name in given]
            Segmented(line, options, self.measure, self._choose).pack(side="right")

    def _open(self, file: Path) -> None:
        if problem := open_external(file):
            self._context.notify(problem)

    def _choose(self, measure: str) -> None:
        self.measure = measure
        self._draw()

    def _draw(self) -> None:
        shift, value = self.shift, MEASURES[self.measure][1]
        assert shift is not None and self.map is not None
        found = {(cell.kind, cell.block): amount for cell in shift.cells if (amount := value(cell)) is not None}
        low, high = scale_of(self.measure, list(found.values()))
        if self.measure == "cosine":
            cells = {place: (abs(amount), "accent" if amount >= 0 else "changed") for place, amount in found.items()}
        else:
            span = log10(high) - log10(low)
            cells = {
                place: ((log10(max(amount, 1e-30)) - log10(low)) / span, "accent") for place, amount in found.items()
            }
        ends = tr("0, other way round in amber"), "1"
        if self.measure != "cosine":
            norm = tr("{share} of the weight\u2019s norm (log)", share=in_words(self.measure, high))
            ends = in_words(self.measure, low), norm if self.measure == "relative" else in_words(self.measure, high)
        self.map.show(shift.kinds, columns_of(tuple(shift.blocks)), cells, ends)

    def _look(self, place: tuple[str, str] | None) -> None:
        """What is known of a cell; None: of none."""
        self.facts.clear()
        assert self.shift is not None
        cell = next((each for each in self.shift.cells if (each.kind, each.block) == place), None)
        if cell is None:
            words = tr("Point at a cell; a click keeps it, arrow keys move.")
            Label(self.facts, words, role="text2", wrap=True).pack(fill="x")
            return
        Label(self.facts, cell.block, font="bold").pack(fill="x")
        Label(self.facts, cell.kind, font="small", role="text2").pack(fill="x", pady=(0, px(6)))
        facts = [(tr(title), value(cell), name) for name, (title, value) in MEASURES.items()]
        for title, amount, name in facts:
            if amount is not None:
                self._fact(self.facts, title, in_words(name, amount))
        self._fact(self.facts, tr("Tensors"), str(cell.count))
        if names := layers_in(self.shift, cell):
            link = LinkButton(self.facts, tr("Choose as layers"), lambda: self.choose_layers(cell, names))
            link.pack(anchor="w", pady=(px(6), 0))

    def choose_layers(self, cell: Cell, names: list[str]) -> None:
        """Train these layers of the project alone; the message has a link that undoes it."""
        draft = self._context.draft
        adapter = isinstance(draft.preset().method, Adapter)
        if draft.get(LAYERS) is None:
            self._context.notify(tr("The method of the project does not ask for layers."))
            return
        if adapter and cell.kind in UNIFORM:
            self._context.notify(tr("An adapter has no place for layers of this kind."))
            return
        changes: dict[str, Any] = {LAYERS: in_a_setting(names)}
        if adapter and cell.kind == "convolution":
            changes["method.conv"] = True
        where = f"{cell.block}, {cell.kind}"
        wrong = draft.apply(changes, tr("Layers: {where}", where=where))
        words = plural(len(names), "Method > Layers: 1 layer ({where})", "Method > Layers: {count} layers ({where})",
                       where=where)  # fmt: skip
        self._context.notify(wrong or words, "" if wrong else tr("Undo"), draft.undo)

    def _fact(self, master: Any, title: str, words: str) -> None:
        line = Frame(master)
        line.pack(fill="x", pady=px(2))
        Label(line, title, font="small", role="text2").pack(side="left")
        Label(line, words, font="small").pack(side="right")

    def _steps(self, master: Any, shift: Shift) -> None:
        left = Frame(master)
        left.pack(side="left", fill="both", expand=True, padx=(0, px(16)))
        Label(left, tr("Over the steps of the run, in %"), font="bold").pack(fill="x", pady=(px(6), px(2)))
        chart = Chart(left, height=190)
        chart.pack(fill="x")
        moved = sorted(shift.kinds, key=lambda kind: -shift.steps[-1].kinds.get(kind, 0.0))[:4]
        for kind in moved:
            known = [step for step in shift.steps if kind in step.kinds]
            curve = chart.series(kind, dots=True)
            curve.add([step.step for step in known], [100 * step.kinds[kind] for step in known])

    def _layers(self, master: Any, shift: Shift, folder: Path) -> None:
        right = Frame(master)
        right.pack(side="left", fill="both", expand=True)
        line = Frame(right)
        line.pack(fill="x", pady=(px(6), px(2)))
        Label(line, tr("Moved most"), font="bold").pack(side="left")
        words = plural(len(shift.layers), "All of 1 tensor", "All {count:,} tensors")
        LinkButton(line, words, lambda: self._open(folder / f"{NAME}.csv")).pack(side="right")
        measure = "norm" if shift.relative is None else "relative"
        for layer in shift.layers[:MOST]:
            row = Frame(right)
            row.pack(fill="x", pady=px(1))
            amount = MEASURES[measure][1](layer)
            Label(row, in_words(measure, amount or 0.0), font="small").pack(side="right", padx=(px(10), 0))
            name = layer.name.partition("|")[2].removesuffix(".weight")
            Label(row, name, font="small", role="text2").pack(side="left", fill="x")


def layers_in(shift: Shift, cell: Cell) -> list[str]:
    """The layers of the denoiser that a cell stands for, by their names in the model."""
    found = [layer.name for layer in shift.layers if (layer.block, layer.kind) == (cell.block, cell.kind)]
    names = (name.removeprefix(DENOISER) for name in found if name.startswith(DENOISER))
    return sorted({name.rpartition(".")[0] for name in names})


def in_a_setting(names: list[str]) -> str:
    """Layers as expressions, each for this one alone."""
    return ", ".join(rf"^{re.escape(name)}\b" for name in names)


def scale_of(measure: str, values: list[float]) -> tuple[float, float]:
    """The ends of the colours."""
    if measure == "relative":
        return LEAST, LARGEST
    most = max(values, default=1.0) or 1.0
    return most / 1e4, most


def in_words(measure: str, amount: float) -> str:
    return fine_percent(amount) if measure == "relative" else f"{amount:.3g}"
