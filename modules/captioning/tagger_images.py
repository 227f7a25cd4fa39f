"""Images as a tagger wants them. Which way is told by its files, never by its name.

* Without preprocess.json, as SmilingWolf's (WD v2 and v3, EVA02): padded with white to a square, resized (bicubic) to
  the size of the input, BGR from 0 to 255, height x width x channels.
* With it, as deepghs' exports (PixAI, Camie): its stages, which are torchvision's by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from modules.errors import UserError
from modules.image_models.onnx_net import OnnxNet
from modules.system import reading

FILE = "preprocess.json"
MOST = 4096  # pixels on a side
FILTERS = {
    "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX, "hamming": Image.Resampling.HAMMING, "lanczos": Image.Resampling.LANCZOS,
}  # fmt: skip

Pixels = NDArray[np.float32]
Prepare = Callable[[Image.Image], Pixels]


def preparation_of(folder: Path, net: OnnxNet) -> Prepare:
    """How an RGB image becomes one row of what the net takes.

    Raises:
        UserError: the files do not say, or say what is not known here.
    """
    file = folder / FILE
    if file.is_file():
        try:
            about = reading.read_json(file)
            stages = [_stage(dict(each)) for each in about.get("stages") or about["test"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError("captioning.preprocessing", "tagger", file=file) from error
        return lambda image: _through(image, stages)
    size = net.size
    if net.layout != "NHWC" or size is None or size[0] != size[1]:
        raise UserError("captioning.preprocessing:missing", "tagger", folder=folder)
    return lambda image: wd_pixels(image, size[0])


def wd_pixels(image: Image.Image, side: int) -> Pixels:
    """(side, side, 3), BGR, 0 to 255."""
    largest = max(image.size)
    square = Image.new("RGB", (largest, largest), (255, 255, 255))
    square.paste(image, ((largest - image.width) // 2, (largest - image.height) // 2))
    if largest != side:
        square = square.resize((side, side), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square, dtype=np.float32)[:, :, ::-1])


def _through(image: Image.Image, stages: list[Callable[[Any], Any]]) -> Pixels:
    made: Any = image
    for stage in stages:
        made = stage(made)
    return _tensor(made)


def _stage(about: dict[str, Any]) -> Callable[[Any], Any]:
    kind = about.pop("type")
    return STAGES[kind](about)


def _resize(about: Mapping[str, Any]) -> Callable[[Image.Image], Image.Image]:
    given = about["size"]
    size = [given] if isinstance(given, int) else [int(side) for side in given]
    if not all(0 < side <= MOST for side in size) or len(size) > 2 or about.get("max_size"):
        raise ValueError(given)
    filter = FILTERS[str(about.get("interpolation", "bilinear")).lower()]

    def resize(image: Image.Image) -> Image.Image:
        if len(size) == 2:
            return image.resize((size[1], size[0]), filter)
        short = min(image.size)
        wide, high = (size[0] if side == short else int(size[0] * side / short) for side in image.size)
        return image.resize((wide, high), filter)

    return resize


def _crop(about: Mapping[str, Any]) -> Callable[[Image.Image], Image.Image]:
    given = about["size"]
    height, width = (given, given) if isinstance(given, int) else (given[0], given[-1])
    if not 0 < height <= MOST or not 0 < width <= MOST:
        raise ValueError(given)

    def crop(image: Image.Image) -> Image.Image:
        left, top = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((left, top, left + width, top + height))

    return crop


def _normalize(about: Mapping[str, Any]) -> Callable[[Any], Pixels]:
    mean, std = (np.array(about[name], np.float32).reshape(-1, 1, 1) for name in ("mean", "std"))
    if not std.all() or {mean.size, std.size} - {1, 3}:
        raise ValueError(about)
    return lambda made: (_tensor(made) - mean) / std


def _tensor(made: Any) -> Pixels:
    """(3, h, w), from 0 to 1."""
    if isinstance(made, np.ndarray):
        return made.astype(np.float32)
    return np.asarray(made.convert("RGB"), dtype=np.float32).transpose(2, 0, 1) / np.float32(255)


STAGES: dict[str, Callable[[dict[str, Any]], Callable[[Any], Any]]] = {
    "resize": _resize, "center_crop": _crop, "normalize": _normalize,
    "to_tensor": lambda _: _tensor, "maybe_to_tensor": lambda _: _tensor,
    "convert_rgb": lambda _: lambda image: image,  # it is RGB, laid over white
}  # fmt: skip
