"""What is wrong, as data. Nobody reads a sentence back: who wants to know more of a problem asks its fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong: what it is, where, and the values that its sentence names. Plain enough for a line of JSON."""

    code: str  # its row in the catalogue: "rules.fp16-and-bf16"
    path: str = ""  # of the setting that it is about; "" for none
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    also: list[str] = field(default_factory=list[str])  # paths of the other settings that it is about

    @property
    def paths(self) -> list[str]:
        """All settings that it is about, its own first."""
        return [path for path in (self.path, *self.also) if path]


def problem(code: str, path: str = "", *also: str, **values: Any) -> Problem:
    """A problem, written as it is read: code, paths, values by name. Files become text, as a line of JSON needs it."""
    plain = {name: str(value) if isinstance(value, PurePath) else value for name, value in values.items()}
    return Problem(code, path, plain, list(also))


def as_it_is(text: str, advice: str = "") -> Problem:
    """A problem that comes as a finished sentence: from a library, or from code without a row in the catalogue."""
    return Problem("text", values={"text": text, "advice": advice})


def reason_from(held: str | dict[str, Any] | None) -> Problem | None:
    """A problem as a cache keeps it; older ones kept its sentence, and "" for none."""
    return as_it_is(held) if isinstance(held, str) and held else Problem(**held) if isinstance(held, dict) else None


@dataclass(frozen=True, slots=True)
class Fix:
    """Settings that would help: a button in the window, a `--set` on the command line. Or files that are mended."""

    label: str  # in a few words of English; who has others makes them from `code` and `values`
    changes: dict[str, Any]  # path of a setting -> its new value
    code: str = ""  # "" in runs of older versions
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    # Path of a text file -> the path that it then has; where that is the same, its text becomes UTF-8.
    files: dict[str, str] = field(default_factory=dict[str, str])
