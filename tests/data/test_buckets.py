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


def test_a_longest_side_shortens_longer_buckets() -> None:
    shapes = buckets(1024, 64, 1344)
    assert max(max(shape) for shape in shapes) == 1344
    assert {(768, 1344), (704, 1344), (384, 1344)} <= set(shapes)
    assert {(1024, 768), (512, 1024), (256, 1024)} <= set(buckets(1024, 64, 1024))


@pytest.mark.parametrize(("resolution", "step"), [(side, step) for side in range(64, 1100, 12) for step in (8, 64)])
def test_without_a_longest_side_the_buckets_are_those_of_older_caches(resolution: int, step: int) -> None:
    square = resolution // step * step
    sides = [(short, square * square // short // step * step) for short in range(step, square, step)]
    long = {pair for pair in sides if pair[1] <= min(2 * resolution, 4 * pair[0])}
    assert set(buckets(resolution, step)) == {(square, square)} | long | {pair[::-1] for pair in long}


def of_kohya(side: int, longest: int) -> list[tuple[int, int]]:
    """The rule of sd-scripts (make_bucket_resolutions, with its smallest side of 256), as height and width."""
    sides = range(256, longest + 1, 64)
    pairs = [(one, min(longest, side * side // one // 64 * 64)) for one in sides]
    kept = [(one, other) for one, other in pairs if other >= 256]
    return sorted({(side, side), *kept, *((other, one) for one, other in kept)})


def mean_crop(widths: np.ndarray, heights: np.ndarray, shapes: Sequence[tuple[int, int]], chosen: np.ndarray) -> float:
    """The share of their area that images lose in the buckets chosen for them."""
    ratios = np.array([width / height for height, width in shapes])[chosen] / (widths / heights)
    return float(1 - np.minimum(ratios, 1 / ratios).mean())


@pytest.mark.parametrize(
    ("side", "longest", "kohya", "here"),
    [
        (512, 1024, 6.3, 7.4),
        (768, 1024, 3.7, 4.4),
        (768, 2048, 3.9, 5.1),
        (1024, 1024, 2.5, 2.5),
        (1024, 2048, 2.8, 3.6),
    ],
)
def test_a_longest_side_crops_hardly_more_than_kohya_does(side: int, longest: int, kohya: float, here: float) -> None:
    """Percent of the area, of images up to 2.2:1. Kohya has more buckets, and with them more batches that are short."""
    random = np.random.default_rng(0)
    aspects = np.exp(random.uniform(-np.log(2.2), np.log(2.2), 4000))
    widths = (2000 * np.sqrt(aspects)).astype(np.int64)
    heights = (2000 / np.sqrt(aspects)).astype(np.int64)
    kohyas, ours = of_kohya(side, longest), buckets(side, 64, longest)
    ratios = np.array([width / height for height, width in kohyas])
    theirs = mean_crop(widths, heights, kohyas, np.abs((widths / heights)[:, None] - ratios).argmin(1))
    own = mean_crop(widths, heights, ours, nearest_buckets(widths, heights, ours))
    assert (round(100 * theirs, 1), round(100 * own, 1)) == (kohya, here)


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
