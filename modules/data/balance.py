"""Class and prior images as often as the images that they go with, however many of them there are."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from modules.data.order import examples_per_epoch
from modules.preset.sections.concept import Concept

PRIOR_KINDS = ("class", "prior")  # the kinds of concepts that keep what a model knows


def balanced(concepts: Sequence[Concept], images: Sequence[float]) -> list[Concept]:
    """The concepts, with those of kinds "class" and "prior" shown, all together, as often as those of kind "train".

    Among themselves they keep their shares. `images` are the numbers of images of each, or the sums of their weights.
    All images have their turn, in the epochs that follow one another. (kohya repeats class images until they are as
    many as the others, and leaves the rest out where there are more.)
    """
    shown = [examples_per_epoch(concept, count) for concept, count in zip(concepts, images, strict=True)]
    wanted = sum(many for concept, many in zip(concepts, shown, strict=True) if concept.kind == "train")
    total = sum(many for concept, many in zip(concepts, shown, strict=True) if concept.kind in PRIOR_KINDS)
    if not wanted or not total:
        return list(concepts)
    return [
        concept.model_copy(update={"samples": max(1, floor(wanted * many / total + 0.5))})
        if concept.kind in PRIOR_KINDS and many
        else concept
        for concept, many in zip(concepts, shown, strict=True)
    ]
