"""The queue as a list: every change of it, and what a kill leaves."""

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modules.errors import UserError
from modules.jobs import power_cut, store
from modules.jobs import queue as queues
from modules.jobs.entry import Entry, NewEntry
from modules.jobs.owner import Owner, is_alive
from modules.jobs.queue import Queue
from modules.messages import RunTool, Train
from modules.sentences.problem import problem
from modules.system.runtime import python_command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings/queue.sqlite"


@pytest.fixture
def queue(file: Path) -> Iterator[Queue]:
    made = Queue(file)
    made.on = True
    yield made
    made.close()


@pytest.fixture
def owner(file: Path) -> Iterator[Owner]:
    made = Owner(file)
    yield made
    made.release()


def run(title: str, **values: Any) -> NewEntry:
    return NewEntry(Train({"general": {"name": title}}), title, **values)


def titles(queue: Queue) -> str:
    return "".join(entry.title for entry in queue.entries())


def states(queue: Queue) -> dict[str, str]:
    return {entry.title: entry.state for entry in queue.entries()}


def numbers(queue: Queue, *new: NewEntry) -> list[int]:
    return [entry.id for entry in queue.add(*new)]


def refused(code: str, work: Callable[[], object]) -> None:
    with pytest.raises(UserError) as error:
        work()
    assert error.value.problem.code == code
    assert str(error.value)


def first(_entry: Entry) -> str:
    return "card"


def begun(queue: Queue, owner: Owner) -> Entry:
    entry = queue.take_next(owner.id, first)
    assert entry
    return entry


def test_what_is_added_stands_in_order_and_says_all_that_was_given(queue: Queue) -> None:
    tool = NewEntry(RunTool("grid", {"model": "x"}), "Grid", None, "set 1", {"training.steps": 5}, 61.5)
    added = queue.add(run("a"), tool)
    assert queue.entries() == added
    assert added[0].job == Train({"general": {"name": "a"}})
    assert added[0].is_run
    assert added[0].state == "waiting"
    got = added[1]
    assert (got.job, got.group, got.changes, got.estimate) == (tool.job, "set 1", {"training.steps": 5}, 61.5)
    queue.add(run("b"), first=True)
    assert titles(queue) == "baGrid"


def test_two_windows_see_one_list_and_each_change_by_a_version(queue: Queue, file: Path) -> None:
    other = Queue(file)
    before = other.version
    [number] = numbers(queue, run("a"))
    assert other.version != before
    assert states(other) == {"a": "waiting"}
    before = queue.version
    other.pause(number)
    assert queue.version != before
    assert states(queue) == {"a": "paused"}
    assert queue.version == other.version
    other.close()


def test_order_is_changed_but_nothing_stands_above_what_it_waits_for(queue: Queue) -> None:
    a, b, c = numbers(queue, run("a"), run("b"), run("c"))
    queue.move(c, a)
    assert titles(queue) == "cab"
    queue.move(c, None)
    assert titles(queue) == "abc"
    queue.run_next(b)
    assert titles(queue) == "bac"
    queue.set_after(b, a)  # it steps behind it
    assert titles(queue) == "abc"
    refused("queue.above", lambda: queue.move(b, a))
    refused("queue.above", lambda: queue.run_next(b))
    refused("queue.above", lambda: queue.move(a, None))
    assert titles(queue) == "abc"
    queue.set_after(c, b)
    refused("queue.circle", lambda: queue.set_after(a, c))
    refused("queue.circle", lambda: queue.set_after(a, a))
    queue.set_after(b, None)
    queue.move(b, a)
    assert titles(queue) == "bac"
    refused("queue.none", lambda: queue.move(99, None))
    refused("queue.none", lambda: queue.set_after(a, 99))


