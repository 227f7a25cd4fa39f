"""An image with the part that is kept: a person drags it to where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image, ImageDraw, ImageEnhance

from app.gui.kit import ImageView, px, theme
from app.gui.kit.images.loader import Pictures
from modules.preparing.target import Point, Size, Target

DARK = 0.35  # of its brightness is left to what is cut off


class FrameView(ImageView):
    """`show_frame` gives it an image and a target; a press or a drag calls `on_move` with the new focus."""

    def __init__(self, master: Any, pictures: Pictures, on_move: Callable[[Point], object], **more: Any) -> None:
        super().__init__(master, pictures, **more)
        self._on_move = on_move
        self.image: Image.Image | None = None
        self._dark: Image.Image | None = None
        self._moves = False
        self._shares: tuple[float, float, float, float] = (0, 0, 1, 1)
        self._grip: Point | None = None  # where in the frame the pointer took hold, from its middle
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", self._drag)

    def show_frame(self, image: Image.Image | None, target: Target | None, size: Size, empty: str = "") -> None:
        """An image that fits into `room`, of one of `size`; `target` None darkens all of it."""
        self.image = image
        self._dark = None if image is None else ImageEnhance.Brightness(image).enhance(DARK)
        self.reframe(target, size, empty)

    def reframe(self, target: Target | None, size: Size, empty: str = "") -> None:
        """The same image with another part."""
        if self.image is None or self._dark is None:
            self._moves = False
            self.configure(cursor="")
            self.draw(None, empty)
            return
        box = target.box if target else (0.0, 0.0, 0.0, 0.0)
        self._shares = (box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1])
        self._moves = target is not None and self._shares != (0, 0, 1, 1)
        self.configure(cursor="fleur" if self._moves else "")
        self.draw(self._framed(self.image, self._dark) if target is None or self._moves else self.image)

    def _framed(self, bright: Image.Image, dark: Image.Image) -> Image.Image:
        left, top, right, bottom = self._shares
        wide, high = bright.size
        part = round(left * wide), round(top * high), round(right * wide), round(bottom * high)
        shown = dark.copy()
        if part[2] > part[0] and part[3] > part[1]:
            shown.paste(bright.crop(part), part[:2])
            edge = (part[0], part[1], part[2] - 1, part[3] - 1)
            ImageDraw.Draw(shown).rectangle(edge, outline=theme.colour("accent"), width=px(2))
        return shown

    def _at(self, event: Any) -> Point:
        assert self.image is not None
        wide, high = self.image.size
        across = (event.x - (self.winfo_width() - wide) / 2) / wide
        return across, (event.y - (self.winfo_height() - high) / 2) / high

    def _press(self, event: Any) -> None:
        self.focus_set()
        if not self._moves:
            return
        at, (left, top, right, bottom) = self._at(event), self._shares
        middle = (left + right) / 2, (top + bottom) / 2
        inside = left <= at[0] <= right and top <= at[1] <= bottom
        self._grip = (at[0] - middle[0], at[1] - middle[1]) if inside else (0.0, 0.0)
        self._drag(event)

    def _drag(self, event: Any) -> None:
        if not self._moves or self._grip is None:
            return
        at, (left, top, right, bottom) = self._at(event), self._shares
        half = (right - left) / 2, (bottom - top) / 2
        wanted = at[0] - self._grip[0], at[1] - self._grip[1]
        self._on_move((min(max(wanted[0], half[0]), 1 - half[0]), min(max(wanted[1], half[1]), 1 - half[1])))
