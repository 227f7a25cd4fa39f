"""The tab "Weight shift" of the page "Examine": how far a step of a run has moved from its base model, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Choice, EmptyState, Flow, Frame, Label, Option, ScrollArea, px
from app.gui.page import Page
from app.gui.run.run_list import RunList
from app.gui.session.run_history import Run
from app.gui.tools.card import ToolCard
from app.gui.tools.shift_view import FOLDER, ShiftView
from modules.grids.run_models import models_of
from modules.language import tr
from modules.merging.shift import NAME
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.run_folders import recorded_preset
from modules.tools import TOOLS

TICK_MS = 250
MOST_RUNS = 30  # that are listed
NOTHING = ""


class ShiftTab(Page):
    """A run and a step are chosen; what was measured of the run before is shown at once.

    Args:
        first: gives the run to begin with; None: the newest that has a model.
    """

    def __init__(self, master: object, context: AppContext, runs: RunList, first: Callable[[], Path | None]) -> None:
        super().__init__(master, context)
        self.runs, self._first = runs, first
        self.run: Path | None = None
        self._known: dict[tuple[Path, float], bool] = {}
        self.until_destroyed(context.app.every(TICK_MS, self._tick))

    def build(self) -> Iterator[None]:
        words = tr("No run has saved a model or made a backup yet.")
        self.empty = EmptyState(self, "activity", words, tr("Start training"), self.context.start)
        self.area = ScrollArea(self)
        holder = Frame(self.area.body)
        holder.pack(fill="x", padx=(px(20), px(20)), pady=(px(2), px(20)))
        self.card = ToolCard(holder, self.context, TOOLS["weight-shift"], bare=True)
        self.card.pack(fill="x")
        self.card.button.set(tr("Compare"))
        line = Flow(self.card.line)
        line.pack(side="left", fill="x", expand=True)
        self.choice = Choice(line, [], None, lambda folder: self.choose(Path(folder)), width=170, fit=True)
        self.step = Choice(line, [], None, lambda _: self._fill(), width=120)
        self.beside = Choice(line, [], NOTHING, lambda _: self._fill(), width=160, fit=True)
        line.add(self.choice, self.step, Label(line, tr("cosine with"), role="text2"), self.beside)
        words = tr("Compare measures how far each kind of layer has moved from the base model, block by block.")
        self.hint = Label(self.card.body, words, role="text2", wrap=True)
        yield

    # Which run --------------------------------------------------------------------------------------------------------

    def shown(self) -> None:
        """The run of the grid, as long as no other was chosen here."""
        options = {str(option.value): option for option in self.runs.options()[:MOST_RUNS]}
        values = [str(run.folder) for run, _ in self.runs.found[:MOST_RUNS] if self._has_steps(run)]
        self.choice.offer([options[value] for value in values])
        wanted = str(self.run or self._first() or "")
        chosen = wanted if wanted in values else next(iter(values), "")
        front, other = (self.area, self.empty) if chosen else (self.empty, self.area)
        other.pack_forget()
        front.pack(fill="both", expand=True)
        if chosen and (self.run is None or str(self.run) != chosen):
            self.choose(Path(chosen))

    def _has_steps(self, run: Run) -> bool:
        """Reads the settings of a run once, and again when it has gone on."""
        key = (run.folder, run.summary.when)
        if key not in self._known:
            self._known[key] = bool(steps_of(run.folder))
        return self._known[key]

    def takes_start(self) -> bool:
        self.card.run()
        return True

    def choose(self, run: Path) -> None:
        """Another run: its last step, or what was measured of it before."""
        self.run = run
        self.choice.set(str(run))
        steps = steps_of(run)
        options = [Option(step, tr("step {step:,}", step=step)) for step in steps]
        self.step.offer(options)
        self.step.set(steps[-1])
        self.beside.offer([Option(NOTHING, tr("no other step")), *options])
        self.beside.set(NOTHING)
        view = self._view
        view.begin()
        if (run / FOLDER / f"{NAME}.json").is_file():
            view.show(str(run / FOLDER))
            measured = str(view.shift.tuned if view.shift else "").rpartition(":")[2]
            if measured.isdecimal() and int(measured) in steps:
                self.step.set(int(measured))
        self._fill()
        self.refresh()

    def _fill(self) -> None:
        """What is chosen goes into the settings of the tool."""
        preset = recorded_preset(self.run) if self.run else None
        if self.run is None or preset is None:
            return
        other = self.beside.get()
        changes: dict[str, Any] = {
            "tuned": f"{self.run}:{self.step.get()}",
            "base": with_absolute_paths(preset).model.source,
            "out": str(self.run / FOLDER),
            "other": "" if other == NOTHING else f"{self.run}:{other}",
            "largest": True,
            "steps": True,
            "overwrite": True,
        }
        for name, value in changes.items():
            self.card.form.show(name, value)

    @property
    def _view(self) -> ShiftView:
        assert isinstance(self.card.view, ShiftView)
        return self.card.view

    def _tick(self) -> None:
        if self.winfo_viewable():
            self.refresh()

    def refresh(self) -> None:
        """Whether it can start, and what is there instead of the map."""
        self.card.refresh()
        for choice in (self.choice, self.step, self.beside):
            choice.disable(tr("This is running.") if self.card.owns_job else "")
        if self._view.winfo_manager() or self.card.owns_job:
            self.hint.pack_forget()
        else:
            self.hint.pack(fill="x", pady=px(6))


def steps_of(run: Path) -> list[int]:
    """Those that a run has left whole weights or an adapter's file of: what is a backup of an adapter alone is none."""
    preset = recorded_preset(run)
    if preset is None:
        return []
    kinds = ("saved", "backup") if preset.method.kind == "full" else ("saved",)
    return sorted({model.step for model in models_of(run) if model.kind in kinds and not model.average})
