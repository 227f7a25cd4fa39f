"""The host: its job goes on without a window, a window that comes later takes it over, and nothing is left behind."""

from __future__ import annotations

import json
import os
import queue
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import pytest

from modules.host import client, places
from modules.host.frames import frame, frame_in
from modules.host.job_record import LOSSES_TOGETHER, JobRecord, taken
from modules.host.server import Host, run, version
from modules.messages import (
    Answer,
    CheckPreset,
    Finished,
    Note,
    Progress,
    Query,
    RunTool,
    SampleNow,
    Stage,
    Started,
    Stop,
    Train,
)
from modules.system.runtime import python_command
from modules.wire import decode, encode

PATIENCE = 120.0  # a loaded machine takes its time

# An engine without training: Train begins a run that Stop, Quit and the end of the pipe end with a "backup".
ENGINE = """
import os, sys
from modules.messages import *
from modules.wire import *
def say(*events):
    for event in events: print(encode(event), flush=True)
training = False
def end():
    global training
    if training: say(Finished(2, stopped=True))
    training = False
for line in sys.stdin:
    match decode(line):
        case Train():
            training = True
            print("begins", file=sys.stderr, flush=True)
            say(Started("run", 9, 1, 9), *(Progress(step, 9, 1, 1, losses=[[step, 0.5]]) for step in (1, 2)))
        case RunTool(): say(Stage("stage.grid", 1, 2))
        case Stop(): end()
        case Query() as query: say(Answer(query.id, query.what, {"pid": os.getpid()}))
        case SampleNow(): print("so it ends", file=sys.stderr, flush=True); os._exit(7)
        case Quit(): break
        case _: pass
if training: open(sys.argv[1], "w").write("backed up")
try: end()
except OSError: os._exit(0)  # nobody listens any more
"""


