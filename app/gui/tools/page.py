"""The page "Tools": what can be done beside training."""

from __future__ import annotations

from collections.abc import Iterator

from app.gui.context import AppContext
from app.gui.kit import Masonry, ScrollArea, px
from app.gui.page import Page
from app.gui.tools import tensorboard
from app.gui.tools.card import ToolCard
from app.gui.tools.folders import FoldersCard, TensorBoardCard
from modules.tools import TOOLS

TICK_MS = 250
TWO_FROM = 980  # pixels from which there are two columns
TRIES_A_LORA = "sample"  # the tool that draws with a LoRA file


class ToolsPage(Page):
    """A card for each tool; one that does not exist on this machine is not shown."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.cards: list[ToolCard | TensorBoardCard | FoldersCard] = []
        self._end = context.app.every(TICK_MS, self._tick)

    def build(self) -> Iterator[None]:
        self.area = ScrollArea(self)
        self.area.pack(fill="both", expand=True)
        masonry = Masonry(self.area.body, two_from=TWO_FROM)
        masonry.pack(fill="x", padx=px(20), pady=(px(4), px(20)))
        for tool in TOOLS.values():
            self._add(masonry, ToolCard(masonry, self.context, tool))
            yield
        if tensorboard.installed():
            self._add(masonry, TensorBoardCard(masonry, self.context))
        self._add(masonry, FoldersCard(masonry, self.context))

    def shown(self) -> None:
        self._refresh()

    def reveal(self, path: str) -> None:
        """A LoRA file is put into the tool that makes images."""
        for card in self.cards:
            if isinstance(card, ToolCard) and card.tool.name == TRIES_A_LORA:
                card.form.show("loras", [path])
                card.button.focus_set()

    def destroy(self) -> None:
        self._end()
        super().destroy()

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
