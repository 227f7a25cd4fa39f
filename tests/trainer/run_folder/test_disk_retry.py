"""A disk that takes nothing holds a run up, and never costs it what was there before."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modules.data.cache.store import Cache
from modules.messages import Continue, Continued, Event, Mailbox, Note, Paused, Stop
from modules.preset.preset import Preset
from modules.sentences.render import PLAIN
from modules.system.files import disk_error, staged_file
from modules.trainer.backup import all_backups, is_whole, size_of, write_backup
from modules.trainer.control import Control, Interrupted
from modules.trainer.run_folder.disk_retry import DiskRetry, GaveUp, disk_problem
from tests.trainer.disks import fill, small_disk


class Weights:
    """Half a megabyte to remember."""

    def __init__(self, value: float = 0) -> None:
        self.held = torch.full((2**17,), float(value))

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"held": self.held}

    def load_state_dict(self, state: dict[str, torch.Tensor], /) -> None:
        self.held = state["held"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "1200k") as disk:
        yield disk


class Waiting:
    """A patience, and what its user does when he is told that it waits."""

    def __init__(self, answer: Callable[[], object] = lambda: None, retry: float = 0.01) -> None:
        self.mailbox = Mailbox()
        self.control = Control(self.mailbox)
        self.control.finishes_step = True
        self.told: list[Event] = []
        self.answer = answer
        self.patience = DiskRetry(self.control, self.tell, lambda: 7)
        self.patience.RETRY, self.patience.LAST = retry, 0.05  # type: ignore[misc]

    def tell(self, event: Event) -> None:
        self.told.append(event)
        if isinstance(event, Paused):
            self.answer()

    def back_up(self, folder: Path, step: int) -> Path:
        state = {"weights": Weights(step)}
        return self.patience.retry(
            lambda: write_backup(folder, step, Preset(), state), "written.backup", folder, lambda: size_of(state)
        )


def test_a_full_disk_is_waited_for_and_told_once_with_its_figures(disk: Path) -> None:
    waiting = Waiting()
    first = waiting.back_up(disk / "backups", 1)
    filler = fill(disk)
    tries = 0

    def work() -> Path:
        nonlocal tries
        tries += 1
        if tries == 4:
            filler.unlink()
        state = {"weights": Weights(2)}
        return write_backup(disk / "backups", 2, Preset(), state)

    second = waiting.patience.retry(work, "written.backup", disk / "backups", lambda: 524_288)
    assert tries == 4
    paused, continue_count = waiting.told
    assert isinstance(paused, Paused)
    assert isinstance(continue_count, Continued)
    assert paused.reason == (
        f"The disk with {disk / 'backups'} is full: 0 kB free, a backup needs 512 kB. Free some space. "
        "The run then continues by itself."
    )
    assert is_whole(first)
    assert is_whole(second)
    assert sorted(path.name for path in (disk / "backups").iterdir()) == [first.name, second.name]


def test_continue_tries_at_once(disk: Path) -> None:
    filler = fill(disk)
    waiting = Waiting(retry=600)
    waiting.answer = lambda: (filler.unlink(), waiting.mailbox.put(Continue()))
    assert is_whole(waiting.back_up(disk / "backups", 1))
    assert [type(event) for event in waiting.told] == [Paused, Continued]


def test_continue_without_room_is_answered_again(disk: Path) -> None:
    filler = fill(disk)
    waiting = Waiting(retry=600)

    def answer() -> None:
        if len(waiting.told) == 3:
            filler.unlink()
        waiting.mailbox.put(Continue())

    waiting.answer = answer
    waiting.back_up(disk / "backups", 1)
    assert [type(event) for event in waiting.told] == [Paused, Paused, Paused, Continued]


def test_stop_ends_the_wait_with_what_was_not_written_and_leaves_no_half_of_it(disk: Path) -> None:
    waiting = Waiting(retry=600)
    first = waiting.back_up(disk / "backups", 1)
    fill(disk)
    waiting.answer = lambda: waiting.mailbox.put(Stop())
    with pytest.raises(GaveUp, match=r"A backup was not written. The disk with .* is full: 0 kB free"):
        waiting.back_up(disk / "backups", 2)
    assert all_backups(disk / "backups") == [first]
    assert is_whole(first)
    assert [path.name for path in (disk / "backups").iterdir()] == [first.name]


def test_a_run_that_stops_already_waits_only_a_little(disk: Path) -> None:
    fill(disk)
    waiting = Waiting(retry=600)
    waiting.mailbox.put(Stop())
    waiting.control.read()
    with pytest.raises(GaveUp):
        waiting.back_up(disk / "backups", 2)
    assert [type(event) for event in waiting.told] == [Paused]


@pytest.mark.parametrize("finishes_step", [True, False])
def test_stop_at_once_and_stop_before_there_is_anything_to_lose_only_say_it(finishes_step: bool, disk: Path) -> None:
    fill(disk)
    waiting = Waiting(retry=600)
    waiting.control.finishes_step = finishes_step
    waiting.answer = lambda: waiting.mailbox.put(Stop(now=finishes_step))
    with pytest.raises(Interrupted):
        waiting.back_up(disk / "backups", 2)
    assert isinstance(waiting.told[-1], Note)
    assert waiting.told[-1].text.startswith("A backup was not written. The disk")


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_what_libraries_say_of_a_full_disk_is_understood(kind: str, disk: Path) -> None:
    fill(disk)
    with pytest.raises(Exception) as caught:
        if kind == "torch":
            with staged_file(disk / "a") as draft, draft.open("wb", buffering=0) as file:
                torch.save(Weights().state_dict(), file)
        else:
            with staged_file(disk / "a") as draft:
                save_file(Weights().state_dict(), draft)
    trouble = disk_error(caught.value)
    assert trouble is not None
    assert trouble.errno == errno.ENOSPC
    assert [path.name for path in disk.iterdir()] == ["filler"]


def test_a_mistake_of_the_program_is_not_taken_for_a_disk() -> None:
    waiting = Waiting()

    def wrong() -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes"):
        waiting.patience.retry(wrong, "written.backup", Path())
    with pytest.raises(OSError, match="File exists"):
        waiting.patience.retry(lambda: os.mkdir("/"), "written.backup", Path())  # noqa: PTH102
    assert not waiting.told


def test_a_cache_on_a_full_disk_is_filled_once_there_is_room(disk: Path) -> None:
    filler = fill(disk)
    waiting = Waiting(filler.unlink)
    folder = disk / "cache"
    with Cache(folder, lambda work: waiting.patience.retry(work, "what is encoded", folder)) as cache:
        for number in range(3):
            cache.put(f"{number:x}" * 64, {"a": torch.full((100,), number)})
        cache.flush()
    assert [type(event) for event in waiting.told] == [Paused, Continued]
    with Cache(folder) as cache:
        assert [int(cache.get(f"{number:x}" * 64)["a"][0]) for number in range(3)] == [0, 1, 2]
    assert len(list(folder.glob("*.shard"))) == 1


def test_a_cache_that_cannot_be_closed_on_a_full_disk_has_lost_nothing(disk: Path) -> None:
    with Cache(disk / "cache") as cache:
        cache.put("0" * 64, {"a": torch.ones(100)})
        fill(disk)
    with Cache(disk / "cache") as cache:
        assert cache.get("0" * 64)["a"].sum() == 100
        assert not cache.try_put("1" * 64, {"a": torch.ones(10_000)})


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "There is no permission to write a backup to /x."),
        (errno.EROFS, "The disk with /x is read-only: a backup cannot be written."),
        (errno.ENOENT, "/x no longer exists: a backup cannot be written."),
        (errno.EIO, "The disk with /x is failing (Input/output error): a backup cannot be written."),
    ],
)
def test_each_trouble_has_its_words(number: int, words: str) -> None:
    assert PLAIN.what(disk_problem(OSError(number, os.strerror(number)), "written.backup", Path("/x"))) == words
