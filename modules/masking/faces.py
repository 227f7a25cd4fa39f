"""Faces as masks: a detector that comes as an ONNX file, YuNet's or a YOLO's, finds boxes, and each becomes an oval."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from modules.errors import UserError
from modules.image_models.onnx_net import OnnxNet
from modules.masking.letterbox import Letterbox

STRIDES = (8, 16, 32)  # of YuNet
SIDE = 640  # where a file takes any size
GREY = 114  # of the border that YOLO was trained with
OVERLAP = 0.3  # above which two boxes are of the same face
Boxes = NDArray[np.float32]  # (n, 5): left, top, right, bottom, confidence


class FaceDetector:
    """One model in memory."""

    def __init__(self, file: Path, *, card: bool = True) -> None:
        """Open it.

        Raises:
            UserError: it is no detector of faces.
        """
        self._net, self._file = OnnxNet(file, card=card), file
        self._size = self._net.size or (SIDE, SIDE)
        outputs = self._net.outputs
        self._yunet = f"cls_{STRIDES[0]}" in outputs
        if not self._yunet and (len(outputs) != 1 or len(next(iter(outputs.values()))) != 3):
            raise UserError("mask.no-detector", file=file)

    def boxes(self, image: Image.Image, confidence: float) -> Boxes:
        """Faces in pixels of an RGB image, the surest first.

        Raises:
            UserError: the model finds several kinds of things, or does not take images so.
        """
        box = Letterbox.of(image, *self._size, middle=not self._yunet)
        pixels = box.pixels(image, 0 if self._yunet else GREY)
        batch = (pixels[..., ::-1] if self._yunet else pixels / 255)[None].transpose(0, 3, 1, 2)
        outputs = self._net(np.ascontiguousarray(batch, dtype=np.float32))
        found = _of_yunet(outputs, self._size) if self._yunet else self._of_yolo(next(iter(outputs.values()))[0])
        found = without_repeats(found[found[:, 4] >= confidence])
        return np.concatenate([box.boxes(found[:, :4], image), found[:, 4:]], axis=1).astype(np.float32)

    def _of_yolo(self, output: NDArray[Any]) -> Boxes:
        """(5, n): middle, size and confidence, as YOLOv8 and later give them for one kind of thing."""
        if output.shape[0] != 5:
            raise UserError("mask.no-detector", file=self._file)
        middle, size = output[:2].T, output[2:4].T
        return np.concatenate([middle - size / 2, middle + size / 2, output[4:].T], axis=1).astype(np.float32)


def _of_yunet(outputs: Mapping[str, NDArray[Any]], size: tuple[int, int]) -> Boxes:
    """As OpenCV's FaceDetectorYN reads them: a box for each square of each stride."""
    found: list[Boxes] = []
    for stride in STRIDES:
        down, across = np.mgrid[0 : size[0] // stride, 0 : size[1] // stride]
        corner = np.stack([across.ravel(), down.ravel()], axis=1)
        box = outputs[f"bbox_{stride}"][0]
        middle, half = (corner + box[:, :2]) * stride, np.exp(box[:, 2:4]) * stride / 2
        sure = np.sqrt(outputs[f"cls_{stride}"][0].clip(0, 1) * outputs[f"obj_{stride}"][0].clip(0, 1))
        found.append(np.concatenate([middle - half, middle + half, sure], axis=1))
    return np.concatenate(found).astype(np.float32)


def without_repeats(boxes: Boxes) -> Boxes:
    """The surest of boxes that overlap; the surest first."""
    left = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    kept: list[Boxes] = []
    while len(left):
        kept.append(left[0])
        corner, end = np.maximum(left[:, :2], left[0, :2]), np.minimum(left[:, 2:4], left[0, 2:4])
        shared = np.prod((end - corner).clip(0), axis=1)
        areas = np.prod(left[:, 2:4] - left[:, :2], axis=1)
        alike = shared / np.maximum(areas + areas[0] - shared, 1e-6) > OVERLAP
        alike[0] = True
        left = left[~alike]
    return np.stack(kept) if kept else boxes


def ovals(boxes: Boxes, size: tuple[int, int], margin: float) -> NDArray[np.float32]:
    """(h, w) of an image of this width and height: 1 inside of the oval of each box, widened by a share of its size."""
    found = Image.new("L", size)
    draw = ImageDraw.Draw(found)
    for left, top, right, bottom in boxes[:, :4].tolist():
        across, down = (right - left) * margin, (bottom - top) * margin
        draw.ellipse((left - across, top - down, right + across, bottom + down), fill=1)
    return np.asarray(found).astype(np.float32)
