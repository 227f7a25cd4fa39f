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

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from modules.data.grouping import rows_by_number
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

    rows: Numbers  # (batches, batch size), uint32
    turns: Numbers  # likewise; those of fillings have FILLED set
    filled: int

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> list[Example]:
        return [
            Example(row, turn if turn < FILLED else FILL_REPEATS + turn - FILLED)
            for row, turn in zip(self.rows[i].tolist(), self.turns[i].tolist(), strict=True)
        ]


FILL_REPEATS = 1 << 40  # turns of fillings start here: more than repeats or samples can give one image
FILLED = 1 << 31  # which takes its place where turns have 32 bits


def epoch_length(index: Index, batch_size: int) -> int:
    """How many batches each epoch has."""
    return int(_batches_of_buckets(index, _shares(index), batch_size).sum())


def epoch_order(index: Index, batch_size: int, seed: int, epoch: int) -> EpochOrder:
    """The batches of an epoch, all of `batch_size` and each from one bucket; every showing that is due is in one."""
    base, shares = seed_of(seed, "order", epoch), _shares(index)
    wanted = _batches_of_buckets(index, shares, batch_size)
    rows, turns = (np.empty((int(wanted.sum()), batch_size), dtype=np.uint32) for _ in range(2))
    keys, start, filled = np.empty(len(rows), dtype=np.uint64), 0, 0
    # Bucket by bucket: a sort of few is faster, and takes less room.
    for batches, (own, due, again) in zip(wanted.tolist(), _due_by_bucket(index, shares, epoch), strict=True):
        if batches:
            part = slice(start, start + batches)
            rows[part], turns[part], keys[part] = _batches_of_one(own, due, again, (batches, batch_size), base)
            start, filled = start + batches, filled + batches * batch_size - len(due)
    places = np.argsort(keys, kind="stable")
    rows = rows[places]  # one after the other: the room of the first is free for the second
    return EpochOrder(rows, turns[places], filled)


def _batches_of_one(
    own: Numbers, rows: Numbers, turns: Numbers, shape: tuple[int, int], base: int
) -> tuple[Numbers, Numbers, Numbers]:
    """The batches of a bucket, whose rows are `own`: their rows, their turns, and the key of each.

    Real showings come before fillings, and either in the order of their keys.
    """
    due, missing = len(rows), shape[0] * shape[1] - len(rows)
    keys = _keys(base, rows, turns)
    order = _sorted(keys)
    rows, turns, keys = rows[order], turns[order], keys[order]
    if missing:
        more, again = _filling(own, missing, base)
        fill_keys = _keys(base, more, FILL_REPEATS + again)
        order = _sorted(fill_keys)
        rows, keys = np.concatenate([rows, more[order]]), np.concatenate([keys, fill_keys[order]])
        turns = np.concatenate([turns, (FILLED + again[order]).astype(np.uint32)])
    keys = keys.reshape(shape)
    real = np.clip(due - np.arange(shape[0]) * shape[1], 1, shape[1])
    drawn = (_mixed(keys[:, 0]) % real.astype(np.uint64)).astype(np.int64)
    return rows.reshape(shape), turns.reshape(shape), keys[np.arange(shape[0]), drawn]


def _sorted(keys: Numbers) -> Numbers:
    """As a stable argsort, in half the time."""
    order = np.argsort(keys)
    ascending = keys[order]
    if bool((ascending[1:] == ascending[:-1]).any()):  # the quick sort does not keep the order of equal ones
        order = np.argsort(keys, kind="stable")
    return order


def examples_per_epoch(concept: Concept, images: float) -> int:
    """How many images a concept shows an epoch: exactly `samples`, or repeats x images, rounded, at least one.

    `images`: of those with weights, the sum of these.
    """
    if not images:
        return 0
    return concept.samples or max(1, floor(images * concept.repeats + 0.5))


class _Share(NamedTuple):
    """What a concept shows an epoch: each of its rows so many times, and so many of its circle once more."""

    concept: int
    each: int
    more: int
    of_buckets: Numbers  # how many rows it has in each
    weighted: bool = False  # where each row is shown as its weight says


_KNOWN: WeakKeyDictionary[Index, list[_Share]] = WeakKeyDictionary()  # an index never changes


