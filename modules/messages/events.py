"""What the engine says: how its jobs go and end, what it answers, and all else that it can say."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from modules.messages.findings import Finding, Fixes, Note
from modules.messages.message import Count, message
from modules.messages.plan import MemoryPlan
from modules.messages.training import (
    BackupSaved,
    CaptionReady,
    Continued,
    GridCell,
    ModelSaved,
    Paused,
    Progress,
    Retention,
    SampleReady,
    Started,
    Validated,
)
from modules.sentences.catalogue import CATALOGUE
from modules.sentences.problem import Fix, Problem
from modules.sentences.render import PLAIN


@message
class Stage:
    """What the engine is doing now, and how far it is: `total` 0 means that nobody knows."""

    code: str = ""  # its row in sentences/tables/events.py; "" in runs of older versions
    done: Count = 0
    total: Count = 0
    title: str = ""  # the same in the words of the command line; a code without a row is its own title

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", PLAIN.what(Problem(self.code)) if self.code in CATALOGUE else self.code)


@message
class Failed:
    message: str  # for the user
    details: str = ""  # for the log: the traceback
    fixes: Fixes = field(default_factory=list[Fix])  # what would help, if that is known
    problems: list[Problem] = field(default_factory=list[Problem])  # the message as data; empty of a fault


@message
class Finished:
    """A job ended well. `stopped` tells that the user ended it early; `step` is 0 for jobs that do not train."""

    step: Count = 0
    stopped: bool = False
    path: str = ""  # what came out, if it is one thing


@message
class Result:
    """What a query (a check, a question of size) found."""

    question: str
    text: str  # in the words of the command line
    problems: list[Problem] = field(default_factory=list[Problem])  # the same as data, a line each


@message
class Answer:
    """What is asked by the `Query` of this id; `values` are empty where that could not be found out."""

    id: int
    what: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])


Event = (
    Started | Stage | Progress | SampleReady | BackupSaved | ModelSaved | Note | Paused | Continued | Failed | Finished
    | Finding | Result | Answer | Validated | Retention | MemoryPlan | GridCell | CaptionReady
)  # fmt: skip
