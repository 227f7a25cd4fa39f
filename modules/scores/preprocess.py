"""Images as a vision model wants them, by its preprocessor_config.json.

transformers' own processors want torchvision for some models and turn every image into an array before they resize it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.data.text.tokenizer import read_json
from modules.errors import UserError

FILE = "preprocessor_config.json"
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
MOST = 4096  # pixels on a side


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a tensor (3, h, w)."""

    shortest: int  # side after resizing; 0: `size` says both
    size: tuple[int, int]  # height, width
    crop: tuple[int, int] | None  # likewise, from the middle
    filter: Image.Resampling
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def tensor(self, image: Image.Image) -> Tensor:
        """(3, h, w) of an RGB image of any size."""
        image = image.resize(self._resized(image), self.filter)
        if self.crop:
            height, width = self.crop
            left, top = (image.width - width) // 2, (image.height - height) // 2
            image = image.crop((left, top, left + width, top + height))
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        return (pixels - _column(self.mean)) / _column(self.std)

    def _resized(self, image: Image.Image) -> tuple[int, int]:
        if not self.shortest:
            return self.size[1], self.size[0]
        short = min(image.size)
        width, height = (self.shortest if side == short else int(self.shortest * side / short) for side in image.size)
        return width, height


def preprocessing_of(folder: Path, kind: str, config: Mapping[str, Any]) -> Preprocessing:
    """What a model's folder says. Of CLIP, whose models all want the same, it may be missing.

    Raises:
        UserError: it is missing, damaged or says something else.
    """
    if not (folder / FILE).is_file() and kind == "clip":
        side = int((config.get("vision_config") or {}).get("image_size", 224))
        return Preprocessing(side, (side, side), (side, side), Image.Resampling.BICUBIC, CLIP_MEAN, CLIP_STD)
    about = read_json(folder / FILE)
    try:
        return _read(about)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError("score.preprocessing", file=folder / FILE) from error


def _read(about: Mapping[str, Any]) -> Preprocessing:
    shortest, size = _size(about["size"])
    crop = _size(about["crop_size"])[1] if about.get("do_center_crop") else None
    mean, std = (tuple(map(float, about[name])) for name in ("image_mean", "image_std"))
    sides = [shortest, *size, *(crop or ())]
    if len(mean) != 3 or len(std) != 3 or not all(0 <= side <= MOST for side in sides) or not all(std):
        raise ValueError(about)
    if shortest and (crop is None or max(crop) > shortest):
        raise ValueError(about)  # images would come out in different sizes
    return Preprocessing(shortest, size, crop, Image.Resampling(about.get("resample", 3)), mean, std)


def _size(said: Any) -> tuple[int, tuple[int, int]]:
    """The shortest side or 0, and (height, width) or (0, 0); old files have a number for both."""
    if isinstance(said, int):
        return said, (said, said)
    if "shortest_edge" in said:
        return int(said["shortest_edge"]), (0, 0)
    return 0, (int(said["height"]), int(said["width"]))


def _column(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values)[:, None, None]
