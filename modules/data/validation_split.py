"""Which images are held out of the training, to measure on: a function of the index alone, whatever the seed."""

from __future__ import annotations

from math import floor

from modules.data.index import Index
from modules.preset.sections.validation import Validation
from modules.system.seeds import seed_of


def with_held_out(index: Index, settings: Validation) -> Index:
    """The index that knows what is not learnt from: a share of each training concept, at least one image of two.

    Nothing is held out where there are images of the kind validation, or nothing is measured.
    """
    if not settings.enabled or len(index.of_kind("validation")):
        return index
    held: list[int] = []
    rows = index.first_rows()
    for number, concept in enumerate(index.concepts):
        own = rows[index.concept_numbers[rows] == number].tolist()
        if concept.kind != "train" or len(own) < 2:
            continue
        own.sort(key=lambda row: seed_of("held out", index.key(row)))
        count = max(1, floor(len(own) * settings.share + 0.5))
        held += [int(index.image_numbers[row]) for row in own[:count]]
    return index.with_held_out(held)
