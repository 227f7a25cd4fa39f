"""Masks on their way to training: read before it into the cache, looked up in it for each showing.

Shapes: B batch, H W pixel size, h w an eighth of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modules.data.cache.contents import Contents
from modules.data.cache.fill import BadRows, Report, pixels_to_tensor
from modules.data.cache.store import Cache, DamagedRecord
from modules.data.cache.streamed import StreamedContents
from modules.data.image.masks import FACTOR, Box, box_of, downscaled, open_mask
from modules.data.image.variants import (
    Content,
    Variant,
    box_key,
    content_of,
    is_masked,
    load_condition,
    load_masks,
    mask_key,
    variants_of,
)
from modules.data.image_errors import MissingImage, UnusableImage
from modules.data.index import Index, Item
from modules.data.source.file_hashes import FileHashes
from modules.data.source.parallel_read import Stop, map_in_threads
from modules.data.source.source import DataFile, reason_of
from modules.errors import UserError
from modules.preset.sections.concept import Concept
from modules.preset.sections.training import Masks
from modules.sentences.problem import Problem, problem


def contents_of(index: Index, plain: Contents, cache: Cache, report: Report, stop: Stop) -> tuple[Contents, BadRows]:
    """What each image holds, and its mask if its concept wants one; bad where the mask cannot be read.

    `plain`: the same without masks.
    """
    bad: BadRows = []
    masked: dict[int, Content] = {}
    has_masks = np.array([concept.masks != "none" for concept in index.concepts], dtype=bool)
    wanted = np.flatnonzero(has_masks[index.concept_numbers]).tolist()
    with FileHashes(cache.folder) as known:
        for done, row in enumerate(wanted):
            if stop():
                break
            try:
                masked[row] = content_of(index, row, plain[row].digest, known.of, partial(_box, cache))
            except OSError as error:
                bad.append((row, problem("reason.mask-unread", reason=reason_of(index.mask_file(row)[0], error))))
            except UnusableImage as error:
                bad.append((row, _reason(error)))
            if done % 100 == 0:
                report("stage.reading-masks", done, len(wanted))
    return plain.with_masks(masked), bad


def _concept(index: Index, row: int) -> Concept:
    return index.concepts[index.concept_numbers[row]]


def _box(cache: Cache, file: DataFile, alpha: bool, digest: str) -> Box | None:
    """Where a mask is white, looked up or found out."""
    key = box_key(digest)
    try:
        held: list[float] = cache.get(key)["box"].tolist()
    except (DamagedRecord, KeyError):
        held = list(box_of(open_mask(file, alpha=alpha)) or ())
        cache.put(key, {"box": torch.tensor(held, dtype=torch.float64)})
    return (held[0], held[1], held[2], held[3]) if held else None


def _reason(error: UnusableImage) -> Problem:
    return problem("reason.mask", reason=error.reason)


def fill_masks(index: Index, contents: Contents, cache: Cache, report: Report, stop: Stop) -> BadRows:
    """Keep what every variant of every image shows of its mask, where the cache lacks it."""
    if not any(concept.masks != "none" for concept in index.concepts):
        return []
    jobs = ((row, _missing(index[row], _concept(index, row), contents[row], cache)) for row in range(len(index)))
    missing = [(row, variants) for row, variants in jobs if variants]

    def decode(job: tuple[int, dict[str, Variant]]) -> list[np.ndarray] | Problem:
        row, variants = job
        try:
            return [downscaled(mask) for mask in load_masks(*index.mask_file(row), list(variants.values()))]
        except UnusableImage as error:
            return _reason(error)

    bad: BadRows = []
    for done, ((row, variants), found) in enumerate(zip(missing, map_in_threads(decode, missing, stop), strict=False)):
        report("stage.reading-masks", done + 1, len(missing))
        if isinstance(found, Problem):
            bad.append((row, found))
            continue
        for key, mask in zip(variants, found, strict=True):
            cache.put(key, {"mask": torch.from_numpy(mask)[None]})
    return bad


def _missing(item: Item, concept: Concept, content: Content, cache: Cache) -> dict[str, Variant]:
    """The variants, by key, whose mask the cache lacks. Those that differ only in colours share one."""
    if not content.mask:
        return {}
    variants = {mask_key(content.mask, variant): variant for variant in variants_of(item, concept, content)}
    return {key: variant for key, variant in variants.items() if key not in cache}


class MaskLoader:
    """Which regions of images count, and which are hidden from inpainting models."""

    def __init__(self, settings: Masks, cache: Cache, damaged: Callable[[], None]) -> None:
        """`damaged` is called where the cache lacks what it held."""
        self._settings, self._cache, self._damaged = settings, cache, damaged

    def of(
        self,
        index: Index,
        contents: Contents | StreamedContents,
        shown: Sequence[tuple[Item, Variant]],
        rng_keys: Sequence[tuple[int | str, ...]],
        *,
        pixels: bool,
    ) -> dict[str, Any]:
        """The fields of a batch that speak of masks. `pixels`: also those for inpainting.

        Raises:
            MissingImage: a mask is needed that cannot be read.
        """
        found: dict[str, Any] = {}
        masked = [
            is_masked(self._settings, contents[item.row], *at) for (item, _), at in zip(shown, rng_keys, strict=True)
        ]
        if any(masked):
            whole = torch.ones(1, *(side // FACTOR for side in shown[0][0].bucket))
            masks = [
                self._mask(index, contents[item.row], item, variant) if wanted else whole
                for (item, variant), wanted in zip(shown, masked, strict=True)
            ]
            found["masks_B1hw"] = torch.stack(masks)
        if pixels and any(masked):
            found["hidden"] = tuple(
                torch.tensor(_pixels(index, item, variant), dtype=torch.float32)[None] / 255 if wanted else None
                for (item, variant), wanted in zip(shown, masked, strict=True)
            )
        if pixels and any(item.condition for item, _ in shown):
            found["shown"] = tuple(_condition(item, variant) for item, variant in shown)
        return found

    def _mask(self, index: Index, content: Content, item: Item, variant: Variant) -> Tensor:
        """A mask at an eighth of the pixels, (1, h, w): from the cache, or from its file."""
        if not index.concepts[item.concept].live:
            try:
                return self._cache.get(mask_key(content.mask, variant))["mask"]
            except (DamagedRecord, KeyError):
                self._damaged()
        return torch.from_numpy(downscaled(_pixels(index, item, variant)))[None]


def _pixels(index: Index, item: Item, variant: Variant) -> np.ndarray:
    try:
        return load_masks(*index.mask_file(item.row), [variant])[0]
    except UserError as error:
        raise MissingImage(item.row) from error


def _condition(item: Item, variant: Variant) -> Tensor | None:
    try:
        return pixels_to_tensor([load_condition(item.condition, variant)])[0] if item.condition else None
    except UserError as error:
        raise MissingImage(item.row) from error
