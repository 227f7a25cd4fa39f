"""How much each concept counts in an epoch, and which images it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modules.check.wording import part_of
from modules.data.index import Index
from modules.data.made_images import made_rows
from modules.data.order import examples_per_epoch
from modules.messages import Finding
from modules.preset.sections.concept import Concept
from modules.sentences.render import fix
from modules.system.bundled import is_bundled

UNEVEN = 4  # times as often
VERY_UNEVEN = 10
MOSTLY = 0.5  # of the images


@dataclass(frozen=True)
class ConceptShare:
    """A concept in an epoch."""

    number: int  # in the preset
    concept: Concept
    title: str
    images: int
    examples: int


def findings(index: Index) -> Iterator[Finding]:
    """Yield what there is to say of an index that has images."""
    shares = shares_of(index)
    yield from _examples(shares)
    yield from _weighted(index, shares)
    yield from _uneven(shares)
    first = index.first_rows()
    own = index.concept_numbers[first][made_rows(index)[first]]
    made = np.bincount(own, minlength=len(index.concepts))
    for share in shares:
        yield from _single(share)
        yield from _made(share, made)
        yield from _left_out(share)


def shares_of(index: Index) -> list[ConceptShare]:
    """Every concept that has images, in the preset's order."""
    images, shown = index.images_of(), index.shown_of()
    return [
        ConceptShare(
            n,
            concept,
            concept.name or index.sources[n].title,
            int(images[n]),
            examples_per_epoch(concept, float(shown[n])),
        )
        for n, concept in enumerate(index.concepts)
        if images[n]
    ]


def _examples(shares: list[ConceptShare]) -> Iterator[Finding]:
    """The images of the tutorial, beside pictures of the user's own."""
    trained = [share for share in shares if share.concept.kind == "train"]
    bundled = [share for share in trained if is_bundled(share.concept.path)]
    if bundled and len(bundled) < len(trained):
        off = {f"concepts.{share.number}.enabled": False for share in bundled}
        yield Finding(
            "images.example", "warning", f"concepts.{bundled[0].number}.enabled", {"concept": bundled[0].title},
            [fix("fix.no-example", off)],
        )  # fmt: skip


def _weighted(index: Index, shares: list[ConceptShare]) -> Iterator[Finding]:
    """How often the images of a concept come, where each has a weight."""
    for share in shares:
        if index.weights is None or not share.concept.weight_column:
            continue
        own = index.weights[index.concept_numbers == share.number]
        each = share.examples / float(index.shown_of()[share.number])
        values = {
            "concept": share.title, "images": share.images, "shown": share.examples,
            "least": float(own.min()) * each, "most": float(own.max()) * each,
        }  # fmt: skip
        yield Finding("images.weights", "info", f"concepts.{share.number}.weight_column", values)


def _uneven(shares: list[ConceptShare]) -> Iterator[Finding]:
    shares = [share for share in shares if share.concept.kind == "train"]
    if not shares:
        return
    most, least = max(shares, key=lambda s: s.examples), min(shares, key=lambda s: s.examples)
    times = most.examples / least.examples
    if times < UNEVEN:
        return
    changes: dict[str, object] = {}
    for share in shares:
        if share.examples * 2 < most.examples:
            changes |= _shown(share, most.examples)
    yield Finding(
        "images.balance",
        "warning" if times >= VERY_UNEVEN else "info",
        f"concepts.{least.number}.repeats",
        {
            "most": most.title,
            "least": least.title,
            "times": times,
            "most_shown": most.examples,
            "least_shown": least.examples,
        },
        [fix("fix.balance", changes)],
        bars=[(share.title, float(share.examples)) for share in shares],
        unit="times an epoch",
    )


def _shown(share: ConceptShare, examples: int) -> dict[str, object]:
    """Settings that show a concept so often in an epoch."""
    repeats = round(examples / share.images, 3)
    if share.concept.samples or repeats > 10_000:
        return {f"concepts.{share.number}.samples": examples}
    return {f"concepts.{share.number}.repeats": repeats}


def _made(share: ConceptShare, made: np.ndarray) -> Iterator[Finding]:
    """Most images to learn from were drawn by a model: what keeps it as it was may be."""
    count = int(made[share.number])
    if share.concept.kind == "train" and count > MOSTLY * share.images:
        values = {**part_of(count, share.images), "concept": share.title}
        yield Finding("images.made", "warning", f"concepts.{share.number}.path", values)


def _single(share: ConceptShare) -> Iterator[Finding]:
    if share.images == 1:
        yield Finding("images.single", "warning", f"concepts.{share.number}.path", {"concept": share.title})


def _left_out(share: ConceptShare) -> Iterator[Finding]:
    """A concept of which an epoch shows only a part. What the whole run never shows is said in run_length.py."""
    if share.examples >= share.images or share.concept.kind != "train":
        return
    changes = {f"concepts.{share.number}.samples": 0, f"concepts.{share.number}.repeats": 1.0}
    changes = {path: value for path, value in changes.items() if value or share.concept.samples}
    yield Finding(
        "images.left-out",
        "info",
        f"concepts.{share.number}.{'samples' if share.concept.samples else 'repeats'}",
        {
            "concept": share.title,
            "shown": share.examples,
            "images": share.images,
            "epochs": share.images / share.examples,
        },
        [fix("fix.show-all", changes, concept=share.title)],
    )
