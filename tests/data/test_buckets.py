from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from modules.data.buckets import buckets, nearest_buckets, step_of
from modules.errors import UserError


@pytest.mark.parametrize(("resolution", "step"), [(1024, 64), (512, 64), (768, 64), (128, 8), (1000, 64), (64, 8)])
def test_sides_are_steps_and_no_bucket_is_larger_than_the_square(resolution: int, step: int) -> None:
    shapes = buckets(resolution, step)
    square = resolution // step * step
    assert (square, square) in shapes
    for height, width in shapes:
        assert height % step == width % step == 0
        assert 0.7 * square**2 < height * width <= square**2
        assert max(height, width) <= min(2 * resolution, 4 * min(height, width))
        assert (width, height) in shapes
    assert len(set(shapes)) == len(shapes)


def test_1024_has_the_shapes_that_sdxl_was_made_for() -> None:
    assert {(832, 1216), (1216, 832), (896, 1152), (768, 1344), (1024, 1024)} <= set(buckets(1024, 64))


def test_a_small_resolution_gets_a_fine_step_and_many_shapes() -> None:
    assert step_of(128, 64, 8) == 8
    assert step_of(256, 64, 8) == 64
    assert len(buckets(128, step_of(128, 64, 8))) >= 15


def test_a_longest_side_leaves_out_longer_buckets() -> None:
    assert max(max(shape) for shape in buckets(1024, 64, 1344)) == 1344


def test_a_turned_image_lands_in_the_transposed_bucket() -> None:
    shapes = buckets(1024, 64)
    widths, heights = np.random.default_rng(1).integers(1, 5000, (2, 2000))
    upright, turned = nearest_buckets(widths, heights, shapes), nearest_buckets(heights, widths, shapes)
    assert all(shapes[one] == shapes[other][::-1] for one, other in zip(upright, turned, strict=True))


def nearest_bucket(width: int, height: int, shapes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return shapes[int(nearest_buckets(np.array([width]), np.array([height]), shapes)[0])]


def test_the_distance_is_in_log_aspect_ratio() -> None:
    # In plain ratio 1.0 is nearer to 1.4 than 2.0 is; by logarithm sqrt(2) is the border.
    shapes = ((10, 10), (10, 20), (20, 10))
    assert nearest_bucket(141, 100, shapes) == (10, 10)
    assert nearest_bucket(142, 100, shapes) == (10, 20)
    assert nearest_bucket(100, 142, shapes) == (20, 10)


def test_buckets_themselves_are_met_exactly() -> None:
    shapes = buckets(512, 64)
    assert all(nearest_bucket(width, height, shapes) == (height, width) for height, width in shapes)


def test_of_equally_near_buckets_the_one_nearer_to_a_square_is_taken() -> None:
    assert nearest_bucket(2, 1, ((10, 40), (10, 10), (40, 10))) == (10, 10)


def test_extreme_images_get_the_most_extreme_bucket() -> None:
    assert nearest_bucket(10_000, 10, buckets(512, 64)) == (256, 1024)


def test_sizes_that_make_no_bucket_are_refused_in_words() -> None:
    with pytest.raises(UserError, match="too small"):
        buckets(4, 8)
    with pytest.raises(UserError, match="shorter than the resolution"):
        buckets(1024, 64, 512)
