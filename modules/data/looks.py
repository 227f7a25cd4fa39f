"""The ways an image may be seen, which of them a showing gets, and the keys they are cached under.

A draw of crop, rotation and colours is a variant. Of those K are kept (concepts.N.variants), and every showing draws
one of them; with K = 0 each showing makes a draw of its own. Flips come on top. Whether anything is cached changes
nothing: the same showing has the same look.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from modules.data.augment import change_of, coloured, margin_for, turned
from modules.data.index import Index, Item
from modules.data.masks import Box, cut_around, cut_keeping, open_mask
from modules.data.pixels import VERSION, Cut, cut_for, cut_out, open_image, sizes_of
from modules.errors import UserError
from modules.preset.concepts import Concept
from modules.preset.masks import Masks
from modules.system.seeds import chance_of, seed_of


class Content(NamedTuple):
    """What an image's files hold, as far as looks depend on it."""

    digest: str  # of the image's bytes
    mask: str = ""  # of the mask's bytes, "alpha" and those of the image, or "" for none
    box: Box | None = None  # where the mask is white, if crops must know


@dataclass(frozen=True, slots=True)
class Look:
    cut: Cut  # with the margin, if the image is turned
    flip: bool
    upside_down: bool = False
    angle: float = 0.0
    colours: tuple[tuple[str, float], ...] = ()
    margin: tuple[int, int] = (0, 0)  # what is cut off, above and to the left, after turning

    @property
    def inner(self) -> Cut:
        """The cut without the margin."""
        (top, left), (high, wide) = self.margin, self.cut.bucket
        return Cut(self.cut.resized, self.cut.top + top, self.cut.left + left, (high - 2 * top, wide - 2 * left))

    def sizes(self, item: Item) -> tuple[int, int, int, int, int, int]:
        """Original height, width, crop top, left, target height, width."""
        return sizes_of(item.width, item.height, self.inner, flip=self.flip, upside_down=self.upside_down)

    @property
    def geometry(self) -> list[object]:
        """What says which part of an image lies where."""
        cut = self.cut
        moved = [self.upside_down, self.angle, self.margin] if self.upside_down or self.angle else []
        return [cut.resized, cut.top, cut.left, cut.bucket, self.flip, *moved]


def content_of(
    index: Index, row: int, digest: str, digest_of: Callable[[Path], str], box: Callable[[Path, bool, str], Box | None]
) -> Content:
    """What a row's image, of this digest, holds; and its mask, if its concept wants one.

    `box` finds that of a mask file (see `Index.mask_file`) with a digest: it is asked only where crops must know.

    Raises:
        OSError: a file cannot be read. Besides, what `box` raises.
    """
    concept, beside = index.concepts[index.concept_numbers[row]], index.mask(row)
    if concept.masks == "none" or (concept.masks == "file" and beside is None):
        return Content(digest)  # the whole image counts
    name = digest_of(beside) if beside else f"alpha {digest}"
    return Content(digest, name, box(*index.mask_file(row), name) if concept.mask_crop != "no" else None)


def looks_of(item: Item, concept: Concept, content: Content) -> list[Look]:
    """Every look that the cache holds of an image, each once; none of a concept that is encoded at each showing."""
    if concept.live:
        return []
    many = concept.variants if concept.varies else 1
    flips = list(product(_flips(concept), (False, True) if concept.flip_vertical else (False,)))
    variants = [_variant(item, concept, content, "crop", content.digest, number) for number in range(many)]
    return list(dict.fromkeys(_flipped(look, *flip) for look in variants for flip in flips))


def how_many(concept: Concept) -> int:
    """How many looks of each image the cache holds at most."""
    return 0 if concept.live else (
        (concept.variants if concept.varies else 1) * len(_flips(concept)) * (2 if concept.flip_vertical else 1)
    )  # fmt: skip


def look_of(item: Item, concept: Concept, content: Content, *address: int | str) -> Look:
    """The look of the showing at `address`: one of `looks_of`, or, where nothing is cached, any."""
    flips = _flips(concept)
    flip = flips[seed_of("flip", *address) % 2] if len(flips) == 2 else flips[0]
    upside_down = concept.flip_vertical and seed_of("upside down", *address) % 2 == 1
    if concept.live:
        look = _variant(item, concept, content, "crop", *address)
    else:
        # Its draws depend on the file alone, so that runs of any seed share their cache.
        number = seed_of("crop", *address) % concept.variants if concept.varies else 0
        look = _variant(item, concept, content, "crop", content.digest, number)
    return _flipped(look, flip, upside_down)


