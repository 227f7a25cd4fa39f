"""Tools for the project as it stands: fill its cache."""

from __future__ import annotations

from typing import Any

from app.gui.desk import Desk
from app.gui.tool_card import ToolCard
from modules.messages import FillCache, Finished


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
