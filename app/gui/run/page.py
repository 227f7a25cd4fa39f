"""The page "Live run": loss, samples, log and meters of the run under way, or of an old one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Button, Choice, EmptyState, Flow, Frame, Option, ScrollArea, popup, px
from app.gui.page import Page, header_of
from app.gui.run.alarm_bar import AlarmBar
from app.gui.run.charts import LossCard
from app.gui.run.facts import live_facts, past_facts
from app.gui.run.mark_menu import open_menu
from app.gui.run.retention_card import RetentionCard
from app.gui.run.run_list import LIVE, Comparison, RunList, log_lines
from app.gui.run.run_source import LiveRun, PastRun
from app.gui.run.sample_now import SampleNowDialog
from app.gui.run.samples.card import SamplesCard
from app.gui.run.status import RunStatus
from app.gui.session.event_log import Mark
from app.gui.session.open_external import open_external
from app.gui.session.run_history import Run
from app.gui.session.run_state import WindowEvent
from modules.language import tr
from modules.messages import Finished, Retention, Started

TICK_MS, SOON_MS = 250, 10
EDGE = 20
GAP = 14
NOTHING = "Not running. Loss, samples and log appear here."
LOWEST = 480  # pixels of charts and samples together; a lower window scrolls
CHARTS = 250  # pixels of the charts' cards at least


class RunPage(Page):
    """What is shown is chosen at the top: this window's run, an old one, or two old ones beside one another."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.live = LiveRun(context.running)
        self.source: LiveRun | PastRun = self.live
        self.comparison: Comparison | None = None
        self.runs = RunList(context, self._offer)
        self._run: Run | None = None  # the folder of the run that is shown
        self._logged_notes = -1  # notes of an old run that are in the log
        self._built = self._to_look = False
        self._picked = False  # a run was chosen by hand
        self._pending = ""  # timer of the next bite
        self.until_destroyed(
            context.running.listen(self._heard), context.app.every(TICK_MS, self._tick), self.runs.close
        )

    def build(self) -> Iterator[None]:
        self._tools()
        self.status = RunStatus(self, self._resume, self._open_folder)
        self.status.pack(fill="x", padx=px(EDGE))
        self.alarm = AlarmBar(self, self.context)
        yield
        self.area = ScrollArea(self)
        self.area.pack(fill="both", expand=True, padx=(px(EDGE), 0), pady=(px(GAP), 0))
        self.stage = Frame(self.area.body)
        self.stage.pack(fill="both", expand=True, padx=(0, px(EDGE // 2)), pady=(0, px(GAP)))  # beside the scroll bar
        self.stage.pack_propagate(False)
        self.area.bind("<Configure>", lambda _: self._fit_stage(), add=True)
        self.main = Frame(self.stage)
        self.main.columnconfigure(0, weight=54, uniform="both")
        self.main.columnconfigure(1, weight=46, uniform="both")
        self.losses = LossCard(self.main, self._marks_clicked)
        yield
        self.retention = RetentionCard(self.main, self._measurement_clicked, self.context.pictures.thumb)
        yield
        self.samples = SamplesCard(self.main, self.context, self._lay)
        self._lay(large=False)
        yield
        self.empty = EmptyState(
            self.stage, "chart-line", tr(NOTHING), tr("Start training"), self.context.start, button_image="play"
        )  # fmt: skip
        self._built = True
        self.follow(self.live)
        self._show_last()
        self.runs.look()

    def _lay(self, large: bool) -> None:
        """The charts over the samples, or the samples alone."""
        for part in (self.losses, self.retention):
            part.grid_forget()
        self.main.rowconfigure(0, weight=49, uniform="rows", minsize=0 if large else px(CHARTS))
        self.main.rowconfigure(1, weight=51, uniform="rows")
        self.samples.grid(row=0 if large else 1, column=0, rowspan=2 if large else 1, columnspan=2, sticky="nsew")
        if not large:
            self.losses.grid(row=0, column=0, sticky="nsew", padx=(0, px(GAP)), pady=(0, px(GAP)))
            self.retention.grid(row=0, column=1, sticky="nsew", pady=(0, px(GAP)))

    def _fit_stage(self) -> None:
        """As high as there is room; in a low window it scrolls."""
        least = 0 if self._idle and self.comparison is None else px(LOWEST)
        self.stage.configure(height=max(self.area.winfo_height() - px(EDGE), least))

    def reveal(self, path: str) -> None:
        """Show the run of this folder, unless it is the one that goes on."""
        if Path(path).is_dir() and Path(path) != self.live.folder:
            self._chosen(path)

    def shown(self) -> None:
        self.runs.look()
        if self._built:
            self.refresh()

    # What is shown ----------------------------------------------------------------------------------------------------

    def follow(self, source: LiveRun | PastRun) -> None:
        """Show this run from its beginning."""
        if self.comparison is not None:
            self.comparison.destroy()
            self.comparison = None
        self.source, self._run = source, None
        past = isinstance(source, PastRun)
        self.choice.set(str(source.folder) if past else LIVE)
        self.losses.follow([source])
        self.retention.follow([source])
        self.samples.follow(source)
        self._logged_notes = -1
        self.samples.log.follow([] if past else self.context.running.log)
        self.refresh()

    def compare(self, folder: str) -> None:
        """Show the run of this folder beside the one that is shown."""
        mine = self.source.folder
        if mine is None:
            return
        if self.comparison is not None:
            self.comparison.destroy()
        self.comparison = Comparison(self.stage, self.context, self.runs.run(str(mine)), self.runs.run(folder))
        both = f"{mine} and {folder}"
        self.choice.set(both)
        names = tr("{one} and {other}", one=mine.name, other=Path(folder).name)
        self.choice.offer([*self._choices(), Option(both, names)])
        self.refresh()

    def refresh(self) -> None:
        """Draw what is new."""
        more = self.live.update()
        if self.source is not self.live:
            more = self.source.update()
        if self.comparison is not None:
            more = self.comparison.tick()
        else:
            self.losses.refresh()
            self.retention.refresh()
            self._refresh_log()
            self.samples.refresh()
        self._arrange()
        self._refresh_status()
        self._refresh_tools()
        if more and not self._pending:
            self._pending = self.after(SOON_MS, self._read_on)

    def _read_on(self) -> None:
        """A long old run comes in bites, so that the window stays alive."""
        self._pending = ""
        self.refresh()

    def _refresh_log(self) -> None:
        """An old run's lines are known once its notes have been read."""
        if isinstance(self.source, PastRun) and self._logged_notes != len(self.source.run.records.notes):
            self._logged_notes = len(self.source.run.records.notes)
            self.samples.log.follow(log_lines(self.source.run))
        self.samples.log.refresh()

    @property
    def _idle(self) -> bool:
        """Whether this window has no run to show."""
        running = self.context.running
        return self.source is self.live and running.started is None and not running.busy and running.what != "train"

    def _arrange(self) -> None:
        """One of three lies on the stage."""
        wanted = self.comparison or (self.empty if self._idle else self.main)
        for each in (self.main, self.empty, self.comparison):
            if each is not None and each is not wanted and each.winfo_manager():
                each.pack_forget()
        if not wanted.winfo_manager():
            wanted.pack(fill="both", expand=True)
            self._fit_stage()

    def _refresh_status(self) -> None:
        """What stands over the charts; nothing where two runs are compared or none is shown."""
        source, running = self.source, self.context.running
        shown = self.comparison is None and not self._idle
        self._put(self.status, shown, 0)
        self._put(self.alarm, shown and self.alarm.show(source), 10)
        if not shown:
            return
        if isinstance(source, PastRun):
            closed = self.context.window_state.get("run", str) == str(source.folder)
            facts, over = past_facts(source, closed=closed), source.run.summary.status != "running"
        else:
            facts, over = live_facts(self.live, running, self._folder_of()), not running.training
        run = self._folder_of() if over else None
        self.status.show(facts, over=over, resumable=run is not None and bool(run.backups()))
        self.status.resume.disable(tr("Something is running already.") if running.busy else "")
        self.status.meters.refresh(self.context.meters.latest)

    def _put(self, part: Any, wanted: bool, above: float) -> None:
        """Over the charts, or away."""
        if wanted and not part.winfo_manager():
            part.pack(fill="x", padx=px(EDGE), pady=(px(above), 0), before=self.area)
        elif not wanted and part.winfo_manager():
            part.pack_forget()

    def _folder_of(self) -> Run | None:
        """The folder of the run that is shown; it keeps what it has read."""
        source = self.source
        if isinstance(source, PastRun):
            return source.run
        if source.folder is not None and (self._run is None or self._run.folder != source.folder):
            self._run = Run(source.folder)
        return self._run if source.folder else None

    def _refresh_tools(self) -> None:
        running = self.context.running
        training = running.what == "train" and running.state in ("training", "paused")
        self.sample.disable("" if training else tr("No training is running."))
        self.folder.disable("" if self.source.folder else tr("There is no run yet."))
        self._refresh_try()
        enough = self.source.folder is not None and bool(self.runs.options(self.source.folder))
        self.beside.disable("" if enough else tr("There is no other run to compare with."))

    def _refresh_try(self) -> None:
        """As long as a run is shown that has saved a model, or made a backup."""
        there = self._model() is not None or self._newest_backup() > 0
        self.tools.show(self.trial, self.comparison is None and there)

    def _model(self) -> Path | None:
        """The newest model of the run that is shown."""
        if isinstance(self.source, PastRun):
            return self.source.model
        return self.context.running.model

    def _newest_backup(self) -> int:
        """Its step; 0 or less: there is none."""
        return self.source.newest_backup if isinstance(self.source, PastRun) else self.context.running.backup_step

    # Parts ------------------------------------------------------------------------------------------------------------

    def _tools(self) -> None:
        controls, words = header_of(self)
        words.pack_forget()  # the tools take its room
        controls.pack_configure(fill="x", expand=True)
        self.tools = line = Flow(controls, right=True)
        line.pack(fill="x")
        self.choice = Choice(line, self._choices(), LIVE, self._chosen, width=210)
        self.beside = Button(line, tr("Compare with"), self._ask_other, kind="quiet", image="layers")
        self.folder = Button(line, tr("Open folder"), self._open_folder, kind="quiet", image="folder-open")
        self.trial = Button(line, tr("Try this model"), self._try, kind="quiet", image="image")
        self.sample = Button(line, tr("Sample now"), self._sample_now, image="camera")
        line.add(self.choice, self.beside, self.folder, self.trial, self.sample)

    # What is done -----------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.runs.tick()
        if self._to_look:
            self._to_look = False
            self.runs.look()
        if self._built and self.winfo_viewable():
            before = self.live.runs
            self.refresh()
            if before != self.live.runs and self.source is not self.live:
                self.follow(self.live)  # a run has begun: that is what one wants to see

    def _heard(self, event: WindowEvent) -> None:
        if isinstance(event, Started | Finished):
            self._to_look = True

    def _choices(self) -> list[Option]:
        return [Option(LIVE, tr("This window's run")), *self.runs.options()]

    def _offer(self) -> None:
        self.choice.offer(self._choices())
        self._show_last()

    def _show_last(self) -> None:
        """A window that has just been opened shows the last run."""
        if self._built and self.runs.found and self._idle and not self._picked:
            self.follow(PastRun(self.runs.found[0][0]))

    def _chosen(self, value: str) -> None:
        self._picked = True
        if value == LIVE:
            self.follow(self.live)
        elif " and " not in value or Path(value).is_dir():
            self.follow(PastRun(self.runs.run(value)))

    def _ask_other(self) -> None:
        popup(self.beside, self.runs.options(self.source.folder), self.compare, width=420)

    def _marks_clicked(self, marks: list[Mark], under: Any) -> None:
        open_menu(under, self.context, self.source, marks)

    def _measurement_clicked(self, event: Retention, under: Any) -> None:
        """What was saved nearest to a measurement, and the samples of that step."""
        step = event.step
        shots = [shot for shot in self.source.shots if shot.number and shot.step <= step]
        marks = [mark for mark in self.source.marks if mark.step == step and mark.kind in ("backup", "model")]
        samples = (lambda: self.samples.reveal(shots[-1])) if shots else None
        open_menu(under, self.context, self.source, marks, samples)

    def _open_folder(self) -> None:
        if self.source.folder and (problem := open_external(self.source.folder)):
            self.context.notify(problem)

    def _resume(self) -> None:
        if self.source.folder is not None:
            self.context.resume(self.source.folder)

    def _try(self) -> None:
        """Make images with the newest model; where there are backups alone, draw a grid with the newest."""
        if model := self._model():
            self.context.go("tools", str(model))
        else:
            self.context.go("examine", f"{self.source.folder}@{self._newest_backup()}")

    def _sample_now(self) -> None:
        SampleNowDialog(self, self.context)
