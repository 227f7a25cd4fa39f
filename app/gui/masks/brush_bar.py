"""Above the canvas: how large and how hard the brush is, and what is seen of image and mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from app.gui.kit import Button, Flow, Frame, Label, Segmented, Slider, labelled, px
from app.gui.kit.images.paint_layer import Look
from app.gui.masks.hand import Brush
from modules.language import tr
from modules.text import in_percent

SIZES = [*range(1, 17), *(round(16 * 2 ** (step / 6)) for step in range(1, 37))]  # 1 to 1024 pixels
LOOKS: dict[Look, str] = {"overlay": "Overlay", "mask": "Mask", "image": "Image"}


class BrushBar(Flow):
    """The brush is changed in place; `changed` hears of it."""

    def __init__(
        self, master: Any, brush: Brush, changed: Callable[[], object], looks: Callable[[Look, float], object],
        zoom: Callable[[], object], *, roomy: bool,
    ) -> None:  # fmt: skip
        super().__init__(master)
        self._brush, self._changed, self._looks = brush, changed, looks
        self._size_box = Frame(self)
        self._size = self._slider(self._size_box, tr("Brush"), len(SIZES) - 1, self._take_size)
        self._size_words = Label(self._size_box, role="text")
        self._size_words.pack(side="left", padx=(px(6), 0))
        self._hard_box = Frame(self)
        self._hard = self._slider(self._hard_box, tr("Hard"), 100, self._take_hardness)
        self._near_box = Frame(self)
        self._near = self._slider(self._near_box, tr("Tolerance"), 128, self._take_tolerance)
        self._near_words = Label(self._near_box, role="text")
        self._near_words.pack(side="left", padx=(px(6), 0))
        self._cover_box = Frame(self)
        self._cover = self._slider(self._cover_box, tr("Overlay"), 100, lambda _: self._look_changed())
        self._cover.set(45)
        self.show(self._cover_box, roomy)
        self._zoom = Button(self, "", zoom, kind="quiet", hint=tr("As large as fits, or pixel for pixel"), width=64)
        self._look = Segmented(self, labelled(cast("dict[Any, str]", LOOKS)), "overlay", lambda _: self._look_changed())
        self.add(self._size_box, self._hard_box, self._near_box, self._cover_box, self._zoom, self._look)
        self.refresh("brush")

    def _slider(self, box: Frame, words: str, most: int, take: Callable[[float], object]) -> Slider:
        Label(box, words, role="text2").pack(side="left", padx=(px(2), px(4)))
        slider = Slider(box, 0, most, 0, take, width=70)
        slider.pack(side="left")
        return slider

    def refresh(self, tool: str) -> None:
        """As the brush and the tool are now."""
        brush = self._brush
        self._size.set(min(range(len(SIZES)), key=lambda at: abs(SIZES[at] - brush.size)))
        self._size_words.set(tr("{size} px", size=brush.size))
        self._hard.set(round(brush.hardness * 100))
        self._near.set(brush.tolerance)
        self._near_words.set(f"{brush.tolerance}")
        self.show(self._near_box, tool == "magic")
        for box in (self._size_box, self._hard_box):
            self.show(box, tool != "magic")

    def resize(self, steps: int) -> None:
        """The brush larger, or smaller."""
        at = min(range(len(SIZES)), key=lambda at: abs(SIZES[at] - self._brush.size))
        self._take_size(min(max(at + steps, 0), len(SIZES) - 1))

    def cycle(self) -> None:
        """Overlay, mask, image, overlay ..."""
        looks = list(LOOKS)
        self._look.set(looks[(looks.index(self._look.get()) + 1) % len(looks)])
        self._look_changed()

    def zoomed(self, percent: float) -> None:
        self._zoom.set(in_percent(percent / 100))

    def _take_size(self, at: float) -> None:
        self._brush.size = SIZES[round(at)]
        self._changed()

    def _take_hardness(self, percent: float) -> None:
        self._brush.hardness = percent / 100
        self._changed()

    def _take_tolerance(self, tolerance: float) -> None:
        self._brush.tolerance = round(tolerance)
        self._changed()

    def _look_changed(self) -> None:
        self._looks(self._look.get(), self._cover.get() / 100)
