"""A job in the foreground: its events are shown, its end is the exit code, Ctrl-C stops it gently."""

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from app.follow import EXIT_BUG, EXIT_DONE, EXIT_STOPPED, EXIT_USER_ERROR, follow
from modules.messages import Channel, Command, Event, Failed, Finding, Finished, Note, Result, Started, Stop


class Script:
    """A session that plays a script in a thread, as the real one does."""

    def __init__(self, play: Callable[[Channel], None]) -> None:
        self.channel = Channel.open()
        self._thread = threading.Thread(target=play, args=[self.channel])

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()


class Shown:
    """A display that remembers."""

    def __init__(self, broken_after: int = 10**9) -> None:
        self.events: list[Event] = []
        self.said: list[str] = []
        self.closed = False
        self._broken_after = broken_after

    def show(self, event: Event) -> None:
        if len(self.events) >= self._broken_after:
            raise BrokenPipeError
        self.events.append(event)

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self) -> None:
        self.closed = True


@contextmanager
def kept_signals() -> Generator[None]:
    names = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    kept = {name: signal.getsignal(name) for name in names}
    yield
    for name, handler in kept.items():
        signal.signal(name, handler)


def followed(play: Callable[[Channel], None], shown: Shown | None = None) -> tuple[int, Shown]:
    shown = shown or Shown()
    with kept_signals():
        return follow(Script(play), shown), shown


def say(*events: Event) -> Callable[[Channel], None]:
    def play(channel: Channel) -> None:
        for event in events:
            channel.events.put(event)

    return play


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([Finished(5)], EXIT_DONE),
        ([Finished(5, stopped=True)], EXIT_STOPPED),
        ([Failed("no such file")], EXIT_USER_ERROR),
        (
            [Finding("a", "error", title="No."), Finding("b", "info", title="Yes."), Result("check", "1"), Finished()],
            EXIT_USER_ERROR,
        ),
        ([Finding("a", "warning", title="Ouch."), Finished()], EXIT_DONE),
        ([Finding("a", "error", title="No."), Finished(stopped=True)], EXIT_STOPPED),
        ([Failed("boom", "Traceback")], EXIT_BUG),
        ([Note("and then nothing")], EXIT_BUG),
    ],
)
def test_the_exit_code_says_how_it_ended(events: list[Event], code: int) -> None:
    result, shown = followed(say(*events))
    assert result == code
    assert shown.events == events
    assert shown.closed


def test_more_events_than_one_look_takes_are_all_shown() -> None:
    _, shown = followed(say(*[Note(str(n)) for n in range(500)], Finished()))
    assert len(shown.events) == 501


def test_a_mistake_is_one_sentence_and_a_fault_names_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    followed(say(Failed("There is no folder x.")))
    assert capsys.readouterr().err == "There is no folder x.\n"
    followed(say(Started("/runs/cat", 1, 1, 1), Failed("KeyError: x", "Traceback ...")))
    assert capsys.readouterr().err == "KeyError: x\nThis is a fault of the program. Details: /runs/cat/log.txt\n"
    followed(say(Failed("KeyError: x", "Traceback ...")))
    assert "Traceback ..." in capsys.readouterr().err


def obey(kill_first: int) -> tuple[Callable[[Channel], None], list[Command]]:
    got: list[Command] = []

    def play(channel: Channel) -> None:
        os.kill(os.getpid(), kill_first)
        while not got or (isinstance(got[0], Stop) and kill_first == signal.SIGINT and len(got) < 2):
            before = len(got)
            got.extend(channel.commands.drain())
            if len(got) == 1 > before and kill_first == signal.SIGINT:
                os.kill(os.getpid(), signal.SIGINT)
        channel.events.put(Finished(3, stopped=True))

    return play, got


def test_ctrl_c_stops_gently_and_twice_at_once() -> None:
    play, got = obey(signal.SIGINT)
    code, shown = followed(play)
    assert code == EXIT_STOPPED
    assert got == [Stop(), Stop(now=True)]
    assert "after this step" in shown.said[1]
    assert "at once" in shown.said[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_ended_from_outside_stops_gently(number: int) -> None:
    play, got = obey(number)
    assert followed(play)[0] == EXIT_STOPPED
    assert got == [Stop()]


def test_a_reader_that_goes_away_stops_the_run_with_a_backup() -> None:
    got: list[Command] = []

    def play(channel: Channel) -> None:
        channel.events.put(Note("one"))
        channel.events.put(Note("two"))
        while not got:
            got.extend(channel.commands.drain())
        channel.events.put(Finished(3, stopped=True))

    assert followed(play, Shown(broken_after=1))[0] == EXIT_STOPPED
    assert got == [Stop()]
