"""What is found before a run, or said beside it: how bad it is, and what would help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from modules.messages.message import Bar, message
from modules.sentences.catalogue import CATALOGUE
from modules.sentences.problem import Fix, Problem
from modules.sentences.render import PLAIN, text_of

Severity = Literal["error", "warning", "info"]  # of a finding: a run cannot start; its result will be worse; a note
# Earlier releases wrote "mends", and other severities.
EARLIER_SEVERITIES = {"stop": "error", "hurt": "warning", "know": "info"}
Fixes = Annotated[list[Fix], Field(validation_alias=AliasChoices("fixes", "mends"))]
AnySeverity = Annotated[Severity, BeforeValidator(lambda value: EARLIER_SEVERITIES.get(str(value), value))]


@message
class Finding:
    """What the check before a run found: a problem, how bad it is, and what would help."""

    code: str  # "captions.cut", or a variant of it behind a colon: "captions.cut:too-long"
    severity: AnySeverity
    path: str = ""  # of the setting that it is about, or of the section: "concepts.0.path"
    values: dict[str, Any] = field(default_factory=dict[str, Any])  # that its sentences name
    fixes: Fixes = field(default_factory=list[Fix])
    bars: Sequence[Bar] = field(default_factory=list[Bar])  # a histogram
    unit: str = ""  # of the bars: "captions", "bytes", "seconds"
    items: Sequence[str | Problem] = field(default_factory=list[str | Problem])  # files or tags it is about; 20 at most
    title: str = ""  # what it is, in the words of the command line; who has others makes them from `problem`
    text: str = ""  # why it matters

    def __post_init__(self) -> None:
        if not self.title and self.code in CATALOGUE:
            object.__setattr__(self, "title", PLAIN.what(self.problem))
            object.__setattr__(self, "text", PLAIN.advice(self.problem))

    @property
    def problem(self) -> Problem:
        return Problem(self.code, self.path, self.values)

    @property
    def name(self) -> str:
        """What it is in every variant, run and release: by this a person mutes it."""
        return self.code.partition(":")[0]


@message
class Note:
    """Something the user should know, and nothing ends because of it. `note` makes one of rows of the catalogue."""

    text: str  # in the words of the command line
    level: Severity = "info"
    problems: list[Problem] = field(default_factory=list[Problem])  # the same as data; empty in runs of older versions
    fixes: list[Fix] = field(default_factory=list[Fix])  # what would help


def note(*problems: Problem, level: Severity = "info", fixes: Sequence[Fix] = ()) -> Note:
    """What these rows of the catalogue say, to whoever listens."""
    return Note(text_of(problems, PLAIN), level, list(problems), list(fixes))