def test_one_entry_is_taken_by_one_runner(queue: Queue, file: Path, owner: Owner) -> None:
    queue.add(*(run(str(n)) for n in range(20)))
    taken: list[int] = []
    together = threading.Barrier(3)

    def take() -> None:
        mine = Queue(file)
        who = Owner(file)
        together.wait()
        while entry := mine.take_next(who.id, lambda entry: f"card {entry.id}"):
            taken.append(entry.id)
            mine.finish(entry.id, "finished")
        mine.close()
        who.release()

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [entry.id for entry in queue.entries()]
    assert set(states(queue).values()) == {"finished"}


def test_a_card_that_runs_one_entry_gets_no_other_unless_it_shares(queue: Queue, owner: Owner) -> None:
    queue.add(run("a"), run("b"), run("c"), run("d"))
    cards: dict[str, str | None] = {"a": "one", "b": "one", "c": None, "d": ""}
    claim: Callable[[Entry], str | None] = lambda entry: cards[entry.title]  # noqa: E731
    assert queue.take_next(owner.id, claim).title == "a"  # type: ignore[union-attr]
    assert queue.take_next(owner.id, claim).title == "d"  # type: ignore[union-attr]
    assert queue.take_next(owner.id, claim) is None
    cards["c"] = "two"
    assert queue.take_next(owner.id, claim).title == "c"  # type: ignore[union-attr]


def test_a_look_that_finds_nothing_changes_nothing(queue: Queue, owner: Owner) -> None:
    queue.add(run("a"))
    before = queue.version
    assert queue.take_next(owner.id, lambda _: None) is None
    queue.recover()
    assert queue.version == before


def test_a_queue_that_rests_begins_nothing(queue: Queue, owner: Owner) -> None:
    queue.add(run("a"))
    queue.on = False
    assert queue.take_next(owner.id, first) is None
    assert not queue.can_go_on
    queue.on = True
    assert queue.can_go_on
    assert begun(queue, owner).title == "a"


def test_what_fails_holds_up_nothing_but_what_waits_for_it(queue: Queue, owner: Owner) -> None:
    a, b, c, d = numbers(queue, run("a"), run("b"), run("c"), run("d"))
    queue.set_after(b, a)
    queue.set_after(c, b)
    assert begun(queue, owner).id == a
    queue.finish(a, "failed", problems=[problem("run.busy")], details="the log")
    assert states(queue) == {"a": "failed", "b": "skipped", "c": "skipped", "d": "waiting"}
    assert queue.entry(a).problems == [problem("run.busy")]
    assert queue.entry(b).problems == [problem("queue.after-failed", title="a")]
    assert begun(queue, owner).id == d
    refused("queue.is-failed", lambda: queue.retry(b))
    refused("queue.is-skipped", lambda: queue.retry(c))
    queue.retry(a)
    assert states(queue) == {"a": "waiting", "b": "waiting", "c": "waiting", "d": "running"}
    assert queue.entry(b).problems == []


def test_what_waits_begins_when_the_other_has_finished(queue: Queue, owner: Owner) -> None:
    a, b = numbers(queue, run("a"), run("b"))
    queue.set_after(b, a)
    queue.pause(a)
    assert queue.take_next(owner.id, first) is None
    queue.resume(a)
    assert begun(queue, owner).id == a
    assert queue.take_next(owner.id, lambda _: "") is None
    queue.finish(a, "finished", folder="/runs/a")
    assert queue.entry(a).folder == "/runs/a"
    assert begun(queue, owner).id == b


def test_removing_skips_what_waited_for_it_and_clearing_what_has_finished_does_not(queue: Queue, owner: Owner) -> None:
    a, b, c, d = numbers(queue, run("a"), run("b"), run("c"), run("d"))
    queue.set_after(b, a)
    queue.set_after(d, c)
    queue.remove(a)
    assert states(queue) == {"b": "skipped", "c": "waiting", "d": "waiting"}
    queue.finish(begun(queue, owner).id, "finished")
    queue.remove(b, c)
    assert begun(queue, owner).id == d


