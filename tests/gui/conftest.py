"""A real window on a virtual screen: one screen per worker, one root per session, errors in callbacks fail the test."""

import gc
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import pytest

from app.gui.context import AppContext
from app.gui.draft.autosave import Project
from app.gui.draft.draft import Draft
from app.gui.draft.preset_library import Library
from app.gui.draft.window_state import WindowState
from app.gui.jobs.job_queue import JobQueue
from app.gui.session.engine_client import Engine
from app.gui.session.hardware import HardwareMonitor
from app.gui.session.inbox import Inbox
from app.gui.session.run_state import RunState
from modules.check.trained.answers import answer
from modules.check.trained.layer_lists import Build
from modules.messages import Command, Query
from modules.preset.preset import Preset
from tests.gui.contexts import context_at
from tests.gui.person import Person

LONGEST = 60.0  # a loaded machine takes its time
Pump = Callable[..., None]


def without(what: str) -> NoReturn:
    """On a person's machine the window's tests may be left out; CI must not pass for having run them."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


if importlib.util.find_spec("tkinter") is None and os.environ.get("CI"):
    pytest.exit("CI has no tkinter: the window would go untested (apt install python3-tk)", returncode=1)


@pytest.fixture(scope="session", autouse=True)
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test writes into the settings of the person who runs it."""
    folder = tmp_path_factory.mktemp("settings")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CONFIG_HOME", "APPDATA"):
            patch.setenv(name, str(folder))
        yield folder


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    """The display to test on: an Xvfb of this worker's own, else the one that is there."""
    xvfb = shutil.which("Xvfb") if sys.platform.startswith("linux") else None
    if xvfb is None:
        if not os.environ.get("DISPLAY") and sys.platform.startswith("linux"):
            without("no screen, and no Xvfb to make one (apt install xvfb)")
        yield os.environ.get("DISPLAY", "")
        return
    before = os.environ.get("DISPLAY")
    server, display = started(xvfb)
    os.environ["DISPLAY"] = display
    yield display
    server.terminate()
    server.wait()
    os.environ.pop("DISPLAY")
    if before is not None:
        os.environ["DISPLAY"] = before


def started(xvfb: str) -> tuple[subprocess.Popen[bytes], str]:
    """An X server on the first free number from one that depends on this process."""
    for number in count(200 + os.getpid() % 4000):
        if Path(f"/tmp/.X11-unix/X{number}").exists():
            continue
        command = [xvfb, f":{number}", "-screen", "0", "1920x1200x24", "-nolisten", "tcp"]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        end = time.monotonic() + LONGEST
        while server.poll() is None and not Path(f"/tmp/.X11-unix/X{number}").exists() and time.monotonic() < end:
            time.sleep(0.01)
        if server.poll() is None:
            return server, f":{number}"
    raise AssertionError("count never ends")


@pytest.fixture(scope="session")
def only_root(screen: str) -> Iterator[Any]:
    """The one root of the session: Tk does not like to be started twice in a process."""
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    from app.gui.kit import App

    root = App()
    root.show("1280x800+0+0")
    root.update()
    yield root
    root.destroy()


@pytest.fixture
def root(only_root: Any) -> Iterator[Any]:
    """The window, empty, dark, at 100 %; what a callback raised fails the test."""
    from app.gui.kit import Popup, Toast, events, the_tip, theme

    raised: list[BaseException] = []
    only_root.on_error = lambda kind, error, trace: raised.append(error)
    theme.set("dark")
    theme.zoom(100)
    events.by_keyboard = False
    yield only_root
    only_root.update()
    if Popup.open_now is not None:
        Popup.open_now.close()
    if Toast.now is not None:
        Toast.now.close()
    the_tip.hide()
    for child in only_root.winfo_children():
        child.destroy()
    only_root.geometry("1280x800+0+0")
    only_root.deiconify()  # a window that was closed has vanished
    only_root.update()
    if raised:
        raise raised[0]


@pytest.fixture
def pump(root: Any) -> Pump:
    """`pump(lambda: done)`: let the window live until it is so; fails after a minute. `pump()`: until it is idle."""

    def run(until: Callable[[], object] | None = None, seconds: float = LONGEST) -> None:
        root.update()
        pause, end = 0.002, time.monotonic() + seconds
        while until is not None and not until():
            assert time.monotonic() < end, "waited in vain"
            root.update()
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    return run


def rest(pump: Pump, root: Any, milliseconds: int) -> None:
    """Let the window live for so long by its own clock: timers that were due before have been served."""
    over: list[bool] = []
    root.after(milliseconds, over.append, True)
    pump(lambda: over)


def left_behind(act: Callable[[], object], state: Callable[[], dict[str, int]], rounds: int = 20) -> dict[str, int]:
    """What each round of `act` adds to; what timers and the garbage collector take or leave meanwhile is none of it."""
    gc.collect()
    before = state()
    for _ in range(rounds):
        act()
    gc.collect()
    return {name: count - before[name] for name, count in state().items() if count - before[name] > rounds // 2}


class Listening(Engine):
    """An engine that only remembers what it was sent; with a `build` it answers queries, too."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Command] = []
        self.build: Build | None = None
        self.answered: Callable[[], object] = lambda: None

    def send(self, command: Command) -> bool:
        if not isinstance(command, Query):
            self.sent.append(command)
        elif self.build is not None:
            self.inbox.put(answer(command, self.build))
            self.answered()
        return True


@pytest.fixture
def engine() -> Listening:
    return Listening()


@pytest.fixture
def context(root: Any, tmp_path: Path, engine: Listening) -> Iterator[AppContext]:
    """Real logic in a folder of the test, and an engine that only listens."""
    slow = count(step=10)  # each change is one to undo
    project = Project.open(tmp_path)
    made = AppContext(
        Draft(Preset(), clock=lambda: float(next(slow))), engine, Inbox(engine.inbox), RunState(),
        Library(tmp_path / "presets"), WindowState(tmp_path / "window.json"), project, HardwareMonitor(), root,
        jobs=JobQueue(tmp_path / "queue.sqlite"),
    )  # fmt: skip
    yield made
    made.jobs.close()
    project.close(made.draft)


@pytest.fixture
def counting(context: AppContext, engine: Listening) -> AppContext:
    """The context with an engine that answers queries."""
    from modules.families.parts.layer_list import layer_lists
    from tests.layer_answers import FOLDER

    context.draft.put("general.cache", FOLDER.name)
    engine.build, engine.answered = layer_lists, lambda: context.app.after_idle(context.inbox.tick)
    return context


@pytest.fixture
def person(root: Any, pump: Pump) -> Person:
    """Who sits at the window."""
    return Person(root, pump)


@pytest.fixture
def whole_window(root: Any, tmp_path: Path, pump: Pump, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The window with its real pages and the Starter loaded, and an engine that only listens."""
    from app.gui.kit import Pictures
    from app.gui.shell.window import Window

    context = context_at(tmp_path)
    context.app, context.pictures = root, Pictures(root, None)
    on_error = root.on_error
    made = Window(context)
    root.on_error = on_error
    monkeypatch.setattr(root, "destroy", lambda: None)
    made.show()
    pump()
    yield made
    monkeypatch.undo()
    made.leave()
