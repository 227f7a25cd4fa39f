"""Words of a command line, quoted for the shell that is to run it."""

from __future__ import annotations

import re
import shlex
from typing import Literal

Shell = Literal["posix", "windows"]
PLAIN = re.compile(r"[\w@%+=:,./\\-]+")


def quoted(word: str, shell: Shell) -> str:
    """One word that no shell takes apart.

    cmd.exe has no way to write a quote or a percent sign that is safe everywhere: quotes become single ones, and a
    percent sign is doubled, as in a batch file.
    """
    if shell == "posix":
        return shlex.quote(word)
    word = re.sub(r"[\r\n]+", " ", word).replace('"', "'").replace("%", "%%")
    if PLAIN.fullmatch(word.replace("%%", "")) if word else False:
        return word
    return f'"{word}{chr(92) if word.endswith(chr(92)) else ""}"'


def command(words: list[str], options: list[list[str]], shell: Shell) -> str:
    """A program with its options, one a line."""
    first = " ".join(quoted(word, shell) for word in words)
    lines = [first, *(" ".join(quoted(word, shell) for word in option) for option in options)]
    if shell == "posix":
        return " \\\n  ".join(lines) + "\n"
    text = " ^\r\n  ".join(lines) + "\r\n"
    return text if text.isascii() else f"chcp 65001 >nul\r\n{text}"  # without it cmd.exe reads another alphabet
