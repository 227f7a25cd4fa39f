"""In which order images are shown: a pure function of (index, batch size, seed, epoch).

No iterator, no state: a resume asks for the same epoch and skips what was shown.

1. How often. A concept of n images shows T = round(n x repeats), or exactly `samples`, an epoch: each image T // n
   times, and T % n images once more. Those come from a fixed circle of the concept's images, where each epoch goes on
   where the last one stopped. So after any number of epochs no image of a concept was due more than once oftener than
   another. (Fillings, 3, come on top.) An image of R resolutions stands in the circle R times, a whole round apart, in
   another one of them each time.
   Images with weights: along a line of the concept's rows, bucket by bucket, each takes a stretch as long as its
   weight, and T marks stand at equal distances. An image is shown as often as marks fall on it. Each epoch the marks
   move by another share of their distance, which halves the gaps in turn; a bucket that is t marks long gets t of them,
   rounded up or down.
2. In which order. Every showing (row, turn) has a random key that depends on (seed, epoch, row, turn) alone. The
   showings of a bucket are sorted by their keys and cut into batches, and a batch stands in the epoch at the key of
   one of its showings. With one bucket, batch 4 x 1 and batch 1 x 4 accumulation therefore show the same images in the
   same steps. (The one is drawn: the first would let buckets of few images always come early.)
3. No batch is short. The last of a bucket is filled by showing images of that bucket again. The circle brings different
   numbers of a bucket in different epochs; a bucket always gets as many batches as it needs at most, so that each epoch
   has the same length, which is announced before it begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import NamedTuple

import numpy as np

from modules.data.index import Index
from modules.preset.sections.concept import Concept
from modules.system.seeds import seed_of

Numbers = np.ndarray


class Example(NamedTuple):
    """An image, for the `repeat`-th time in this epoch."""

    row: int
    repeat: int


@dataclass(frozen=True)
class EpochOrder:
    """The batches of an epoch. `filled` showings are there only to make batches whole."""

    rows: Numbers  # (batches, batch size)
    repeats: Numbers
    filled: int

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> list[Example]:
        return [
            Example(row, repeat) for row, repeat in zip(self.rows[i].tolist(), self.repeats[i].tolist(), strict=True)
        ]


def epoch_length(index: Index, batch_size: int) -> int:
    """How many batches each epoch has."""
    return int(_batches_of_buckets(index, batch_size).sum())


def epoch_order(index: Index, batch_size: int, seed: int, epoch: int) -> EpochOrder:
    """The batches of an epoch, all of `batch_size` and each from one bucket; every showing that is due is in one."""
    rows, repeats = due_examples(index, epoch)
    base = seed_of(seed, "order", epoch)
    wanted = _batches_of_buckets(index, batch_size) * batch_size
    fill_rows, fill_repeats = _filling(index, wanted - _count(index, rows), base)
    filled = np.repeat([False, True], [len(rows), len(fill_rows)])
    rows, repeats = np.concatenate([rows, fill_rows]), np.concatenate([repeats, fill_repeats])
    keys = _keys(base, rows, repeats)
    # By bucket, real showings before fillings, then by key. Every bucket now fills whole batches.
    order = _sorted_by(2 * index.bucket_numbers[rows] + filled, keys)
    shape = (-1, batch_size)
    rows, repeats, keys = rows[order].reshape(shape), repeats[order].reshape(shape), keys[order].reshape(shape)
    real = np.maximum((~filled[order]).reshape(shape).sum(axis=1), 1)
    drawn = (_mixed(keys[:, 0]) % real.astype(np.uint64)).astype(np.int64)
    places = np.argsort(keys[np.arange(len(keys)), drawn], kind="stable")
    return EpochOrder(rows[places], repeats[places], len(fill_rows))


def _sorted_by(groups: Numbers, keys: Numbers) -> Numbers:
    """As `np.lexsort((keys, groups))`, in a third of the time: by keys, and then by few groups without comparing."""
    order = np.argsort(keys)
    ascending = keys[order]
    if bool((ascending[1:] == ascending[:-1]).any()):  # the quick sort does not keep the order of equal ones
        order = np.argsort(keys, kind="stable")
    few = groups.astype(np.uint16) if len(groups) and int(groups.max()) < 1 << 16 else groups
    return order[np.argsort(few[order], kind="stable")]


def examples_per_epoch(concept: Concept, images: float) -> int:
    """How many images a concept shows an epoch: exactly `samples`, or repeats x images, rounded, at least one.

    `images`: of those with weights, the sum of these.
    """
    if not images:
        return 0
    return concept.samples or max(1, floor(images * concept.repeats + 0.5))


def due_examples(index: Index, epoch: int) -> tuple[Numbers, Numbers]:
    """Rows and turns of everything that an epoch shows, before filling."""
    rows: list[Numbers] = [np.empty(0, np.int64)]
    repeats: list[Numbers] = [np.empty(0, np.int64)]
    for number, members in _members(index):
        if _is_weighted(index, number):
            own, turns = _marked(index, number, members, epoch)
            rows.append(own)
            repeats.append(turns)
            continue
        each, more = divmod(examples_per_epoch(index.concepts[number], _images(index, members)), len(members))
        rows.append(np.tile(members, each))
        repeats.append(np.repeat(np.arange(each), len(members)))
        if more:
            start = epoch * more % len(members)
            window = (start + np.arange(more)) % len(members)
            rows.append(_circle(index, members)[window])
            repeats.append(np.full(more, each))
    return np.concatenate(rows), np.concatenate(repeats)


def _batches_of_buckets(index: Index, batch_size: int) -> Numbers:
    """Batches of each bucket, enough for the epoch in which it needs most: (buckets,)."""
    most = np.zeros(len(index.buckets), dtype=np.int64)
    for number, members in _members(index):
        if _is_weighted(index, number):
            most += _most_marked(index, number, members)
            continue
        each, more = divmod(examples_per_epoch(index.concepts[number], _images(index, members)), len(members))
        most += each * _count(index, members)
        if more:
            of_circle = index.bucket_numbers[_circle(index, members)]
            for bucket in np.unique(of_circle):
                most[bucket] += _most_in_a_window(of_circle == bucket, more)
    return -(-most // batch_size)


def _most_in_a_window(marks: Numbers, length: int) -> int:
    """The most marks that any `length` neighbours on a circle hold."""
    sums = np.concatenate([[0], np.cumsum(np.concatenate([marks, marks[: length - 1]]))])
    return int((sums[length:] - sums[:-length]).max())


def _circle(index: Index, rows: Numbers) -> Numbers:
    """A concept's rows in a fixed random order in which each bucket is spread evenly, and each image of a round too."""
    by_image = rows.reshape(_images(index, rows), -1)  # (images, resolutions)
    members = by_image[:, 0]
    keys = _keys(seed_of("circle"), members, np.zeros_like(members))
    numbers = index.bucket_numbers[members]
    order = np.lexsort((keys, numbers))
    sizes = np.bincount(numbers)
    starts = np.cumsum(sizes) - sizes
    in_bucket = np.arange(len(members)) - starts[numbers[order]]
    offsets = _keys(seed_of("circle offset"), np.arange(len(sizes)), np.zeros(len(sizes), np.int64)) / 2.0**64
    spread = (in_bucket + offsets[numbers[order]]) / sizes[numbers[order]]
    place = np.argsort(spread, kind="stable")
    resolutions = by_image.shape[1]
    rounds = (in_bucket[place] + np.arange(resolutions)[:, None]) % resolutions  # (rounds, images)
    return by_image[order[place], rounds].ravel()


