"""The tab "Grids" of the page "Examine": pictures that show what was learnt and what was lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.enqueue import enqueue, goes_into_queue, queue_reason, tool_entry
from app.gui.examine.blind import BlindDialog, pairs_of
from app.gui.examine.exports import Exports
from app.gui.examine.form import WIDTH, GridForm
from app.gui.examine.kept import KeptModels
from app.gui.examine.sheet import GridSheet
from app.gui.examine.viewer import GridViewer
from app.gui.grids.grid_draft import Place, ShownGrid, opened, planned
from app.gui.grids.job import TOOL, GridJob
from app.gui.kit import EmptyState, Frame, Option, popup, px
from app.gui.page import Page
from app.gui.run.run_list import RunList
from app.gui.run_control import busy_reason
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import Problems, UserError
from modules.grids.prompts import dataset_prompts, file_prompts, known_prompts
from modules.grids.record import FILE, saved_grids
from modules.grids.run_models import models_of
from modules.grids.usual import usual_grid
from modules.language import tr
from modules.preset.paths import Values
from modules.run_folders import recorded_preset

TICK_MS, SETTLES_MS = 250, 150
EDGE, GAP = 20, 12
MOST_PROMPTS = 5  # that a link adds
AROUND = 2  # steps before and after
MOST_MEASURED = 2000  # pictures whose size on disk is added up
Found = tuple[Values, ShownGrid, int]


class GridTab(Page):
    """What a grid is made of at the left, its pictures at the right. Settings are looked at in a thread."""

    def __init__(self, master: object, context: AppContext, runs: RunList) -> None:
        super().__init__(master, context)
        self.runs = runs
        self.job = GridJob(context, self._job_changed)
        self.exports = Exports(context)
        self.kept = KeptModels(context, lambda: self.sheet.content, self._kept_changed)
        self._looking: WorkerPoll[Found] = WorkerPoll(self, self._found, self._refused)
        self._asking: WorkerPoll[list[str]] = WorkerPoll(self, self._prompts_found, self._refused)
        self.viewer: GridViewer | None = None
        self._built = False
        self.until_destroyed(
            context.running.listen(self.job.heard), context.app.every(TICK_MS, self._tick),
            self._looking.cancel, self._asking.cancel, self.exports.close, self.kept.close,
        )  # fmt: skip

    @property
    def looking(self) -> bool:
        """Whether it is being worked out what the settings come to."""
        return bool(self._pending) or self._looking.busy

    def build(self) -> Iterator[None]:
        self.main = Frame(self)
        left = Frame(self.main, width=WIDTH)
        left.pack_propagate(False)
        left.pack(side="left", fill="y")
        self.form = GridForm(
            left, on_change=self._changed, on_generate=self.generate, on_open=self._open_saved, on_run=self._choose_run,
            on_prompts=self._add_prompts,
        )  # fmt: skip
        self.form.pack(fill="both", expand=True)
        yield
        self.sheet = GridSheet(
            self.main, self.context, self.job, on_open=self._open, on_keep=self.kept.keep, kept=self.kept.has,
            on_blind=self._blind, on_export=self._export,
        )  # fmt: skip
        self.sheet.pack(side="left", fill="both", expand=True, padx=(px(GAP), 0))
        yield
        words = tr("A grid shows the same prompts at several steps of a run, side by side.")
        self.empty = EmptyState(self, "grid-3x3", words, tr("Grid of the last run"), self.of_last_run)
        self.empty.pack(fill="both", expand=True)
        self._built = True
        self._open_last()

    def _open_last(self) -> None:
        """The grid that was shown when the window was closed."""
        folder = self.context.window_state.get("grid", str)
        if folder and Path(folder).is_dir():
            self._look(lambda: opened(Path(folder)))

    # Which grid -------------------------------------------------------------------------------------------------------

    def reveal(self, path: str) -> None:
        """A grid around a step of a run: "FOLDER@1000"; of a folder alone its usual grid; of several, one a line, those
        side by side.
        """  # noqa: D205 - one sentence
        if "\n" in path:
            self._side_by_side(path.splitlines())
            return
        folder, _, step = path.rpartition("@")
        if folder and step.isdecimal() and Path(folder).is_dir():
            self._usual(Path(folder), around=int(step))
        elif Path(path).is_dir():
            self._usual(Path(path))

    def takes_start(self) -> bool:
        self.generate()
        return True

    def of_last_run(self) -> None:
        """The usual grid of the newest run that has left a model."""
        run = next((run for run, _ in self.runs.found if models_of(run.folder)), None)
        if run is None:
            self.context.notify(
                tr("No run has saved a model or made a backup yet."), tr("Start training"), self.context.start
            )
        else:
            self._usual(run.folder)

    def _usual(self, run: Path, around: int = -1) -> None:
        def made() -> tuple[Values, ShownGrid]:
            settings = usual_grid(run)
            if around >= 0:
                settings = settings.model_copy(update={"column_values": tuple(steps_around(run, around))})
            values = settings.model_dump(mode="json")
            return values, planned(values)

        self._look(made)

    def _side_by_side(self, folders: list[str]) -> None:
        def made() -> tuple[Values, ShownGrid]:
            settings = usual_grid(Path(folders[0])).model_copy(
                update={"columns": "run", "column_values": tuple(folders)}
            )
            values = settings.model_dump(mode="json")
            return values, planned(values)

        self._look(made)

    def _look(self, make: Any) -> None:
        """Work out in a thread what settings come to."""

        def work(report: Any, stop: Any) -> Found:
            values, grid = make()
            return values, grid, size_of(grid)

        self._forget_change()
        self._looking.start(Worker(work))

    def _changed(self) -> None:
        """The settings are others: look once nobody types any more, and want no answer about those before."""
        self._looking.cancel()
        self._forget_change()
        self._pending = self.after(SETTLES_MS, self._look_again)
        self._refresh_button()

    def _forget_change(self) -> None:
        if self._pending:
            self.after_cancel(self._pending)
            self._pending = ""

    def _look_again(self) -> None:
        values = dict(self.form.values)
        self._look(lambda: (values, planned(values)))

    def _found(self, found: Found) -> None:
        values, grid, size = found
        self._show_main()
        self.form.show(values)
        self.form.same.complain("")
        self.form.found(grid)
        if not self.job.going:
            self.job.files = {}
        self.sheet.show(grid, size)
        if (grid.folder / FILE).is_file():
            self.context.window_state.put("grid", str(grid.folder))
        self._refresh_button()

    def _refused(self, error: UserError) -> None:
        """Settings that make no grid: what is wrong stands in the card."""
        if not self.main.winfo_manager():
            self.context.notify(error.text(WORDS), role="error")
            return
        problems = error.problems if isinstance(error, Problems) else (error.problem,)
        self.form.same.complain(problems[0].path)
        self.form.tell(WORDS.sentence(problems[0]))
        self._refresh_button()

    def _show_main(self) -> None:
        if not self.main.winfo_manager():
            self.empty.pack_forget()
            self.main.pack(fill="both", expand=True, padx=px(EDGE), pady=(px(2), px(14)))

    # Making it --------------------------------------------------------------------------------------------------------

    def generate(self) -> None:
        """Make what is missing; while something else runs, wait in the queue."""
        if not self.main.winfo_manager() or self._blocked():
            return
        if self._queues:
            enqueue(self.context, tool_entry(TOOL, dict(self.form.values)))
            return
        try:
            self.job.start({**self.form.values, "name": self.form.values["name"]})
        except UserError as error:
            self.form.tell(error.text(WORDS))

    def _blocked(self) -> str:
        """Why no grid can be made now."""
        if self.job.going:
            return tr("A grid is being made.")
        if self.context.running.busy and not self._queues:
            return busy_reason(self.context.running.what)
        if self.form.wrong.cget("text"):
            return str(self.form.wrong.cget("text"))
        return tr("Looking at the run \u2026") if self.looking else ""

    @property
    def _queues(self) -> bool:
        return goes_into_queue(self.context) and not self.job.going

    def _refresh_button(self) -> None:
        queues = self._queues
        words, hint = (tr("Add to queue"), queue_reason(self.context)) if queues else (tr("Generate"), "Ctrl+Return")
        self.form.generate.set(words, image="list-plus" if queues else "play", hint=hint)
        self.form.generate.disable(self._blocked())
        self.form.disable(tr("A grid is being made.") if self.job.going else "")

    def _job_changed(self, place: Place | None) -> None:
        if not self._built:
            return
        self.sheet.refresh(place)
        if place is not None and self.viewer is not None and self.viewer.winfo_exists():
            self.viewer.arrived(place)
        if place is None:
            self._refresh_button()
            if not self.job.going and self.sheet.content is not None:
                self.sheet.content = replace(self.sheet.content, files={**self.sheet.content.files, **self.job.files})
                self._look_again()

    def _tick(self) -> None:
        if self._built and self.winfo_viewable():
            self._refresh_button()

    # What a person does -----------------------------------------------------------------------------------------------

    def _open(self, place: Place) -> None:
        grid = self.sheet.content
        if grid is None or self.sheet.path(place) is None:
            return
        self.viewer = GridViewer(
            self, self.context, grid, place, path=self.sheet.path, kept=self.kept, moved=self._viewer_moved,
            around=lambda step: self._usual(grid.folder.parent.parent, step) if self.form.run_folder else None,
        )  # fmt: skip

    def _viewer_moved(self, place: Place) -> None:
        if place[2] != self.sheet.tab:
            self.sheet.turn(place[2])
        self.sheet.sheet.select(place[1], place[0])

    def _kept_changed(self) -> None:
        self.sheet.refresh()
        if self.viewer is not None and self.viewer.winfo_exists():
            self.viewer.kept_changed()

    def _blind(self) -> None:
        grid = self.sheet.content
        if grid is None:
            return
        files = {place: path for place in places_of(grid) if (path := self.sheet.path(place)) is not None}
        pairs = pairs_of(grid, list(files))
        if pairs:
            BlindDialog(self, self.context, grid, files, pairs)
        else:
            self.context.notify(tr("Two columns with pictures are needed to compare."))

    def _export(self, under: Any) -> None:
        if self.sheet.content is not None:
            self.exports.open(under, self.sheet.content.folder, self.sheet.tab)

    def _open_saved(self) -> None:
        """A list of the grids of all runs."""
        found = [(run, folder) for run, _ in self.runs.found for folder in saved_grids(run.folder)]
        options = [Option(str(folder), folder.name, group=run.name) for run, folder in found]
        if not options:
            self.context.notify(tr("No grid was saved yet."))
        elif self.form.link is not None:
            popup(self.form.link, options, lambda folder: self._look(lambda: opened(Path(folder))), width=320)

    def _choose_run(self, under: Any) -> None:
        options = self.runs.options()
        if options:
            popup(under, options, lambda folder: self._usual(Path(folder)), current=self.form.values["run"], width=420)
        else:
            self.context.notify(tr("There is no run yet."))

    def _add_prompts(self, source: str) -> None:
        run = self.form.run_folder
        if source == "file":
            file = self.context.app.ask_open_file(tr("A file of prompts"), (("Text", "*.txt"),))
            if file is not None:
                self._asking.start(Worker(lambda report, stop: file_prompts(file)))
        elif run is not None:
            self._asking.start(Worker(lambda report, stop: prompts_of_run(run, source)))

    def _prompts_found(self, prompts: list[str]) -> None:
        self.form.add_prompts(prompts)


def prompts_of_run(run: Path, source: str) -> list[str]:
    """Some of the dataset's captions, or prompts that the base knows.

    Raises:
        UserError: the images cannot be found.
    """
    preset = recorded_preset(run)
    if preset is None:
        raise UserError("run.no-settings", name=run.name)
    return dataset_prompts(preset, MOST_PROMPTS) if source == "dataset" else known_prompts(preset, MOST_PROMPTS)


def steps_around(run: Path, step: int) -> list[str]:
    """The base, and the steps before and after this one."""
    steps = sorted({model.step for model in models_of(run)} | {step})
    at = steps.index(step)
    return ["base", *map(str, steps[max(at - AROUND, 0) : at + AROUND + 1])]


def places_of(grid: ShownGrid) -> Iterator[Place]:
    for tab in range(len(grid.tabs.heads)):
        for row in range(len(grid.rows.heads)):
            for column in range(len(grid.columns.heads)):
                yield column, row, tab


def size_of(grid: ShownGrid) -> int:
    """Bytes of its pictures on disk; 0 where adding up would take long."""
    paths = set(grid.files.values())
    if len(paths) > MOST_MEASURED:
        return 0
    return sum(path.stat().st_size for path in paths if path.is_file())
