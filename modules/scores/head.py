"""The small net of an aesthetic score: linear layers, one behind the other, on the vector of an image.

LAION's improved-aesthetic-predictor has five of them with nothing between (its file has the training's ReLUs commented
out), its first predictor a single one.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from modules.errors import UserError
from modules.system.weights import PICKLES, Weights, open_weights

FILES = ("*.safetensors", "*.pth")  # in a repository
LAION = "sac+logos+ava1-l14-linearMSE.pth"  # which is taken where there are several


class AestheticHead:
    """Reads a file of weights: never runs code in it."""

    def __init__(self, place: Path) -> None:
        """Open a file, or that of a folder.

        Raises:
            UserError: there is none, or it is of another kind.
        """
        self._file = _file_in(place)
        weights = open_weights(self._file)
        names = sorted((name for name in weights.shapes if name.endswith("weight")), key=_number)
        self._layers = [(weights.read(name).float(), self._bias(weights, name)) for name in names]
        sizes = [tuple(weight.shape) for weight, _ in self._layers]
        ends = [size[0] for size in sizes]
        if not sizes or any(len(size) != 2 for size in sizes) or [size[1] for size in sizes[1:]] + [1] != ends:
            raise UserError("score.no-head", "aesthetic_head", file=self._file)

    def _bias(self, weights: Weights, name: str) -> Tensor:
        bias = f"{name.removesuffix('weight')}bias"
        if bias not in weights.shapes:
            raise UserError("score.no-head", "aesthetic_head", file=self._file)
        return weights.read(bias).float()

    def scores(self, vectors: Tensor) -> Tensor:
        """(n,) of image vectors (n, d) of length 1.

        Raises:
            UserError: it was made for a model with vectors of another length.
        """
        wanted, found = self._layers[0][0].shape[1], vectors.shape[1]
        if found != wanted:
            raise UserError("score.head-size", "aesthetic_model", file=self._file, wanted=wanted, found=found)
        for weight, bias in self._layers:
            vectors = torch.nn.functional.linear(vectors, weight, bias)
        return vectors[:, 0]


def _file_in(place: Path) -> Path:
    if place.is_file():
        return place
    if (place / LAION).is_file():
        return place / LAION
    found = [path for path in place.iterdir() if path.suffix in (".safetensors", *PICKLES)]
    if len(found) != 1:
        raise UserError("score.head-files", "aesthetic_head", folder=place, count=len(found))
    return found[0]


def _number(name: str) -> int:
    found = re.findall(r"\d+", name)
    return int(found[-1]) if found else 0
