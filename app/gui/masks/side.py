"""Right of the canvas: what is done to the whole mask, and the images to choose from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from app.gui.context import AppContext
from app.gui.kit import Button, Cell, Divider, Frame, Label, Notice, RoundFrame, Slider, VirtualGrid, px
from app.gui.masks.files import MADE, NONE, PAINTED
from app.gui.masks.overlay import OverlaidPicture
from app.gui.masks.store import UNSAVED, MaskStore
from modules.language import tr
from modules.masking.operations import filled, grown

SETTLES_MS = 60
CELL = (94, 98)
MOST = 32  # pixels
WORDS = {
    PAINTED: ("painted", "good"),
    MADE: ("made", "text2"),
    NONE: ("none", "changed"),
    UNSAVED: ("painting", "accent"),
}


class MaskSide(RoundFrame):
    """`adjust(operation)` hands over what is to be done with the mask; `grid` shows the images of `shown`.

    Grow and soften begin each time from the mask as it was before them: they can be changed until something else is
    done.
    """

    def __init__(
        self, master: Any, context: AppContext, store: MaskStore, shown: Callable[[], list[int]],
        adjust: Callable[[Callable[[np.ndarray], np.ndarray], bool], object], chosen: Callable[[], object],
    ) -> None:  # fmt: skip
        super().__init__(master)
        self._context, self._store, self._shown, self._adjust = context, store, shown, adjust
        self.top = Frame(self)  # where masks are made
        self.top.pack(fill="x", padx=px(14), pady=(px(8), 0))
        line = Frame(self)
        line.pack(fill="x", padx=px(14), pady=(px(8), px(4)))
        Label(line, tr("This mask"), font="section").pack(side="left")
        self._holes = Button(line, tr("Fill holes"), lambda: self._adjust(filled, False), height=26)
        self._holes.pack(side="right")
        self.grow = self._row(tr("Grow"), -MOST)
        self.soften = self._row(tr("Soften"), 0)
        self.notice = Notice(self)
        self.divider = Divider(self)
        self.divider.pack(fill="x", padx=px(14), pady=(px(8), 0))
        head = Frame(self)
        head.pack(fill="x", padx=px(14), pady=(px(8), px(2)))
        Label(head, tr("Images"), font="section").pack(side="left")
        self.count = Label(head, "", font="small", role="text2")
        self.count.pack(side="right")
        self.grid_ = VirtualGrid(self, self._paint_cell, cell=CELL, lines=1, on_select=chosen)
        self.grid_.pack(fill="both", expand=True, padx=(px(6), px(2)), pady=(0, px(6)))

    def _row(self, words: str, least: int) -> tuple[Slider, Label]:
        row = Frame(self)
        row.pack(fill="x", padx=px(14))
        Label(row, words, role="text2").pack(side="left")
        amount = Label(row, tr("{count} px", count=0), anchor="e")
        amount.configure(width=6)
        amount.pack(side="right")
        slider = Slider(row, least, MOST, 0, lambda _: self._moved(), width=96)
        slider.pack(side="right")
        return slider, amount

    def reset(self) -> None:
        """Something else was done: grow and soften begin anew."""
        for slider, amount in (self.grow, self.soften):
            slider.set(0)
            amount.set(tr("{count} px", count=0))

    def usable(self, reason: str) -> None:
        """Why there is no mask to be changed; "" where there is one."""
        for control in (self.grow[0], self.soften[0], self._holes):
            control.disable(reason)

    def _moved(self) -> None:
        for slider, amount in (self.grow, self.soften):
            amount.set(tr("{count} px", count=round(slider.get())))
        if not self._pending:
            self._pending = self.after(SETTLES_MS, self._settled)

    def _settled(self) -> None:
        self._pending = ""
        grow, soften = round(self.grow[0].get()), round(self.soften[0].get())

        def adjusted(mask: np.ndarray) -> np.ndarray:
            mask = grown(mask, grow) if grow else mask
            return np.array(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(soften))) if soften else mask

        self._adjust(adjusted, True)

    def _paint_cell(self, cell: Cell, index: int) -> None:
        number = self._shown()[index]
        masked, state = self._store.all[number], self._store.state(number)
        words, role = WORDS[state]
        cell.words(0, tr(words), role)

        def arrived(_: object) -> None:
            if self.winfo_exists():
                self.grid_.refresh(index)

        pictures, size = self._context.pictures, cell.picture_size
        shown: Any = masked.image
        if masked.state != NONE:
            shown = OverlaidPicture(masked.image, masked.mask, masked.mask.stamp())
        failed = pictures.failed(shown, size)
        cell.image(pictures.thumb(shown, size, arrived), tr("No picture") if failed else "")
