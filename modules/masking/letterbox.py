"""Images as detectors take them: shrunk or enlarged to fit a rectangle, with a border; and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies in a rectangle."""

    height: int  # of the rectangle
    width: int
    top: int
    left: int
    size: tuple[int, int]  # of the image in it: width, height

    @classmethod
    def of(cls, image: Image.Image, height: int, width: int, *, middle: bool) -> Letterbox:
        """As large as it fits; in the middle, or at the top left."""
        scale = min(height / image.height, width / image.width)
        size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
        spare = height - size[1], width - size[0]
        return cls(height, width, spare[0] // 2 if middle else 0, spare[1] // 2 if middle else 0, size)

    def pixels(self, image: Image.Image, border: int = 0) -> NDArray[np.float32]:
        """(height, width, 3), 0 to 255."""
        found = Image.new("RGB", (self.width, self.height), (border,) * 3)
        found.paste(image.resize(self.size, Image.Resampling.BILINEAR), (self.left, self.top))
        return np.asarray(found).astype(np.float32)

    def cut(self, mask: NDArray[np.float32]) -> NDArray[np.float32]:
        """What of (height, width) lies on the image."""
        return mask[self.top : self.top + self.size[1], self.left : self.left + self.size[0]]

    def boxes(self, boxes: NDArray[np.float32], image: Image.Image) -> NDArray[np.float32]:
        """(n, 4) left, top, right, bottom in pixels of the rectangle, as pixels of the image."""
        scale = image.width / self.size[0], image.height / self.size[1]
        return (boxes - (self.left, self.top) * 2) * (scale * 2)
