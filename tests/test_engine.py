"""The engine as a program of its own: lines of JSON in, lines of JSON out, and an orderly end whatever happens."""

from __future__ import annotations

import io
import json
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from modules.check.trained.layer_lists import layer_lists
from modules.engine import TICK, Engine
from modules.event_stream import condense
from modules.messages import (
    Answer,
    BackupSaved,
    CheckPreset,
    Continue,
    Continued,
    Event,
    Failed,
    Finished,
    ModelSaved,
    Note,
    Pause,
    Paused,
    Progress,
    Query,
    Quit,
    Stage,
    Started,
    Train,
)
from modules.preset.validate import preset_of
from modules.sentences.problem import Problem
from modules.trainer.backup import is_whole
from modules.wire import decode, encode
from tests.forked import python
from tests.trainer.runs import values

PATIENCE = 240  # seconds without an answer, after which the test fails instead of hanging


class Running:
    """A running engine: `send` commands, `until` an event of a kind has come."""

    def __init__(self, arguments: list[str], **environment: str) -> None:
        self.process = python(*arguments, **environment)
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.events: list[Any] = []
        self.noise = b""
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._hear)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(b"")

    def _hear(self) -> None:
        assert self.process.stderr
        self.noise = self.process.stderr.read()

    def send(self, *commands: Any) -> None:
        assert self.process.stdin
        for command in commands:
            self.process.stdin.write((command if isinstance(command, bytes) else encode(command).encode()) + b"\n")
        self.process.stdin.flush()

    def next(self) -> Event | None:
        line = self.lines.get(timeout=PATIENCE)
        if not line:
            return None
        event = decode(line.decode())
        self.events.append(event)
        return event  # type: ignore[return-value]

    def until(self, kind: type[Any]) -> Any:
        while event := self.next():
            if isinstance(event, kind):
                return event
        raise AssertionError(f"the engine ended without {kind.__name__}: {self.events[-3:]} {self.noise.decode()}")

    def end(self) -> int:
        """Wait for the process to end by itself; gives its exit code."""
        while self.next():
            pass
        code = self.process.wait(PATIENCE)
        for reader in self._readers:  # what it printed last may still be on its way
            reader.join(PATIENCE)
        return code

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    engines: list[Running] = []

    def begin(*arguments: str, **environment: str) -> Running:
        engines.append(Running(list(arguments or ("-m", "modules.engine")), **environment))
        return engines[-1]

    yield begin
    for engine in engines:
        engine.close()


def losses_of(events: list[Any]) -> list[int]:
    return [int(step) for event in events if isinstance(event, Progress) for step, _ in event.losses]


CHATTER = """
import os, modules.run as run, modules.engine as engine
quiet = run.run_job
def loud(job, channel):
    print("a library prints", flush=True)
    os.write(1, b"a C library prints\\n")
    quiet(job, channel)
run.run_job = loud
engine.main()
"""


def test_two_runs_one_after_the_other_and_a_word_for_whatever_is_out_of_turn(start, tmp_path: Path) -> None:
    engine = start("-c", CHATTER)
    engine.send(b"garbage", b'{"kind": "Train", "colour": 1}', b"\xff\xfe")
    engine.send(Train(values(tmp_path, "training.steps=30")))
    engine.until(Started)
    engine.send(Train(values(tmp_path)))
    first = engine.until(Finished)
    assert (first.step, first.stopped) == (30, False)
    said = [event.text for event in engine.events if isinstance(event, Note) and event.level == "error"]
    assert [text.partition(":")[0] for text in said] == ["Not understood"] * 3 + ["A job is already running"]
    assert losses_of(engine.events) == list(range(1, 31))

    engine.events.clear()
    engine.send(Train(values(tmp_path, "training.steps=3")), Quit(), Train(values(tmp_path)))
    assert engine.end() == 0
    assert isinstance(engine.events[-1], Finished | Note)
    assert any(isinstance(event, Finished) and event.stopped for event in engine.events)
    assert any(isinstance(event, Note) and event.level == "error" for event in engine.events)
    # Two runs, and not a word of theirs among the messages: whatever is no message would have stopped `decode`.
    assert engine.noise == b"a library prints\na C library prints\n" * 2


def question(folder: Path) -> dict[str, Any]:
    """What a query asks about; the answer needs no torch, because what it takes is in the cache."""
    about = {"general": {"cache": str(folder)}, "model": {"source": "starter:model"}, "method": {"kind": "full"}}
    weights = {"opened": True, "weights": {"a.weight": [2, 3], "a.bias": [3]}, "layers": ["a"], "width": 0}
    layer_lists(preset_of(about), ["denoiser"], lambda **_: {"denoiser": weights})
    return about


