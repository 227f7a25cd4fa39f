"""The ways an image may be seen (cut and flip), which of them a showing gets, and the keys they are cached under."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from pathlib import Path

import numpy as np

from modules.data.captions import chance
from modules.data.index import Item
from modules.data.pixels import VERSION, Cut, cut_for, open_image, pixels_of, sizes_of
from modules.errors import UserError
from modules.preset.concepts import Concept
from modules.system.seeds import seed_of


@dataclass(frozen=True, slots=True)
class Look:
    cut: Cut
    flip: bool

    def sizes(self, item: Item) -> tuple[int, int, int, int, int, int]:
        """Original height, width, crop top, left, target height, width."""
        return sizes_of(item.width, item.height, self.cut, flip=self.flip)


def looks_of(item: Item, concept: Concept, digest: str) -> list[Look]:
    """Every look that the cache holds of an image, each once."""
    cuts = dict.fromkeys(_cached_cut(item, concept, digest, crop) for crop in range(_crops(concept)))
    return [Look(cut, flip) for cut in cuts for flip in ((False, True) if concept.flip else (False,))]


def look_of(item: Item, concept: Concept, digest: str | None, *address: int | str) -> Look:
    """The look of the showing at `address`: one of `looks_of`, or, with no digest, cut at any place."""
    flip = concept.flip and seed_of("flip", *address) % 2 == 1
    if digest is not None:
        return Look(_cached_cut(item, concept, digest, seed_of("crop", *address) % _crops(concept)), flip)
    place = (chance("down", *address), chance("across", *address)) if concept.random_crop else (0.5, 0.5)
    return Look(cut_for(item.width, item.height, item.bucket, place), flip)


def pixels_in(path: Path, width: int, height: int, looks: Sequence[Look]) -> list[np.ndarray]:
    """What looks of one image show, each (H, W, 3) uint8. `width` and `height` are those that the index has.

    Raises:
        UserError: the image cannot be decoded, or is another than when it was scanned.
    """
    image = open_image(path, looks[0].cut.scale(height))
    # A JPEG may come in a half, a quarter or an eighth of its size.
    if (image.width, image.height) not in [(ceil(width / n), ceil(height / n)) for n in (1, 2, 4, 8)]:
        raise UserError(f"{path} was changed since it was scanned.", advice="Start the run again.")
    return [pixels_of(image, look.cut, flip=look.flip) for look in looks]


def latents_key(digest: str, look: Look, image_key: str) -> str:
    """Names latents by all that makes them: the file's bytes, how they become pixels, and who encodes those."""
    cut = look.cut
    return _hash(["latents", VERSION, digest, cut.resized, cut.top, cut.left, cut.bucket, look.flip, image_key])


def text_key(caption: str, encoder_key: str) -> str:
    return _hash(["text", caption, encoder_key])


def checked_key(digest: str) -> str:
    """Names the fact that a file could be decoded."""
    return _hash(["decoded", VERSION, digest])


def _hash(parts: Iterable[object]) -> str:
    return sha256(json.dumps(list(parts)).encode()).hexdigest()


def _crops(concept: Concept) -> int:
    return concept.crops if concept.random_crop else 1


def _cached_cut(item: Item, concept: Concept, digest: str, crop: int) -> Cut:
    """The n-th crop of an image. Its place depends on the file alone, so that runs of any seed share their cache."""
    place = (0.5, 0.5)
    if concept.random_crop:
        place = chance("crop", digest, crop, "down"), chance("crop", digest, crop, "across")
    return cut_for(item.width, item.height, item.bucket, place)
