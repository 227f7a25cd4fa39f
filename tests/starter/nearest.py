"""Has the starter learnt a concept? The share of generated pictures whose nearest thumbnail belongs to the concept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 16  # of a thumbnail, in pixels: coarse enough that only shape and colour count
HERE = Path(__file__).resolve().parent

Thumbnails = NDArray[np.float64]  # [N, SIDE * SIDE * 3], 0..1


def concept_share(images: Sequence[Image.Image], concept_folder: Path) -> float:
    """Share (0..1) of `images` nearer to a concept picture, or its mirror image, than to any of 160 base drawings."""
    to_concept, to_base = distances(images, concept_folder)
    return float((to_concept < to_base).mean())


def distances(images: Sequence[Image.Image], concept_folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per image, the root mean square distance (0..1) to the nearest concept picture and base drawing."""
    seen = thumbnails(images)
    return nearest(seen, concept_thumbnails(concept_folder)), nearest(seen, base_thumbnails())


def concept_thumbnails(folder: Path) -> Thumbnails:
    """The pictures (.png) of a concept folder, each followed by its mirror image."""
    pictures = [on_white(Image.open(path)) for path in sorted(folder.glob("*.png"))]
    if not pictures:
        raise ValueError(f"no .png in {folder}")
    mirrored = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in pictures]
    return thumbnails([*pictures, *mirrored])


def base_thumbnails() -> Thumbnails:
    """160 drawings the base was trained on; base_thumbnails.json names them, row by row."""
    sheet = np.asarray(Image.open(HERE / "base_thumbnails.png").convert("RGB"), np.float64) / 255
    rows, columns = sheet.shape[0] // SIDE, sheet.shape[1] // SIDE
    tiles = sheet.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)
    return tiles.reshape(rows * columns, -1)


def thumbnails(images: Sequence[Image.Image]) -> Thumbnails:
    """Each image as its 16x16 means in red, green and blue. An image must be square: nothing is cropped here."""
    for image in images:
        if image.width != image.height:
            raise ValueError(f"a square image is needed, not {image.width}x{image.height}")
    small = [on_white(image).resize((SIDE, SIDE), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image, np.float64).reshape(-1) / 255 for image in small])


def nearest(seen: Thumbnails, known: Thumbnails) -> NDArray[np.float64]:
    """Distance from each of `seen` to the nearest of `known`."""
    return np.sqrt(np.square(seen[:, None] - known[None]).mean(-1)).min(1)


def on_white(image: Image.Image) -> Image.Image:
    """The image in RGB; what is transparent shows white paper."""
    rgba = image.convert("RGBA")
    paper = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(paper, rgba).convert("RGB")
