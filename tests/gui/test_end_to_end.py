"""The real window in a process of its own, driven by mouse and keys: train, stop, continue, save a preset."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageGrab

from app.gui.draft.autosave import save_project
from app.gui.draft.draft import Draft
from app.gui.draft.preset_library import Library
from app.gui.shell.run_bar import CALM_S
from modules.messages import BackupSaved, Finished, Message, SampleReady, Started
from modules.system.bundled import ROOT
from modules.system.runtime import python_command
from modules.wire import decode
from tests.gui.conftest import started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb and xdotool"),
    pytest.mark.skipif(not shutil.which("xdotool"), reason="no xdotool to press keys (apt install xdotool)"),
]
LONGEST = 180.0  # a loaded machine takes its time to import and to look
START = (93, 770)  # of a window of 1280 x 800
START_EDGE, BLUE = (24, 770), "#3B6FEB"  # theme.colour("button") when it is dark


class Person:
    """Sits before the window: presses, types, waits for what the run's folder tells."""

    def __init__(self, folder: Path, display: str) -> None:
        self.home, self.run = folder, folder / "workspace" / "Robot LoRA"
        self.settings = folder / "settings" / "seachange"
        self.environment = {
            **os.environ, "DISPLAY": display, "XDG_CONFIG_HOME": str(folder / "settings"), "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self._lay_out()
        with (folder / "window.log").open("w") as log:
            self.window = subprocess.Popen(
                python_command("-m", "app"), cwd=folder, env=self.environment, stdout=log, stderr=log
            )

    def _lay_out(self) -> None:
        """The Starter, shorter, as a window left it."""
        starter = Library(self.home).starter()
        assert starter is not None
        draft = Draft(starter.preset, starter.name)
        draft.put("general.workspace", str(self.home / "workspace"))
        draft.put("training.steps", 150)
        self.settings.mkdir(parents=True)
        save_project(draft, self.settings / "project.json")
        state = {"welcomed": True, "geometry": "1280x800+0+0", "theme": "dark"}
        (self.settings / "window.json").write_text(json.dumps(state))

    def xdotool(self, *words: object) -> str:
        command = ["xdotool", *map(str, words)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout

    def click(self, x: int, y: int) -> None:
        """And move the hand away: what is under the pointer has another colour."""
        self.xdotool("mousemove", x, y, "click", 1, "mousemove", 700, 500)

    def press(self, *keys: str) -> None:
        self.xdotool("key", *keys)

    def sees(self, title: str) -> Callable[[], bool]:
        return lambda: bool(self.xdotool("search", "--onlyvisible", "--name", title).strip())

    def shines(self, x: int, y: int, colour: str) -> Callable[[], bool]:
        """Whether there is this colour on the screen: a button that stands in its place."""
        wanted = tuple(bytes.fromhex(colour[1:]))
        display = self.environment["DISPLAY"]
        return lambda: ImageGrab.grab((x, y, x + 1, y + 1), xdisplay=display).getpixel((0, 0))[:3] == wanted

    def told(self) -> list[Message]:
        """Every event of the run so far; a line that is being written is left for later."""
        path = self.run / "events.jsonl"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [decode(line) for line in lines if line]

    def heard(self, wanted: Callable[[Any], bool]) -> Callable[[], bool]:
        return lambda: any(wanted(event) for event in self.told())

    def wait(self, until: Callable[[], bool]) -> None:
        end = time.monotonic() + LONGEST
        while not until():
            log = (self.home / "window.log").read_text()
            assert self.window.poll() is None, f"the window has gone: {log}"
            assert time.monotonic() < end, f"waited in vain: {log}"
            time.sleep(0.05)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        pytest.skip("no Xvfb to show the window on (apt install xvfb)")
    server, display = started(xvfb)
    made = Person(tmp_path, display)
    yield made
    made.window.terminate()
    made.window.wait()
    server.terminate()
    server.wait()


def test_a_person_trains_stops_continues_and_saves_a_preset(person: Person) -> None:
    person.wait(person.shines(*START_EDGE, BLUE))
    person.click(*START)
    person.wait(person.heard(lambda event: isinstance(event, SampleReady)))

    person.press("ctrl+Return")
    pressed = time.monotonic()
    person.wait(person.heard(lambda event: isinstance(event, Finished) and event.stopped))
    [backup] = [event for event in person.told() if isinstance(event, BackupSaved)]
    assert backup.step < 150
    person.wait(person.shines(*START_EDGE, BLUE))
    person.wait(lambda: time.monotonic() - pressed > 2 * CALM_S)  # a second press at once would not count

    person.press("ctrl+Return")
    person.wait(person.sees("Continue?"))
    person.press("Return")
    person.wait(person.heard(lambda event: isinstance(event, Started) and event.resumed_from == backup.step))
    person.wait(person.heard(lambda event: isinstance(event, Finished) and not event.stopped))
    assert len(list((person.run / "models").iterdir())) == 1

    person.press("ctrl+s")
    person.wait(person.sees("Save as preset"))
    person.xdotool("type", "Mine")
    person.press("Return")
    saved = person.settings / "presets" / "Mine.json"
    person.wait(saved.exists)
    assert json.loads(saved.read_text())["training"]["steps"] == 150
