"""Errors that a user can mend. Everything else is a bug and is allowed to crash with its traceback.

Exception
└── UserError        what is wrong, where, and what to do: exit code 2, no traceback
    └── Problems     several at once, reported together
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping, Sequence
from typing import Any

MAX_LISTED = 50  # problems that are written out; more would only push the first ones off the screen
# Control characters but tab and line feed, what turns the direction of text round, the other ends of a line, and halves
# of characters: in the name of a file or a preset they could forge a line of a log, or hide what a name ends with.
# Marks that right-to-left scripts and emoji need (U+200C to U+200F) do no such thing, and stay.
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object, *, line: bool = False) -> str:
    """What a stranger wrote, safe to show: forging characters as "\\x1b" or "\\u202e". `line`: its line feeds too."""
    shown = CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), str(text))
    return shown.replace("\n", "\\n").replace("\t", "\\t") if line else shown


class UserError(Exception):
    """Says what is wrong in the words of the window, and `advice` says what to do about it."""

    def __init__(self, message: str, *, advice: str = "", fixes: Sequence[Mapping[str, Any]] = ()) -> None:
        """`fixes`: settings that would help, in order: {"label": in a few words, "changes": {path: value}} each."""
        super().__init__(message)
        self.advice, self.fixes = advice, [dict(mend) for mend in fixes]

    def __str__(self) -> str:
        return printable(f"{self.args[0]} {self.advice}".strip())


class Problems(UserError):
    """Everything that is wrong, not only the first thing: a list of sentences, one to a line."""

    def __init__(self, title: str, problems: Sequence[str]) -> None:
        more = [f"... and {len(problems) - MAX_LISTED} more."] if len(problems) > MAX_LISTED else []
        super().__init__("\n".join([title, *(f"- {problem}" for problem in [*problems[:MAX_LISTED], *more])]))
        self.problems = tuple(problems)


# What a system refuses for reasons outside this program. A file that is missing is not among them: who opens one says
# why it should be there.
ADVICE_BY_ERRNO = {
    errno.ENAMETOOLONG: "Shorten the name.",
    errno.ELOOP: "The link leads back to itself: remove it.",
    errno.EACCES: "Change the permissions, or choose another place.",
    errno.EPERM: "Change the permissions, or choose another place.",
    errno.ENOTDIR: "A part of this path is a file, not a folder: choose another place.",
    errno.EROFS: "Choose another place.",
    errno.EIO: "The disk may be failing, or was taken out: choose another place.",
    errno.ENOSPC: "Make room, or choose another disk.",
    errno.EILSEQ: "Rename it: this disk cannot write such a name.",
}


def system_error(error: OSError) -> UserError | None:
    """The same as a sentence where the system, a disk or a name is to blame; None where the program is."""
    advice = ADVICE_BY_ERRNO.get(error.errno or 0)
    if advice is None or not error.filename:
        return None
    name = printable(error.filename, line=True)
    shown = name if len(name) <= 200 else f"{name[:197]}..."
    return UserError(f"{shown} cannot be used: {(error.strerror or str(error)).lower()}.", advice=advice)
