"""The ratio sweep on the card of a merge: a few pictures at several ratios before anything is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.enqueue import enqueue, goes_into_queue, tool_entry
from app.gui.grids.grid_draft import Place, ShownGrid, forgotten_role, planned
from app.gui.grids.job import TOOL, GridJob
from app.gui.kit import Button, Divider, Entry, Flow, Frame, Head, Label, PictureSheet, SheetCell, px
from app.gui.run_control import busy_reason
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from app.gui.tools.form import ToolForm
from modules.errors import UserError
from modules.grids.axes import Head as Value
from modules.grids.cells import model_of
from modules.grids.prompts import EMPTY, known_prompts, sample_prompts
from modules.language import tr
from modules.merging.block_ratios import at_ratio, usual_ratio
from modules.preset.paths import Values
from modules.run_folders import is_run, recorded_preset
from modules.system.bundled import in_program_folder

RATIOS = "0, 0.25, 0.5, 0.75, 1"
SIZE, NAMES = 80, 120  # pixels of a picture, and of the prompts before the rows
SAME = ("models", "base", "method", "curve", "density", "loras")  # what the pictures were made of, but for ratios


class SweepView(Frame):
    """Below the form of a merge. A click on a picture takes its ratio into the form; nothing is written by it."""

    def __init__(self, master: Any, context: AppContext, form: ToolForm) -> None:
        super().__init__(master)
        self.context, self._form = context, form
        self.grid: ShownGrid | None = None
        self.merge: Values = {}  # what the pictures are of
        self.chosen = ""  # the ratio that was taken
        self.job = GridJob(context, self._job_changed, tool="merge")
        self._asked: Values = {}
        self._looking: WorkerPoll[ShownGrid] = WorkerPoll(self, self._planned, self._refused)
        self._measuring: WorkerPoll[ShownGrid] = WorkerPoll(self, self._measured)
        Divider(self).pack(fill="x", pady=(px(10), px(8)))
        self.line = line = Flow(self)
        line.pack(fill="x")
        self.ratios = Entry(line, RATIOS, width=160)
        self.generate = Button(line, tr("Generate"), self.start, image="play")
        self.stop = Button(line, tr("Stop"), self.job.stop, image="square")
        title, words = (
            Label(line, tr("Ratio sweep"), font="section"),
            Label(line, tr("no model is written"), role="text2"),
        )
        line.add(title, words, self.ratios, self.generate, self.stop)
        self.says = Label(self, "", role="text2", wrap=True)
        self.sheet = PictureSheet(
            self, self._paint, size=SIZE, heads=NAMES, on_open=lambda _, column: self.take(column)
        )
        self.until_destroyed(context.running.listen(self.job.heard), self._looking.cancel, self._measuring.cancel)
        form.listen(self.refresh)

    # Making it --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Draw what is missing of the pictures of these settings."""
        merge = self._form.read({"out": "-"})
        if merge is None or (self.context.running.busy and not self._queues):
            return
        del merge["out"]
        if len(cast("list[str]", merge["models"])) < 2:
            self._say(tr("Choose two models first."), "error")
            return
        self._asked = grid_of(self.context, merge, self.ratios.get())
        self._looking.start(Worker(lambda report, stop: planned(self._asked)))

    def _planned(self, grid: ShownGrid) -> None:
        if self._queues:
            enqueue(self.context, tool_entry(TOOL, self._asked))
            return
        self.grid, self.merge, self.chosen = grid, json.loads(str(self._asked["merge"])), ""
        try:
            self.job.start(self._asked)
        except UserError as error:
            self._refused(error)
        self._show()

    def _measured(self, grid: ShownGrid) -> None:
        """What was measured stands under the ratios."""
        self.grid = grid
        self._show()

    def _refused(self, error: UserError) -> None:
        self._say(error.text(WORDS), "error")

    def _job_changed(self, place: Place | None) -> None:
        if place is not None and self.grid is not None:
            self.sheet.refresh(place[1], place[0])
        if self.grid is not None and not self.job.going:
            self._measuring.start(Worker(lambda report, stop: planned(self._asked)))
        self.refresh()

    # What is so -------------------------------------------------------------------------------------------------------

    @property
    def _queues(self) -> bool:
        return goes_into_queue(self.context) and not self.job.going

    def refresh(self) -> None:
        """Whether it can start now, and whether the pictures are of what is filled in."""
        job, running = self.job, self.context.running
        self.line.show(self.stop, job.going)
        queues = self._queues
        hint = tr("It begins after what is running; Generate then shows what was drawn.") if queues else ""
        self.generate.set(tr("Add to queue") if queues else tr("Generate"), image="list-plus" if queues else "play",
                          hint=hint)  # fmt: skip
        self.generate.disable(busy_reason(running.what) if running.busy and not queues else "")
        if job.going:
            words = tr("Drawing {done:,} of {total:,}", done=job.done, total=job.total)
            self._say(words if job.total else f"{tr('Getting ready')} \u2026")
        elif job.failure or job.notes:
            self._say((job.failure or job.notes[-1]).splitlines()[0], "error")
        elif self.grid is not None:
            same = all(self._form.fields[name].read() == self.merge[name] for name in SAME if name in self.merge)
            self._say(tr("A click takes the ratio.") if same else tr("Other settings than now."),
                      "text2" if same else "changed")  # fmt: skip

    def _say(self, words: str, role: str = "text2") -> None:
        self.says.set(words, role)
        self.says.pack(fill="x", pady=(px(6), 0))

    def _show(self) -> None:
        if self.grid is None:
            return
        heads = [self._head(value) for value in self.grid.columns.heads]
        rows = [Head(value.label) for value in self.grid.rows.heads]
        self.sheet.configure(height=px((SIZE + 8) * len(rows) + 48))
        measured = any(value.forgotten is not None for value in self.grid.columns.heads)
        self.sheet.show(heads, rows, (tr("ratio"), tr("forgotten") if measured else ""))
        self.sheet.pack(fill="x", pady=(px(6), 0))
        self.refresh()

    def _head(self, value: Value) -> Head:
        chosen = tr("chosen") if value.value == self.chosen else ""
        if value.forgotten is None:
            return Head(value.label, chosen, "accent")
        note = " \u00b7 ".join(filter(None, [f"{value.forgotten:.2f}", chosen]))
        return Head(value.label, note, forgotten_role(value.forgotten))

    def _paint(self, cell: SheetCell, row: int, column: int) -> None:
        place, making = (column, row, 0), self.job.cell
        path = self.job.files.get(place) or (self.grid.files.get(place) if self.grid else None)
        if path is None:
            here = making is not None and (making.column, making.row) == (column, row)
            cell.image(None, f"{making.done} / {making.total}" if here and making else "")
        else:
            cell.image(self.context.pictures.thumb(path, cell.size, lambda _: self._arrived(row, column)))

    def _arrived(self, row: int, column: int) -> None:
        if self.winfo_exists():
            self.sheet.refresh(row, column)

    def take(self, column: int) -> None:
        """The ratio of this column, and with it in proportion all others, as the pictures were drawn."""
        if self.grid is None:
            return
        self.chosen = self.grid.columns.heads[column].value
        ratio, blocks = str(self.merge["ratio"]), str(self.merge["blocks"])
        usual = usual_ratio(str(self.merge["method"]), len(cast("list[str]", self.merge["models"])))
        names = self._form.models.first.blocks
        ratio, scaled = at_ratio(ratio, blocks if names else "", float(self.chosen), usual, names)
        self._form.show("ratio", ratio)
        if blocks and names:
            self._form.show("blocks", scaled)
        self._form.changed()
        self._show()


