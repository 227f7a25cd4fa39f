"""Tools for the project as it stands: fill its cache, check it."""

from __future__ import annotations

from typing import Any

from app.gui.desk import Desk
from app.gui.tool_card import ToolCard
from modules.messages import CheckPreset, FillCache, Finished


class ProjectCard(ToolCard):
    """A tool that takes the project's settings."""

    def blocked(self) -> str:
        wrong = len(self.desk.draft.errors())
        return f"{wrong} setting{'s are' if wrong > 1 else ' is'} wrong (F8)." if wrong else ""


class CacheCard(ProjectCard):
    """Fill the cache."""

    def __init__(self, master: Any, desk: Desk) -> None:
        sentence = "Encode all images and captions now, so that later runs begin at once."
        super().__init__(
            master, desk, "Fill the cache", sentence, what="cache", button="Fill the cache", image="download"
        )  # fmt: skip

    def job(self) -> FillCache:
        return FillCache(self.desk.draft.freeze())

    def came_out(self, event: Finished) -> str:
        return "The cache is filled."


class CheckCard(ProjectCard):
    """Check the preset."""

    def __init__(self, master: Any, desk: Desk) -> None:
        sentence = "Look at the model, every image and every caption, and count, without training."
        super().__init__(
            master, desk, "Check the project", sentence, what="check", button="Check", image="check"
        )  # fmt: skip

    def job(self) -> CheckPreset:
        return CheckPreset(self.desk.draft.freeze())

    def came_out(self, event: Finished) -> str:
        return ""
