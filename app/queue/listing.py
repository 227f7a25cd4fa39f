"""The list in the words of the command line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from modules.jobs.entry import Entry
from modules.jobs.queue import Queue
from modules.sentences.catalogue import CATALOGUE
from modules.sentences.problem import Problem
from modules.sentences.render import PLAIN
from modules.text import duration, percent_done, time_left

ORDER = ("running", "waiting", "paused", "finished", "failed", "skipped")


def table(queue: Queue) -> str:
    """All entries, a line each, under what the queue does."""
    entries = queue.entries()
    lines = [f"{_head(queue)} {counted(entries)}."]
    width = max((len(entry.title) for entry in entries), default=0)
    digits = max((len(str(entry.id)) for entry in entries), default=0)
    lines += [
        f"{entry.id:>{digits}}  {entry.state:8}  {entry.title:{width}}  {said_of(entry, entries)}".rstrip()
        for entry in entries
    ]
    return "\n".join(lines)


def as_json(queue: Queue) -> str:
    """The same for programs. A job is not in it: its settings would be most of it."""
    rows = [{name: value for name, value in asdict(entry).items() if name != "job"} for entry in queue.entries()]
    facts = {"on": queue.on, "interrupted": queue.interrupted, "when_done": queue.when_done}
    return json.dumps({**facts, "entries": rows}, indent=2, ensure_ascii=False)


def counted(entries: Iterable[Entry]) -> str:
    """ "1 running, 3 waiting"."""
    counts = Counter(entry.state for entry in entries)
    return ", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state]) or "Nothing is in it"


def _head(queue: Queue) -> str:
    if queue.interrupted:
        return "The queue was interrupted, and rests."
    return "The queue is on." if queue.on else "The queue rests."


def said_of(entry: Entry, entries: Sequence[Entry]) -> str:
    """How far it is, what it waits for, or why it has failed."""
    if entry.state in ("failed", "skipped"):
        return next((PLAIN.what(each) for each in entry.problems if each.code in CATALOGUE), "")
    if entry.state == "finished":
        taken = (entry.ended or 0) - (entry.started or 0)
        return ", ".join(filter(None, [duration(taken), entry.folder]))
    parts = [_far(entry)]
    if entry.state == "waiting":
        parts += _before(entry, entries)
    return ", ".join(filter(None, parts))


def _far(entry: Entry) -> str:
    parts: list[str] = []
    if entry.total:
        parts.append(f"{percent_done(entry.step, entry.total)} ({entry.step:,} of {entry.total:,})")
    if entry.wish:
        parts.append("stopping with a backup")
    elif entry.stage in CATALOGUE:
        parts.append(PLAIN.what(Problem(entry.stage)))
    if entry.seconds_left:
        parts.append(f"{time_left(entry.seconds_left)} left")
    return ", ".join(parts)


def _before(entry: Entry, entries: Sequence[Entry]) -> list[str]:
    other = next((each for each in entries if each.id == entry.after and each.state != "finished"), None)
    parts = [f"after {other.id} ({other.title})"] if other else []
    return [*parts, f"about {duration(entry.estimate)}"] if entry.estimate else parts