def _shares(index: Index) -> list[_Share]:
    """Those of the concepts that have rows and are learnt from."""
    if index not in _KNOWN:
        _KNOWN[index] = _counted(index)
    return _KNOWN[index]


def _counted(index: Index) -> list[_Share]:
    shape = len(index.concepts), len(index.buckets)
    counts = np.bincount(_places(index), minlength=shape[0] * shape[1] + 1)[:-1].reshape(shape)
    first = index.first_rows()
    images = np.bincount(index.concept_numbers[first[index.trained[first]]], minlength=shape[0])
    return [_share(index, n, int(images[n]), counts[n]) for n in np.flatnonzero(counts.sum(axis=1)).tolist()]


def _share(index: Index, number: int, images: int, of_buckets: Numbers) -> _Share:
    concept = index.concepts[number]
    if index.weights is not None and concept.weight_column:
        return _Share(number, 0, 0, of_buckets, weighted=True)
    return _Share(number, *divmod(examples_per_epoch(concept, images), int(of_buckets.sum())), of_buckets)


def _places(index: Index) -> Numbers:
    """A number of each row for its concept and bucket, and one above all others for those that are not learnt from."""
    many = len(index.buckets)
    one = not index.concept_numbers.any()
    numbers = index.bucket_numbers if one else index.concept_numbers * np.int32(many) + index.bucket_numbers
    return numbers if index.trained.all() else np.where(index.trained, numbers, len(index.concepts) * many)


def due_examples(index: Index, epoch: int) -> tuple[Numbers, Numbers]:
    """Rows and turns of everything that an epoch shows, before filling; bucket by bucket."""
    _, rows, turns = zip(*_due_by_bucket(index, _shares(index), epoch), strict=True)
    return np.concatenate(rows), np.concatenate(turns)


def due_of_buckets(index: Index) -> Numbers:
    """How many showings an epoch has of each bucket, before filling: the first one."""
    found = np.zeros(len(index.buckets), dtype=np.int64)
    for share in _shares(index):
        found += share.each * share.of_buckets
        found += np.bincount(index.bucket_numbers[_once_more(index, share, 0)[0]], minlength=len(found))
    return found


def _due_by_bucket(index: Index, shares: list[_Share], epoch: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """Of each bucket the rows that are learnt from, and rows and turns of what an epoch shows of them."""
    many = len(index.buckets)
    groups = rows_by_number(_places(index), len(index.concepts) * many + 1)
    extra = {share.concept: _by_bucket(index, *_once_more(index, share, epoch)) for share in shares}
    nothing = [np.empty(0, dtype=np.uint32)]
    for bucket in range(many):
        own, rows, turns = list(nothing), list(nothing), list(nothing)
        for share in shares:
            mine = groups[share.concept * many + bucket]
            own.append(mine)
            rows.append(np.tile(mine, share.each))
            turns.append(np.repeat(np.arange(share.each, dtype=np.uint32), len(mine)))
            more, again = extra[share.concept][bucket]
            rows.append(more)
            turns.append(again)
        yield np.concatenate(own), np.concatenate(rows), np.concatenate(turns)


def _by_bucket(index: Index, rows: Numbers, turns: Numbers) -> list[tuple[Numbers, Numbers]]:
    """Rows and turns in their order, by the buckets of the rows."""
    return [(rows[own], turns[own]) for own in rows_by_number(index.bucket_numbers[rows], len(index.buckets))]


def _once_more(index: Index, share: _Share, epoch: int) -> tuple[Numbers, Numbers]:
    """Rows and turns that come on top of those that every row has in an epoch."""
    if share.weighted:
        return _marked(index, share.concept, _members(index, share.concept), epoch)
    if not share.more:
        return np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.uint32)
    circle = _circle(index, _members(index, share.concept))
    rows = circle[(epoch * share.more + np.arange(share.more)) % len(circle)]
    return rows, np.full(share.more, share.each, dtype=np.uint32)


