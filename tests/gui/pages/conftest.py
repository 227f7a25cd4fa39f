"""A desk with the real logic, an engine that only listens, and a folder of its own."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.gui.desk import Desk
from app.gui.draft import Draft
from app.gui.engine import Engine
from app.gui.inbox import Inbox
from app.gui.library import Library
from app.gui.meters import Meters
from app.gui.project import Project
from app.gui.running import Running
from app.gui.state import Remembered
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
def desk(root: Any, tmp_path: Path, engine: Listening) -> Iterator[Desk]:
    slow = count(step=10)  # each change is one to undo
    project = Project.open(tmp_path)
    made = Desk(
        Draft(Preset(), clock=lambda: float(next(slow))), engine, Inbox(engine.inbox), Running(),
        Library(tmp_path / "presets"), Remembered(tmp_path / "window.json"), project, Meters(), root,
    )  # fmt: skip
    yield made
    project.close(made.draft)
