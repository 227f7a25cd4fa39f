"""The engine's process as the window holds it: with small programs that play it, and once with the real one."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from app.gui.draft.draft import Draft
from app.gui.session import engine_client
from app.gui.session.engine_client import Engine, EngineDied, TakenOver, WindowEvent
from app.gui.session.inbox import Inbox
from app.gui.session.run_state import RunState
from modules.host import client
from modules.host.job_record import JobRecord
from modules.messages import (
    CheckPreset,
    Failed,
    Finding,
    Finished,
    Note,
    Pause,
    Paused,
    Progress,
    Quit,
    Result,
    SampleReady,
    Stage,
    Started,
    Stop,
    Train,
)
from modules.preset.files import store
from modules.system.bundled import ROOT
from modules.system.runtime import python_command
from modules.wire import encode

PATIENCE = 240.0  # a loaded machine takes its time to start a process

ECHO = """
import sys
from modules.messages import *
from modules.wire import *
for line in sys.stdin:
    match decode(line):
        case Quit(): break
        case Pause(): print("so it ends", file=sys.stderr); sys.exit(7)
        case Stop(): print(encode(Finished(5, stopped=True)), flush=True)
        case CheckPreset(): print(encode(Result("q", "a")), flush=True); print(encode(Finished()), flush=True)
        case _: print("this is no message", flush=True)
"""


class Window:
    """What a window does with an engine: looks into the inbox until what it waits for has come."""

    def __init__(self, code: str = "", hosts: Path | None = None) -> None:
        own = python_command("-c", code) if code else python_command("-m", "modules.engine")
        self.engine = Engine(None if hosts else own, hosts)
        self.inbox = Inbox(self.engine.inbox)
        self.events: list[WindowEvent] = []
        self.inbox.listen(self.events.append)

    def until(self, wanted: Callable[[], Any]) -> None:
        end = time.monotonic() + PATIENCE
        while not wanted():
            assert time.monotonic() < end, self.events[-5:]
            self.inbox.tick()
            threading.Event().wait(0.005)

    def last(self, kind: type[Any]) -> Any:
        return next((event for event in reversed(self.events) if isinstance(event, kind)), None)


@pytest.fixture
def window() -> Iterator[Window]:
    window = Window(ECHO)
    yield window
    window.engine.close(5)


def test_a_job_starts_the_engine_and_its_events_come_in_order(window: Window) -> None:
    assert not window.engine.alive
    assert window.engine.send(CheckPreset({}))
    assert window.engine.busy
    window.until(lambda: window.last(Finished))
    assert window.events == [Result("q", "a"), Finished()]
    assert not window.engine.busy
    assert window.engine.alive


def test_a_command_without_an_engine_is_heard_by_nobody_and_starts_none(window: Window) -> None:
    assert not window.engine.send(Stop())
    assert not window.engine.alive


def test_a_crash_is_told_with_the_last_words_and_the_next_job_starts_another(window: Window) -> None:
    window.engine.send(CheckPreset({}))
    window.engine.send(Pause())
    window.until(lambda: window.last(EngineDied))
    died = window.last(EngineDied)
    assert "Exit code 7." in died.details
    assert "so it ends" in died.details
    assert "not affected" in died.message
    assert window.events[-1] is died
    window.events.clear()
    window.engine.send(CheckPreset({}))
    window.until(lambda: window.last(Finished))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_being_killed_during_a_job_says_that_the_memory_may_have_been_full(window: Window) -> None:
    window.engine.send(Train({}))
    window.until(lambda: window.last(Note))  # "not understood": so it runs
    process = window.engine._process
    assert process
    os.kill(process._process.pid, signal.SIGKILL)
    window.until(lambda: window.last(EngineDied))
    died = window.last(EngineDied)
    assert died.working
    assert "out of memory" in died.message
    assert "last backup" in died.message
    assert not window.engine.busy


def test_what_is_no_message_becomes_a_note(window: Window) -> None:
    window.engine.send(Train({}))
    window.until(lambda: window.last(Note))
    assert "could not be read" in window.last(Note).text


def test_an_end_that_was_asked_for_is_no_crash(window: Window) -> None:
    window.engine.warm()
    window.engine.send(Quit())
    window.until(lambda: not window.engine.alive)
    window.engine.close()
    window.inbox.tick()
    assert window.events == []


def test_closing_ends_an_engine_that_does_not_listen() -> None:
    window = Window("import time; time.sleep(600)")
    window.engine.warm()
    window.engine.close(0.1)
    assert not window.engine.alive


def test_sending_never_waits_for_an_engine_that_does_not_read() -> None:
    window = Window("import time; time.sleep(600)")
    window.engine.send(CheckPreset({"text": "x" * 1_000_000}))  # more than any pipe holds
    assert window.engine.busy
    window.engine.close(0.1)


RUNS = """
import sys
from modules.messages import *
from modules.sentences.problem import Problem
from modules.wire import *
for line in sys.stdin:
    match decode(line):
        case Train():
            print(encode(Started("run", 9, 1, 9)))
            print(encode(Progress(2, 9, 1, 1, losses=[[2, 0.5]])), flush=True)
        case CheckPreset(): print(encode(note(Problem("engine.busy"), level="error")), flush=True)
        case Stop(): print(encode(Finished(2, stopped=True)), flush=True)
        case Quit(): break
        case _: pass
