from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest

from modules.data import grouping
from modules.data.index import Index
from modules.data.order import FILL_REPEATS, FILLED, EpochOrder, _sorted, epoch_length, epoch_order  # pyright: ignore[reportPrivateUsage]
from modules.preset.sections.concept import Concept
from tests.data.pictures import index_of


def flat(order: EpochOrder) -> list[tuple[int, int]]:
    return [tuple(showing) for i in range(len(order)) for showing in order[i]]


def due_examples(order: EpochOrder) -> Counter[int]:
    """How often each row is shown, fillings apart."""
    return Counter(row for row, repeat in flat(order) if repeat < FILL_REPEATS)


def mixed(count: int = 37, buckets: int = 4, **concept: Any) -> Index:
    return index_of(*((0, i * i % buckets) for i in range(count)), concepts=(Concept.model_validate(concept),))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_every_image_is_shown_and_no_batch_mixes_buckets(batch_size: int) -> None:
    index = mixed(buckets=5)
    order = epoch_order(index, batch_size, seed=1, epoch=0)
    assert due_examples(order) == Counter(range(37))
    assert len(order) == epoch_length(index, batch_size)
    assert all(len(order[i]) == batch_size for i in range(len(order)))
    assert all(len({index[row].bucket for row, _ in order[i]}) == 1 for i in range(len(order)))
    assert order.filled == len(order) * batch_size - 37


def test_no_showing_comes_twice() -> None:
    order = epoch_order(mixed(repeats=2.5), 8, seed=1, epoch=3)
    assert len(set(flat(order))) == len(flat(order))


def test_the_same_epoch_has_the_same_order_and_others_have_others() -> None:
    index = mixed()
    assert flat(epoch_order(index, 2, 1, 4)) == flat(epoch_order(index, 2, 1, 4))
    orders = {tuple(flat(epoch_order(index, 2, seed, epoch))) for seed in (1, 2) for epoch in range(5)}
    assert len(orders) == 10


def test_with_one_bucket_batch_4_and_4_batches_of_1_show_the_same() -> None:
    index = mixed(36, buckets=1, repeats=3)
    for epoch in range(3):
        assert flat(epoch_order(index, 4, 9, epoch)) == flat(epoch_order(index, 1, 9, epoch))


def test_repeats_show_each_image_as_often() -> None:
    assert due_examples(epoch_order(mixed(repeats=3), 1, 1, 0)) == Counter({row: 3 for row in range(37)})


@pytest.mark.parametrize("share", [0.5, 0.3, 1.25, 0.01])
def test_a_share_goes_round_so_that_all_images_are_shown_equally_often(share: float) -> None:
    index, total = mixed(repeats=share), Counter[int]()
    for epoch in range(60):
        total += due_examples(epoch_order(index, 4, seed=1, epoch=epoch))
        seen = [total[row] for row in range(37)]
        assert max(seen) - min(seen) <= 1


def test_samples_are_exact_and_go_round() -> None:
    index, total = mixed(samples=50), Counter[int]()
    for epoch in range(37):
        counts = due_examples(epoch_order(index, 4, seed=1, epoch=epoch))
        assert counts.total() == 50
        total += counts
    assert set(total.values()) == {50}


@pytest.mark.parametrize("share", [1.0, 0.4, 2.7])
@pytest.mark.parametrize("batch_size", [1, 4, 5])
def test_every_epoch_is_as_long_as_announced(share: float, batch_size: int) -> None:
    concepts = (Concept(repeats=share), Concept(samples=7), Concept(repeats=0.1))
    index = index_of(*((i % 3, i * i % 7 % 4) for i in range(50)), concepts=concepts)
    lengths = {len(epoch_order(index, batch_size, 3, epoch)) for epoch in range(40)}
    assert lengths == {epoch_length(index, batch_size)}


def test_a_bucket_smaller_than_a_batch_is_filled_with_its_own_images() -> None:
    order = epoch_order(index_of((0, 0), (0, 0), (0, 0)), 8, seed=1, epoch=0)
    assert len(order) == 1
    assert order.filled == 5
    assert set(due_examples(order)) == {0, 1, 2}
    assert max(Counter(row for row, _ in flat(order)).values()) == 3


def test_few_of_a_bucket_come_neither_early_nor_late_as_a_rule() -> None:
    index = index_of(*([(0, 0)] * 4 + [(0, 1)] * 96))
    places = [
        next(i for i in range(25) if order[i][0].row < 4)
        for order in (epoch_order(index, 4, seed, 0) for seed in range(300))
    ]
    assert 10 < np.mean(places) < 14


def test_concepts_that_are_off_have_no_showings_and_disturb_nobody() -> None:
    one = index_of(*((0, 0) for _ in range(8)))
    other = index_of(*((1, 0) for _ in range(8)), concepts=(Concept(enabled=False), Concept()))
    assert flat(epoch_order(one, 2, 5, 0)) == flat(epoch_order(other, 2, 5, 0))


def test_a_million_images_are_ordered_in_columns() -> None:
    rows = np.arange(200_000)
    index = index_of(*((0, int(b)) for b in rows % 17))
    order = epoch_order(index, 8, 1, 0)
    assert sorted(order.rows[order.turns < FILLED].tolist()) == rows.tolist()


def test_a_sort_without_comparing_and_a_quick_one_give_what_stable_sorts_give(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    monkeypatch.setattr(grouping, "AT_ONCE", 1000)  # so that rows lie in several parts
    for most in (3, 1 << 63):  # with equal keys, and without
        keys = draw.integers(0, most, 4000).astype(np.uint64)
        assert (_sorted(keys) == np.argsort(keys, kind="stable")).all()
    for groups in (1, 5, 1 << 17):
        numbers = draw.integers(0, groups, 4000)
        found = grouping.rows_by_number(numbers, groups + 1)
        assert (np.concatenate(found) == np.argsort(numbers, kind="stable")).all()
        assert [len(rows) for rows in found] == np.bincount(numbers, minlength=groups + 1).tolist()
    assert grouping.rows_by_number(np.empty(0, dtype=np.int64), 2)[1].tolist() == []


def test_the_order_is_that_of_every_run_so_far() -> None:
    """A run that goes on shows what it would have shown: whatever is made faster, these numbers stay."""
    settings = ({"repeats": 2.5}, {"samples": 11}, {"kind": "validation"})
    concepts = tuple(Concept.model_validate(each) for each in settings)
    index = index_of(*((i % 3, i * i % 5) for i in range(200)), concepts=concepts).with_held_out([3, 4, 5])
    shown = [flat(epoch_order(index, batch_size, 7, epoch)) for batch_size in (1, 4) for epoch in range(3)]
    assert blake2b(repr(shown).encode(), digest_size=8).hexdigest() == "c29707581babcaa9"
