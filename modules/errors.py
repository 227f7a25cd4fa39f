"""Errors that a user can mend. Everything else is a bug and is allowed to crash with its traceback.

Exception
└── UserError        what is wrong, where, and what to do: exit code 2, no traceback
    └── Problems     several at once, reported together
"""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """Says what is wrong in the words of the window, and `advice` says what to do about it."""

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.args[0]} {self.advice}".strip()


class Problems(UserError):
    """Everything that is wrong, not only the first thing: a list of sentences, one to a line."""

    def __init__(self, title: str, problems: Sequence[str]) -> None:
        super().__init__("\n".join([title, *(f"- {problem}" for problem in problems)]))
        self.problems = tuple(problems)
