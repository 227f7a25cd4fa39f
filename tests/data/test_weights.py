"""Images with weights: each as often as its weight says, in epochs of one length, and nothing drawn otherwise."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from modules.data.balance import balanced
from modules.data.index import WEIGHTED, Index
from modules.data.order import FILLED, epoch_length, epoch_order
from modules.preset.sections.concept import Concept
from tests.data.pictures import index_of


def weighted(weights: list[float], buckets: int = 3, resolutions: int = 1, **settings: float) -> Index:
    """One concept; with several resolutions, rows of an image follow one another."""
    concept = Concept.model_validate({"weight_column": "weight", **settings})
    rows = [(0, (image + turn) % buckets) for image in range(len(weights)) for turn in range(resolutions)]
    plain = index_of(*rows, concepts=(concept,))
    column = np.repeat(np.array(weights, dtype=np.float32), resolutions)
    images = np.repeat(np.arange(len(weights), dtype=np.int32), resolutions)
    table = plain.table.set_column(5, "image", [images]).append_column(WEIGHTED.field("weight"), [column])
    return Index(table, plain.concepts, plain.sources, plain.buckets)


def shown(index: Index, epoch: int, batch: int = 1) -> Counter[int]:
    """How often each image is shown, fillings apart."""
    order = epoch_order(index, batch, seed=1, epoch=epoch)
    pairs = zip(order.rows.ravel().tolist(), order.turns.ravel().tolist(), strict=True)
    return Counter(int(index.image_numbers[row]) for row, turn in pairs if turn < FILLED)


def test_an_image_is_shown_as_often_as_its_weight() -> None:
    index = weighted([1, 3, 0.5, 0.5, 2])
    assert sum((shown(index, epoch) for epoch in range(2)), Counter()) == Counter({0: 2, 1: 6, 2: 1, 3: 1, 4: 4})


@pytest.mark.parametrize("resolutions", [1, 2])
@pytest.mark.parametrize("repeats", [1.0, 0.3, 2.5])
def test_fractions_have_their_turn(repeats: float, resolutions: int) -> None:
    weights = [0.1, 0.2, 0.7, 1.0, 1.3, 2.6, 0.05, 4.05]
    index, total, epochs = weighted(weights, resolutions=resolutions, repeats=repeats), Counter[int](), 64
    each = max(1, int(sum(weights) * repeats + 0.5)) / sum(weights)
    for epoch in range(epochs):
        total += shown(index, epoch)
    for image, weight in enumerate(weights):
        assert total[image] == pytest.approx(epochs * weight * each, abs=1.5 * resolutions)


@pytest.mark.parametrize("batch", [1, 4])
def test_every_epoch_has_the_length_that_was_announced(batch: int) -> None:
    index = weighted([0.1 * (image % 13 + 1) for image in range(50)], buckets=5, repeats=0.7)
    lengths = {len(epoch_order(index, batch, 1, epoch)) for epoch in range(40)}
    assert lengths == {epoch_length(index, batch)}


def test_images_per_epoch_are_exact_and_drawn_by_weight() -> None:
    index = weighted([1.0, 2.0, 5.0], samples=80)
    assert shown(index, 3) == Counter({0: 10, 1: 20, 2: 50})


def test_equal_weights_are_as_repeats() -> None:
    index = weighted([2.0] * 12)
    assert shown(index, 5, batch=4) == Counter(dict.fromkeys(range(12), 2))


def test_other_concepts_are_drawn_as_without_weights_anywhere() -> None:
    members = [(image % 2, image * image % 3) for image in range(41)]
    plain = index_of(*members, concepts=(Concept(repeats=1.5), Concept(repeats=0.4)))
    column = np.full(41, 7, dtype=np.float32)
    index = Index(
        plain.table.append_column(WEIGHTED.field("weight"), [column]), plain.concepts, plain.sources, plain.buckets
    )
    for epoch in range(3):
        before, now = (epoch_order(each, 2, 9, epoch) for each in (plain, index))
        assert np.array_equal(before.rows, now.rows) and np.array_equal(before.turns, now.turns)


def test_class_images_are_balanced_against_the_sum_of_weights() -> None:
    concepts = [Concept(weight_column="weight"), Concept(kind="class")]
    assert [each.samples for each in balanced(concepts, [7.5, 100])] == [0, 8]
