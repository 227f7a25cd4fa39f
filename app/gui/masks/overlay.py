"""A picture of an image with what its mask leaves out in red, for tiles and previews."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from app.gui.kit import opened
from modules.data.image.masks import open_mask
from modules.data.image_errors import UNREADABLE
from modules.data.source.source import DataFile
from modules.errors import UserError
from modules.system.stamps import Stamp

RED = (228, 68, 86)
COVER = 0.45
SMALL = 384  # pixels of the longer side


def covered(image: Image.Image, mask: Image.Image) -> Image.Image:
    """An RGB image of the mask's size with what is left out in red."""
    cover = mask.point([round((255 - value) * COVER) for value in range(256)])
    return Image.composite(Image.new("RGB", image.size, RED), image, cover)


@dataclass(frozen=True)
class OverlaidPicture:
    """A picture as tiles ask for it. `seen`: what the mask was like; another one is another picture."""

    image: DataFile
    mask: DataFile
    seen: Stamp

    @property
    def name(self) -> str:
        return self.image.name

    def __str__(self) -> str:
        return f"{self.image}|{self.mask}|{self.seen}"

    def stamp(self) -> Stamp:
        return self.image.stamp()

    def open(self) -> BinaryIO:
        """A small PNG of both; of the image alone where the mask cannot be read."""
        small = opened(self.image, (SMALL, SMALL))
        try:
            mask = open_mask(self.mask, alpha=False).resize(small.size, Image.Resampling.BILINEAR)
            small = covered(small, mask)
        except (UserError, *UNREADABLE):
            pass
        held = io.BytesIO()
        small.save(held, "PNG", compress_level=1)
        held.seek(0)
        return held
