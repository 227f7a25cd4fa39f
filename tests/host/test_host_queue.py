"""The queue as a host runs it: with a window, without one, and whoever of the three is killed."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from modules.host import client, places, queue_runner, server
from modules.host.frames import frame
from modules.host.server import Host, run
from modules.jobs.cards import PROCESSOR, held
from modules.jobs.computer import carry_out
from modules.jobs.entry import Entry, NewEntry
from modules.jobs.queue import FILE, MOST_ATTEMPTS, Queue
from modules.messages import CheckPreset, Finished, Note, RunTool, Started, Stop, Train
from modules.system.runtime import python_command, python_environment
from tests.host.test_host import Hosted, is_frame, send, until, wait_until

# An engine that answers at once: what a run is called says how it goes. Each start of a job is a line of a diary.
ENGINE = """
import os, sys
from pathlib import Path
from modules.messages import *
from modules.sentences.problem import problem
from modules.wire import *
folder = Path(sys.argv[1])
def say(*events):
    for event in events: print(encode(event), flush=True)
name = ""
def end(stopped=False):
    global name
    if name: say(Finished(9, stopped=stopped))
    name = ""
def begin(job):
    global name
    name = job.preset["general"]["name"]
    with (folder / "diary").open("a") as file: file.write(f"{name} {Path(job.resume).name}\\n")
    if name == "waits": return
    run = folder / "runs" / name
    run.mkdir(parents=True, exist_ok=True)
    if name == "dies": os._exit(7)
    if name == "fails":
        name = ""
        return say(Failed("wrong", "the log", problems=[problem("run.busy")]))
    say(Started(str(run), 9, 1, 9), Progress(4, 9, 1, 1, losses=[[4, 0.5]], smooth_loss=0.5, seconds_left=1.0))
    if name != "long": end()
for line in sys.stdin:
    match decode(line):
        case Train() as job: begin(job)
        case RunTool(): say(Stage("stage.grid", 1, 2), Finished(path=str(folder / "grid")))
        case CheckPreset(): say(Finished())
        case Stop(): end(stopped=True)
        case Quit(): break
        case _: pass
try: end(stopped=True)
except OSError: os._exit(0)  # nobody listens any more
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, seconds in (
        (server, "TICK", 0.01), (server, "COMES_WITHIN_S", 0.0), (server, "QUIET_S", 0.0),
        (queue_runner, "LOOK_S", 0.01), (queue_runner, "REPORT_S", 0.0), (queue_runner, "NOTICE_S", 0.0),
        (client, "ANSWERS_WITHIN_S", 120.0),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, seconds)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    made = Queue(tmp_path / FILE)
    made.on = True
    yield made
    made.close()


class Night(Hosted):
    """A host in a thread, with the quick engine."""

    def __init__(self, folder: Path, name: str = "one") -> None:
        self.folder, self.hosts = folder / "engines", list[Host]()
        command = python_command("-c", ENGINE, folder)
        self._thread = threading.Thread(target=run, args=(self.folder, name, command, self.hosts.append))
        self._thread.start()


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Callable[[], Night]]:
    begun: list[Night] = []

    def begin() -> Night:
        begun.append(Night(tmp_path))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


def named(*names: str) -> list[NewEntry]:
    return [NewEntry(Train({"general": {"name": name, "device": "cpu"}}), name) for name in names]


def states(queue: Queue) -> list[str]:
    return [entry.state for entry in queue.entries()]


def diary(folder: Path) -> list[str]:
    return (folder / "diary").read_text().splitlines() if (folder / "diary").exists() else []


def test_a_night_of_twenty_runs_with_a_failure_in_the_middle(
    queue: Queue, night: Callable[[], Night], tmp_path: Path
) -> None:
    names = [*(f"run {n}" for n in range(9)), "fails", *(f"run {n}" for n in range(9, 18)), "last"]
    entries = queue.add(*named(*names), NewEntry(RunTool("grid", {}), "Grid"))
    queue.set_after(entries[-1].id, entries[9].id)
    queue.move(entries[19].id, entries[10].id)
    night().ends()  # nothing is left: it is not needed any more
    by_title = {entry.title: entry for entry in queue.entries()}
    assert by_title["fails"].state == "failed"
    assert by_title["fails"].details == "the log"
    assert by_title["fails"].problems[0].code == "run.busy"
    assert by_title["Grid"].state == "skipped"
    assert {by_title[f"run {n}"].state for n in range(18)} == {"finished"}
    last = by_title["last"]
    assert (last.state, last.step, last.total, last.results) == ("finished", 4, 9, {"loss": 0.5})
    assert last.folder == str(tmp_path / "runs/last")
    assert last.started is not None
    assert last.ended is not None
    order = [name.strip() for name in diary(tmp_path)]
    assert order == [*names[:10], "last", *names[10:19]]
    assert not (tmp_path / "engines/one.ended").exists()  # the list says how they ended


