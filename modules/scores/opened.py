"""Images of a batch, opened in threads: decoding takes longer than a card takes to look at them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from PIL import Image

from modules.data.image.pixels import open_image
from modules.data.image_errors import UnusableImage
from modules.data.source.parallel_read import map_in_threads
from modules.data.source.source import DataFile
from modules.scores.how import How

K = TypeVar("K")
Job = tuple[DataFile, float]  # and what part of its size is wanted


def open_images(wanted: Mapping[K, Job], how: How) -> dict[K, Image.Image]:
    """Those that can be read, in their order; the others are told of."""
    found: dict[K, Image.Image] = {}
    for key, opened in zip(wanted, _all(wanted.values()), strict=True):
        if isinstance(opened, UnusableImage):
            how.say(opened.problem)
        else:
            found[key] = opened
    return found


def _all(jobs: Iterable[Job]) -> Iterable[Image.Image | UnusableImage]:
    return map_in_threads(_open, jobs, lambda: False)


def _open(job: Job) -> Image.Image | UnusableImage:
    try:
        return open_image(*job)
    except UnusableImage as error:
        return error
