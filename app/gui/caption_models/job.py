"""The job of the engine that makes captions: what it has shown, how far it is, and how it ended. No widgets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.gui.context import AppContext
from app.gui.draft.problem_labels import failure_text, note_text
from app.gui.run_control import begin
from app.gui.session.engine_client import EngineDied
from app.gui.session.number_format import stage_text
from app.gui.session.run_state import WindowEvent
from modules.messages import CaptionReady, Failed, Finished, Note, RunTool, Stage, Stop
from modules.preset.paths import Values

TOOL = "caption"


@dataclass
class CaptionJob:
    """One at a time. `changed()` is called after each event that is about it."""

    context: AppContext
    changed: Callable[[], object]
    going: bool = False
    previews: bool = False
    made: dict[tuple[str, str], CaptionReady] = field(default_factory=dict[tuple[str, str], CaptionReady])
    stage: str = ""
    share: float | None = None
    notes: list[str] = field(default_factory=list[str])  # what one should know, the newest last
    warnings: list[str] = field(default_factory=list[str])
    failure: str = ""
    stopped: bool = False
    seconds: dict[str, float] = field(default_factory=dict[str, float])  # an image takes, by kind, where measured
    _first: dict[str, float] = field(default_factory=dict[str, float])

    def start(self, values: Values, *, previews: bool) -> None:
        """Have the engine make them.

        Raises:
            UserError: the engine cannot be started.
        """
        begin(self.context, TOOL, RunTool(TOOL, values | {"preview": previews}))
        self.going, self.previews, self.stopped, self.failure = True, previews, False, ""
        self.stage, self.share, self.notes, self.warnings, self._first = "", None, [], [], {}
        self.changed()

    def stop(self) -> None:
        self.context.engine.send(Stop(now=True))
        self.context.running.stopping()
        self.changed()

    def heard(self, event: WindowEvent) -> None:
        """Listens to every event of the engine."""
        if not self.going:
            return
        match event:
            case Stage():
                self.stage, self.share = stage_text(event), event.done / event.total if event.total else None
                self._measure(event)
            case CaptionReady():
                self.made[event.image, event.what] = event
            case Note():
                (self.warnings if event.level != "info" else self.notes).append(note_text(event))
            case Failed() | EngineDied():
                self.failure = failure_text(event) if isinstance(event, Failed) else event.message
                self.going = False
            case Finished():
                self.stopped, self.going = event.stopped, False
            case _:
                return
        self.changed()

    def _measure(self, event: Stage) -> None:
        """From the first image on: before it the model is opened."""
        if event.done == 1:
            self._first[event.code] = time.monotonic()
        elif event.done > 1 and event.code in self._first:
            self.seconds[event.code] = (time.monotonic() - self._first[event.code]) / (event.done - 1)
