"""What is made of images before they are learnt from: masks, draws that are kept, sizes in turn, kinds of concepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from modules.check.context import CheckContext
from modules.check.images.balance import ConceptShare, shares_of
from modules.check.wording import counted, first_items, share_of
from modules.data.buckets import resolutions_of
from modules.data.image.variants import variant_count
from modules.data.index import Index
from modules.data.source.perceptual_hash import PixelInfo
from modules.messages import Finding, Fix

MAX_OPAQUE = 0.001  # of the pixels: an image that has less that is transparent has no mask


def findings(
    context: CheckContext, index: Index, rows: Sequence[int], prints: Sequence[PixelInfo]
) -> Iterator[Finding]:
    """Yield what there is to say of an index with one row for each image, and of what was seen of some of its rows."""
    for share in shares_of(index):
        yield from _masks(context, index, share, rows, prints)
        yield from _variants(context, share)
        yield from _several_resolutions(context, share)
    yield from _kinds(context, index)


def _masks(
    context: CheckContext, index: Index, share: ConceptShare, rows: Sequence[int], prints: Sequence[PixelInfo]
) -> Iterator[Finding]:
    own = np.flatnonzero(index.concept_numbers == share.number)
    if share.concept.masks == "none":
        return
    if share.concept.masks == "file":
        bare = [int(row) for row in own if index.mask(int(row)) is None]
        how = "Put NAME-masklabel.png beside NAME.jpg"
    else:
        seen = dict(zip(rows, prints, strict=True))
        bare = [int(row) for row in own if row in seen and seen[int(row)].transparent_share <= MAX_OPAQUE]
        how = "Save them with transparency around the subject (PNG or WebP)"
    if not bare:
        return
    everything = len(bare) == len(own)
    yield Finding(
        "images.masks",
        "hurt" if everything else "know",
        f'{share_of(len(bare), len(own), "image")} of "{share.title}" have no mask.',
        f"They are learnt as a whole. {how}, or leave it so.",
        f"concepts.{share.number}.masks",
        [Fix("Go without masks", {f"concepts.{share.number}.masks": "none"})] if everything else [],
        items=first_items(index.file(row) for row in bare),
    )


def _variants(context: CheckContext, share: ConceptShare) -> Iterator[Finding]:
    """What chance in pictures becomes of with a cache: never silently frozen."""
    concept, path = share.concept, f"concepts.{share.number}.variants"
    if not concept.varies:
        return
    if context.family is not None and context.family.inpaints and concept.variants:
        return  # nothing of it is cached
    if concept.live:
        yield Finding(
            "images.live",
            "know",
            f'"{share.title}" is encoded anew at each showing.',
            "Crops, rotation and colours are drawn afresh each time. That takes time at each step and keeps the VAE in "
            "memory.",
            path,
            [Fix("Keep 8 draws of each image instead", {path: 8})],
        )
    elif concept.variants == 1:
        yield Finding(
            "images.frozen",
            "hurt",
            f'Crops, rotation and colours of "{share.title}" are drawn once and stay so for the whole run.',
            "One draw of each image is kept in the cache, so each epoch shows the same. More draws cost room on the "
            "disk and time before the training.",
            path,
            [Fix("Keep 4 draws of each image", {path: 4}), Fix("Encode anew at each showing", {path: 0})],
        )
    else:
        yield Finding(
            "images.variants",
            "know",
            f'{concept.variants} draws of each image of "{share.title}" are kept, and every showing takes one of them.',
            f"With flips that makes up to {counted(variant_count(concept) * share.images, 'picture')} in the cache. "
            "More draws vary more; 0 draws afresh at each showing and takes more time.",
            path,
        )


def _several_resolutions(context: CheckContext, share: ConceptShare) -> Iterator[Finding]:
    sizes = resolutions_of(context.preset, share.concept)
    if len(sizes) < 2:
        return
    yield Finding(
        "images.in-turn",
        "know",
        f'Each image of "{share.title}" is shown in {len(sizes)} resolutions ({", ".join(map(str, sizes))}), in turn.',
        f"It takes {counted(len(sizes), 'epoch')} at one repeat until each was shown in all of them. Each resolution "
        "has its own entries in the cache.",
        f"concepts.{share.number}.resolutions" if share.concept.resolutions else "training.resolutions",
    )


WORDS = {"class": "are class images", "prior": "hold the model to what it says now", "validation": "are only measured"}


def _kinds(context: CheckContext, index: Index) -> Iterator[Finding]:
    """Which images are not simply learnt from."""
    balance = context.preset.prior.balance
    images = index.images_of()
    counts = {
        kind: int(sum(images[n] for n, concept in enumerate(index.concepts) if concept.kind == kind)) for kind in WORDS
    }
    parts = [f"{counted(count, 'image')} {WORDS[kind]}" for kind, count in counts.items() if count]
    if not parts:
        return
    yield Finding(
        "images.kinds",
        "know",
        f"{'; '.join(parts)}.",
        ("Class and prior images together are shown as often as yours, however many there are. " if balance else "")
        + "What is only measured is never learnt from.",
        "concepts",
    )