# Weights --------------------------------------------------------------------------------------------------------------

FINE = 24  # bits of a showing: marks and stretches are whole numbers of these, so that every machine counts the same


def _is_weighted(index: Index, number: int) -> bool:
    return index.weights is not None and bool(index.concepts[number].weight_column)


def _stretches(index: Index, number: int, members: Numbers) -> tuple[Numbers, Numbers]:
    """A concept's rows bucket by bucket, and where the stretch of each ends: a mark is 2**FINE long."""
    assert index.weights is not None
    keys = _keys(seed_of("circle"), members, np.zeros_like(members))
    rows = members[_sorted_by(index.bucket_numbers[members], keys)]
    ends = np.cumsum(index.weights[rows].astype(np.float64))
    images = ends[-1] * _images(index, members) / len(members)  # of several resolutions each has a share
    marks = examples_per_epoch(index.concepts[number], images)
    return rows, np.rint(ends * (marks / ends[-1]) * 2**FINE).astype(np.int64)


def _marked(index: Index, number: int, members: Numbers, epoch: int) -> tuple[Numbers, Numbers]:
    """The rows that an epoch shows, each as often as marks fall on its stretch, and their turns."""
    rows, ends = _stretches(index, number, members)
    counts = np.diff((ends + _shift(epoch)) >> FINE, prepend=0)
    starts = np.cumsum(counts) - counts
    return np.repeat(rows, counts), np.arange(counts.sum()) - np.repeat(starts, counts)