def test_a_window_sees_the_queues_job_as_any_and_cannot_begin_another(
    queue: Queue, night: Callable[[], Night], tmp_path: Path
) -> None:
    host = night_with_window(night, queue)
    window = host.window
    record = until(window, is_frame("record"))
    assert (record.what, record.queued, record.events) == ("train", True, [])
    assert until(window, lambda got: isinstance(got, Started)).folder == str(tmp_path / "runs/long")
    send(window, Train({}))
    refusal = until(window, lambda got: isinstance(got, Note))
    assert refusal.problems[0].code == "engine.busy"
    wait_until(lambda: queue.entries()[0].step == 4)
    send(window, Stop())  # by hand, in the window
    assert until(window, lambda got: isinstance(got, Finished)).stopped
    wait_until(lambda: states(queue) == ["paused"])
    assert diary(tmp_path) == ["long "]
    queue.resume(queue.entries()[0].id)
    until(window, is_frame("record"))
    wait_until(lambda: diary(tmp_path) == ["long ", "long long"])  # on in its folder
    window.close()


class WithWindow:
    def __init__(self, night: Night, window: Connection) -> None:
        self.night, self.window = night, window


def night_with_window(night: Callable[[], Night], queue: Queue, name: str = "long") -> WithWindow:
    queue.add(*named("fails"))  # so that the host stays until the window is there
    blocker = held(PROCESSOR, "another", folder=queue.file.with_name("cards"))
    blocker.__enter__()
    host = night()
    wait_until(lambda: host.place is not None)
    window, state = host.attach()
    assert state == "welcome"
    queue.remove(queue.entries()[0].id)
    queue.add(*named(name))
    blocker.__exit__(None, None, None)
    return WithWindow(host, window)


def test_a_window_that_closes_or_is_killed_leaves_the_queue_at_work(queue: Queue, night: Callable[[], Night]) -> None:
    host = night_with_window(night, queue)
    wait_until(lambda: queue.entries()[0].step == 4)
    host.window.send_bytes(frame("end", seconds=0.0))  # closed as a window without a job closes
    wait_until(lambda: not host.night.hosts[0].has_window)
    again, state = host.night.attach(takes_over=True)
    assert state == "welcome"
    assert until(again, is_frame("record")).queued
    again.close()  # killed
    queue.add(*named("last"))
    queue.pause(queue.entries()[0].id)
    host.night.ends()
    assert states(queue) == ["paused", "finished"]


def test_what_runs_is_paused_or_removed_from_outside(queue: Queue, night: Callable[[], Night]) -> None:
    first, second = queue.add(*named("long", "long"))
    host = night()
    wait_until(lambda: queue.entry(first.id).step == 4)
    queue.remove(first.id)
    wait_until(lambda: len(queue.entries()) == 1 and queue.entries()[0].step == 4)
    queue.pause(second.id)
    host.ends()
    assert states(queue) == ["paused"]


def test_an_engine_that_dies_is_tried_again_and_holds_nothing_up(
    queue: Queue, night: Callable[[], Night], tmp_path: Path
) -> None:
    dies, _ = queue.add(*named("dies", "last"))
    night().ends()
    assert states(queue) == ["failed", "finished"]
    assert diary(tmp_path) == [*["dies "] * MOST_ATTEMPTS, "last "]
    assert queue.entry(dies.id).problems[0].code == "queue.killed"
    assert "exit code 7" in queue.entry(dies.id).details


def test_asked_to_end_by_the_system_it_puts_its_run_back_into_line(
    queue: Queue, night: Callable[[], Night], tmp_path: Path
) -> None:
    queue.add(*named("long", "last"))
    host = night()
    wait_until(lambda: queue.entries()[0].step == 4)
    host.hosts[0].quit()
    host.ends()
    assert states(queue) == ["waiting", "waiting"]
    assert queue.entries()[0].folder == str(tmp_path / "runs/long")


def test_a_queue_waits_for_a_card_that_another_run_has(queue: Queue, night: Callable[[], Night]) -> None:
    shares = replace(named("last")[0], job=Train({"general": {"name": "last"}}, share_card=True))
    with held(PROCESSOR, "another", folder=queue.file.with_name("cards")):
        queue.add(*named("run"), shares)
        host = night()
        wait_until(lambda: states(queue) == ["waiting", "finished"])
    host.ends()
    assert states(queue) == ["finished", "finished"]


def test_two_hosts_share_the_list_and_never_a_card(queue: Queue, night: Callable[[], Night], tmp_path: Path) -> None:
    names = [f"run {number}" for number in range(8)]
    queue.add(*named(*names))
    with held(PROCESSOR, "another", folder=queue.file.with_name("cards")):
        first, second = night(), Night(tmp_path, "two")
        wait_until(lambda: first.place is not None and (tmp_path / "engines/two.json").exists())
    first.ends()
    second.ends()
    assert set(states(queue)) == {"finished"}
    assert sorted(diary(tmp_path)) == sorted(f"{name} " for name in names)
    times = sorted((entry.started or 0.0, entry.ended or 0.0) for entry in queue.entries())
    assert all(ended <= begins for (_, ended), (begins, _) in pairwise(times))


