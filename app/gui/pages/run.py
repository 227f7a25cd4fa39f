"""The page "Live run": loss, samples, log and meters of the run under way, or of an old one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.gui.before_after import BeforeAfter
from app.gui.desk import Desk
from app.gui.kit import Button, Card, Choice, EmptyState, Frame, Label, Option, popup, px
from app.gui.large_picture import LargePicture
from app.gui.opening import open_place
from app.gui.page import Page
from app.gui.past_runs import LIVE, Comparison, RunList, brief, lines_of
from app.gui.run_charts import LossCard
from app.gui.run_gallery import Gallery
from app.gui.run_log import LogCard
from app.gui.run_status import RunStatus
from app.gui.run_story import LiveStory, PastStory, Shot
from app.gui.run_words import lately, standing
from app.gui.running import WindowEvent
from app.gui.sample_now import SampleNowDialog
from modules.messages import Finished, Started

TICK_MS, SOON_MS = 250, 10
EDGE = 20
GAP = 14
NOTHING = "Not running. Loss, samples and log appear here."
LARGE, LEAST = 400, 240  # pixels that the large picture has before a second row of small ones, and a first


class RunPage(Page):
    """What is shown is chosen at the top: this window's run, an old one, or two old ones beside one another."""

    def __init__(self, master: object, desk: Desk) -> None:
        super().__init__(master, desk)
        self.live = LiveStory(desk.running)
        self.story: LiveStory | PastStory = self.live
        self.comparison: Comparison | None = None
        self.runs = RunList(desk, self._offer)
        self._drawn = (-1, -1)
        self._lately: list[str] = []
        self._told = -1  # notes of an old run that are in the log
        self._built = self._to_look = False
        self._pending = ""  # timer of the next bite
        self._ends = [desk.running.listen(self._heard), desk.app.every(TICK_MS, self._tick)]

    def build(self) -> Iterator[None]:
        self._tools()
        self.status = RunStatus(self)
        self.status.pack(fill="x", padx=px(EDGE))
        yield
        self.stage = Frame(self)
        self.stage.pack(fill="both", expand=True, padx=px(EDGE), pady=(px(GAP), px(EDGE)))
        self.main = Frame(self.stage)
        self.main.columnconfigure(0, weight=62, uniform="both")
        self.main.columnconfigure(1, weight=38, uniform="both")
        self.main.rowconfigure(0, weight=55, uniform="rows")
        self.main.rowconfigure(1, weight=45, uniform="rows")
        self.losses = LossCard(self.main)
        self.losses.grid(row=0, column=0, sticky="nsew", padx=(0, px(GAP)), pady=(0, px(GAP)))
        yield
        self.log = LogCard(self.main, self.desk)
        self.log.grid(row=1, column=0, sticky="nsew", padx=(0, px(GAP)))
        yield
        self._pictures()
        yield
        self.empty = EmptyState(
            self.stage, "chart-line", NOTHING, "Start training", self.desk.start, button_image="play"
        )  # fmt: skip
        self._built = True
        self.follow(self.live)
        self.runs.look()

    def shown(self) -> None:
        self.runs.look()
        if self._built:
            self.refresh()

    def destroy(self) -> None:
        for end in self._ends:
            end()
        if self._pending:
            self.after_cancel(self._pending)
        self.runs.close()
        super().destroy()

    # What is shown ----------------------------------------------------------------------------------------------------

    def follow(self, story: LiveStory | PastStory) -> None:
        """Show this run from its beginning."""
        if self.comparison is not None:
            self.comparison.destroy()
            self.comparison = None
        self.story, self._drawn = story, (-1, -1)
        past = isinstance(story, PastStory)
        self.choice.set(str(story.folder) if past else LIVE)
        self.losses.follow([story])
        self._told = -1
        self.log.follow([] if past else self.desk.running.log)
        self.refresh()

    def compare(self, folder: str) -> None:
        """Show the run of this folder beside the one that is shown."""
        mine = self.story.folder
        if mine is None:
            return
        if self.comparison is not None:
            self.comparison.destroy()
        self.comparison = Comparison(self.stage, self.desk, self.runs.run(str(mine)), self.runs.run(folder))
        self.choice.set(f"{mine} and {folder}")
        self.choice.offer([*self._choices(), Option(f"{mine} and {folder}", f"{mine.name} and {Path(folder).name}")])
        self.refresh()

    def refresh(self) -> None:
        """Draw what is new."""
        more = self.live.update()
        if self.story is not self.live:
            more = self.story.update()
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
        if isinstance(self.story, PastStory) and self._told != len(self.story.run.records.notes):
            self._told = len(self.story.run.records.notes)
            self.log.follow(lines_of(self.story.run))
        self.log.refresh()

    def _refresh_samples(self) -> None:
        now = (self.story.generation, len(self.story.shots))
        if now != self._drawn:
            self._drawn = now
            self.gallery.show(self.story.shots)
            self.pictures.show(self.story.shots)

    def _share_height(self) -> None:
        """Two rows of small pictures where the large one keeps enough room, one, or none in a very low window."""
        row, high = self.gallery.table.row_height(), self.side.body.winfo_height()
        many = len(self.gallery.table.rows) > 1
        rows = 2 if many and high > px(LARGE) + 2 * row else 1 if high > px(LEAST) + row else 0
        if not self.story.shots or not rows:
            self.gallery.pack_forget()
            return
        self.gallery.configure(height=rows * row + px(3))
        if not self.gallery.winfo_manager():
            self.gallery.pack(fill="x", pady=(px(8), 0), before=self.pictures, side="bottom")

    def _arrange(self) -> None:
        """One of three lies on the stage."""
        running = self.desk.running
        idle = self.story is self.live and running.started is None and not running.busy and running.what != "train"
        wanted = self.comparison or (self.empty if idle else self.main)
        for each in (self.main, self.empty, self.comparison):
            if each is not None and each is not wanted and each.winfo_manager():
                each.pack_forget()
        if not wanted.winfo_manager():
            wanted.pack(fill="both", expand=True)

    def _refresh_words(self) -> None:
        running = self.desk.running
        live = self.story is self.live and self.comparison is None
        if self.comparison is not None:
            words, below = "Two runs compared", ""
        elif isinstance(self.story, PastStory):
            told = self.story.run.summary
            words, below = f"{self.story.title}: {brief(told)}", told.failure.partition("\n")[0]
        else:
            words, below = standing(running), "   ·   ".join(self._lately[-3:])
        self.status.say(words, below, "error" if live and words.startswith("Ended with") else "text")
        self.status.meters.refresh(self.desk.meters.latest)
        training = running.what == "train" and running.stand in ("training", "paused")
        self.sample.disable("" if training else "Nothing is being trained now.")
        self.folder.disable("" if self.story.folder else "There is no run yet.")
        self._refresh_resume()
        enough = self.story.folder is not None and bool(self.runs.options(self.story.folder))
        self.beside.disable("" if enough else "There is no other run to compare with.")

    def _refresh_resume(self) -> None:
        """An old run with a backup can go on."""
        story = self.story
        if isinstance(story, PastStory) and self.comparison is None and story.backups:
            self.resume.disable("Something is running already." if self.desk.running.busy else "")
            self.resume.pack(side="left", padx=(px(8), 0), after=self.folder)
        else:
            self.resume.pack_forget()

    # Parts ------------------------------------------------------------------------------------------------------------

    def _tools(self) -> None:
        line = Frame(self)
        line.pack(fill="x", padx=px(EDGE), pady=(px(4), px(10)))
        self.sample = Button(line, "Sample now", self._sample_now, image="camera")
        self.sample.pack(side="right")  # first: it keeps its room in a narrow window
        self.choice = Choice(line, self._choices(), LIVE, self._chosen, width=260)
        self.choice.pack(side="left")
        self.beside = Button(line, "Compare with", self._ask_other, kind="quiet", image="layers")
        self.beside.pack(side="left", padx=(px(8), 0))
        self.folder = Button(line, "Open folder", self._open_folder, kind="quiet", image="folder-open")
        self.folder.pack(side="left", padx=(px(8), 0))
        self.resume = Button(line, "Continue it", self._resume, kind="quiet", image="play")

    def _pictures(self) -> None:
        self.side = card = Card(self.main, "Before and after")
        card.grid(row=0, column=1, rowspan=2, sticky="nsew")
        self.position = Label(card.head, "", font="small", role="text2")
        self.position.pack(side="right")
        self.pictures = BeforeAfter(
            card.body, self.desk.pictures, on_open=self._open, on_change=self._moved, size=120, wide=True
        )  # fmt: skip
        self.gallery = Gallery(card.body, self.desk.pictures, on_select=self.pictures.select, on_open=self._open)
        self.gallery.pack_propagate(False)
        self.pictures.pack(fill="both", expand=True)

    # What is done -----------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.runs.tick()
        if self._to_look:
            self._to_look = False
            self.runs.look()
        if self._built and self.winfo_viewable():
            before = self.live.generation
            self.refresh()
            if before != self.live.generation and self.story is not self.live:
                self.follow(self.live)  # a run has begun: that is what one wants to see

    def _heard(self, event: WindowEvent) -> None:
        if isinstance(event, Started):
            self._lately.clear()
        if isinstance(event, Started | Finished):
            self._to_look = True
        if words := lately(event):
            self._lately.append(words)

    def _choices(self) -> list[Option]:
        return [Option(LIVE, "This window's run"), *self.runs.options()]

    def _offer(self) -> None:
        self.choice.offer(self._choices())
        if self._built and self.runs.found:
            self.empty.sentence.set(f"{NOTHING} Runs of the past can be opened above.")

    def _chosen(self, value: str) -> None:
        if value == LIVE:
            self.follow(self.live)
        elif " and " not in value or Path(value).is_dir():
            self.follow(PastStory(self.runs.run(value)))

    def _ask_other(self) -> None:
        popup(self.beside, self.runs.options(self.story.folder), self.compare, width=420)

    def _moved(self) -> None:
        self.position.set(self.pictures.position)
        if (shot := self.pictures.shot) is not None:
            self.gallery.select(shot)

    def _open(self, shot: Shot) -> None:
        LargePicture(self, self.desk, self.story.shots, shot)

    def _open_folder(self) -> None:
        if self.story.folder and (problem := open_place(self.story.folder)):
            self.desk.say(problem)

    def _resume(self) -> None:
        if isinstance(self.story, PastStory):
            self.desk.resume(self.story.folder)

    def _sample_now(self) -> None:
        SampleNowDialog(self, self.desk)
