"""Regular expressions that strangers write into presets: matched by RE2, in a time that grows with the text alone.

Python's own matcher can need years for (a+)+b, and a time limit would make what is drawn depend on the computer. RE2
looks nowhere around and refers to nothing before; all else is written the same, but \\w, \\d and \\b know ASCII only.
"""

from __future__ import annotations

import re
from typing import Any

import re2

from modules.sentences.problem import Problem

LONGEST = 10_000  # letters
ESCAPED_OR_CLASS = re.compile(r"\\\\|\[\^?\]?(?:\\.|[^\]\\])*+(?:\]|\Z)", re.DOTALL)
WITHOUT_START = re.compile(r"(?<!\\)\{(,\d+\})")


class PatternError(ValueError):
    """A pattern that cannot be used: the problem's code, and its values but the pattern."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code, self.values = code, values

    def problem(self, pattern: str) -> Problem:
        """The same of this pattern."""
        return Problem(self.code, values={"pattern": pattern, **self.values})


class Pattern:
    """A pattern that is ready to be used."""

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        """Read it.

        Raises:
            PatternError: it is none, or uses what RE2 leaves out.
        """
        if len(pattern) > LONGEST:
            raise PatternError("pattern.too-long", most=LONGEST)
        if found := WITHOUT_START.search(pattern):  # for Python this begins at 0, for RE2 it is plain text
            better = f"{{0{found[1]}"
            raise PatternError("pattern.repeat-without-start", found=found[0], better=better)
        options: Any = re2.Options()
        options.log_errors = False
        options.case_sensitive = not ignore_case
        try:
            self._compiled: Any = re2.compile(pattern.encode("utf-8", "replace"), options)
        except re2.error as error:
            raise _refusal(error, pattern) from error

    def is_in(self, text: str) -> bool:
        """Whether it matches anywhere in a text."""
        return self._compiled.search(text.encode("utf-8", "replace")) is not None

    def is_all_of(self, text: str) -> bool:
        """Whether it matches a text from its beginning to its end."""
        return self._compiled.fullmatch(text.encode("utf-8", "replace")) is not None

    def replaced(self, new: str, text: str) -> str:
        """The text with `new` wherever it matches; groups of the pattern are \\1, \\2 in it.

        Raises:
            IndexError: `new` names a group that the pattern does not have.
        """
        return self._compiled.sub(new.encode("utf-8", "replace"), text.encode("utf-8", "replace")).decode()


def _refusal(error: Exception, pattern: str) -> PatternError:
    plain = ESCAPED_OR_CLASS.sub("", pattern)
    if found := re.search(r"(?<!\\)\(\?<?[=!]", plain):
        return PatternError("pattern.looks-around", found=found[0])
    if found := re.search(r"\\[1-9]|\(\?P=\w*\)", plain):
        return PatternError("pattern.refers-back", found=found[0])
    why = ", ".join(each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in error.args)
    return PatternError("pattern.invalid", error=why)
