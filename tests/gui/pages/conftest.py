"""A desk with the real logic, an engine that only listens, and a folder of its own."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.gui.context import AppContext
from app.gui.draft.autosave import Project
from app.gui.draft.draft import Draft
from app.gui.draft.preset_library import Library
from app.gui.draft.window_state import WindowState
from app.gui.session.engine_client import Engine
from app.gui.session.hardware import HardwareMonitor
from app.gui.session.inbox import Inbox
from app.gui.session.run_state import RunState
from modules.messages import Command
from modules.preset.preset import Preset


class Listening(Engine):
    """An engine that only remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Command] = []

    def send(self, command: Command) -> bool:
        self.sent.append(command)
        return True


@pytest.fixture
def engine() -> Listening:
    return Listening()


@pytest.fixture
def context(root: Any, tmp_path: Path, engine: Listening) -> Iterator[AppContext]:
    slow = count(step=10)  # each change is one to undo
    project = Project.open(tmp_path)
    made = AppContext(
        Draft(Preset(), clock=lambda: float(next(slow))), engine, Inbox(engine.inbox), RunState(),
        Library(tmp_path / "presets"), WindowState(tmp_path / "window.json"), project, HardwareMonitor(), root,
    )  # fmt: skip
    yield made
    project.close(made.draft)
