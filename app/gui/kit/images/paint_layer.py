"""An image and the mask over it as they stand on the screen: any part of it, at any zoom, drawn alone.

A point of the image is `left + x * scale` on the screen. What is asked for lies on the screen, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

import numpy as np
from PIL import Image

Look = Literal["overlay", "mask", "image"]
Box = tuple[int, int, int, int]  # left, top, right, bottom
SHARP = 4.0  # from this scale on pixels are squares
SMALLER = 2  # an image is made small from one no more than so many times as large


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image stands."""

    scale: float
    left: int
    top: int

    def on_image(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.left) / self.scale, (y - self.top) / self.scale

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        return self.left + x * self.scale, self.top + y * self.scale


class PaintLayer:
    """`mask` is (H, W) uint8, changed in place by its owner; None where there is none. Black is covered by `colour`."""

    def __init__(self, image: Image.Image, mask: np.ndarray | None, behind: tuple[int, int, int]) -> None:
        self.image, self.mask, self.behind = image, mask, behind
        self.look: Look = "overlay"
        self.strength = 0.45  # of the colour
        self.colour = (228, 68, 86)
        self.place = Place(1.0, 0, 0)
        self.shown = Image.new("RGB", (1, 1), behind)  # what is on the screen
        self._levels = [image]  # each half of the one before
        self._bare = self.shown  # the image alone, where it stands

    def draw(self, place: Place, size: tuple[int, int]) -> None:
        """All anew, with the image at another place or the screen of another size."""
        self.place = place
        self._bare = Image.new("RGB", size, self.behind)
        self.shown = self._bare.copy()
        box = self._within((0, 0, *size))
        if box is not None:
            self._bare.paste(self._part(self._level(), box), box[:2])
            self.refresh(box)

    def refresh(self, box: Box) -> Box | None:
        """Draw the mask anew in a part of the screen; which part of the image that was."""
        inside = self._within(box)
        if inside is not None:
            self.shown.paste(self._mixed(inside), inside[:2])
        return inside

    def changed(self, box: Box) -> Box | None:
        """Draw what a change of the mask, within this box of the image, has changed on the screen."""
        scale = self.place.scale
        more = max(2.0, scale * 2)  # smoothing reaches over the edges
        (left, top), (right, bottom) = self.place.on_screen(*box[:2]), self.place.on_screen(*box[2:])
        return self.refresh((floor(left - more), floor(top - more), ceil(right + more), ceil(bottom + more)))

    def _within(self, box: Box) -> Box | None:
        """What of a box is on the screen and on the image."""
        right, bottom = self.place.on_screen(*self.image.size)
        found = (
            max(box[0], self.place.left, 0), max(box[1], self.place.top, 0),
            min(box[2], floor(right), self.shown.width), min(box[3], floor(bottom), self.shown.height),
        )  # fmt: skip
        return found if found[0] < found[2] and found[1] < found[3] else None

    def _level(self) -> Image.Image:
        """The image, or a smaller one that is large enough for this zoom."""
        wanted = 0
        while self.place.scale * SMALLER * 2 ** (wanted + 1) <= 1:
            wanted += 1
        while len(self._levels) <= wanted and min(self._levels[-1].size) > 1:
            self._levels.append(self._levels[-1].reduce(2))
        return self._levels[min(wanted, len(self._levels) - 1)]

    def _part(self, image: Image.Image, box: Box) -> Image.Image:
        """A box of the screen, cut from an image (or a smaller one of the same shape)."""
        edges = [*self.place.on_image(*box[:2]), *self.place.on_image(*box[2:])]
        across, down = image.width / self.image.width, image.height / self.image.height
        left, top, right, bottom = (at * share for at, share in zip(edges, (across, down) * 2, strict=True))
        part = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
        return image.resize((box[2] - box[0], box[3] - box[1]), self._way(), box=part)

    def _way(self) -> Image.Resampling:
        return Image.Resampling.NEAREST if self.place.scale >= SHARP else Image.Resampling.BILINEAR

    def _mixed(self, box: Box) -> Image.Image:
        bare = self._bare.crop(box)
        if self.look == "image" or (self.mask is None and self.look == "overlay"):
            return bare
        mask = self._mask_part(box)
        if self.look == "mask":
            return mask.convert("RGB")
        cover = mask.point([round((255 - value) * self.strength) for value in range(256)])
        return Image.composite(Image.new("RGB", bare.size, self.colour), bare, cover)

    def _mask_part(self, box: Box) -> Image.Image:
        """The mask in a box of the screen: only what is near it is looked at."""
        size = (box[2] - box[0], box[3] - box[1])
        if self.mask is None:
            return Image.new("L", size, 255)
        (left, top), (right, bottom) = self.place.on_image(*box[:2]), self.place.on_image(*box[2:])
        more = ceil(2 / self.place.scale) + 2
        x, y = max(floor(left) - more, 0), max(floor(top) - more, 0)
        near = Image.fromarray(self.mask[y : ceil(bottom) + more, x : ceil(right) + more])
        part = (left - x, top - y, min(right - x, near.width), min(bottom - y, near.height))
        return near.resize(size, self._way(), box=part)