class Hosted:
    """A host in a thread of this process, found in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.backup = folder / "engines", folder / "backup"
        self.hosts: list[Host] = []
        command = python_command("-c", ENGINE, self.backup)
        self._thread = threading.Thread(target=run, args=(self.folder, "one", command, self.hosts.append))
        self._thread.start()
        wait_until(lambda: self.place is not None)

    @property
    def place(self) -> places.Address | None:
        return places.address_in(self.folder / f"one{places.LIVE}")

    def attach(self, *, takes_over: bool = False, of: str = "") -> tuple[Connection, str]:
        assert self.place
        made = Client(self.place.socket, authkey=bytes.fromhex(self.place.key))
        made.send_bytes(frame("hello", version=of or version(), takes_over=takes_over))
        return made, (frame_in(made.recv_bytes()) or {})["state"]

    def ends(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def close(self) -> None:
        for host in self.hosts:
            host.quit(0.0)
        self.ends()


def wait_until(wanted: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < end
        time.sleep(0.01)


def until(connection: Connection, wanted: Callable[[Any], object]) -> Any:
    """The first message or frame that is wanted."""
    while True:
        assert connection.poll(PATIENCE)
        data = connection.recv_bytes()
        got = frame_in(data) or decode(data.decode())
        if wanted(got):
            return JobRecord.unpacked(data) if isinstance(got, dict) and got["host"] == "record" else got


def send(connection: Connection, *commands: Any) -> None:
    for command in commands:
        connection.send_bytes(encode(command).encode())


def is_step_2(message: Any) -> bool:
    return isinstance(message, Progress) and message.step == 2


def is_frame(name: str) -> Callable[[Any], bool]:
    return lambda got: isinstance(got, dict) and got["host"] == name


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWERS_WITHIN_S", PATIENCE)


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    made = Hosted(tmp_path)
    yield made
    made.close()


@pytest.fixture
def left(hosted: Hosted) -> Hosted:
    """With a run that goes on, and without a window."""
    window, state = hosted.attach()
    assert state == "welcome"
    send(window, Train({}))
    until(window, is_step_2)
    window.close()  # as when its process is killed
    wait_until(lambda: not hosted.hosts[0].has_window)
    return hosted


def test_a_run_goes_on_without_its_window_and_the_next_one_has_it_from_its_beginning(left: Hosted) -> None:
    found = client.found(left.folder)
    assert found.connection
    window = found.connection
    record = until(window, is_frame("record"))
    assert record.what == "train"
    assert record.events == [Started("run", 9, 1, 9), Progress(2, 9, 1, 1, losses=[[1, 0.5], [2, 0.5]])]
    send(window, Stop())
    assert until(window, lambda got: isinstance(got, Finished)) == Finished(2, stopped=True)
    window.close()
    left.ends()
    assert places.listed(left.folder, places.ENDED) == []  # a window has seen it
    assert list(left.folder.iterdir()) == []


def test_an_end_that_no_window_has_seen_waits_for_the_next_one(left: Hosted) -> None:
    left.hosts[0]._engine.write(encode(Stop()))  # type: ignore[union-attr]  as when it has done its steps
    left.ends()
    found = client.found(left.folder)
    assert [record.events[-1] for record in found.ended] == [Finished(2, stopped=True)]
    assert found.connection is None
    assert client.found(left.folder).ended == []  # one window shows it


def test_what_an_engine_printed_before_it_died_unseen_is_kept(left: Hosted) -> None:
    left.hosts[0]._engine.write(encode(SampleNow()))  # type: ignore[union-attr]
    left.ends()
    [record] = client.found(left.folder).ended
    assert record.died == {"code": 7, "printed": ["begins", "so it ends"], "working": True}


def test_one_window_at_a_time_and_only_a_job_under_way_is_taken_over(hosted: Hosted) -> None:
    assert hosted.attach(takes_over=True)[1] == "idle"
    window, state = hosted.attach()
    assert state == "welcome"
    assert hosted.attach()[1] == "taken"
    send(window, CheckPreset({}))
    window.close()
    hosted.ends()  # nobody waits for a check


def test_a_host_of_another_version_is_left_alone_and_named(left: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "version", lambda: "0 other")
    found = client.found(left.folder)
    assert found.connection is None
    assert found.strangers == [os.getpid()]
    assert left.place


def test_two_windows_may_number_their_questions_alike(left: Hosted) -> None:
    first, _ = left.attach()
    send(first, Query(1, "layers", {}), Query(2, "layers", {}))
    assert until(first, lambda got: isinstance(got, Answer) and got.id == 2)
    first.close()
    wait_until(lambda: not left.hosts[0].has_window)
    second, _ = left.attach()
    send(second, Query(1, "trained", {}))
    assert until(second, lambda got: isinstance(got, Answer)).what == "trained"
    second.close()


def test_an_engine_that_dies_is_told_and_the_next_job_starts_another(left: Hosted) -> None:
    window, _ = left.attach()
    send(window, SampleNow())
    died = until(window, is_frame("died"))
    assert (died["code"], died["working"]) == (7, True)
    assert "so it ends" in died["printed"]
    send(window, RunTool("grid", {}))
    assert until(window, lambda got: isinstance(got, Stage)) == Stage("stage.grid", 1, 2)
    window.close()


def test_asked_to_end_it_lets_the_run_back_up(left: Hosted) -> None:
    left.hosts[0].quit()
    left.ends()
    assert left.backup.read_text() == "backed up"
    [record] = client.found(left.folder).ended
    assert record.events[-1] == Finished(2, stopped=True)


def test_nobody_else_can_read_where_a_host_is(hosted: Hosted) -> None:
    place = hosted.place
    assert place
    if os.name != "nt":
        assert stat.S_IMODE(hosted.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((hosted.folder / "one.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(Path(place.socket).parent.stat().st_mode) == 0o700
    with pytest.raises((OSError, EOFError, client.AuthenticationError)):
        Client(place.socket, authkey=b"guessed")
    hosted.attach()[0].close()  # and it goes on


def test_what_killed_hosts_left_is_removed_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    dead = places.Address(places.new_socket() or r"\\.\pipe\seachange-nobody", "00", 1)
    places.announce(tmp_path / "dead.json", dead)
    for name in ("dead", "ended"):
        (tmp_path / f"{name}.log").write_text("")
    (tmp_path / "torn.json").write_text('{"socket": ')
    (tmp_path / "torn.ended").write_bytes(b"\0\0\0")
    foreign = tmp_path / "foreign.json"
    foreign.write_text(json.dumps({"socket": "x", "key": "00", "pid": 1, "machine": "another", "root": "/"}))
    found = client.found(tmp_path)
    assert (found.ended, found.connection, found.strangers) == ([], None, [])
    assert list(tmp_path.iterdir()) == [foreign]
    assert not Path(dead.socket).parent.exists()


def test_a_host_that_stands_still_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWERS_WITHIN_S", 0.05)
    socket = places.new_socket()
    with Listener(socket, "AF_UNIX" if socket else "AF_PIPE", authkey=b"0") as listener:
        address = places.Address(str(listener.address), b"0".hex(), 1)
        places.announce(tmp_path / "one.json", address)
        assert client.found(tmp_path).connection is None
        assert (tmp_path / "one.json").exists()
    places.remove(tmp_path / "one.json", address)


def test_a_record_keeps_every_loss_and_no_more_messages_than_it_needs(tmp_path: Path) -> None:
    record = JobRecord("train")
    for step in range(1, 51):
        record.add(Progress(step, 50, 1, 1, losses=[[step, 0.5]], rates={"unet": step / 50}))
    for done in range(20):
        record.add(Stage("stage.samples", done, 20))
    record.add(Note("a"))
    assert len(record.events) == len(record.times) == 50 // LOSSES_TOGETHER + 2
    record.write(tmp_path / "one.ended")
    back = taken(tmp_path / "one.ended")
    assert back == record
    steps = [int(loss[0]) for event in record.events if isinstance(event, Progress) for loss in event.losses]
    assert steps == list(range(1, 51))


def test_a_host_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no such luck"):
        client.started(tmp_path, python_command("-c", "raise SystemExit('no such luck')"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_an_engine_whose_host_is_killed_backs_up_and_ends(tmp_path: Path) -> None:
    """Real processes: the host is one that a window starts."""
    backup = tmp_path / "backup"
    code = (
        "import sys; from pathlib import Path; from modules.host.server import run\n"
        f"run(Path({str(tmp_path / 'engines')!r}), sys.argv[1], {python_command('-c', ENGINE, backup)!r})"
    )
    folder = tmp_path / "engines"
    name = queue.SimpleQueue[str]()
    monkey = pytest.MonkeyPatch()
    monkey.setattr(
        client, "python_command", lambda *given: (name.put(given[-1]), python_command("-c", code, given[-1]))[1]
    )
    try:
        window = client.started(folder)
    finally:
        monkey.undo()
    send(window, Train({}))
    until(window, is_step_2)
    place = places.address_in(folder / f"{name.get()}.json")
    assert place
    assert os.getsid(place.pid) == place.pid  # a closed terminal does not end it
    os.kill(place.pid, signal.SIGKILL)
    with pytest.raises((EOFError, OSError)):
        until(window, lambda _: False)
    wait_until(backup.exists)
    # The system may close the socket of what was killed a little later than its pipes.
    wait_until(lambda: client.found(folder).connection is None and not list(folder.iterdir()))
