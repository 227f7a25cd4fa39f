"""The context of a window for tests: real logic in a folder of its own, an engine that only writes down its orders."""

from pathlib import Path
from queue import SimpleQueue
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.autosave import Project
from app.gui.draft.draft import Draft
from app.gui.draft.preset_library import Library
from app.gui.draft.window_state import WindowState
from app.gui.jobs.job_queue import JobQueue
from app.gui.session.engine_client import WindowEvent
from app.gui.session.hardware import HardwareMonitor, Reading
from app.gui.session.inbox import Inbox
from app.gui.session.run_state import RunState
from modules.messages import Command, Finished, Progress, Query, Started
from modules.wire import encode


class SilentEngine:
    """Takes commands; `inbox` holds what a test lets it say."""

    def __init__(self) -> None:
        self.inbox: SimpleQueue[WindowEvent] = SimpleQueue()
        self.sent: list[Command] = []
        self.asked: list[Query] = []
        self.closed = False
        self.left = False
        self.alive = self.busy = self.outlives = False

    def send(self, command: Command) -> bool:
        if isinstance(command, Query):
            self.asked.append(command)
        else:
            self.sent.append(command)
        return True

    def warm(self) -> None: ...

    def close(self, seconds: float = 0) -> None:
        self.closed = True

    def leave(self) -> None:
        self.left = True

    def printed(self) -> list[str]:
        return ["the last line"]


def context_at(folder: Path, *, check_first: bool = False) -> AppContext:
    """With the Starter loaded; all that is kept lies in `folder`. Start trains at once, unless `check_first`."""
    library = Library(folder / "presets")
    starter = library.starter()
    assert starter is not None
    assert starter.preset is not None
    preset = starter.preset
    general = preset.general.model_copy(update={"workspace": str(folder / "workspace")})
    engine: Any = SilentEngine()
    window_state = WindowState(folder / "window.json")
    window_state.put("check_first", check_first)
    return AppContext(
        draft=Draft(preset.model_copy(update={"general": general}), starter.name),
        engine=engine,
        inbox=Inbox(engine.inbox),
        running=RunState(),
        library=library,
        window_state=window_state,
        project=Project.open(folder / "project"),
        meters=HardwareMonitor(lambda: Reading(12.0, 2**33, 2**34), every=60),
        jobs=JobQueue(folder / "queue.sqlite"),
    )


def sent(context: AppContext) -> list[Command]:
    engine: Any = context.engine
    return engine.sent


def run_folder(folder: Path, name: str, *, step: int, end: str, reached: int = 0) -> Path:
    """A run as it lies in the workspace: with a backup at `step` unless that is 0; `end`: stopped, finished or ""."""
    place = folder / "workspace" / name
    place.mkdir(parents=True)
    told = [Started(str(place), 600, 10, 60), Progress(max(step, reached, 1), 600, 1, 10)]
    lines = [*told, *([Finished(reached or step, end == "stopped")] if end else [])]
    (place / "events.jsonl").write_text("".join(f"{encode(line)}\n" for line in lines))
    if step:
        backup = place / "backups" / f"step-{step:08}"
        backup.mkdir(parents=True)
        (backup / "manifest.json").write_text("{}")
    return place
