"""The page General, with the card "Your own LoRA" on top while it is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.gui.kit import Frame, px
from app.gui.own_lora.opening import KEY
from app.gui.pages.settings import LONG_PATHS, SettingsPage

if TYPE_CHECKING:
    from app.gui.own_lora.card import OwnLoraCard

TICK_MS = 250


class GeneralPage(SettingsPage):
    """The run's name, the seed, this machine; and the way to a LoRA of one's own images, until it is closed."""

    sections = ("general",)
    two_from = LONG_PATHS
    card: OwnLoraCard | None = None

    def above(self, inside: Frame) -> Iterator[None]:
        self._top = Frame(inside)
        self._top.pack(fill="x")
        self.until_destroyed(self.context.app.every(TICK_MS, self._tick))
        self._tick()
        yield

    def shown(self) -> None:
        if self.card is not None:
            self.card.look()

    def _tick(self) -> None:
        wanted = self.context.window_state.get(KEY, str) == "open"
        if wanted and self.card is None:
            from app.gui.own_lora.card import OwnLoraCard  # noqa: PLC0415  what reads images and captions comes with it

            self.card = OwnLoraCard(self._top, self.context)
            self.card.pack(fill="x", pady=(0, px(14)))
            self.area.to_top()
        elif not wanted and self.card is not None:
            self.card.destroy()
            self.card = None
            self._top.configure(height=1)
        if self.card is not None and self.winfo_viewable():
            self.card.refresh()
