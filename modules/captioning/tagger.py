"""A tagger in memory: images in, a probability for each of its tags out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from modules.captioning.kinds import LEAST
from modules.captioning.labels import FILE, MOST, Labels
from modules.captioning.tag_choice import Score
from modules.captioning.tagger_images import preparation_of
from modules.errors import UserError
from modules.image_models.onnx_net import OnnxNet
from modules.system import reading

ONNX = "model.onnx"
OUTPUTS = ("prediction", "output")  # of models with several: what is a probability

KEPT = np.dtype([("tag", "<u4"), ("probability", "<f2")])  # what is kept of an image


class Tagger:
    """One model.

    Raises:
        UserError: it cannot be opened, or its files do not say how it is used.
    """

    def __init__(self, folder: Path, labels: Labels, *, card: bool = True) -> None:
        self._net = OnnxNet(folder / ONNX, card=card)
        self._prepare = preparation_of(folder, self._net)
        self._count = len(labels.names)
        self._output = self._probabilities_of(folder)

    def probabilities(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, tags) of RGB images."""
        rows = [self._prepare(image) for image in images]
        batches = [rows] if self._net.batched else [[row] for row in rows]
        found = np.concatenate([self._net(np.stack(batch))[self._output] for batch in batches]).astype(np.float32)
        if found.min() < 0 or found.max() > 1:  # logits
            found = (1 / (1 + np.exp(-found))).astype(np.float32)
        return found

    def _probabilities_of(self, folder: Path) -> str:
        fitting = [name for name, shape in self._net.outputs.items() if shape and shape[-1] in (self._count, None)]
        named = [name for name in OUTPUTS if name in fitting]
        if not fitting:
            raise UserError("captioning.tag-count", "tagger", folder=folder, labels=self._count)
        return (named or fitting)[0]


def kept(probabilities: NDArray[np.float32]) -> bytes:
    """What is remembered of one image: other thresholds then need no other run."""
    above = np.flatnonzero(probabilities >= LEAST)
    row = np.empty(len(above), KEPT)
    row["tag"], row["probability"] = above, probabilities[above]
    return row.tobytes()


def scores_of(data: bytes, labels: Labels) -> list[Score]:
    """What was remembered, with names; the surest first."""
    row = np.frombuffer(data, KEPT)
    row = row[np.argsort(-row["probability"].astype(np.float32), kind="stable")]
    return [
        Score(labels.names[tag], labels.categories[tag], round(float(probability), 4))
        for tag, probability in zip(row["tag"].tolist(), row["probability"].tolist(), strict=True)
        if tag < len(labels.names)
    ]


def mark_of(folder: Path) -> str:
    """Names the model in a folder by its contents: another one's probabilities are not mistaken for its own."""
    digest = hashlib.sha256()
    for name in (FILE, "preprocess.json"):
        if (folder / name).is_file():
            digest.update(reading.read_bytes(folder / name, MOST))
    file = folder / ONNX
    if not file.is_file():
        raise UserError("captioning.no-onnx", "tagger", folder=folder, file=ONNX)
    with reading.open_file(file) as opened:
        digest.update(opened.read(2**20))
        size = opened.seek(0, 2)
        opened.seek(max(0, size - 2**20))
        digest.update(opened.read())
    digest.update(str(size).encode())
    return digest.hexdigest()[:16]
