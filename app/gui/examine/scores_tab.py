"""The tab "Scores" of the page "Examine": numbers for the pictures of a grid or the samples of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.examine.form import WIDTH
from app.gui.examine.score_rows import ScoreRows
from app.gui.kit import Choice, EmptyState, Frame, Label, Option, RoundFrame, ScrollArea, px
from app.gui.page import Page
from app.gui.run.run_list import RunList
from app.gui.session.run_state import WindowEvent
from app.gui.tools.card import ToolCard
from app.gui.tools.score_view import ScoreView
from modules.grids.record import saved_grids
from modules.language import tr
from modules.messages import Failed, Finished, Stage
from modules.scores.record import FILE
from modules.text import in_bytes
from modules.tools import TOOLS

TICK_MS = 250
MOST_RUNS = 30  # whose grids are listed


class ScoresCard(ToolCard):
    """What is scored, and how; `reason` says why it cannot start."""

    reason = ""

    def blocked(self) -> str:
        return self.reason


class ScoresTab(Page):
    """The choice at the left, what was computed at the right.

    Args:
        first: gives the folder to begin with, of a grid or a run; None: the newest run.
    """

    def __init__(self, master: object, context: AppContext, runs: RunList, first: Callable[[], Path | None]) -> None:
        super().__init__(master, context)
        self.runs, self._first = runs, first
        self.folder: Path | None = None
        self._seen = 0  # when the file that is shown was written
        self.until_destroyed(context.app.every(TICK_MS, self._tick), context.running.listen(self._heard))

    def build(self) -> Iterator[None]:
        words = tr("There is no run yet.")
        self.empty = EmptyState(self, TOOLS["score"].icon, words, tr("Start training"), self.context.start)
        self.main = Frame(self)
        holder = Frame(self.main, width=WIDTH)
        holder.pack_propagate(False)
        holder.pack(side="left", fill="y")
        right = RoundFrame(self.main)
        right.pack(side="left", fill="both", expand=True, padx=(px(12), 0))
        area = ScrollArea(right)
        area.pack(fill="both", expand=True, padx=px(2), pady=px(8))
        inside = Frame(area.body)
        inside.pack(fill="both", expand=True, padx=px(14))
        words = tr("Scores say how close pictures are to their prompts and to your images, step by step.")
        self.hint = Label(inside, words, role="text2", wrap=True)
        self.card = ScoresCard(holder, self.context, TOOLS["score"], bare=True, view_in=inside)
        self.card.pack(fill="both", expand=True)
        self.card.words = tr("Compute")
        yield
        self._choices()
        yield

    def _choices(self) -> None:
        head = Frame(self.card.body)
        head.pack(fill="both", expand=True, before=self.card.line)
        Label(head, tr("Pictures"), font="section").pack(fill="x")
        self.choice = Choice(head, [], None, lambda folder: self.choose(Path(folder)))
        self.choice.pack(fill="x", pady=(px(4), px(10)))
        Label(head, tr("Scores"), font="section").pack(fill="x", pady=(0, px(4)))
        area = ScrollArea(head)
        area.pack(fill="both", expand=True)
        self.rows = ScoreRows(area.body, self.context, self._fill)
        self.rows.pack(fill="x", padx=(0, px(4)))
        self.downloads = Label(head, "", font="small", role="changed", wrap=True)

    # What is scored ---------------------------------------------------------------------------------------------------

    def shown(self) -> None:
        """The grid that is in front, as long as nothing else was chosen here."""
        options = sources(self.runs)
        self.choice.offer(options)
        values = [str(option.value) for option in options]
        wanted = str(self.folder or self._first() or "")
        chosen = wanted if wanted in values else next(iter(values), "")
        front, other = (self.main, self.empty) if chosen else (self.empty, self.main)
        other.pack_forget()
        if front is self.main:
            front.pack(fill="both", expand=True, padx=px(20), pady=(px(2), px(14)))
        else:
            front.pack(fill="both", expand=True)
        if chosen and str(self.folder) != chosen:
            self.choose(Path(chosen))

    def takes_start(self) -> bool:
        self.card.run()
        return True

    def choose(self, folder: Path) -> None:
        """Other pictures, and what was computed of them before; its scores are switched on."""
        self.folder = folder
        self.choice.set(str(folder))
        self._load()
        self._fill()

    def _load(self) -> None:
        if self.folder is None:
            return
        self._seen = written_at(self.folder)
        self._view.show(str(self.folder))
        self.refresh()

    def _fill(self) -> None:
        """What is chosen goes into the settings of the tool."""
        if self.folder is None:
            return
        for name, value in {"source": str(self.folder), **self.rows.values()}.items():
            self.card.form.show(name, value)
        missing = self.rows.missing()
        if missing:
            size, licences = sum(model.size for model in missing), sorted({model.licence for model in missing})
            words = tr("About {size} is downloaded first, once ({licences}).", size=in_bytes(size),
                       licences=", ".join(licences))  # fmt: skip
            self.downloads.set(words)
            self.downloads.pack(fill="x", pady=(px(6), 0))
        else:
            self.downloads.pack_forget()
        self.card.words = tr("Download and compute") if missing else tr("Compute")
        self.card.reason = "" if self.rows.chosen else tr("Choose a score.")
        self.card.refresh()

    # While it is computed ---------------------------------------------------------------------------------------------

    @property
    def _view(self) -> ScoreView:
        assert isinstance(self.card.view, ScoreView)
        return self.card.view

    def _heard(self, event: WindowEvent) -> None:
        """The file is written now and then: what has come is shown."""
        if self.folder is None or self.context.running.what != "score":
            return
        if isinstance(event, Finished | Failed) or (isinstance(event, Stage) and self._is_newer()):
            self._load()
        if isinstance(event, Finished | Failed):
            self.rows.refresh()
            self._fill()

    def _is_newer(self) -> bool:
        return self.folder is not None and written_at(self.folder) > self._seen

    def _tick(self) -> None:
        if self.winfo_viewable():
            self.refresh()

    def refresh(self) -> None:
        """Whether it can start, and what stands where nothing was computed."""
        self.card.refresh()
        self.rows.disable(tr("This is running.") if self.card.owns_job else "")
        self.choice.disable(tr("This is running.") if self.card.owns_job else "")
        if self._view.winfo_manager():
            self.hint.pack_forget()
        elif not self.hint.winfo_manager():
            self.hint.pack(fill="x", pady=px(4))


def sources(runs: RunList) -> list[Option]:
    """Samples of runs, and their grids."""
    found: list[Any] = []
    for run, _ in runs.found[:MOST_RUNS]:
        found.append(Option(str(run.folder), tr("{run}: samples", run=run.name)))
        found += [
            Option(str(folder), tr("{run}: grid {name}", run=run.name, name=folder.name))
            for folder in saved_grids(run.folder)
        ]
    return found


def written_at(folder: Path) -> int:
    """When the scores of a folder were written; 0: never."""
    try:
        return (folder / FILE).stat().st_mtime_ns
    except OSError:
        return 0
