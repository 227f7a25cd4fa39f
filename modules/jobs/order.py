"""Which entry comes when: a list in which nothing stands above what it waits for. Lists in, lists out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modules.errors import UserError
from modules.jobs.entry import UNDECIDED, Entry


def moved(entries: Sequence[Entry], number: int, before: int | None) -> list[int]:
    """The ids with one of them before another, or at the end.

    Raises:
        UserError: it would stand above what it waits for, or below what waits for it.
    """
    ids = [entry.id for entry in entries if entry.id != number]
    at = len(ids) if before is None or before == number else ids.index(before)
    if before == number:
        return [entry.id for entry in entries]
    ids.insert(at, number)
    check_order(entries, ids)
    return ids


def behind(entries: Sequence[Entry], number: int, other: int) -> list[int]:
    """The ids, with one of them right behind another where it stood above it."""
    ids = [entry.id for entry in entries]
    if ids.index(number) < ids.index(other):
        ids.remove(number)
        ids.insert(ids.index(other) + 1, number)
    return ids


def check_order(entries: Sequence[Entry], ids: Sequence[int]) -> None:
    """Raises: UserError: an entry stands above what it waits for."""
    place = {number: at for at, number in enumerate(ids)}
    titles = {entry.id: entry.title for entry in entries}
    for entry in entries:
        if entry.state in UNDECIDED and entry.after in place and place[entry.id] < place[entry.after]:
            raise UserError("queue.above", title=entry.title, other=titles[entry.after])


def check_circle(entries: Sequence[Entry], number: int, other: int) -> None:
    """Raises: UserError: the other one waits for this one, itself or through others."""
    by_id = {entry.id: entry for entry in entries}
    at: int | None = other
    while at is not None and at in by_id:
        if at == number:
            raise UserError("queue.circle", title=by_id[number].title, other=by_id[other].title)
        at = by_id[at].after


def waiting_for(entries: Sequence[Entry], numbers: Iterable[int]) -> list[Entry]:
    """Those that wait for these, themselves or through others, and have not begun."""
    held, found = set(numbers), list[Entry]()
    for _ in entries:
        more = [each for each in entries if each.after in held and each.id not in held and each.state != "running"]
        if not more:
            break
        found += more
        held |= {entry.id for entry in more}
    return found
