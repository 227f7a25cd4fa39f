"""Enlarges images by a model, tile by tile, so that memory does not grow with the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from modules.catalog import ComponentSpec
from modules.data.text.tokenizer import read_json
from modules.errors import UserError
from modules.families.parts.building import emptied, empty_component, load_weights
from modules.families.parts.model_files import folder_weights
from modules.preparing.target import Size
from modules.preparing.upscale_nets import net_of
from modules.system.weights import PICKLES, open_weights

TILE, OVERLAP = 192, 16  # pixels of the image that is enlarged; the overlap is cut off again on each side
SWIN2SR = "transformers.models.swin2sr.modeling_swin2sr:Swin2SRForImageSuperResolution"


class Upscaler:
    """One model in memory. Several threads may ask it; it answers one after the other.

    Args:
        place: a file of weights, or the folder of a Swin2SR model.

    Raises:
        UserError: it is of no known kind, or damaged.
    """

    def __init__(self, place: Path, device: torch.device, check: Callable[[], None]) -> None:
        self._net, self.scale = _opened(place, device)
        self._device, self._check, self._lock = device, check, Lock()

    @torch.inference_mode()
    def __call__(self, image: Image.Image, at_least: Size) -> Image.Image:
        """An RGB image, enlarged until it is `at_least` so large, or larger. `check` is called before each tile."""
        with self._lock:
            while image.width < at_least[0] or image.height < at_least[1]:
                image = self._enlarged(image)
                if self.scale == 1:
                    break
        return image

    def _enlarged(self, image: Image.Image) -> Image.Image:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)[None]
        out = torch.empty((image.height * self.scale, image.width * self.scale, 3), dtype=torch.uint8)
        for top, height in _spans(image.height):
            for left, width in _spans(image.width):
                self._check()
                tile = self._tile(pixels, (top, left), (height, width))
                rows = slice(top * self.scale, (top + height) * self.scale)
                out[rows, left * self.scale : (left + width) * self.scale] = tile
        return Image.fromarray(out.numpy())

    def _tile(self, pixels: Tensor, at: tuple[int, int], size: tuple[int, int]) -> Tensor:
        """(h, w, 3) uint8 of a part of the image; what lies around it is seen, too, and the image's edge repeated."""
        padded = functional.pad(pixels, (OVERLAP,) * 4, mode="replicate")
        part = padded[:, :, at[0] : at[0] + size[0] + 2 * OVERLAP, at[1] : at[1] + size[1] + 2 * OVERLAP]
        even = [-side % 4 for side in part.shape[2:]]  # what folds squares of pixels takes whole squares
        part = functional.pad(part, (0, even[1], 0, even[0]), mode="replicate").to(self._device)
        made: Any = self._net(part)
        made = getattr(made, "reconstruction", made)
        edge = OVERLAP * self.scale
        made = made[0, :, edge : edge + size[0] * self.scale, edge : edge + size[1] * self.scale]
        return (made.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu()


def _spans(length: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, TILE):
        yield start, min(TILE, length - start)


def _opened(place: Path, device: torch.device) -> tuple[nn.Module, int]:
    if place.is_dir() and (place / "config.json").is_file():
        return _swin2sr(place, device)
    file = place if place.is_file() else _only_file(place)
    weights = open_weights(file)
    net, scale = net_of({name: weights.read(name).float() for name in weights.shapes}, str(file))
    return net.to(device), scale


def _swin2sr(folder: Path, device: torch.device) -> tuple[nn.Module, int]:
    config = read_json(folder / "config.json")
    kind = str(config.get("model_type", ""))
    if kind != "swin2sr":
        raise UserError("upscaler.type", "upscaler", name=folder, kind=kind or "unknown")
    spec = ComponentSpec(kind, "clip", folder.name, SWIN2SR)
    module: Any = emptied(empty_component(spec, config))
    net = load_weights(module, folder_weights(folder), device=device, dtype=torch.float32, where=str(folder)).eval()
    return net, int(config.get("upscale", 2))


def _only_file(folder: Path) -> Path:
    found = [path for path in folder.iterdir() if path.suffix in (".safetensors", *PICKLES)]
    if len(found) != 1:
        raise UserError("upscaler.files", "upscaler", folder=folder, count=len(found))
    return found[0]