def test_a_run_answers_on_the_side_and_backs_up_and_ends_when_the_window_dies(start, tmp_path: Path) -> None:
    engine = start()
    engine.send(Train(values(tmp_path, "training.steps=100000")))
    engine.until(Progress)
    about = question(tmp_path / "layers")
    engine.send(Query(1, "layers", about), Query(2, "nonsense", about), Query(3, "trained", about))
    assert engine.until(Answer).values["names"] == ["a.weight", "a.bias"]
    assert engine.until(Answer) == Answer(2, "nonsense")
    answer = engine.until(Answer)
    assert (answer.id, answer.values["parts"]["denoiser"]["trained"]) == (3, 9)
    engine.until(Progress)
    engine.process.send_signal(signal.SIGINT)  # a Ctrl-C in the window's terminal is the window's, not the engine's
    engine.process.stdin.close()
    assert engine.end() == 0
    assert_backed_up(engine)


def assert_backed_up(engine: Running) -> None:
    """The run was stopped, with a whole backup of its last step, every loss told once, and no model."""
    last = engine.events[-1]
    assert isinstance(last, Finished)
    assert last.stopped
    backup = next(event for event in engine.events if isinstance(event, BackupSaved))
    assert backup.step == last.step
    assert is_whole(Path(backup.path))
    assert losses_of(engine.events) == list(range(1, last.step + 1))
    assert not any(isinstance(event, ModelSaved) for event in engine.events)


def test_a_window_that_reads_no_more_ends_the_run_with_a_backup(tmp_path: Path) -> None:
    with python("-m", "modules.engine", stderr=subprocess.DEVNULL) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(encode(Train(values(tmp_path, "training.steps=100000"))).encode() + b"\n")
        process.stdin.flush()
        while b'"Progress"' not in process.stdout.readline():
            pass
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
    assert any(is_whole(path) for path in (tmp_path / "test" / "backups").iterdir())


def test_pause_continue_and_sigterm(start, tmp_path: Path) -> None:
    engine = start()
    engine.send(Train(values(tmp_path, "training.steps=100000")))
    engine.until(Progress)
    engine.send(Pause())
    paused = engine.until(Paused).step
    engine.send(Continue())
    assert engine.until(Continued).step == paused
    while losses_of(engine.events)[-1] < paused + 60:
        engine.until(Progress)
    engine.process.send_signal(signal.SIGTERM)
    assert engine.end() == 0
    assert_backed_up(engine)


def test_a_mistake_and_what_is_no_message_are_told_and_the_engine_lives(start, tmp_path: Path) -> None:
    engine = start()
    engine.send(Train({"version": 6, "training": {"epocs": 3}}))
    mistake = engine.until(Failed)
    assert "Did you mean" in mistake.message
    assert mistake.details == ""
    engine.send(Train(5))  # type: ignore[arg-type]
    assert engine.until(Note).text == "Not understood: Train.preset cannot be 5"
    engine.send(CheckPreset(values(tmp_path)))
    engine.until(Finished)
    assert not tmp_path.joinpath("test").exists()


# The sender, without a process ----------------------------------------------------------------------------------------


def progress(step: int) -> Progress:
    return Progress(step, 9, 0, 1, [[float(step), step / 10]])


def test_neighbours_are_told_as_one_and_no_loss_is_dropped() -> None:
    story = [progress(1), progress(2), Note("a"), progress(3), Stage("p", 1, 3), Stage("p", 2, 3), Stage("q", 1, 3)]
    told = condense(story)
    assert [type(event) for event in told] == [Progress, Note, Progress, Stage, Stage]
    assert told[0] == Progress(2, 9, 0, 1, [[1.0, 0.1], [2.0, 0.2]])
    assert told[3] == Stage("p", 2, 3)
    assert losses_of(told) == [1, 2, 3]


def test_progress_is_told_at_most_twenty_times_a_second() -> None:
    out = io.StringIO()
    engine = Engine(io.StringIO(), out)
    for step in range(100):
        engine._channel.events.put(progress(step))
    engine._send()  # what `serve` does once in a tick
    assert len(out.getvalue().splitlines()) == 1
    assert TICK >= 1 / 20


def test_the_last_words_of_a_job_are_sent_though_the_next_one_has_begun() -> None:
    out = io.StringIO()
    engine = Engine(io.StringIO(), out)
    for _ in range(2):
        engine.execute(Train({"version": 6}))  # fails at once: nothing is chosen
        session = engine._session  # pyright: ignore[reportPrivateUsage]
        assert session
        session.wait()
    engine._send()  # pyright: ignore[reportPrivateUsage]
    assert [json.loads(line)["kind"] for line in out.getvalue().splitlines()] == ["Failed", "Failed"]


def test_a_job_may_be_asked_for_as_soon_as_the_last_one_has_said_that_it_is_over() -> None:
    class TidyingUp:
        running = True

        def wait(self) -> None:
            self.running = False

    engine, last = Engine(io.StringIO(), io.StringIO()), TidyingUp()
    engine._session = last
    assert engine._refusal() == Problem("engine.busy")
    engine._channel.events.put(Finished(5))
    engine._send()
    assert engine._refusal() is None
    assert not last.running
