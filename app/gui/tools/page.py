"""The page "Tools": what can be done beside training."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from app.gui.context import AppContext
from app.gui.kit import Masonry, ScrollArea, px
from app.gui.page import Page
from app.gui.pages import TOOLS_WITH_A_PAGE
from app.gui.tools import tensorboard
from app.gui.tools.card import ToolCard
from app.gui.tools.folders import FoldersCard, TensorBoardCard
from modules.system.reading import open_file
from modules.tools import TOOLS

TICK_MS = 250
ADAPTER = re.compile(r"lora|hada|lokr|oft|\.alpha|\.dora", re.IGNORECASE)  # in the names of its tensors
MOST_WORDS = 8  # tensors of an embedding: a few for each text encoder
LONGEST_HEADER = 100_000_000
TWO_FROM = 980  # pixels from which there are two columns
TRIES_A_LORA = "sample"  # the tool that draws with a LoRA file


class ToolsPage(Page):
    """A card for each tool; one that does not exist on this machine is not shown."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.cards: list[ToolCard | TensorBoardCard | FoldersCard] = []
        self.until_destroyed(context.app.every(TICK_MS, self._tick))

    def build(self) -> Iterator[None]:
        self.area = ScrollArea(self)
        self.area.pack(fill="both", expand=True)
        masonry = Masonry(self.area.body, two_from=TWO_FROM)
        masonry.pack(fill="x", padx=px(20), pady=(px(4), px(20)))
        for tool in (tool for tool in TOOLS.values() if tool.name not in TOOLS_WITH_A_PAGE):
            self._add(masonry, ToolCard(masonry, self.context, tool))
            yield
        if tensorboard.installed():
            self._add(masonry, TensorBoardCard(masonry, self.context))
        self._add(masonry, FoldersCard(masonry, self.context))

    def shown(self) -> None:
        self._refresh()

    def reveal(self, path: str) -> None:
        """A file that was trained is put into the tool that makes images, where it belongs."""
        for card in self.cards:
            if isinstance(card, ToolCard) and card.tool.name == TRIES_A_LORA:
                field = field_for(Path(path))
                card.form.show(field, path if field == "preset" else [path])
                card.button.focus_set()

    def _add(self, masonry: Masonry, card: ToolCard | TensorBoardCard | FoldersCard) -> None:
        masonry.add(card)
        self.cards.append(card)
        card.refresh()

    def _tick(self) -> None:
        if self.winfo_viewable():
            self._refresh()

    def _refresh(self) -> None:
        for card in self.cards:
            card.refresh()


def field_for(path: Path) -> str:
    """The setting that takes this file: the names of its tensors say whether it is an adapter, a model, or words."""
    try:
        with open_file(path) as file:
            length = int.from_bytes(file.read(8), "little")
            names = [name for name in json.loads(file.read(min(length, LONGEST_HEADER))) if name != "__metadata__"]
    except (OSError, ValueError):
        return "loras"
    if any(ADAPTER.search(name) for name in names):
        return "loras"
    return "embeddings" if len(names) <= MOST_WORDS else "preset"
