"""The grid that the engine is making: how far it is, what it draws now, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.gui.context import AppContext
from app.gui.draft.problem_labels import failure_text, note_text
from app.gui.grids.grid_draft import Place
from app.gui.run_control import begin
from app.gui.session.engine_client import EngineDied
from app.gui.session.run_state import WindowEvent
from modules.messages import Failed, Finished, GridCell, Note, RunTool, Stage, Stop
from modules.preset.paths import Values

TOOL = "grid"


@dataclass
class GridJob:
    """One at a time. `changed(place)` is called after each event; the place of the cell that it is about, or None.

    `tool`: whose card or page has asked for it; the run bar leads there.
    """

    context: AppContext
    changed: Callable[[Place | None], object]
    tool: str = TOOL
    going: bool = False
    done: int = 0
    total: int = 0
    cell: GridCell | None = None  # that is being drawn
    files: dict[Place, Path] = field(default_factory=dict[Place, Path])
    drawn: int = 0  # not reused
    notes: list[str] = field(default_factory=list[str])
    failure: str = ""
    stopped: bool = False
    seconds: float = 0.0  # that it took
    _began: float = 0.0

    def __post_init__(self) -> None:
        """A page that is made anew, at another text size, finds the grid that is being made."""
        if self.context.running.busy and self.context.running.what == self.tool == TOOL:
            self.going, self._began = True, time.monotonic()

    def start(self, values: Values) -> None:
        """Have the engine make it.

        Raises:
            UserError: the engine cannot be started.
        """
        begin(self.context, self.tool, RunTool(TOOL, values))
        self.going, self.stopped, self.failure, self.cell = True, False, "", None
        self.done = self.total = self.drawn = 0
        self.notes, self.files = [], {}
        self._began = time.monotonic()
        self.changed(None)

    def stop(self) -> None:
        self.context.engine.send(Stop(now=True))
        self.context.running.stopping()
        self.changed(None)

    def heard(self, event: WindowEvent) -> None:
        """Listens to every event of the engine."""
        if not self.going:
            return
        match event:
            case Stage(code="stage.grid"):
                self.done, self.total = event.done, event.total
                self.changed(None)
            case GridCell():
                self._take(event)
            case Note(level="warning" | "error"):
                self.notes.append(note_text(event))
            case Failed() | EngineDied():
                self._ended(failure_text(event) if isinstance(event, Failed) else event.message)
            case Finished():
                self.stopped = event.stopped
                self._ended("")
            case _:
                pass

    def _take(self, event: GridCell) -> None:
        place = (event.column, event.row, event.tab)
        before, self.cell = self.cell, None if event.path else event
        if event.path:
            self.files[place] = Path(event.path)
            self.drawn += not event.reused
        if before is not None and (before.column, before.row, before.tab) != place:
            self.changed((before.column, before.row, before.tab))
        self.changed(place)

    def _ended(self, failure: str) -> None:
        self.going, self.cell, self.failure = False, None, failure
        self.seconds = time.monotonic() - self._began
        self.changed(None)
