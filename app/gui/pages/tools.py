"""The page "Tools": what can be done beside training."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.gui import tensorboard
from app.gui.desk import Desk
from app.gui.kit import Masonry, ScrollArea, px
from app.gui.page import Page
from app.gui.tool_card import ToolCard
from app.gui.tool_convert import ConvertCard
from app.gui.tool_images import ImagesCard
from app.gui.tool_places import FoldersCard, TensorBoardCard
from app.gui.tool_project import CacheCard

TICK_MS = 250
TWO_FROM = 980  # pixels from which there are two columns
TOOLS: tuple[Callable[[Masonry, Desk], ToolCard], ...] = (ImagesCard, ConvertCard, CacheCard)


class ToolsPage(Page):
    """A card for each tool; one that does not exist on this machine is not shown."""

    def __init__(self, master: object, desk: Desk) -> None:
        super().__init__(master, desk)
        self.cards: list[ToolCard | TensorBoardCard | FoldersCard] = []
        self._end = desk.app.every(TICK_MS, self._tick)

    def build(self) -> Iterator[None]:
        self.area = ScrollArea(self)
        self.area.pack(fill="both", expand=True)
        masonry = Masonry(self.area.body, two_from=TWO_FROM)
        masonry.pack(fill="x", padx=px(20), pady=(px(4), px(20)))
        for tool in TOOLS:
            self._add(masonry, tool(masonry, self.desk))
            yield
        if tensorboard.installed():
            self._add(masonry, TensorBoardCard(masonry, self.desk))
        self._add(masonry, FoldersCard(masonry, self.desk))

    def shown(self) -> None:
        self._refresh()

    def reveal(self, path: str) -> None:
        """A LoRA file is put into the tool that makes images."""
        for card in self.cards:
            if isinstance(card, ImagesCard):
                card.try_lora(path)

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
