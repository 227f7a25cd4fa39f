"""What waits in line: a job, how far it is, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pydantic import TypeAdapter

from modules.messages import RunTool, Train
from modules.sentences.problem import Problem
from modules.wire import decode, encode

State = Literal["waiting", "running", "paused", "failed", "finished", "skipped"]
Wish = Literal["", "pause", "remove"]  # what is to become of a running entry, once its job has stopped
QueuedJob = Train | RunTool
UNDECIDED: tuple[State, ...] = ("waiting", "running", "paused")  # what waits for these may still begin

_PROBLEMS = TypeAdapter(list[Problem])


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What is put into the queue."""

    job: QueuedJob
    title: str  # the run's name, or the tool's title
    after: int | None = None
    group: str = ""  # the id of a set of tried values
    changes: dict[str, Any] = field(default_factory=dict[str, Any])  # path of a setting -> the value that is tried
    estimate: float | None = None  # seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the queue, as it stood when it was read."""

    id: int
    job: QueuedJob | None  # None: another release wrote it, and its settings mean nothing here
    title: str
    state: State
    after: int | None  # the entry that must have finished before this one begins
    group: str
    changes: dict[str, Any]
    estimate: float | None  # seconds, as planned when it was added
    added: float  # this and the two below: seconds since 1970
    started: float | None
    ended: float | None
    step: int  # how far it is: whoever runs it says so every few seconds
    total: int  # 0: nobody knows
    seconds_left: float | None
    stage: str  # code of what is done beside the steps, its row in sentences/tables/events.py
    folder: str  # of the run, or what came out
    problems: list[Problem]  # why it failed or was skipped
    details: str  # for the log
    results: dict[str, float]  # of a run, by name: "loss", "learnt", "forgotten"
    owner: str  # of `modules.jobs.owner`: who runs it
    card: str  # that it runs on, of `modules.jobs.cards`
    wish: Wish
    attempts: int  # how often whoever ran it was killed

    @property
    def is_run(self) -> bool:
        """Whether it trains."""
        return isinstance(self.job, Train)


JSON_COLUMNS = ("changes", "problems", "results")
COLUMNS = tuple(Entry.__dataclass_fields__)


def entry_of(row: dict[str, Any]) -> Entry:
    """The entry that a row of the file holds."""
    values = dict(row)
    values["job"] = _job_in(values["job"])
    values["problems"] = _PROBLEMS.validate_json(values["problems"])
    for name in ("changes", "results"):
        values[name] = json.loads(values[name])
    return Entry(**values)


def packed(name: str, value: Any) -> Any:
    """A value as its column holds it."""
    if name == "job":
        return encode(value)
    if name == "problems":
        return _PROBLEMS.dump_json(value).decode()
    return json.dumps(value, ensure_ascii=False) if name in JSON_COLUMNS else value


@lru_cache(maxsize=256)  # a list is read often, and its jobs are most of it
def _job_in(line: str) -> QueuedJob | None:
    try:
        job = decode(line)
    except ValueError:
        return None
    return job if isinstance(job, QueuedJob) else None