"""


def test_a_window_that_leaves_its_run_is_followed_by_one_that_shows_it_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = (
        "import modules.host.server as server, sys; from pathlib import Path\n"
        f"server.run(Path(sys.argv[1]), sys.argv[2], {python_command('-c', RUNS)!r})"
    )
    monkeypatch.setattr(client, "python_command", lambda *given: python_command("-c", host, *given[2:]))
    monkeypatch.setattr(client, "ANSWERS_WITHIN_S", PATIENCE)
    first, second = Window(hosts=tmp_path), Window(hosts=tmp_path)
    first.engine.send(Train({}))
    first.until(lambda: first.last(Progress))
    assert first.engine.outlives
    first.engine.leave()
    running = RunState()
    second.inbox.listen(running.take)
    second.engine.send(CheckPreset({}))  # sent before it was known that a run goes on
    second.until(lambda: running.training and second.last(Note))
    assert [note.problems[0].code for note in second.events if isinstance(note, Note)] == ["engine.busy"]
    assert running.losses == [(2, 0.5)]
    assert second.engine.busy
    second.engine.send(Stop())
    second.until(lambda: second.last(Finished))
    assert running.ended == Finished(2, stopped=True)
    second.engine.close()
    second.until(lambda: not list(tmp_path.iterdir()))


def test_where_no_host_can_be_started_the_engine_is_the_windows_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "python_command", lambda *_: python_command("-c", "raise SystemExit(1)"))
    monkeypatch.setattr(engine_client, "COMMAND", python_command("-c", ECHO))
    window = Window(hosts=tmp_path)
    window.engine.send(CheckPreset({}))
    window.until(lambda: window.last(Finished))
    assert window.engine.alive
    assert not window.engine.outlives
    window.engine.close()
    assert not window.engine.alive


def test_a_job_that_ended_unseen_is_shown_as_if_it_ended_now() -> None:
    running, heard = RunState(), list[object]()
    running.listen(heard.append)
    record = JobRecord("train", [Started("run", 9, 1, 9), Note("a")], [100.0, 101.0])
    running.take(TakenOver(record, EngineDied("died", "", True)))
    assert [line.when for line in running.log] == [100.0, 100.0, 101.0, 101.0]
    assert running.run_ended == EngineDied("died", "", True)
    assert heard == [*record.events, running.run_ended]
    assert running.taken_over
    running.begin("check")
    assert not running.taken_over


def test_a_tick_takes_a_bounded_bite_and_keeps_every_loss(window: Window) -> None:
    for step in range(300):
        window.engine.inbox.put(Progress(step, 300, 1, 1, losses=[[step, 0.5]]))
        if step == 150:
            window.engine.inbox.put(SampleReady("x.png", "y", step, 1))
    window.engine.inbox.put(EngineDied("a", "b", True))
    assert window.inbox.tick(at_most=10) == 10
    assert [event.step for event in window.events if isinstance(event, Progress)] == [9]
    window.inbox.tick()
    steps = [int(loss[0]) for event in window.events if isinstance(event, Progress) for loss in event.losses]
    assert steps == list(range(300))
    assert len(window.events) == 5
    assert isinstance(window.events[-1], EngineDied)
    assert window.inbox.tick() == 0


def test_the_newest_stage_of_a_kind_wins(window: Window) -> None:
    for event in (Stage("a", 1, 3), Stage("a", 2, 3), Stage("b", 0, 0)):
        window.engine.inbox.put(event)
    window.inbox.tick()
    assert window.events == [Stage("a", 2, 3), Stage("b", 0, 0)]


def test_a_listener_that_ended_hears_nothing_more(window: Window) -> None:
    heard: list[WindowEvent] = []
    end = window.inbox.listen(heard.append)
    end()
    end()
    window.engine.inbox.put(Stage("a"))
    window.inbox.tick()
    assert heard == []


def test_the_real_engine_trains_the_starter_for_two_steps_and_takes_the_next_job_at_once(tmp_path: Path) -> None:
    draft = Draft(store.read(ROOT / "presets" / "Starter" / "Robot LoRA.json"))
    for path, value in {
        "general.workspace": str(tmp_path), "general.device": "cpu", "general.threads": 1, "general.tensorboard": False,
        "training.steps": 2, "training.batch_size": 1, "training.resolution": 64, "sampling.every": "never",
        "sampling.first": False, "sampling.last": False, "backup.every": "never", "backup.at_end": False,
    }.items():  # fmt: skip
        assert draft.put(path, value) == ""
    window = Window()
    try:
        window.engine.send(Train(draft.freeze()))
        window.until(lambda: window.last(Finished) or window.last(Failed))
        assert window.last(Finished) == Finished(2, path=window.last(Finished).path), window.events
        assert window.last(Started).steps == 2
        assert Path(window.last(Finished).path).is_file()
        window.events.clear()
        draft.put("model.family", "sdxl")
        window.engine.send(CheckPreset(draft.freeze()))
        window.until(lambda: window.last(Finished) or window.last(Failed))
        assert not window.engine.busy
    finally:
        window.engine.close()
    found = [event for event in window.events if isinstance(event, Finding)]
    assert [finding.name for finding in found if finding.severity == "error"] == ["model.cannot-open"]
    assert encode(found[0])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_the_end_of_an_idle_engine_is_not_taken_for_the_end_of_the_next(window: Window) -> None:
    window.engine.warm()
    first = window.engine._process
    assert first
    os.kill(first._process.pid, signal.SIGSTOP)  # so that its reader cannot be told before the next one is there
    os.kill(first._process.pid, signal.SIGKILL)
    first._process.wait()
    window.engine.send(CheckPreset({}))
    window.until(lambda: window.last(Finished))
    first._threads[0].join(PATIENCE)
    window.inbox.tick()
    assert window.last(EngineDied) is None


def test_a_listener_that_fails_costs_nobody_a_word() -> None:
    queue: SimpleQueue[WindowEvent] = SimpleQueue()
    inbox, heard = Inbox(queue), list[WindowEvent]()

    def fails(event: WindowEvent) -> None:
        if isinstance(event, Note):
            raise ZeroDivisionError

    inbox.listen(fails)
    inbox.listen(heard.append)
    told: list[WindowEvent] = [Note("a", "info"), Finished(3)]
    for event in told:
        queue.put(event)
    with pytest.raises(ZeroDivisionError):
        inbox.tick()
    inbox.tick()
    assert heard == told


def test_a_run_tells_all_its_listeners_even_if_one_fails() -> None:
    running, heard = RunState(), list[object]()

    def fails(_: object) -> None:
        raise ZeroDivisionError

    running.listen(fails)
    running.listen(heard.append)
    with pytest.raises(ZeroDivisionError):
        running.take(Finished(3))
    assert heard == [Finished(3)]


def test_a_stage_that_is_told_twice_is_one_line_of_the_log() -> None:
    running = RunState()
    running.begin("train")
    for done in (0, 0, 1):
        running.take(Stage("stage.samples", done, 2))
    assert [line.text for line in running.log[1:]] == ["Making samples"]


def test_a_pause_that_comes_after_stop_does_not_hide_it() -> None:
    running = RunState()
    running.begin("train")
    running.stopping()
    running.take(Paused(3))
    assert running.state == "stopping"
