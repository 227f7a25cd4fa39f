"""The queue: what waits in line, what runs, what came of it, and what it takes to change that."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from modules.errors import UserError
from modules.jobs import order, owner
from modules.jobs.entry import UNDECIDED, Entry, NewEntry, State
from modules.jobs.power_cut import same_start, start_of_machine
from modules.jobs.store import Store, insert, set_fact, set_order, update
from modules.sentences.problem import Problem, problem
from modules.system.user_folder import settings_folder

FILE = "queue.sqlite"
MOST_ATTEMPTS = 3  # a job that ends whoever runs it, by taking all memory, say, is not begun for ever
LATE_S = 60.0  # after this nobody sends the computer to sleep any more
MOVABLE: tuple[State, ...] = ("waiting", "paused")

# What is said of an entry whose state forbids what is asked for.
_STATES: dict[State, str] = {
    "waiting": "queue.is-waiting", "running": "queue.is-running", "paused": "queue.is-paused",
    "failed": "queue.is-failed", "finished": "queue.is-finished", "skipped": "queue.is-skipped",
}  # fmt: skip

WhenDone = Literal["nothing", "sleep", "shutdown"]


def queue_file() -> Path:
    """The queue of this user."""
    return settings_folder() / FILE


class Queue:
    """The list as every window, host and command line sees it. Any number of threads may use one.

    Raises:
        UserError: here and in every method, where the file cannot be read or written.
    """

    def __init__(self, file: Path) -> None:
        self._store = Store(file)

    @property
    def file(self) -> Path:
        return self._store.file

    @property
    def put_aside(self) -> Problem | None:
        """That the file was damaged when it was opened, and where it lies: the queue began anew."""
        aside = self._store.put_aside
        return problem("queue.put-aside", file=aside) if aside else None

    @property
    def version(self) -> int:
        """Another one after each change. Cheap: for who looks often."""
        return int(self._store.fact("version", "0"))

    def close(self) -> None:
        self._store.close()

    def entries(self) -> list[Entry]:
        """All, in their order."""
        return self._store.entries()

    def entry(self, number: int) -> Entry:
        """Raises: UserError: there is none of this number."""
        return _found(self.entries(), number)

    # The queue itself -------------------------------------------------------------------------------------------------

    @property
    def on(self) -> bool:
        """Whether what waits is begun. What runs is not touched by it."""
        return self._store.fact("on") == "yes"

    @on.setter
    def on(self, value: bool) -> None:
        with self._store.change() as base:
            _set_on(base, value)
            set_fact(base, "interrupted", "")

    @property
    def interrupted(self) -> bool:
        """Whether the machine went down while the queue was on: it rests until somebody sets `on`."""
        return self._store.fact("interrupted") == "yes"

    @property
    def when_done(self) -> WhenDone:
        """What is done with the computer, once, when nothing is left that can begin."""
        return cast("WhenDone", self._store.fact("when_done", "nothing"))

    @when_done.setter
    def when_done(self, value: WhenDone) -> None:
        with self._store.change() as base:
            set_fact(base, "when_done", value)
            set_fact(base, "ends_at", "")

    @property
    def ends_at(self) -> float | None:
        """When the computer will sleep or shut down, in seconds since 1970; None while nothing of it is near."""
        told = self._store.fact("ends_at")
        return float(told) if told else None

    @ends_at.setter
    def ends_at(self, value: float | None) -> None:
        with self._store.change() as base:
            set_fact(base, "ends_at", "" if value is None else repr(value))

    # Changes by a person ----------------------------------------------------------------------------------------------

    def add(self, *new: NewEntry, first: bool = False) -> list[Entry]:
        """Put into line, at the end or before all that waits. Of the `after` of each, none may be missing."""
        with self._store.change() as base:
            entries = self.entries()
            added = [_insert(base, each, entries) for each in new]
            if first:
                ids = [entry.id for entry in entries]
                at = next((n for n, entry in enumerate(entries) if entry.state in MOVABLE), len(ids))
                ids[at:at] = added
                order.check_order(self.entries(), ids)
                set_order(base, ids)
        return [entry for entry in self.entries() if entry.id in added]

    def move(self, number: int, before: int | None) -> None:
        """Raises: UserError: above what it waits for; or it runs or is over."""
        with self._store.change() as base:
            entries = self.entries()
            _check_state(_found(entries, number), MOVABLE)
            if before is not None:
                _found(entries, before)
            set_order(base, order.moved(entries, number, before))

    def run_next(self, number: int) -> None:
        """Before all others that wait."""
        waiting = [entry.id for entry in self.entries() if entry.state == "waiting" and entry.id != number]
        with self._store.change() as base:
            _check_state(self.entry(number), MOVABLE)
            if waiting:
                set_order(base, order.moved(self.entries(), number, waiting[0]))
            update(base, number, state="waiting")

    def set_after(self, number: int, other: int | None) -> None:
        """It begins when the other one has finished, and is skipped if that fails. None: it waits for nobody.

        Raises:
            UserError: they would wait for each other; or it has begun.
        """
        with self._store.change() as base:
            entries = self.entries()
            _check_state(_found(entries, number), MOVABLE)
            if other is not None:
                _check_state(_found(entries, other), (*UNDECIDED, "finished"))
                order.check_circle(entries, number, other)
            update(base, number, after=other)
            if other is not None:
                ids = order.behind(entries, number, other)
                order.check_order(self.entries(), ids)
                set_order(base, ids)

    def pause(self, number: int) -> None:
        """It does not begin; one that runs stops with a backup."""
        with self._store.change() as base:
            entry = self.entry(number)
            _check_state(entry, ("waiting", "running", "paused"))
            update(base, number, **({"wish": "pause"} if entry.state == "running" else {"state": "paused"}))

    def resume(self, number: int) -> None:
        """It waits again, and goes on where it was."""
        with self._store.change() as base:
            _check_state(self.entry(number), ("paused", "waiting"))
            update(base, number, state="waiting", ended=None)

    def retry(self, number: int) -> None:
        """It waits again, from its last backup if it has one, and with it what was skipped because of it.

        Raises:
            UserError: what it waits for has failed, or it has not ended itself.
        """
        with self._store.change() as base:
            entries = self.entries()
            entry = _found(entries, number)
            _check_state(entry, ("failed", "skipped", "finished"))
            for other in (each for each in entries if each.id == entry.after):
                _check_state(other, (*UNDECIDED, "finished"))
            for each in (entry, *order.waiting_for(entries, [number])):
                if each.id == number or each.state == "skipped":
                    update(base, each.id, state="waiting", problems=[], details="", ended=None, attempts=0)

    def remove(self, *numbers: int) -> None:
        """Take out of the list. One that runs stops with a backup first; what waits for one of them is skipped."""
        with self._store.change() as base:
            for number in numbers:
                entries = self.entries()
                entry = _found(entries, number)
                if entry.state == "running":
                    update(base, number, wish="remove")
                else:
                    _remove(base, entries, entry)

    def duplicate(self, number: int) -> Entry:
        """The same once more, from its beginning, right behind it."""
        with self._store.change() as base:
            entries = self.entries()
            entry = _found(entries, number)
            if entry.job is None:
                raise UserError("queue.other-release", title=entry.title)
            new = NewEntry(entry.job, entry.title, None, entry.group, entry.changes, entry.estimate)
            made = _insert(base, new, entries)
            ids = [each.id for each in entries]
            ids.insert(ids.index(number) + 1, made)
            set_order(base, ids)
        return self.entry(made)

    # Changes by who runs it -------------------------------------------------------------------------------------------

    def take_next(self, who: str, claim: Callable[[Entry], str | None]) -> Entry | None:
        """The first that can begin, which now runs; None where there is none, or the queue rests.

        Args:
            who: the id of an `Owner`.
            claim: the card that an entry would run on, "" if it shares it; None where that card is taken.
        """
        if not self.can_go_on or _first(self.entries(), claim) is None:  # a look is no change
            return None
        with self._store.change() as base:
            if (found := _first(self.entries(), claim)) is None:
                return None
            entry, card = found
            now = entry.started if entry.folder and entry.started else time.time()
            update(base, entry.id, state="running", owner=who, card=card, started=now, ended=None, wish="")
            return self.entry(entry.id)

    def report(
        self, number: int, *, step: int = 0, total: int = 0, seconds_left: float | None = None, stage: str = "",
        folder: str = "", results: dict[str, float] | None = None,
    ) -> None:  # fmt: skip
        """How far a running entry is."""
        with self._store.change() as base:
            update(base, number, step=step, total=total, seconds_left=seconds_left, stage=stage, results=results or {})
            if folder:
                update(base, number, folder=folder)

    def finish(
        self, number: int, state: State, *, folder: str = "", problems: Sequence[Problem] = (), details: str = "",
    ) -> None:  # fmt: skip
        """A running entry has ended so; "waiting" puts it back into line. What waits for one that failed is skipped."""
        with self._store.change() as base:
            entries = self.entries()
            entry = _found(entries, number)
            ended = None if state == "waiting" else time.time()
            values: dict[str, Any] = {"state": state, "ended": ended, "problems": [*problems], "details": details}
            update(base, number, **values, owner="", card="", wish="", seconds_left=None, stage="")
            if folder:
                update(base, number, folder=folder)
            if entry.wish == "remove":
                _remove(base, entries, entry)
            elif state == "failed":
                _skip(base, order.waiting_for(entries, [number]), problem("queue.after-failed", title=entry.title))

    def interrupt(self, number: int, details: str) -> None:
        """What did its job has died: it waits again, to go on from its newest backup, a few times at most."""
        with self._store.change() as base:
            entries = self.entries()
            update(base, number, details=details)
            _put_back(base, entries, _found(entries, number))

    def recover(self) -> list[Entry]:
        """Entries whose runner was killed wait again, to go on from their newest backup; and if the machine went down
        since the queue was set on, it rests. Whoever may run the queue, or shows it, asks for this now and then.
        """  # noqa: D205 - one sentence
        running = [row for row in self._store.rows() if row.state == "running"]
        lost = {row.id: row.owner for row in running if not owner.is_alive(self.file, row.owner)}
        late = self.ends_at is not None and time.time() > self.ends_at + LATE_S
        restarted = self.on and not same_start(self._store.fact("machine"), start_of_machine())
        if not (lost or restarted or late):
            return []
        with self._store.change() as base:
            if late:  # who announced it was killed before
                set_fact(base, "ends_at", "")
            if restarted:
                _set_on(base, False)
                set_fact(base, "interrupted", "yes")
                set_fact(base, "ends_at", "")
            entries = self.entries()
            found = [entry for entry in entries if entry.owner and lost.get(entry.id) == entry.owner]
            for entry in found:
                _put_back(base, entries, entry)
        owner.remove_dead(self.file)
        return found

    @property
    def can_go_on(self) -> bool:
        """Whether the queue is on, and something waits that may begin now or once others have finished."""
        if not self.on:
            return False
        rows = self._store.rows()
        states = {row.id: row.state for row in rows}
        open_ones = (None, "waiting", "running", "finished")
        return any(row.state == "waiting" and states.get(row.after or 0) in open_ones for row in rows)

    @property
    def running(self) -> bool:
        """Whether anything of it runs, here or elsewhere."""
        return any(row.state == "running" for row in self._store.rows())


def _insert(base: sqlite3.Connection, new: NewEntry, entries: Sequence[Entry]) -> int:
    if new.after is not None:
        (known,) = base.execute("SELECT COUNT(*) FROM entries WHERE id = ?", (new.after,)).fetchone()
        if not known:
            _found(entries, new.after)
    return insert(base, {
        "job": new.job, "title": new.title, "state": "waiting", "after": new.after, "group": new.group,
        "changes": new.changes, "estimate": new.estimate, "added": time.time(),
    })  # fmt: skip


def _found(entries: Sequence[Entry], number: int) -> Entry:
    found = next((entry for entry in entries if entry.id == number), None)
    if found is None:
        raise UserError("queue.none", number=number)
    return found


def _check_state(entry: Entry, allowed: Sequence[State]) -> None:
    if entry.state not in allowed:
        raise UserError(problem(_STATES[entry.state], title=entry.title))


def _first(entries: Sequence[Entry], claim: Callable[[Entry], str | None]) -> tuple[Entry, str] | None:
    """What can begin, and on which card."""
    taken = {entry.card for entry in entries if entry.state == "running" and entry.card}
    for entry in entries:
        if _can_begin(entry, entries):
            card = claim(entry)
            if card is not None and card not in taken:
                return entry, card
    return None


def _can_begin(entry: Entry, entries: Sequence[Entry]) -> bool:
    if entry.state != "waiting":
        return False
    return next((each.state for each in entries if each.id == entry.after), "finished") == "finished"


def _set_on(base: sqlite3.Connection, value: bool) -> None:
    set_fact(base, "on", "yes" if value else "no")
    set_fact(base, "machine", start_of_machine())


def _remove(base: sqlite3.Connection, entries: Sequence[Entry], entry: Entry) -> None:
    if entry.state in UNDECIDED:
        _skip(base, order.waiting_for(entries, [entry.id]), problem("queue.after-removed", title=entry.title))
    base.execute("DELETE FROM entries WHERE id = ?", (entry.id,))


def _skip(base: sqlite3.Connection, entries: Sequence[Entry], why: Problem) -> None:
    for entry in entries:
        if entry.state in MOVABLE:
            update(base, entry.id, state="skipped", problems=[why], ended=time.time())


def _put_back(base: sqlite3.Connection, entries: Sequence[Entry], entry: Entry) -> None:
    attempts = entry.attempts + 1
    update(base, entry.id, owner="", card="", wish="", seconds_left=None, stage="", attempts=attempts)
    if entry.wish == "remove":
        _remove(base, entries, entry)
    elif attempts >= MOST_ATTEMPTS:
        why = problem("queue.killed", count=attempts)
        update(base, entry.id, state="failed", problems=[why], ended=time.time())
        _skip(base, order.waiting_for(entries, [entry.id]), problem("queue.after-failed", title=entry.title))
    else:
        update(base, entry.id, state="paused" if entry.wish == "pause" else "waiting")
