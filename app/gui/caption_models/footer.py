"""The foot of the dialog: words and buttons, or, while a job is under way, how far it is and Stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.kit import Button, Frame, Label, Progress, px
from modules.language import tr


class CaptionFooter:
    """Lays itself out in the footer of a dialog."""

    def __init__(
        self, footer: Frame, write: Callable[[], object], preview: Callable[[], object],
        cancel: Callable[[], object], stop: Callable[[], object],
    ) -> None:  # fmt: skip
        self.main = Button(footer, tr("Write"), write, kind="primary", image="captions")
        self.preview = Button(footer, tr("Preview"), preview, image="eye")
        self.cancel = Button(footer, tr("Cancel"), cancel)
        self.stop = Button(footer, tr("Stop"), stop, image="square")
        self.bar = Progress(footer, None)
        self.words = Label(footer, "", role="text2", wrap=True)
        self._going: bool | None = None
        self.going(False, None)

    def going(self, yes: bool, share: float | None) -> None:
        """Whether a job is under way, and how far it is."""
        self.bar.set(share)
        if yes == self._going:
            return
        self._going = yes
        everything: tuple[Any, ...] = (self.main, self.preview, self.cancel, self.stop, self.bar, self.words)
        for widget in everything:
            widget.pack_forget()
        if yes:
            self.bar.pack(side="bottom", fill="x", pady=(px(6), 0))
        for button in (self.stop,) if yes else (self.main, self.preview, self.cancel):
            button.pack(side="right", padx=(px(8), 0))
        self.words.pack(side="left", fill="x", expand=True)
