"""A tool as somebody would add it: one file with its settings and what it does. The tests add its row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from modules.errors import UserError
from modules.messages import Note, Stage
from modules.preset.setting import Section, Setting, When
from modules.sentences.problem import as_it_is
from modules.tools import Tool

if TYPE_CHECKING:
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell


ROW = Tool(
    "count", "Count words", "file-text", "Count the words of a text.", "Counting words", "tests.tools.pretend", "path"
)


class Settings(Section):
    """Count words"""

    text: str = Setting(..., "Text file", widget="file", min_length=1)
    """A file of words."""
    out: str = Setting(..., "Result", widget="save", min_length=1)
    """Where the count is written."""
    words: tuple[str, ...] = Setting((), "Only these", flag="word")
    """Words to count. None: all of them."""
    case: Literal["same", "ignore"] = Setting("ignore", "Capitals", labels={"same": "Count", "ignore": "Do not count"})
    """Whether "Cat" and "cat" are two words."""
    ranked: bool = Setting(False, "Ranked")
    """The most frequent first."""
    most: int = Setting(10, "At most", unit="words", ge=1, le=100, when=When("ranked", (True,)))
    """How many stand in the list."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    import torch

    words = Path(settings.text).read_text(encoding="utf-8").split()
    if not words:
        raise UserError(as_it_is(f"{settings.text} holds no words."))
    tell(Stage("Counting", 1, 2))
    control.check()
    counts: dict[str, int] = {}
    for word in words if settings.case == "same" else map(str.lower, words):
        counts[word] = counts.get(word, 0) + 1
    kept = {word: count for word, count in counts.items() if not settings.words or word in settings.words}
    listed = sorted(kept, key=lambda word: -kept[word])[: settings.most] if settings.ranked else list(kept)
    total = int(torch.tensor([kept[word] for word in listed]).sum())
    tell(Note(f"{total} words."))
    Path(settings.out).write_text("\n".join(f"{word} {kept[word]}" for word in listed), encoding="utf-8")
    return settings.out
