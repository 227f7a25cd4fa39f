"""Errors that a user can fix. Everything else is a bug and is allowed to crash with its traceback.

Exception
├── UserError        what is wrong, where, and what to do: exit code 2, no traceback
│   └── Problems     several at once, reported together
└── ValueError
    └── BadValue     a text that is no value of its setting; the schema turns it into a problem of that setting
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

from modules.sentences.printable import printable
from modules.sentences.problem import Fix, Problem, problem
from modules.sentences.render import PLAIN, Renderer, text_of


class UserError(Exception):
    """Something that the user can fix, as data. `str` of it is what the command line says."""

    def __init__(
        self, what: Problem | str, path: str = "", *also: str, fixes: Sequence[Fix] = (), **values: Any
    ) -> None:
        """A problem, or its code, settings and values as for `problem`. `fixes`: settings that would help, in order."""
        self.problem = what if isinstance(what, Problem) else problem(what, path, *also, **values)
        self.fixes = list(fixes)
        super().__init__(self.problem)

    @property
    def report(self) -> list[Problem]:
        """All that there is to say of it, for `text_of`."""
        return [self.problem]

    def text(self, words: Renderer) -> str:
        """What is wrong and what to do, in these words."""
        return text_of(self.report, words)

    def __str__(self) -> str:
        return printable(self.text(PLAIN))


class Problems(UserError):
    """Everything that is wrong, not only the first thing: a title, and a line for each problem."""

    def __init__(self, title: Problem | str, problems: Sequence[Problem]) -> None:
        super().__init__(title)
        self.problems = tuple(problems)

    @property
    def report(self) -> list[Problem]:
        """The title, then the problems."""
        return [self.problem, *self.problems]


class BadValue(ValueError):
    """A text that is no value of its setting: the row of the catalogue that says why, and what the row names."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code, values)
        self.code, self.values = code, values

    def __str__(self) -> str:
        return PLAIN.what(Problem(self.code, values={"value": "It", **self.values}))


# What a system refuses for reasons outside this program. A file that is missing is not among them: who opens one says
# why it should be there.
ADVICE_BY_ERRNO = {
    errno.ENAMETOOLONG: "system.name-too-long",
    errno.ELOOP: "system.link-loop",
    errno.EACCES: "system.permissions",
    errno.EPERM: "system.permissions",
    errno.EEXIST: "system.file-in-the-way",
    errno.EISDIR: "system.folder-in-the-way",
    errno.ENOTDIR: "system.not-a-folder",
    errno.EROFS: "system.read-only",
    errno.EIO: "system.disk-failing",
    errno.ENOSPC: "system.disk-full",
    errno.EILSEQ: "system.name-not-possible",
}


def system_error(error: OSError) -> UserError | None:
    """The same as a problem where the system, a disk or a name is to blame; None where the program is."""
    advice = ADVICE_BY_ERRNO.get(error.errno or 0)
    if advice is None or not error.filename:
        return None
    name = printable(error.filename, line=True)
    shown = name if len(name) <= 200 else f"{name[:197]}..."
    reason = (error.strerror or str(error)).lower()
    return UserError(problem("file.unusable", file=shown, reason=reason, advice=Problem(advice)))
