"""A run on another machine over a real sshd: files go there, what is made comes back, and a lost line loses nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from modules.errors import UserError
from modules.messages import Event, Failed, Finished, ModelSaved, Note, Progress, SampleReady, Started, Stop, Train
from modules.remote.address import Address
from modules.remote.link import Link
from modules.remote.run import RemoteRun
from tests.remote.other_machine import MISSING, OtherMachine
from tests.trainer.runs import run, values

QUICK_ENGINE = Path(__file__).with_name("quick_engine.py")  # runs there, and is not imported here
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
STEPS = 60  # of the quick engine


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherMachine]:
    machine = OtherMachine(tmp_path_factory.mktemp("other"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEACHANGE_SSH", machine.ssh)
        yield machine
    machine.down()


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherMachine]:
    """A machine whose engine only counts."""
    machine = OtherMachine(tmp_path_factory.mktemp("quick"), QUICK_ENGINE)
    yield machine
    machine.down()


@pytest.fixture
def reached(quick: OtherMachine, monkeypatch: pytest.MonkeyPatch) -> OtherMachine:
    monkeypatch.setenv("SEACHANGE_SSH", quick.ssh)
    return quick


class Told:
    """The events of a run there, and what is done at the first of a kind."""

    def __init__(self, other: OtherMachine, preset: dict[str, Any], resume: str = "") -> None:
        self.events: list[Event] = []
        self._at: dict[type, Callable[[], object]] = {}
        self.run = RemoteRun(other.address, Train(preset, resume), self._heard, says_s=1.0)

    def at(self, kind: type, do: Callable[[], object]) -> Told:
        self._at[kind] = do
        return self

    def to_the_end(self) -> Told:
        self.run.run()
        return self

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def folder(self) -> Path:
        return Path(self.of(Started)[0].folder)

    @property
    def steps(self) -> list[int]:
        return [step for event in self.of(Progress) for step, *_ in event.losses]

    def _heard(self, event: Event) -> None:
        self.events.append(event)
        if do := self._at.pop(type(event), None):
            do()


def lines() -> list[psutil.Process]:
    """The ssh processes of bridges that this process has started."""
    return [each for each in psutil.Process().children() if any("there.bridge" in word for word in each.cmdline())]


def test_the_machine_says_what_it_has(other: OtherMachine) -> None:
    link = Link(other.address)
    link.close()
    assert link.machine.workspace == str(other.workspace)
    assert link.machine.free > 0
    assert link.machine.python.startswith("3.")


def test_a_run_there_is_told_and_kept_as_if_it_were_here(other: OtherMachine, tmp_path: Path) -> None:
    preset = values(tmp_path, "training.steps=2", "sampling.every=1 steps")
    preset["sampling"]["prompts"] = [{"prompt": "robot", "width": 64, "height": 64, "steps": 1}]
    told = Told(other, preset).to_the_end()
    assert isinstance(told.events[-1], Finished), told.events[-1]
    assert told.folder.parent == tmp_path
    assert told.of(SampleReady)
    for event in told.of(SampleReady):
        assert Path(event.path).is_relative_to(told.folder) and Path(event.path).exists()
    (saved,) = told.of(ModelSaved)
    assert Path(saved.path).is_relative_to(told.folder) and Path(saved.path).stat().st_size > 1000
    assert (told.folder / "events.jsonl").exists() and (told.folder / "log.txt").exists()
    assert not (told.folder / "backups").exists()
    with pytest.raises(UserError, match="Continue it there"):
        run(preset, resume=told.folder.name)


def test_a_lost_line_loses_no_step_and_none_comes_twice(reached: OtherMachine, tmp_path: Path) -> None:
    told = Told(reached, values(tmp_path)).at(Progress, lambda: [each.kill() for each in lines()])
    told.to_the_end()
    assert isinstance(told.events[-1], Finished) and not told.events[-1].stopped, told.events[-1]
    assert len(told.of(Note)) >= 2
    assert told.steps == sorted(set(told.steps)) and told.steps[-1] == STEPS
    assert Path(told.of(ModelSaved)[0].path).exists()


def test_a_line_that_stands_still_is_opened_anew_when_the_machine_can_be_reached_again(
    reached: OtherMachine, tmp_path: Path
) -> None:
    up_again = threading.Timer(1.5, reached.up)

    def cut() -> None:
        reached.down()
        for each in lines():
            each.send_signal(signal.SIGSTOP)
        up_again.start()

    told = Told(reached, values(tmp_path)).at(Progress, cut).to_the_end()
    up_again.join()
    assert len(told.of(Note)) >= 2
    assert isinstance(told.events[-1], Finished), told.events[-1]
    assert told.steps[-1] == STEPS


def test_a_run_that_was_left_goes_on_and_is_found_again(reached: OtherMachine, tmp_path: Path) -> None:
    preset = values(tmp_path)
    first = Told(reached, preset)
    first.at(Progress, first.run.leave).to_the_end()
    assert not first.of(Finished) and not first.of(Failed)
    again = Told(reached, preset, resume="newest")
    again.at(Progress, lambda: again.run.send(Stop())).to_the_end()
    assert isinstance(again.events[-1], Finished), again.events[-1]
    assert again.folder == first.folder
    assert again.of(Started)[0].resumed_from == -1, "it was shown, and not begun again"
    if again.events[-1].stopped:
        more = Told(reached, preset, resume="newest").to_the_end()
        assert more.of(Started)[0].resumed_from == again.events[-1].step
        assert more.steps[-1] == STEPS


def test_who_cannot_be_reached_or_has_no_program_is_named_with_what_to_do(
    reached: OtherMachine, tmp_path: Path
) -> None:
    nowhere = Told(reached, values(tmp_path, "training.steps=2"))
    nowhere.run = RemoteRun(Address("other", "/no/such/folder"), Train(values(tmp_path)), nowhere._heard)
    (failed,) = nowhere.to_the_end().of(Failed)
    assert failed.problems[0].code == "remote.not-set-up"
    stranger = Told(reached, values(tmp_path))
    stranger.run = RemoteRun(Address("nobody.invalid"), Train(values(tmp_path)), stranger._heard)
    (failed,) = stranger.to_the_end().of(Failed)
    assert failed.problems[0].code == "remote.unreachable" and "nobody.invalid" in failed.message
    assert not list(tmp_path.iterdir()), "no run was begun"