def grid_of(context: AppContext, merge: Values, ratios: str) -> Values:
    """The settings of a grid with these ratios across: a prompt that is learnt and one that the base knows below."""
    models = cast("list[str]", merge["models"])
    run = next((folder for name in models if (folder := run_in(name))), None)
    preset = (recorded_preset(run) if run else None) or context.draft.preset()
    first, own = model_of(models[0]), run_in(models[0])
    recorded = recorded_preset(own) if own else None
    if recorded is not None and Path(first).parent.name == "backups":
        first = recorded.model.source
    workspace = in_program_folder(str(context.draft.get("general.workspace")))
    return {
        "run": str(run or ""), "model": first, "step": "base", "columns": "ratio", "column_values": [ratios],
        "rows": "prompt", "row_values": [*sample_prompts(preset, 1), *known_prompts(preset, 1)] or [EMPTY],
        "merge": json.dumps(merge), "forgotten": True, "name": "ratio sweep",
        "out": "" if run else str(workspace / "grids"), "sheet": "none", "page": False, "table": False,
    }  # fmt: skip


def run_in(source: str) -> Path | None:
    """The run that a model is named by, with or without a step."""
    name, _, step = source.rpartition(":")
    folder = Path(name if step.isdecimal() and name else source).expanduser()
    return folder if is_run(folder) else None
