"""Background removers that come as ONNX files: U2-Net, ISNet, BiRefNet, as rembg and their authors run them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from modules.errors import UserError
from modules.image_models.onnx_net import OnnxNet
from modules.masking.letterbox import Letterbox

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Recipe:
    """How images go into a kind of model and what comes out."""

    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]
    side: int = 320  # where the file takes any
    # Of the output: "stretched" from its least to its most, as its authors do; "logits"; or "plain" as it is.
    output: Literal["stretched", "logits", "plain"] = "stretched"
    letterbox: bool = False


# By what the name holds, the first that fits; a name that says nothing is taken for a U2-Net.
RECIPES = {
    "birefnet": Recipe(side=1024, output="logits"),
    "isnetis": Recipe((0.0,) * 3, (1.0,) * 3, 1024, "plain", letterbox=True),
    "isnet-anime": Recipe(std=(1.0,) * 3, side=1024),
    "isnet": Recipe((0.5,) * 3, (1.0,) * 3, 1024),
    "": Recipe(),
}


def recipe_of(name: str) -> Recipe:
    """By the name of a model or of its file."""
    return next(recipe for part, recipe in RECIPES.items() if part in name.lower())


class BackgroundRemover:
    """One model in memory."""

    def __init__(self, file: Path, name: str = "", *, card: bool = True) -> None:
        """`name`: of the model, where that of the file does not tell of which kind it is.

        Raises:
            UserError: it is no model that takes images.
        """
        self._net, self._file = OnnxNet(file, card=card), file
        self._recipe = recipe_of(f"{name} {file.name}")
        self._size = self._net.size or (self._recipe.side,) * 2

    @property
    def on_cpu(self) -> bool:
        """Whether it runs on the CPU."""
        return self._net.on_cpu

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """(h, w) in 0 to 1, of any size, for an RGB image.

        Raises:
            UserError: the model does not take images so.
        """
        recipe, (height, width) = self._recipe, self._size
        box = Letterbox.of(image, height, width, middle=True)
        if recipe.letterbox:
            pixels = box.pixels(image)
        else:
            pixels = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS)).astype(np.float32)
        most = max(float(pixels.max()), 1e-6) if recipe.output == "stretched" else 255.0
        batch = ((pixels / most - np.array(recipe.mean)) / np.array(recipe.std)).astype(np.float32)[None]
        outputs = self._net(batch.transpose(0, 3, 1, 2) if self._net.layout == "NCHW" else batch)
        found = np.squeeze(next(iter(outputs.values()))).astype(np.float32)
        if found.ndim != 2:
            raise UserError("mask.no-mask", file=self._file, shape=list(found.shape))
        found = _in_range(found, recipe)
        return box.cut(found) if recipe.letterbox else found


def _in_range(found: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    if recipe.output == "logits":
        return (1 / (1 + np.exp(-found.clip(-80, 80)))).astype(np.float32)
    if recipe.output == "stretched":
        found = (found - found.min()) / max(float(found.max() - found.min()), 1e-6)
    return found.clip(0, 1)