def is_masked(settings: Masks, content: Content, *address: int | str) -> bool:
    """Whether the showing at `address` is with the image's mask: without, its whole image counts."""
    return bool(content.mask) and chance_of("unmasked", *address) >= settings.unmasked_probability


def _flips(concept: Concept) -> tuple[bool, ...]:
    if concept.flip_always:
        return (True,)
    return (False, True) if concept.flip else (False,)


def _flipped(look: Look, flip: bool, upside_down: bool) -> Look:
    return replace(look, flip=flip, upside_down=upside_down)


def _variant(item: Item, concept: Concept, content: Content, *address: int | str) -> Look:
    """The draw of crop, rotation and colours at an address; neither flipped nor upside down."""
    change = change_of(concept, *address)
    margin = margin_for(item.bucket, change.angle)
    room = item.bucket[0] + 2 * margin[0], item.bucket[1] + 2 * margin[1]
    place = (chance_of(*address, "down"), chance_of(*address, "across")) if concept.random_crop else None
    if content.box is None or concept.mask_crop == "no":
        cut = cut_for(item.width, item.height, room, place or (0.5, 0.5))
    elif concept.mask_crop == "keep":
        cut = cut_keeping(item.width, item.height, room, content.box, place)
    else:
        cut = cut_around(item.width, item.height, room, content.box, concept.mask_margin, place)
    return Look(cut, False, angle=change.angle, colours=change.colours, margin=margin)


# Pixels ---------------------------------------------------------------------------------------------------------------


def pixels_in(path: Path, width: int, height: int, looks: Sequence[Look]) -> list[np.ndarray]:
    """What looks of one image show, each (H, W, 3) uint8. `width` and `height` are those that the index has.

    Raises:
        UserError: the image cannot be decoded, or is another than when it was scanned.
    """
    image = open_image(path, max(look.cut.scale(height) for look in looks))
    # A JPEG may come in a half, a quarter or an eighth of its size.
    if (image.width, image.height) not in [(ceil(width / n), ceil(height / n)) for n in (1, 2, 4, 8)]:
        raise UserError(f"{path} was changed since it was scanned.", advice="Start the run again.")
    return [_seen(image, look) for look in looks]


def condition_in(path: Path, look: Look) -> np.ndarray:
    """What a look shows of a picture that stands for the image, of any size: (H, W, 3) uint8.

    Raises:
        UserError: it cannot be decoded.
    """
    return _seen(open_image(path), look)


def masks_in(path: Path, alpha: bool, looks: Sequence[Look]) -> list[np.ndarray]:
    """What looks of an image show of its mask, each (H, W) uint8.

    Raises:
        UserError: it cannot be decoded.
    """
    mask = open_mask(path, alpha=alpha)
    return [_seen(mask, replace(look, colours=()), Image.Resampling.BILINEAR) for look in looks]


def _seen(image: Image.Image, look: Look, filter: Image.Resampling = Image.Resampling.LANCZOS) -> np.ndarray:
    shown = turned(cut_out(image, look.cut, filter), look.angle, look.margin)
    array = np.asarray(coloured(shown, look.colours))
    array = array[:, ::-1] if look.flip else array
    return np.ascontiguousarray(array[::-1] if look.upside_down else array)


# Keys -----------------------------------------------------------------------------------------------------------------


def latents_key(digest: str, look: Look, image_key: str) -> str:
    """Names latents by all that makes them: the file's bytes, how they become pixels, and who encodes those."""
    return _hash(["latents", VERSION, digest, *look.geometry, *([look.colours] if look.colours else []), image_key])


def mask_key(digest: str, look: Look) -> str:
    """Names a mask by the bytes it comes from and the part of it that is seen."""
    return _hash(["mask", VERSION, digest, *look.geometry])


def box_key(digest: str) -> str:
    """Names the place of a mask's white part."""
    return _hash(["box", VERSION, digest])


def text_key(caption: str, encoder_key: str) -> str:
    return _hash(["text", caption, encoder_key])


def checked_key(digest: str) -> str:
    """Names the fact that a file could be decoded."""
    return _hash(["decoded", VERSION, digest])


def _hash(parts: Iterable[object]) -> str:
    return sha256(json.dumps(list(parts)).encode()).hexdigest()
