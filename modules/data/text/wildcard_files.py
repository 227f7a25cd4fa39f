"""Lists of words to draw from, a file each: `__animal__` is a line of animal.txt, as Dynamic Prompts has it."""

from __future__ import annotations

import re
from pathlib import Path

from modules.data.text.random_choice import Name, RandomChoice
from modules.errors import UserError
from modules.preset.files.prompt_file import text_of

NAME = re.compile(r"__([\w\-]+(?:/[\w\-]+)*?)__")
MAX_TURNS = 20  # a line may name another list; one that names itself has no end


class WildcardFiles:
    """The lists of a folder, each read once. `folder`: None where none is named."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lists: dict[str, list[str]] = {}

    def filled(self, text: str, choice: RandomChoice, *names: Name) -> str:
        """The text with a line in the place of each name.

        Raises:
            UserError: there is no such list, it cannot be read, or it is empty.
        """
        for turn in range(MAX_TURNS):
            if not NAME.search(text):
                return text
            text = NAME.sub(lambda match, turn=turn: self._drawn(match, choice, *names, turn), text)
        raise UserError("wildcards.endless", text=text[:60])

    def _drawn(self, match: re.Match[str], choice: RandomChoice, *names: Name) -> str:
        lines = self._lines(match[1])
        return lines[choice.one_of([1.0] * len(lines), *names, match.start())]

    def _lines(self, name: str) -> list[str]:
        """Of a list, without empty ones and such that begin with #."""
        if name not in self._lists:
            if self._folder is None:
                raise UserError("wildcards.no-folder", name=name)
            file = self._folder / f"{name}.txt"
            if not file.is_file():
                raise UserError("wildcards.no-file", name=name, file=file)
            lines = [line.strip() for line in text_of(file).splitlines()]
            self._lists[name] = [line for line in lines if line and not line.startswith("#")]
            if not self._lists[name]:
                raise UserError("wildcards.empty", file=file)
        return self._lists[name]
