"""The model that a mask is made with: found, downloaded where need be, opened, and asked for each image."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from modules.errors import UserError
from modules.image_models.finding import find_model
from modules.masking.background import BackgroundRemover
from modules.masking.faces import FaceDetector, ovals
from modules.masking.kinds import ONNX_MODELS, RELEASES, REMBG
from modules.masking.words import ClipSeg, Finder, GroundedSam, Sam3, kind_of
from modules.sentences.problem import Problem
from modules.system.devices import is_card

Kind = Literal["background", "words", "faces"]
USUAL_FILES = ("model.onnx", "onnx/model.onnx")  # of a repository that is not in the table


@dataclass(frozen=True)
class Asked:
    """What a mask shows, and the model that finds it."""

    kind: Kind
    model: str  # a name on Hugging Face, a file or a folder
    outlines: str = ""  # that of SAM 2, for Grounding DINO
    words: Sequence[str] = ()
    confidence: float = 0.3
    margin: float = 0.0  # around faces, as a share of their size
    path: str = ""  # of the setting that names the model


Maker = Callable[[Image.Image], NDArray[np.uint8]]  # of an RGB image of any size a mask of that size


def maker_of(asked: Asked, device: torch.device, *, offline: bool, report: Callable[[Problem], None]) -> Maker:
    """Open what is asked for.

    Raises:
        UserError: a model is not there, cannot be fetched, or is of another kind.
    """

    def find(name: str, path: str) -> Path:
        return find_model(name, path, offline=offline, report=report)

    if asked.kind == "words":
        finder = _finder(asked, device, find)
        return lambda image: _sized(finder(image, asked.words, asked.confidence), image)
    file = _onnx_file(asked, offline=offline, report=report)
    if asked.kind == "background":
        remover = BackgroundRemover(file, asked.model, card=is_card(device))
        if is_card(device) and remover.on_cpu:
            report(Problem("onnx.on-cpu"))
        return lambda image: _sized(remover(image), image)
    faces = FaceDetector(file, card=is_card(device))
    return lambda image: _sized(ovals(faces.boxes(image, asked.confidence), image.size, asked.margin), image)


def _finder(asked: Asked, device: torch.device, find: Callable[[str, str], Path]) -> Finder:
    folder = find(asked.model, asked.path)
    kind = kind_of(folder, asked.model, asked.path, ("clipseg", "grounding-dino", "sam3", "sam3_video"))
    if kind == "clipseg":
        return ClipSeg(folder, asked.model, device)
    if kind == "grounding-dino":
        outlines = find(asked.outlines, "outlines_model")
        kind_of(outlines, asked.outlines, "outlines_model", ("sam2", "sam2_video"))
        return GroundedSam(folder, asked.model, (outlines, asked.outlines), device)
    return Sam3(folder, asked.model, device)


def _onnx_file(asked: Asked, *, offline: bool, report: Callable[[Problem], None]) -> Path:
    """The .onnx of a name, a folder or a file.

    Raises:
        UserError: there is none, or there are several.
    """
    if asked.model in REMBG:
        return _of_rembg(asked.model, asked.path)
    known = ONNX_MODELS.get(asked.model)
    wanted = (known.file,) if known else USUAL_FILES
    place = find_model(asked.model, asked.path, offline=offline, report=report, files=wanted)
    if place.is_file():
        return place
    found = [place / name for name in wanted if (place / name).is_file()] or sorted(place.rglob("*.onnx"))
    if len(found) != 1:
        code = "mask.several-onnx" if found else "mask.no-onnx"
        raise UserError(code, asked.path, name=asked.model, files=[file.name for file in found])
    return found[0]


def _of_rembg(name: str, path: str) -> Path:
    """Where rembg keeps its downloads, by any of its releases."""
    home = Path.home()
    folders = [Path(held) for key in ("U2NET_HOME", "REMBG_HOME") if (held := os.environ.get(key))]
    for folder in [*folders, home / ".u2net", home / ".rembg"]:
        for place in (folder / f"{name}.onnx", folder / "models" / name / f"{name}.onnx"):
            if place.is_file():
                return place
    raise UserError("mask.of-rembg", path, name=name, address=f"{RELEASES}{REMBG[name]}")


def _sized(found: NDArray[np.float32], image: Image.Image) -> NDArray[np.uint8]:
    """0 to 1 of any size, as a mask of the image's size."""
    mask = Image.fromarray((found * 255).round().clip(0, 255).astype(np.uint8))
    return np.asarray(mask if mask.size == image.size else mask.resize(image.size, Image.Resampling.BILINEAR))