def _batches_of_buckets(index: Index, shares: list[_Share], batch_size: int) -> Numbers:
    """Batches of each bucket, enough for the epoch in which it needs most: (buckets,)."""
    most = np.zeros(len(index.buckets), dtype=np.int64)
    for share in shares:
        most += share.each * share.of_buckets
        if share.weighted:
            most += _most_marked(index, share.concept, _members(index, share.concept))
        elif share.more:
            of_circle = index.bucket_numbers[_circle(index, _members(index, share.concept))]
            for bucket in np.flatnonzero(share.of_buckets):
                most[bucket] += _most_in_a_window(of_circle == bucket, share.more)
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
    order = _by_bucket_and_key(index, members, keys)
    sizes = np.bincount(numbers)
    starts = np.cumsum(sizes) - sizes
    in_bucket = np.arange(len(members)) - starts[numbers[order]]
    offsets = _keys(seed_of("circle offset"), np.arange(len(sizes)), np.zeros(len(sizes), np.int64)) / 2.0**64
    spread = (in_bucket + offsets[numbers[order]]) / sizes[numbers[order]]
    place = np.argsort(spread, kind="stable")
    resolutions = by_image.shape[1]
    rounds = (in_bucket[place] + np.arange(resolutions)[:, None]) % resolutions  # (rounds, images)
    return by_image[order[place], rounds].ravel()


def _by_bucket_and_key(index: Index, rows: Numbers, keys: Numbers) -> Numbers:
    """The places of rows, bucket by bucket, and in each by their keys, of which no two are equal."""
    groups = rows_by_number(index.bucket_numbers[rows], len(index.buckets))
    return np.concatenate([own[np.argsort(keys[own])] for own in groups])


# Weights --------------------------------------------------------------------------------------------------------------

FINE = 24  # bits of a showing: marks and stretches are whole numbers of these, so that every machine counts the same


def _stretches(index: Index, number: int, members: Numbers) -> tuple[Numbers, Numbers]:
    """A concept's rows bucket by bucket, and where the stretch of each ends: a mark is 2**FINE long."""
    assert index.weights is not None
    keys = _keys(seed_of("circle"), members, np.zeros_like(members))
    rows = members[_by_bucket_and_key(index, members, keys)]
    ends = np.cumsum(index.weights[rows].astype(np.float64))
    images = ends[-1] * _images(index, members) / len(members)  # of several resolutions each has a share
    marks = examples_per_epoch(index.concepts[number], images)
    return rows, np.rint(ends * (marks / ends[-1]) * 2**FINE).astype(np.int64)


def _marked(index: Index, number: int, members: Numbers, epoch: int) -> tuple[Numbers, Numbers]:
    """The rows that an epoch shows, each as often as marks fall on its stretch, and their turns."""
    rows, ends = _stretches(index, number, members)
    counts = np.diff((ends + _shift(epoch)) >> FINE, prepend=0)
    starts = np.cumsum(counts) - counts
    return np.repeat(rows, counts), (np.arange(counts.sum()) - np.repeat(starts, counts)).astype(np.uint32)


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


def _filling(own: Numbers, missing: int, base: int) -> tuple[Numbers, Numbers]:
    """As many further showings of a bucket's rows as are missing, in a random order; and in which round each comes."""
    keys = _keys(base, own, 0)
    if missing < len(own):  # the first of them alone are to be sorted
        least = np.flatnonzero(keys <= np.partition(keys, missing - 1)[missing - 1])
        own = own[least[np.argsort(keys[least])]]
    else:
        own = own[np.argsort(keys)]  # no two are equal: one row gives one key
    again = np.arange(missing)
    return own[again % len(own)], again // len(own)


def _images(index: Index, rows: Numbers) -> int:
    """Of ascending rows: those of an image are neighbours. (`np.unique` hashes, and takes a thousand times as long.)"""
    return int(np.count_nonzero(np.diff(index.image_numbers[rows]))) + bool(len(rows))


def _members(index: Index, concept: int) -> Numbers:
    """The rows of a concept that are learnt from."""
    return np.flatnonzero(index.trained & (index.concept_numbers == concept)).astype(np.uint32)


def _keys(base: int, rows: Numbers, turns: Numbers | int) -> Numbers:
    """A random 64-bit number for each (base, row, turn), all at once."""
    return _mixed(_mixed(rows.astype(np.uint64) ^ np.uint64(base)) + np.asarray(turns).astype(np.uint64))


def _mixed(x: Numbers) -> Numbers:
    """SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64-bit numbers that scatters neighbours."""
    x = x + np.uint64(0x9E3779B97F4A7C15)  # an array of its own, which is then changed in place
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x ^= x >> np.uint64(shift)
        x *= np.uint64(factor)
    x ^= x >> np.uint64(31)
    return x