def test_a_windows_own_job_comes_first_and_the_queue_after_it(queue: Queue, night: Callable[[], Night]) -> None:
    host = night_with_window(night, queue, "last")
    wait_until(lambda: states(queue) == ["finished"] and not host.night.hosts[0].queue.working)
    send(host.window, CheckPreset({}), Train({"general": {"name": "long"}}))
    until(host.window, lambda got: isinstance(got, Started) and got.folder.endswith("long"))
    queue.add(*named("run"))
    send(host.window, Stop())
    wait_until(lambda: states(queue) == ["finished", "finished"])
    host.window.close()


def test_when_all_is_done_the_computer_sleeps_once(
    queue: Queue, night: Callable[[], Night], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = tmp_path / "slept"
    command = python_command("-c", "import sys; open(sys.argv[1], 'a').write('once')", slept)
    monkeypatch.setattr(queue_runner.computer, "COMMANDS", {"linux": {"sleep": command}})
    monkeypatch.setattr(queue_runner.computer.sys, "platform", "linux")
    queue.when_done = "sleep"
    queue.add(*named("run", "fails", "last"))
    night().ends()
    assert slept.read_text() == "once"
    assert queue.when_done == "nothing"
    assert carry_out("sleep", {"sleep": python_command("-c", "raise SystemExit('no right')")}) == "no right"
    assert carry_out("sleep", {"sleep": ["seachange-has-no-such-command"]})
    assert carry_out("nothing") == ""


def test_a_sleep_that_was_called_off_does_not_come(
    queue: Queue, night: Callable[[], Night], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_runner, "NOTICE_S", 1000.0)
    queue.when_done = "sleep"
    queue.add(*named("run"))
    host = night()
    wait_until(lambda: queue.ends_at is not None)
    queue.add(*named("last"))  # something is left to do
    wait_until(lambda: states(queue) == ["finished", "finished"])
    wait_until(lambda: queue.ends_at is not None)
    queue.when_done = "sleep"  # asked for anew
    wait_until(lambda: queue.ends_at is not None)
    queue.when_done = "nothing"
    host.ends()
    assert queue.ends_at is None


def test_a_list_that_is_lost_while_a_run_goes_on_leaves_the_host_free(queue: Queue, night: Callable[[], Night]) -> None:
    host = night_with_window(night, queue)
    wait_until(lambda: queue.entries()[0].step == 4)
    queue.finish(queue.entries()[0].id, "paused")
    queue.remove(queue.entries()[0].id)
    send(host.window, Stop())
    until(host.window, lambda got: isinstance(got, Finished))
    wait_until(lambda: not host.night.hosts[0].queue.working)
    send(host.window, Train({"general": {"name": "run"}}))
    assert until(host.window, lambda got: isinstance(got, Started)).folder.endswith("run")
    host.window.close()


# Kills ----------------------------------------------------------------------------------------------------------------


def begun(folder: Path, name: str) -> Any:
    """A host in a process of its own."""
    code = (
        "import sys; from pathlib import Path; from modules.host import queue_runner, server\n"
        "queue_runner.LOOK_S = queue_runner.REPORT_S = server.TICK = 0.01; server.COMES_WITHIN_S = 0.0\n"
        "server.run(Path(sys.argv[1]), sys.argv[2], eval(sys.argv[3]))"
    )
    command = python_command("-c", ENGINE, folder)
    return subprocess.Popen(
        python_command("-c", code, folder / "engines", name, repr(command)),
        stdin=subprocess.DEVNULL, env=python_environment(),
    )  # fmt: skip


def begins(entry: Entry, folder: Path) -> bool:
    return entry.state == "running" and diary(folder) == ["waits "]


def trains(entry: Entry, folder: Path) -> bool:
    return entry.step == 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(
    ("name", "moment", "then"), [("waits", begins, ["waits ", "waits "]), ("long", trains, ["long ", "long long"])]
)
def test_what_a_killed_host_did_goes_on_in_the_next(
    queue: Queue, night: Callable[[], Night], tmp_path: Path, name: str, moment: Callable[[Entry, Path], bool],
    then: list[str],
) -> None:  # fmt: skip
    queue.add(*named(name))
    with begun(tmp_path, "killed") as host:
        wait_until(lambda: moment(queue.entries()[0], tmp_path))
        host.send_signal(signal.SIGKILL)
    assert states(queue) == ["running"]  # nobody has noticed yet
    host = night()
    wait_until(lambda: diary(tmp_path) == then)
    assert queue.entries()[0].attempts == 1
    queue.pause(queue.entries()[0].id)
    host.ends()
    assert states(queue) == ["paused"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_what_a_killed_host_was_to_stop_is_stopped(queue: Queue, night: Callable[[], Night], tmp_path: Path) -> None:
    entry, _ = queue.add(*named("waits", "last"))
    with begun(tmp_path, "killed") as host:
        wait_until(lambda: diary(tmp_path) == ["waits "])
        host.send_signal(signal.SIGSTOP)
        queue.pause(entry.id)
        host.send_signal(signal.SIGKILL)
    night().ends()
    assert states(queue) == ["paused", "finished"]
    with suppress(OSError):
        places.remove(tmp_path / "engines/killed.json", places.address_in(tmp_path / "engines/killed.json"))
