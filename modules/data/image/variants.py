"""The ways an image may be seen, which of them a example gets, and the keys they are cached under.

A draw of crop, rotation and colours is a variant. Of those K are kept (concepts.N.variants), and every example draws
one of them; with K = 0 each example makes a draw of its own. Flips come on top. Whether anything is cached changes
nothing: the same example has the same variant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product
from math import ceil
from typing import NamedTuple

import numpy as np
from PIL import Image

from modules.data.image.augment import augmentation_of, margin_for, rotated, with_colours
from modules.data.image.masks import Box, crop_around, crop_keeping, open_mask
from modules.data.image.pixels import VERSION, Crop, apply_crop, crop_for, open_image, size_conditioning
from modules.data.image_errors import UnusableImage
from modules.data.index import Bucket, Index, Item
from modules.data.source.source import DataFile
from modules.preset.sections.concept import Concept
from modules.preset.sections.training import Masks
from modules.sentences.problem import Problem
from modules.system.seeds import seed_of, uniform_of


class Content(NamedTuple):
    """What an image's files hold, as far as variants depend on it."""

    digest: str  # of the image's bytes
    mask: str = ""  # of the mask's bytes, "alpha" and those of the image, or "" for none
    box: Box | None = None  # where the mask is white, if crops must know


@dataclass(frozen=True, slots=True)
class Variant:
    crop: Crop  # with the margin, if the image is turned
    flip: bool
    upside_down: bool = False
    angle: float = 0.0
    colours: tuple[tuple[str, float], ...] = ()
    margin: tuple[int, int] = (0, 0)  # what is cut off, above and to the left, after turning

    @property
    def inner(self) -> Crop:
        """The cut without the margin."""
        (top, left), (high, wide) = self.margin, self.crop.bucket
        return Crop(self.crop.resized, self.crop.top + top, self.crop.left + left, (high - 2 * top, wide - 2 * left))

    def sizes(self, item: Item) -> tuple[int, int, int, int, int, int]:
        """Original height, width, crop top, left, target height, width."""
        return size_conditioning(item.width, item.height, self.inner, flip=self.flip, upside_down=self.upside_down)

    @property
    def geometry(self) -> list[object]:
        """What says which part of an image lies where."""
        crop = self.crop
        moved = [self.upside_down, self.angle, self.margin] if self.upside_down or self.angle else []
        return [crop.resized, crop.top, crop.left, crop.bucket, self.flip, *moved]