def test_what_runs_is_asked_to_stop_and_goes_where_it_was_to_go(queue: Queue, owner: Owner) -> None:
    a, b = numbers(queue, run("a"), run("b"))
    begun(queue, owner)
    queue.pause(a)
    assert (queue.entry(a).state, queue.entry(a).wish) == ("running", "pause")
    refused("queue.is-running", lambda: queue.move(a, None))
    queue.finish(a, "paused", folder="/runs/a")
    queue.resume(a)
    queue.run_next(a)
    assert begun(queue, owner).folder == "/runs/a"
    queue.remove(a)
    assert queue.entry(a).wish == "remove"
    queue.finish(a, "paused")
    assert states(queue) == {"b": "waiting"}
    assert queue.entry(b)


def test_a_copy_begins_afresh_right_behind_its_original(queue: Queue, owner: Owner) -> None:
    a, _ = numbers(queue, run("a", changes={"training.steps": 3}), run("b"))
    queue.finish(begun(queue, owner).id, "finished", folder="/runs/a")
    copy = queue.duplicate(a)
    assert titles(queue) == "aab"
    assert (copy.state, copy.folder, copy.changes) == ("waiting", "", {"training.steps": 3})


def test_how_far_it_is_can_be_read_by_others(queue: Queue, owner: Owner, file: Path) -> None:
    [a] = numbers(queue, run("a"))
    begun(queue, owner)
    queue.report(a, step=3, total=9, seconds_left=12.5, stage="stage.samples", folder="/runs/a", results={"loss": 0.1})
    other = Queue(file)
    got = other.entry(a)
    assert (got.step, got.total, got.seconds_left, got.stage) == (3, 9, 12.5, "stage.samples")
    assert (got.folder, got.results) == ("/runs/a", {"loss": 0.1})
    other.close()


def test_what_a_killed_runner_left_waits_again_and_a_living_ones_is_left_alone(queue: Queue, file: Path) -> None:
    queue.add(run("a"), run("b"))
    dead, living = Owner(file), Owner(file)
    assert queue.take_next(dead.id, lambda _: "")
    assert queue.take_next(living.id, lambda _: "")
    assert queue.recover() == []
    queue.report(queue.entries()[0].id, step=3, total=9, folder="/runs/a")
    dead.release()
    assert [entry.title for entry in queue.recover()] == ["a"]
    assert states(queue) == {"a": "waiting", "b": "running"}
    assert queue.entries()[0].folder == "/runs/a"  # there it goes on
    assert queue.on
    living.release()


def test_a_job_that_ends_whoever_runs_it_is_not_begun_for_ever(queue: Queue, file: Path) -> None:
    a, b = numbers(queue, run("a"), run("b"))
    queue.set_after(b, a)
    for _ in range(queues.MOST_ATTEMPTS):
        dead = Owner(file)
        assert begun(queue, dead).title == "a"
        dead.release()
        queue.recover()
    assert states(queue) == {"a": "failed", "b": "skipped"}
    assert queue.entry(a).problems == [problem("queue.killed", count=queues.MOST_ATTEMPTS)]


