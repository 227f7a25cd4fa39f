"""What every page of the window works with: the project, the engine, the run, the way to other pages. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.gui.draft import Draft
from app.gui.engine import Engine
from app.gui.inbox import Inbox
from app.gui.library import Library
from app.gui.live import LiveChanges
from app.gui.meters import Meters
from app.gui.project import Project
from app.gui.running import Running
from app.gui.state import Remembered


def _nowhere(_page: str, _path: str = "") -> None: ...


def _silence(_text: str, _action: str = "", _on_action: Callable[[], None] | None = None) -> None: ...


def _unasked() -> None: ...


def _nothing_to_resume(_folder: Path) -> None: ...


@dataclass
class Desk:
    """Handed to every page. The window fills in the ways (`go`, `say`, `start`, ...) once it stands."""

    draft: Draft
    engine: Engine
    inbox: Inbox
    running: Running
    library: Library
    remembered: Remembered
    project: Project
    meters: Meters
    app: Any = None  # kit.App
    pictures: Any = None  # kit.Pictures
    live: LiveChanges | None = None  # made by the first row of a live setting
    checks: Any = None  # findings.Checks, made by the first who asks findings.checks_of

    # Filled in by the window
    go: Callable[..., None] = field(default=_nowhere)  # go("training", "training.batch_size"): that page, that setting
    say: Callable[..., None] = field(default=_silence)  # say("Preset saved", "Undo", undo): a toast
    start: Callable[[], None] = field(default=_unasked)  # start the run, as the button does
    why_not: Callable[[], str] = field(default=str)  # why it cannot be started now; "" if it can
    stop: Callable[[], None] = field(default=_unasked)  # stop it; a second time at once
    resume: Callable[[Path], None] = field(default=_nothing_to_resume)  # continue the run in this folder
    sample_now: Callable[[], None] = field(default=_unasked)  # asks for a prompt of the moment