def content_of(
    index: Index,
    row: int,
    digest: str,
    digest_of: Callable[[DataFile], str],
    box: Callable[[DataFile, bool, str], Box | None],
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


def variants_of(item: Item, concept: Concept, content: Content) -> list[Variant]:
    """Every variant that the cache holds of an image, each once; none of a concept that is encoded at each example."""
    if concept.live:
        return []
    many = concept.variants if concept.varies else 1
    flips = list(product(_flips(concept), (False, True) if concept.flip_vertical else (False,)))
    variants = [_cropped_variant(item, concept, content, "crop", content.digest, number) for number in range(many)]
    return list(dict.fromkeys(_with_flips(variant, *flip) for variant in variants for flip in flips))


def variant_count(concept: Concept) -> int:
    """How many variants of each image the cache holds at most."""
    return 0 if concept.live else (
        (concept.variants if concept.varies else 1) * len(_flips(concept)) * (2 if concept.flip_vertical else 1)
    )  # fmt: skip


def variant_of(item: Item, concept: Concept, content: Content, *rng_key: int | str) -> Variant:
    """The variant of the example at `rng_key`: one of `variants_of`, or, where nothing is cached, any."""
    flips = _flips(concept)
    flip = flips[seed_of("flip", *rng_key) % 2] if len(flips) == 2 else flips[0]
    upside_down = concept.flip_vertical and seed_of("upside down", *rng_key) % 2 == 1
    if concept.live:
        variant = _cropped_variant(item, concept, content, "crop", *rng_key)
    else:
        # Its draws depend on the file alone, so that runs of any seed share their cache.
        number = seed_of("crop", *rng_key) % concept.variants if concept.varies else 0
        variant = _cropped_variant(item, concept, content, "crop", content.digest, number)
    return _with_flips(variant, flip, upside_down)


def is_masked(settings: Masks, content: Content, *rng_key: int | str) -> bool:
    """Whether the example at `rng_key` is with the image's mask: without, its whole image counts."""
    return bool(content.mask) and uniform_of("unmasked", *rng_key) >= settings.unmasked_probability


def _flips(concept: Concept) -> tuple[bool, ...]:
    if concept.flip_always:
        return (True,)
    return (False, True) if concept.flip else (False,)


def _with_flips(variant: Variant, flip: bool, upside_down: bool) -> Variant:
    return replace(variant, flip=flip, upside_down=upside_down)


def _cropped_variant(item: Item, concept: Concept, content: Content, *rng_key: int | str) -> Variant:
    """The draw of crop, rotation and colours at an address; neither flipped nor upside down."""
    augmentation = augmentation_of(concept, *rng_key)
    margin = margin_for(item.bucket, augmentation.angle)
    room = item.bucket[0] + 2 * margin[0], item.bucket[1] + 2 * margin[1]
    place = (uniform_of(*rng_key, "down"), uniform_of(*rng_key, "across")) if concept.random_crop else None
    if content.box is None or concept.mask_crop == "no":
        crop = crop_for(item.width, item.height, room, place or (0.5, 0.5))
    elif concept.mask_crop == "keep":
        crop = crop_keeping(item.width, item.height, room, content.box, place)
    else:
        crop = crop_around(item.width, item.height, room, content.box, concept.mask_margin, place)
    return Variant(crop, False, angle=augmentation.angle, colours=augmentation.colours, margin=margin)


# Pixels ---------------------------------------------------------------------------------------------------------------


def load_pixels(file: DataFile, width: int, height: int, variants: Sequence[Variant]) -> list[np.ndarray]:
    """What variants of one image show, each (H, W, 3) uint8. `width` and `height` are those that the index has.

    Raises:
        UnusableImage: the image cannot be decoded, or is another than when it was scanned.
    """
    image = open_image(file, max(variant.crop.scale(height) for variant in variants))
    # A JPEG may come in a half, a quarter or an eighth of its size.
    if (image.width, image.height) not in [(ceil(width / n), ceil(height / n)) for n in (1, 2, 4, 8)]:
        raise UnusableImage("image.changed", file, Problem("reason.changed-since-scan"))
    return [_render(image, variant) for variant in variants]


def load_condition(file: DataFile, variant: Variant) -> np.ndarray:
    """What a variant shows of a picture that stands for the image, of any size: (H, W, 3) uint8.

    Raises:
        UnusableImage: it cannot be decoded.
    """
    return _render(open_image(file), variant)


def load_masks(file: DataFile, alpha: bool, variants: Sequence[Variant]) -> list[np.ndarray]:
    """What variants of an image show of its mask, each (H, W) uint8.

    Raises:
        UnusableImage: it cannot be decoded.
    """
    mask = open_mask(file, alpha=alpha)
    return [_render(mask, replace(variant, colours=()), Image.Resampling.BILINEAR) for variant in variants]


def _render(image: Image.Image, variant: Variant, filter: Image.Resampling = Image.Resampling.LANCZOS) -> np.ndarray:
    shown = rotated(apply_crop(image, variant.crop, filter), variant.angle, variant.margin)
    array = np.asarray(with_colours(shown, variant.colours))
    array = array[:, ::-1] if variant.flip else array
    return np.ascontiguousarray(array[::-1] if variant.upside_down else array)


# Keys -----------------------------------------------------------------------------------------------------------------


def latents_key(digest: str, variant: Variant, image_key: Callable[[Bucket], str]) -> str:
    """Names latents by all that makes them: the file's bytes, how they become pixels, who encodes so many, and how."""
    colours, key = [variant.colours] if variant.colours else [], image_key(variant.inner.bucket)
    return _hash(["latents", VERSION, digest, *variant.geometry, *colours, key])


def mask_key(digest: str, variant: Variant) -> str:
    """Names a mask by the bytes it comes from and the part of it that is seen."""
    return _hash(["mask", VERSION, digest, *variant.geometry])


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