def test_after_a_restart_of_the_machine_the_queue_rests_and_says_so(
    queue: Queue, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.add(run("a"))
    dead = Owner(file)
    begun(queue, dead)
    dead.release()
    monkeypatch.setattr(queues, "start_of_machine", lambda: "another start")
    queue.recover()
    assert (queue.on, queue.interrupted) == (False, True)
    assert states(queue) == {"a": "waiting"}
    queue.on = True
    assert not queue.interrupted
    queue.recover()
    assert queue.on


def test_a_machine_has_started_once_though_its_clock_is_set() -> None:
    assert power_cut.same_start(power_cut.start_of_machine(), power_cut.start_of_machine())
    assert power_cut.same_start("at 1000", "at 1200")
    assert not power_cut.same_start("at 1000", "at 2000")


def test_what_is_done_at_the_end_is_kept_and_can_be_called_off(queue: Queue) -> None:
    assert (queue.when_done, queue.ends_at) == ("nothing", None)
    queue.when_done = "sleep"
    queue.ends_at = 1234.5
    assert (queue.when_done, queue.ends_at) == ("sleep", 1234.5)
    queue.when_done = "nothing"
    assert queue.ends_at is None


def test_an_entry_of_another_release_stays_and_says_that_it_cannot_be_read(queue: Queue, file: Path) -> None:
    a, b = numbers(queue, run("a"), run("b"))
    with sqlite3.connect(file) as base:
        base.execute("UPDATE entries SET job = ? WHERE id = ?", ('{"kind": "Fly"}', a))
    base.close()
    assert queue.entry(a).job is None
    refused("queue.other-release", lambda: queue.duplicate(a))
    assert titles(queue) == "ab"
    assert b


@pytest.mark.parametrize("damage", [b"no database" * 100, b""])
def test_a_damaged_file_is_put_aside(file: Path, damage: bytes) -> None:
    queue = Queue(file)
    queue.add(*(run(str(n)) for n in range(50)))
    queue.close()
    whole = file.read_bytes()
    file.write_bytes(damage or whole[:4096] + b"\x5a" * (len(whole) - 4096))
    queue = Queue(file)
    assert queue.entries() == []
    assert queue.put_aside
    assert Path(queue.put_aside.values["file"]).exists()
    queue.add(run("a"))
    queue.close()
    assert Queue(file).put_aside is None


def test_damage_that_is_found_later_is_said_and_the_queue_begins_anew(file: Path) -> None:
    queue = Queue(file)
    queue.add(run("a"))
    queue.close()
    queue, other = Queue(file), Queue(file)
    file.write_bytes(b"no database" * 1000)
    for side in store.SIDES:
        file.with_name(file.name + side).unlink(missing_ok=True)
    refused("queue.unusable", queue.entries)
    assert queue.put_aside
    assert queue.add(run("b"))
    queue.close()
    other.close()


def test_a_sleep_that_nobody_carried_out_is_forgotten(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.when_done, queue.ends_at = "sleep", time.time() - 10.0
    queue.recover()
    assert queue.ends_at is not None
    queue.ends_at = time.time() - queues.LATE_S - 10.0
    queue.recover()
    assert (queue.ends_at, queue.when_done) == (None, "sleep")


def test_the_file_of_a_later_release_is_left_alone(file: Path) -> None:
    Queue(file).close()
    with sqlite3.connect(file) as base:
        base.execute("UPDATE facts SET value = ? WHERE name = 'tables'", (store.VERSION + 1,))
    base.close()
    refused("queue.newer", lambda: Queue(file))


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused("queue.unusable", lambda: Queue(tmp_path / "file" / "queue.sqlite"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_kill_leaves_the_list_before_a_change_or_after_it(file: Path) -> None:
    """A process adds pairs and moves them without end, and is killed at some moment, a few times."""
    code = (
        "import sys; from pathlib import Path; from modules.jobs.queue import Queue\n"
        "from modules.jobs.entry import NewEntry; from modules.messages import Train\n"
        "queue = Queue(Path(sys.argv[1]))\n"
        "while True:\n"
        "    one, two = queue.add(NewEntry(Train({}), 'one'), NewEntry(Train({}), 'two'))\n"
        "    print('.', flush=True)\n"
        "    queue.move(two.id, one.id)\n"
    )
    for changes in (1, 2, 5):
        with subprocess.Popen(python_command("-c", code, file), stdout=subprocess.PIPE) as process:
            assert process.stdout
            for _ in range(changes):
                process.stdout.readline()
            process.kill()
        queue = Queue(file)
        assert queue.put_aside is None
        found = [entry.title for entry in queue.entries()]
        assert found.count("one") == found.count("two") >= changes
        queue.close()


def test_an_owner_is_alive_until_it_is_released(file: Path) -> None:
    Queue(file).close()
    owner = Owner(file)
    assert is_alive(file, owner.id)
    owner.release()
    assert not is_alive(file, owner.id)
