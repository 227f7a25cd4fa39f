"""The page "Examine": grids of pictures, their scores, and how far the weights of a run have moved, as tabs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from app.gui.context import AppContext
from app.gui.examine.grid_tab import GridTab
from app.gui.examine.scores_tab import ScoresTab
from app.gui.examine.shift_tab import ShiftTab
from app.gui.kit import Option, Segmented
from app.gui.page import Page, header_of
from app.gui.run.run_list import RunList
from modules.grids.record import FILE
from modules.language import tr

TICK_MS = 250
GRID = "grid"


class ExaminePage(Page):
    """`tabs` has those that were opened; the others are made when they are. All show the run of the grid."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.runs = RunList(context, self._runs_read)
        self.grid = GridTab(self, context, self.runs)
        self.tabs: dict[str, Page] = {GRID: self.grid}
        self.front: Page = self.grid
        self.until_destroyed(context.app.every(TICK_MS, self.runs.tick), self.runs.close)

    def build(self) -> Iterator[None]:
        controls, _ = header_of(self)
        titles = {GRID: tr("Grids"), "scores": tr("Scores"), "shift": tr("Weight shift")}
        self.choice = Segmented(controls, [Option(key, title) for key, title in titles.items()], GRID, self.turn)
        self.choice.pack()
        self.grid.pack(fill="both", expand=True)
        yield from self.grid.build()
        self.runs.look()

    def turn(self, key: str) -> None:
        """Another tab to the front."""
        tab = self.tabs.get(key)
        if tab is None:
            tab = self.tabs[key] = self._made(key)
        self.choice.set(key)
        if tab is not self.front:
            self.front.pack_forget()
            self.front.hidden()
            self.front = tab
            tab.pack(fill="both", expand=True)
        tab.shown()

    def _made(self, key: str) -> Page:
        kinds: dict[str, tuple[Callable[..., Page], Callable[[], Path | None]]] = {
            "scores": (ScoresTab, self._pictures), "shift": (ShiftTab, self._run),
        }  # fmt: skip
        kind, first = kinds[key]
        made = kind(self, self.context, self.runs, first)
        for _ in made.build():
            pass
        return made

    def _run(self) -> Path | None:
        """What the other tabs begin with: the run of the grid."""
        return self.grid.form.run_folder

    def _runs_read(self) -> None:
        self.front.shown()

    def _pictures(self) -> Path | None:
        """The grid in front, once it has pictures; else its run."""
        grid = self.grid.sheet.content
        return grid.folder if grid is not None and (grid.folder / FILE).is_file() else self._run()

    def shown(self) -> None:
        self.runs.look()
        self.front.shown()

    def hidden(self) -> None:
        self.front.hidden()

    def reveal(self, path: str) -> None:
        """A run, or a step of it as "FOLDER@1000": its grid; several runs, one a line: side by side."""
        self.turn(GRID)
        self.grid.reveal(path)

    def takes_start(self) -> bool:
        return self.front.takes_start()
