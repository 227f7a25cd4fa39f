"""The job that the engine is doing, as the window knows it from events: one place to read, for bar, pane and page."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from app.gui.draft.problem_labels import failure_text, note_text, pause_text
from app.gui.session.engine_client import EngineDied, TakenOver, WindowEvent
from app.gui.session.event_log import RunSeries
from modules.event_text import sentence
from modules.language import tr
from modules.messages import (
    BackupSaved,
    Continued,
    Failed,
    Finding,
    Finished,
    ModelSaved,
    Note,
    Paused,
    Progress,
    Result,
    SampleReady,
    Stage,
    Started,
    Validated,
)

State = Literal["idle", "preparing", "training", "paused", "stopping"]
Ended = Finished | Failed | EngineDied
JUST_SENT = Stage("stage.starting-engine")  # nothing was heard of the job yet


@dataclass(frozen=True)
class Line:
    """A line of the log."""

    when: float  # seconds since 1970
    level: str  # info, warning, error
    text: str


AT_ONCE_S = 2.0


class Countdown:
    """How long a job still takes, by how fast its stage went on lately.

    What is there already is counted in a moment, at the beginning, and says nothing of the rest.
    """

    def __init__(self) -> None:
        self._code, self._began = "", 0.0
        self._steps: deque[tuple[float, int]] = deque(maxlen=30)
        self._total = 0

    def take(self, stage: Stage, now: float) -> None:
        if stage.code != self._code or (self._steps and stage.done < self._steps[-1][1]):
            self._steps.clear()
            self._began = now
        self._code, self._total = stage.code, stage.total
        if now - self._began < AT_ONCE_S:
            self._steps.clear()
        if not self._steps or stage.done != self._steps[-1][1]:
            self._steps.append((now, stage.done))

    @property
    def seconds(self) -> float:
        """0 while nobody knows."""
        if len(self._steps) < 2 or not self._total:
            return 0.0
        (first, start), (last, done) = self._steps[0], self._steps[-1]
        return (self._total - done) * (last - first) / max(done - start, 1)


@dataclass
class RunState(RunSeries):
    """Fold events into what is so now. Listeners are called after each event with that event."""

    state: State = "idle"
    what: str = ""  # "train", "sample", "convert", "cache", "check": the job under way or the last one
    stage: Stage | None = None
    started: Started | None = None
    runs: int = 0  # that have been sent to the engine
    progress: Progress | None = None
    samples: list[SampleReady] = field(default_factory=list[SampleReady])
    log: list[Line] = field(default_factory=list[Line])
    backup_step: int = -1  # of the newest backup of this run; -1 for none
    model: Path | None = None  # the newest model that this run saved
    pause_reason: str = ""  # why it paused by itself; "" while it does not
    retries: bool = False  # it tries again by itself
    ended: Ended | None = None  # how the last job ended
    run_ended: Ended | None = None  # how the last training ended; jobs of tools and of the check do not touch it
    countdown: Countdown = field(default_factory=Countdown)  # of a job that is no training
    taken_over: bool = False  # the job under way, or the last one, was sent by an earlier window, or by the queue
    queued: bool = False  # it was sent by the queue
    replaying: bool = False  # what comes now happened before this window was there
    _listeners: list[Callable[[WindowEvent], None]] = field(default_factory=list[Callable[[WindowEvent], None]])

    @property
    def busy(self) -> bool:
        return self.state != "idle"

    @property
    def training(self) -> bool:
        """Whether a run is under way."""
        return self.busy and self.what == "train"

    @property
    def folder(self) -> Path | None:
        return Path(self.started.folder) if self.started else None

    def listen(self, call: Callable[[WindowEvent], None]) -> Callable[[], None]:
        """Hear of every event after it was taken in; what is returned ends that."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call)

    def begin(self, what: str, when: float | None = None) -> None:
        """A job was sent to the engine: forget the last one."""
        self.state, self.what, self.ended, self.taken_over, self.queued = "preparing", what, None, False, False
        self.stage, self.pause_reason = JUST_SENT, ""
        self.countdown = Countdown()
        if what == "train":
            self.log.append(Line(when or time.time(), "info", tr("New run")))
            self.started = self.progress = self.run_ended = None
            self.runs, self.backup_step, self.model = self.runs + 1, -1, None
            self._forget_series()

    def _forget_series(self) -> None:
        self.samples = []
        self.forget()

    def stopping(self) -> None:
        """The user asked to stop."""
        self.state = "stopping"

    def take(self, event: WindowEvent) -> None:
        """Take in an event; the inbox calls this."""
        if isinstance(event, TakenOver):
            self._take_over(event)
        else:
            self._take(event, time.time())

    def _take_over(self, job: TakenOver) -> None:
        """As if this window had been there from its beginning."""
        record = job.record
        self.begin(record.what, record.times[0] if record.times else None)
        self.taken_over = self.replaying = True
        self.queued = record.queued
        try:
            for event, when in zip(record.events, record.times, strict=True):
                self._take(event, when)  # type: ignore[arg-type]  an engine sends no commands
            if job.died is not None:
                self._take(job.died, record.times[-1] if record.times else time.time())
        finally:
            self.replaying = False

    def _take(self, event: WindowEvent, when: float) -> None:
        again = isinstance(event, Stage) and self.stage is not None and event.code == self.stage.code
        trains = self.what == "train"
        if trains or isinstance(event, Stage | Ended):  # what a tool makes and says belongs to the tool
            self._apply(event)
        if trains and not again and (words := in_words(event)):
            self.log.append(Line(when, level_of(event), words))
        with ExitStack() as callbacks:  # each hears of it, even if another one fails
            for listener in reversed(self._listeners):
                callbacks.callback(listener, event)

    def _apply(self, event: WindowEvent) -> None:
        match event:
            case Started():
                if self.started is not None:  # what came before is read from the run's folder, up to the backup
                    self._forget_series()
                self.started = event
                self.state = "stopping" if self.state == "stopping" else "training"
                self.backup_step = event.resumed_from
            case Stage():
                self.stage = event
                self.countdown.take(event, time.monotonic())
            case Progress():
                self._advance(event)
            case Paused() | Continued():
                self._pause(event)
            case Finished() | Failed() | EngineDied():
                self.state, self.stage, self.ended, self.pause_reason = "idle", None, event, ""
                if self.what == "train":
                    self.run_ended = event
            case _:
                self._collect(event)

    def _collect(self, event: WindowEvent) -> None:
        """What a run makes."""
        self.collect(event)
        if isinstance(event, SampleReady):
            self.samples.append(event)
        elif isinstance(event, Validated):
            self.stage = None
        elif isinstance(event, BackupSaved):
            self.backup_step = event.step
        elif isinstance(event, ModelSaved):
            self.model = Path(event.path)

    def _pause(self, event: Paused | Continued) -> None:
        """Filling the cache can wait for room, too: then it goes on preparing."""
        self.pause_reason = pause_text(event) if isinstance(event, Paused) else ""
        self.retries = isinstance(event, Paused) and event.retries
        going = "training" if self.started else "preparing"
        if self.state != "stopping":
            self.state = "paused" if isinstance(event, Paused) else going

    def _advance(self, event: Progress) -> None:
        self.progress, self.stage = event, None
        self.collect(event)


def level_of(event: WindowEvent) -> str:
    """How loud a line of the log is."""
    if isinstance(event, Failed | EngineDied):
        return "error"
    if isinstance(event, Finding):
        return "info" if event.severity == "info" else "warning"
    if isinstance(event, Paused) and event.reason:
        return "warning"
    return event.level if isinstance(event, Note) else "info"


def in_words(event: WindowEvent) -> str:
    """The line that an event leaves in the log; "" for none."""
    match event:
        case Note():
            return note_text(event)  # its level is its colour
        case Paused() if event.reason:
            return tr("Paused at step {step:,}: {reason}", step=event.step, reason=pause_text(event))
        case Failed():
            return failure_text(event)
        case EngineDied():
            return event.message
        case SampleReady():
            return f"{sentence(event)}: {event.prompt}"
        case _:
            return "" if isinstance(event, Progress | Result) else sentence(event)
