"""Draw a grid: the same pictures at several steps of a run, strengths, prompts or settings, side by side.

A cell is a file named after what made it, written as a whole: what is there is not drawn again, after a stop, a kill or
a further column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from shutil import copyfile
from time import monotonic
from typing import TYPE_CHECKING

from modules.errors import UserError
from modules.grids.settings import Settings
from modules.messages import GridCell, Stage, note
from modules.sentences.problem import problem

if TYPE_CHECKING:
    from modules.grids.cells import Cell, Weights
    from modules.grids.plan import Plan
    from modules.preset.preset import Preset
    from modules.tools.grid_models import GridModel
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell
    from modules.trainer.sampling.sampler import Sample, Sampler

__all__ = ["Settings", "run"]


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Draw what is missing of a grid and write its sheet; gives its folder.

    Raises:
        UserError: the settings make no grid, the folder cannot be written, or not one cell could be drawn.
    """
    from modules.grids.export import export_all  # noqa: PLC0415
    from modules.grids.plan import plan  # noqa: PLC0415
    from modules.trainer.run_folder.workspace import check_writable  # noqa: PLC0415

    made = plan(settings)
    check_writable(made.folder)
    drawing = Drawing(made, tell, control)
    drawing.draw()
    for said in export_all(made.folder, settings):
        tell(note(said))
    return str(made.folder)


def _named(sample: Sample, weights: Weights, *, full: bool) -> tuple[Sample, str]:
    """What the file of a cell says of its weights: an adapter with its strength, or a model by its name."""
    file, base = Path(weights.file).stem, Path(weights.source).stem
    if weights.file and not full:
        return replace(sample, loras=((file, weights.strength), *sample.loras)), base
    strength = "" if weights.strength == 1 else f" at {weights.strength:g}"
    return sample, f"{file}{strength}" if weights.file else base


def _base(cell: Cell) -> tuple[str, str]:
    return cell.weights.source, cell.weights.opening


class Drawing:
    """Draws the cells of a plan and tells of each."""

    def __init__(self, plan: Plan, tell: Tell, control: Control) -> None:
        self._plan, self._tell, self._control = plan, tell, control
        self._reused: dict[Path, bool] = {cell.path: False for cell in plan.cells if cell.done}
        self._done = 0  # cells
        self._seconds, self._steps = 0.0, 0
        self._failures: list[UserError] = []
        self._marks: dict[str, str] = {}  # fingerprints of files

    def draw(self) -> None:
        """All that is missing. What cannot be drawn is told, and the others are.

        Raises:
            UserError: nothing could be drawn.
            Interrupted: somebody stopped it; what is drawn stays.
        """
        self._record()
        try:
            self._take_what_is_there()
            for _, cells in groupby(self._missing(), key=_base):
                self._draw_with_base([*cells])
        finally:
            self._record()
        if self._failures and not self._done:
            raise self._failures[0]

    def _take_what_is_there(self) -> None:
        for cell in self._plan.cells:
            if cell.sample and not cell.path.is_file():
                self._copy(cell.sample, cell.path)
            if cell.path.is_file():
                self._finished(cell, reused=True)

    def _copy(self, sample: Path, target: Path) -> None:
        from modules.system.files import staged_file  # noqa: PLC0415

        with staged_file(target) as draft:
            copyfile(sample, draft)
        self._reused[target] = True

    def _missing(self) -> list[Cell]:
        return [cell for cell in self._plan.cells if not cell.path.is_file()]

    def _draw_with_base(self, cells: Sequence[Cell]) -> None:
        """All cells of one base model, which is opened once."""
        from modules.grids.subject import subject_of  # noqa: PLC0415
        from modules.tools.grid_models import GridModel  # noqa: PLC0415

        source = cells[0].weights.source
        presets = {run: subject_of(run, source).preset for run in dict.fromkeys(cell.weights.run for cell in cells)}
        self._tell(Stage("stage.opening-model"))
        try:
            preset, merges = presets[cells[0].weights.run], any(cell.weights.merges for cell in cells)
            prompts = [cell.prompt for cell in cells]
            model = GridModel(source, preset, prompts, self._tell, self._control, merges=merges)
            self._tell(Stage("stage.reading-prompts"))
            if self._to_measure(cells):
                model.ask_base()
            model.read(cells, presets)
        except UserError as error:
            self._failed(error, len(cells))
            return
        for weights, alike in groupby(cells, key=lambda cell: cell.weights):
            self._draw_with(model, weights, presets[weights.run], [*alike])

    def _draw_with(self, model: GridModel, weights: Weights, preset: Preset, cells: Sequence[Cell]) -> None:
        left = len(cells)
        try:
            with model.holding(weights, preset) as sampler:
                self._measure(model, weights)
                for _, same in groupby(cells, key=lambda cell: cell.path):
                    places = [*same]
                    self._draw_cell(sampler, places, preset)
                    left -= len(places)
        except UserError as error:
            self._failed(error, left)

    def _to_measure(self, cells: Sequence[Cell]) -> list[str]:
        """The marks of merged weights of which it is not known how much they have forgotten."""
        from modules.grids.cells import mark_of  # noqa: PLC0415
        from modules.grids.measured import forgotten_in  # noqa: PLC0415

        wanted = {cell.weights for cell in cells if cell.weights.merges} if self._plan.settings.forgotten else set()
        known = forgotten_in(self._plan.folder) if wanted else {}
        return [mark for each in wanted if (mark := mark_of(each, self._marks)) not in known]

    def _measure(self, model: GridModel, weights: Weights) -> None:
        from modules.grids.cells import mark_of  # noqa: PLC0415
        from modules.grids.measured import keep_forgotten  # noqa: PLC0415

        if not (self._plan.settings.forgotten and weights.merges):
            return
        if (found := model.forgotten()) is not None:
            keep_forgotten(self._plan.folder, mark_of(weights, self._marks), found)

    def _draw_cell(self, sampler: Sampler, places: Sequence[Cell], preset: Preset) -> None:
        """One picture by itself: what else is missing does not change it. `places`: where in the grid it stands."""
        from modules.trainer.sampling.image_files import save_sample  # noqa: PLC0415

        cell, done, began = places[0], 0, monotonic()

        def step_done(images: int) -> None:
            nonlocal done
            done += images
            self._control.check()
            self._tell(GridCell("", cell.column, cell.row, cell.tab, done=done, total=cell.prompt.steps))

        if not cell.path.is_file():
            (sample,) = sampler.draw([cell.prompt], step_done)
            named, model = _named(sample, cell.weights, full=preset.method.kind == "full")
            save_sample(named, cell.path, model=model)
            self._seconds += monotonic() - began
            self._steps += done
        for place in places:
            self._finished(place, reused=False)

    def _finished(self, cell: Cell, *, reused: bool) -> None:
        self._done += 1
        self._tell(GridCell(str(cell.path), cell.column, cell.row, cell.tab, reused))
        self._tell(Stage("stage.grid", self._done, self._plan.count))

    def _failed(self, error: UserError, count: int) -> None:
        self._failures.append(error)
        self._tell(note(problem("grid.not-drawn", count=count, why=error.report), level="error"))

    def _record(self) -> None:
        from modules.grids.plan import plan  # noqa: PLC0415
        from modules.grids.record import write_record  # noqa: PLC0415

        if self._plan.settings.forgotten:  # it has been measured meanwhile
            self._plan = plan(self._plan.settings)
        write_record(self._plan, self._reused, self._seconds / self._steps if self._steps else 0.0)
