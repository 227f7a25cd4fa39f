"""One job in the background, and an event for every way in which it can end."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules import run as jobs
from modules.errors import UserError
from modules.messages import Channel, CheckPreset, Failed, Finished, Job, Note, Started, Stop, Train
from modules.sentences.problem import as_it_is
from modules.session import Session
from modules.trainer.step.learner import Learner
from modules.wire import decode
from tests.trainer.runs import values


def ended(job: Job) -> list[object]:
    session = Session(job)
    session.start()
    session.wait(240)
    assert not session.running
    return [event for _ in range(10) for event in session.channel.events.drain()]


def test_a_job_runs_beside_and_its_last_event_is_its_end(tmp_path: Path) -> None:
    assert isinstance(ended(CheckPreset(values(tmp_path)))[-1], Finished)


def test_a_mistake_is_told_in_words_without_a_traceback() -> None:
    (failed,) = ended(Train({"version": 6, "training": {"steps": -1}}))
    assert isinstance(failed, Failed)
    assert "training.steps: -1" in failed.message
    assert not failed.details


@pytest.mark.parametrize("error", [ValueError("x"), MemoryError(), KeyError("y"), AssertionError()])
def test_a_fault_is_told_with_its_traceback(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: Job, channel: Channel) -> None:
        raise error

    monkeypatch.setattr(jobs, "run_job", broken)
    (failed,) = ended(Train({}))
    assert isinstance(failed, Failed)
    assert type(error).__name__ in failed.message
    assert "Traceback" in failed.details
    assert "broken" in failed.details


@pytest.mark.parametrize("end", [SystemExit(1), KeyboardInterrupt()])
def test_a_library_that_ends_the_process_ends_the_job_with_an_event(
    end: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(job: Job, channel: Channel) -> None:
        raise end

    monkeypatch.setattr(jobs, "run_job", broken)
    (failed,) = ended(Train({}))
    assert isinstance(failed, Failed)
    assert type(end).__name__ in failed.message and "broken" in failed.details


def test_a_run_that_a_library_ends_says_so_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(learner: Learner, batches: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(Learner, "learn", ends)
    told = ended(Train(values(tmp_path)))
    assert isinstance(told[-1], Failed) and "SystemExit: 3" in told[-1].message
    last = (tmp_path / "test" / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    written = decode(last)
    assert isinstance(written, Failed) and written.message == told[-1].message


def test_what_was_told_before_an_error_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: Job, channel: Channel) -> None:
        channel.events.put(Note("before"))
        raise UserError(as_it_is("No.", "Do this."))

    monkeypatch.setattr(jobs, "run_job", broken)
    first, failed = ended(Train({}))
    assert first == Note("before")
    assert isinstance(failed, Failed) and failed.message == "No. Do this."


def test_commands_given_before_the_job_began_are_heard(tmp_path: Path) -> None:
    channel = Channel.open()
    channel.commands.put(Stop())
    session = Session(Train(values(tmp_path)), channel)
    session.start()
    session.wait(240)
    events = list(channel.events.drain())
    assert events[-1] == Finished(stopped=True)
    assert not any(isinstance(event, Started) for event in events)
    assert not (tmp_path / "test").exists()


def test_an_interrupt_in_the_thread_stops_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "train", interrupted)
    assert ended(Train({})) == [Finished(stopped=True)]


def test_a_panic_of_a_library_ends_the_job_with_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokenizers are Rust, whose panics are no Exception."""

    class PanicException(BaseException):
        pass

    def panics(*_: object, **__: object) -> None:
        raise PanicException("called Option::unwrap() on a None value")

    monkeypatch.setattr(jobs, "train", panics)
    (failed,) = ended(Train({}))
    assert isinstance(failed, Failed)
    assert "PanicException" in failed.message
