"""The page "Live run": loss, samples, log and meters of the run under way, or of an old one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.gui.context import AppContext
from app.gui.kit import Button, Card, Choice, EmptyState, Flow, Frame, Label, Option, ScrollArea, popup, px
from app.gui.page import Page
from app.gui.run.before_after import BeforeAfter
from app.gui.run.charts import LossCard
from app.gui.run.gallery import Gallery
from app.gui.run.image_viewer import ImageViewer
from app.gui.run.log import LogCard
from app.gui.run.run_list import LIVE, Comparison, RunList, log_lines, stopped_text
from app.gui.run.run_source import LiveRun, PastRun, SampleImage
from app.gui.run.sample_now import SampleNowDialog
from app.gui.run.status import RunStatus
from app.gui.session.engine_client import EngineDied
from app.gui.session.open_external import open_external
from app.gui.session.run_labels import event_text, status_text
from app.gui.session.run_state import WindowEvent
from modules.language import tr
from modules.messages import Failed, Finished, Started

TICK_MS, SOON_MS = 250, 10
EDGE = 20
GAP = 14
NOTHING = "Not running. Loss, samples and log appear here."
LOWEST = 420  # pixels of charts, log and samples together; a lower window scrolls
LARGE, LEAST = 400, 240  # pixels that the large picture has before a second row of small ones, and a first


class RunPage(Page):
    """What is shown is chosen at the top: this window's run, an old one, or two old ones beside one another."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.live = LiveRun(context.running)
        self.source: LiveRun | PastRun = self.live
        self.comparison: Comparison | None = None
        self.runs = RunList(context, self._offer)
        self._drawn = (-1, -1)
        self._recent_events: list[str] = []
        self._logged_notes = -1  # notes of an old run that are in the log
        self._built = self._to_look = False
        self._picked = False  # a run was chosen by hand
        self._pending = ""  # timer of the next bite
        self.until_destroyed(
            context.running.listen(self._heard), context.app.every(TICK_MS, self._tick), self.runs.close
        )

    def build(self) -> Iterator[None]:
        self._tools()
        self.status = RunStatus(self)
        self.status.pack(fill="x", padx=px(EDGE))
        yield
        self.area = ScrollArea(self)
        self.area.pack(fill="both", expand=True, padx=(px(EDGE), 0), pady=(px(GAP), 0))
        self.stage = Frame(self.area.body)
        self.stage.pack(fill="both", expand=True, padx=(0, px(EDGE)), pady=(0, px(EDGE)))
        self.stage.pack_propagate(False)
        self.area.bind("<Configure>", lambda _: self._fit_stage(), add=True)
        self.main = Frame(self.stage)
        self.main.columnconfigure(0, weight=62, uniform="both")
        self.main.columnconfigure(1, weight=38, uniform="both")
        self.main.rowconfigure(0, weight=55, uniform="rows")
        self.main.rowconfigure(1, weight=45, uniform="rows")
        self.losses = LossCard(self.main)
        self.losses.grid(row=0, column=0, sticky="nsew", padx=(0, px(GAP)), pady=(0, px(GAP)))
        yield
        self.log = LogCard(self.main, self.context)
        self.log.grid(row=1, column=0, sticky="nsew", padx=(0, px(GAP)))
        yield
        self._pictures()
        yield
        self.empty = EmptyState(
            self.stage, "chart-line", tr(NOTHING), tr("Start training"), self.context.start, button_image="play"
        )  # fmt: skip
        self._built = True
        self.follow(self.live)
        self._show_last()
        self.runs.look()

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
        self.source, self._drawn = source, (-1, -1)
        past = isinstance(source, PastRun)
        self.choice.set(str(source.folder) if past else LIVE)
        self.losses.follow([source])
        self._logged_notes = -1
        self.log.follow([] if past else self.context.running.log)
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
            self._refresh_log()
            self._refresh_samples()
        self._arrange()
        self._share_height()
        self._refresh_words()
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
            self.log.follow(log_lines(self.source.run))
        self.log.refresh()

    def _refresh_samples(self) -> None:
        now = (self.source.generation, len(self.source.shots))
        if now != self._drawn:
            self._drawn = now
            self.gallery.show(self.source.shots)
            self.pictures.show(self.source.shots)

    def _share_height(self) -> None:
        """Two rows of small pictures where the large one keeps enough room, one, or none in a very low window."""
        row, high = self.gallery.table.row_height(), self.side.body.winfo_height()
        many = len(self.gallery.table.rows) > 1
        rows = 2 if many and high > px(LARGE) + 2 * row else 1 if high > px(LEAST) + row else 0
        if not self.source.shots or not rows:
            self.gallery.pack_forget()
            return
        self.gallery.configure(height=rows * row + px(3))
        if not self.gallery.winfo_manager():
            self.gallery.pack(fill="x", pady=(px(8), 0), before=self.pictures, side="bottom")

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

    def _refresh_words(self) -> None:
        running = self.context.running
        live = self.source is self.live and self.comparison is None
        if self.comparison is not None:
            words, below = tr("Two runs compared"), ""
        elif isinstance(self.source, PastRun):
            run_summary = self.source.run.summary
            closed = self.context.window_state.get("run", str) == str(self.source.folder)
            words = f"{self.source.title} \u00b7 {stopped_text(run_summary, closed=closed)}"
            below = run_summary.reason
        else:
            words, below = status_text(running), "   ·   ".join(self._recent_events[-3:])
        failed = not running.busy and isinstance(running.run_ended, Failed | EngineDied)
        self.status.show(words, below, "error" if live and failed else "text")
        self.status.meters.refresh(self.context.meters.latest)
        training = running.what == "train" and running.state in ("training", "paused")
        self.sample.disable("" if training else tr("No training is running."))
        self.folder.disable("" if self.source.folder else tr("There is no run yet."))
        self._refresh_resume()
        self._refresh_try()
        enough = self.source.folder is not None and bool(self.runs.options(self.source.folder))
        self.beside.disable("" if enough else tr("There is no other run to compare with."))

    def _refresh_resume(self) -> None:
        """An old run with a backup can go on."""
        source = self.source
        self.resume.disable(tr("Something is running already.") if self.context.running.busy else "")
        wanted = isinstance(source, PastRun) and self.comparison is None and bool(source.run.backups())
        self.tools.show(self.resume, wanted)

    def _refresh_try(self) -> None:
        """As long as a run is shown that has saved a model."""
        self.tools.show(self.trial, self.comparison is None and self._model() is not None)

    def _model(self) -> Path | None:
        """The newest model of the run that is shown."""
        if isinstance(self.source, PastRun):
            return self.source.model
        return self.context.running.model

    # Parts ------------------------------------------------------------------------------------------------------------

    def _tools(self) -> None:
        self.tools = line = Flow(self)
        line.pack(fill="x", padx=px(EDGE), pady=(px(4), px(10)))
        self.choice = Choice(line, self._choices(), LIVE, self._chosen, width=260)
        self.beside = Button(line, tr("Compare with …"), self._ask_other, kind="quiet", image="layers")
        self.folder = Button(line, tr("Open folder"), self._open_folder, kind="quiet", image="folder-open")
        self.resume = Button(line, tr("Continue"), self._resume, kind="quiet", image="play")
        self.trial = Button(line, tr("Try this model"), self._try, kind="quiet", image="image")
        self.sample = Button(line, tr("Sample now"), self._sample_now, image="camera")
        line.add(self.choice, self.beside, self.folder, self.resume, self.trial, self.sample)

    def _pictures(self) -> None:
        self.side = card = Card(self.main, tr("Before and after"))
        card.grid(row=0, column=1, rowspan=2, sticky="nsew")
        self.position = Label(card.head, "", font="small", role="text2")
        self.position.pack(side="right")
        self.pictures = BeforeAfter(
            card.body, self.context.pictures, on_open=self._open, on_change=self._moved, size=120, wide=True
        )  # fmt: skip
        self.gallery = Gallery(card.body, self.context.pictures, on_select=self.pictures.select, on_open=self._open)
        self.gallery.pack_propagate(False)
        self.pictures.pack(fill="both", expand=True)

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
        if isinstance(event, Started) and not self.context.running.goes_on:
            self._recent_events.clear()
        if isinstance(event, Started | Finished):
            self._to_look = True
        if words := event_text(event):
            self._recent_events.append(words)

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

    def _moved(self) -> None:
        self.position.set(self.pictures.position)
        if (shot := self.pictures.shot) is not None:
            self.gallery.select(shot)

    def _open(self, shot: SampleImage) -> None:
        ImageViewer(self, self.context, self.source.shots, shot)

    def _open_folder(self) -> None:
        if self.source.folder and (problem := open_external(self.source.folder)):
            self.context.notify(problem)

    def _resume(self) -> None:
        if isinstance(self.source, PastRun):
            self.context.resume(self.source.folder)

    def _try(self) -> None:
        if model := self._model():
            self.context.go("tools", str(model))

    def _sample_now(self) -> None:
        SampleNowDialog(self, self.context)