def _shift(epoch: int) -> int:
    """How far the marks have moved: 0, 1/2, 1/4, 3/4, 1/8, ... of their distance (van der Corput's sequence)."""
    return int(f"{epoch % (1 << FINE):0{FINE}b}"[::-1], 2)


def _most_marked(index: Index, number: int, members: Numbers) -> Numbers:
    """The most marks that fall on each bucket in any epoch."""
    rows, ends = _stretches(index, number, members)
    lengths = np.zeros(len(index.buckets), dtype=np.int64)
    buckets = index.bucket_numbers[rows]
    last = np.flatnonzero(np.diff(buckets, append=-1) != 0)
    lengths[buckets[last]] = np.diff(ends[last], prepend=0)
    return -(-lengths >> FINE)


# Fillings -------------------------------------------------------------------------------------------------------------


def _filling(index: Index, missing: Numbers, base: int) -> tuple[Numbers, Numbers]:
    """For each bucket as many further showings as are missing: its images again, in a random order, as later turns."""
    rows: list[Numbers] = [np.empty(0, np.int64)]
    repeats: list[Numbers] = [np.empty(0, np.int64)]
    by_bucket = index.bucket_rows()
    for bucket in np.flatnonzero(missing):
        own = by_bucket[index.buckets[bucket]]
        own = own[index.trained[own]]
        own = own[np.argsort(_keys(base, own, np.zeros_like(own)), kind="stable")]
        again = np.arange(missing[bucket])
        rows.append(own[again % len(own)])
        repeats.append(FILL_REPEATS + again // len(own))
    return np.concatenate(rows), np.concatenate(repeats)


FILL_REPEATS = 1 << 40  # turns of fillings start here: more than repeats or samples can give one image


def _images(index: Index, rows: Numbers) -> int:
    """Of ascending rows: those of an image are neighbours. (`np.unique` hashes, and takes a thousand times as long.)"""
    return int(np.count_nonzero(np.diff(index.image_numbers[rows]))) + bool(len(rows))


def _members(index: Index) -> list[tuple[int, Numbers]]:
    """The rows of each concept that has any and is learnt from."""
    order = np.argsort(index.concept_numbers, kind="stable")
    order = order[index.trained[order]]
    numbers, starts = np.unique(index.concept_numbers[order], return_index=True)
    return [(int(n), rows) for n, rows in zip(numbers, np.split(order, starts[1:]), strict=False)]


def _count(index: Index, rows: Numbers) -> Numbers:
    return np.bincount(index.bucket_numbers[rows], minlength=len(index.buckets))


def _keys(base: int, rows: Numbers, repeats: Numbers) -> Numbers:
    """A random 64-bit number for each (base, row, turn), all at once."""
    return _mixed(_mixed(rows.astype(np.uint64) ^ np.uint64(base)) + repeats.astype(np.uint64))


def _mixed(x: Numbers) -> Numbers:
    """SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64-bit numbers that scatters neighbours."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
