"""What a sample begins with: an image and a mask from files, brought to its size.

Shapes: H W pixel size, h w latent size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from modules.data.image.pixels import crop_for, open_image, pixels_of
from modules.data.source.folders import on_disk
from modules.errors import UserError
from modules.preset.sections.sampling import Prompt
from modules.system.bundled import resolve
from modules.system.reading import look_at


@dataclass(frozen=True)
class InitImage:
    """An image, and where it is to be painted anew."""

    pixels_13HW: Tensor  # in [-1, 1]
    mask_11HW: Tensor | None = None  # 1 where it is painted anew


def init_image(prompt: Prompt) -> InitImage | None:
    """The image and mask of a prompt whose size is known, cut to it in the middle; None where it begins with noise.

    Raises:
        UserError: a file is missing or damaged.
    """
    if not prompt.image:
        return None
    size = (prompt.height, prompt.width)
    pixels_HW3 = torch.from_numpy(_fitted(prompt.image, size).copy())
    pixels_13HW = pixels_HW3.permute(2, 0, 1)[None].float() / 127.5 - 1
    if not prompt.mask:
        return InitImage(pixels_13HW)
    levels_HW = _fitted(prompt.mask, size).astype(np.float32).mean(axis=2)
    return InitImage(pixels_13HW, torch.from_numpy((levels_HW >= 127.5).astype(np.float32))[None, None])


def latent_mask(mask_B1HW: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """The mask at the size of latents, (B, 1, h, w)."""
    return F.interpolate(mask_B1HW, size=size_hw)


def _fitted(path: str, size: tuple[int, int]) -> np.ndarray:
    file = resolve(path)
    look_at(file)
    if not file.is_file():
        raise UserError("prompt.no-image", file=path)
    image: Image.Image = open_image(on_disk(file))
    return pixels_of(image, crop_for(image.width, image.height, size), flip=False)
