"""What every page of the window works with: the project, the engine, the run, the way to other pages. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.gui.draft.autosave import Project
from app.gui.draft.draft import Draft
from app.gui.draft.preset_library import Library
from app.gui.draft.window_state import WindowState
from app.gui.jobs.job_queue import JobQueue
from app.gui.session.engine_client import Engine
from app.gui.session.hardware import HardwareMonitor
from app.gui.session.inbox import Inbox
from app.gui.session.live_settings import LiveChanges
from app.gui.session.model_files import ModelFiles
from app.gui.session.queries import Queries
from app.gui.session.run_state import RunState


def _nowhere(_page: str, _path: str = "") -> None: ...


def _silence(_text: str, _action: str = "", _on_action: Callable[[], None] | None = None, **_more: object) -> None: ...


def _unasked() -> None: ...


def _nothing_to_resume(_folder: Path) -> None: ...


@dataclass
class AppContext:
    """Handed to every page. The window fills in the ways (`go`, `notify`, `start`, ...) once it stands."""

    draft: Draft
    engine: Engine
    inbox: Inbox
    running: RunState
    library: Library
    window_state: WindowState
    project: Project
    meters: HardwareMonitor
    app: Any = None  # kit.App
    pictures: Any = None  # kit.Pictures
    live: LiveChanges | None = None  # made by the first row of a live setting
    files: ModelFiles | None = None  # made by the window; what the model's files are
    masks: Any = None  # masks.store.MaskStore, made by the page Masks: what is not saved outlives the page
    checks: Any = None  # findings.Checks, made by the first who asks findings.checks_for

    jobs: JobQueue = field(default_factory=JobQueue)  # the queue

    queries: Queries = field(init=False)  # what the engine is asked beside its job

    # Filled in by the window
    go: Callable[..., None] = field(default=_nowhere)  # go("training", "training.batch_size"): that page, that setting
    notify: Callable[..., None] = field(default=_silence)  # say("Preset saved", "Undo", undo): a toast
    start: Callable[[], None] = field(default=_unasked)  # start the run, as the button does
    start_blocked_reason: Callable[[], str] = field(default=str)  # why it cannot be started now; "" if it can
    stop: Callable[[], None] = field(default=_unasked)  # stop it; a second time at once
    resume: Callable[[Path], None] = field(default=_nothing_to_resume)  # continue the run in this folder
    own_lora: Callable[[], None] = field(default=_unasked)  # open the card of steps to a LoRA of one's own images
    enqueue: Callable[[], object] = field(default=_unasked)  # put the settings of now into the queue, as a run
    try_values: Callable[..., object] = field(default=_unasked)  # choose values to try, first of all of this setting
    sample_now: Callable[[], None] = field(default=_unasked)  # asks for a prompt of the moment

    def __post_init__(self) -> None:
        self.queries = Queries(self.engine, self.inbox)
