"""What is done to a mask, pixel by pixel."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modules.masking.operations import Mask, Operations, filled, grown, is_empty, is_full, joined, largest
from modules.masking.regions import Regions

NOTHING = Operations(threshold=0)


def mask(*rows: str) -> Mask:
    """# is white."""
    return np.array([[255 * (letter == "#") for letter in row] for row in rows], dtype=np.uint8)


def same(found: Mask, *rows: str) -> bool:
    return found.dtype == np.uint8 and np.array_equal(found, mask(*rows))


def test_a_threshold_of_none_keeps_soft_edges() -> None:
    soft = np.array([[0, 100, 127, 128, 255]], dtype=np.uint8)
    assert np.array_equal(NOTHING.apply(soft), soft)
    assert np.array_equal(Operations(threshold=0.5).apply(soft), [[0, 0, 0, 255, 255]])
    assert np.array_equal(Operations(threshold=0.3).apply(soft), [[0, 255, 255, 255, 255]])


def test_white_grows_and_shrinks_by_pixels() -> None:
    dot = mask(".....", ".....", "..#..", ".....", ".....")
    assert same(grown(dot, 1), ".....", ".###.", ".###.", ".###.", ".....")
    assert same(grown(dot, 2), *["#####"] * 5)
    assert same(grown(grown(dot, 1), -1), ".....", ".....", "..#..", ".....", ".....")
    assert same(grown(mask("###", "###", "##."), -1), "###", "#..", "#..")


def test_what_has_grown_is_nearly_a_circle() -> None:
    dot = np.zeros((201, 201), dtype=np.uint8)
    dot[100, 100] = 255
    down, across = np.nonzero(grown(dot, 70))
    away = np.hypot(down - 100, across - 100)
    assert (down.min(), down.max(), across.min(), across.max()) == (30, 170, 30, 170)
    assert away.max() < 70 * 1.09 and np.hypot(*(np.argwhere(grown(dot, 70) == 0) - 100).T).min() > 69


def test_grey_grows_as_white_does() -> None:
    assert np.array_equal(grown(np.array([[0, 90, 0, 200]], dtype=np.uint8), 1), [[90, 90, 200, 200]])


def test_holes_are_filled_and_bays_are_not() -> None:
    ring = mask("#####", "#.#.#", "###.#", "#..##", "##.##")
    assert same(filled(ring), "#####", "#####", "#####", "#..##", "##.##")


def test_only_the_largest_part_stays() -> None:
    assert same(largest(mask("##..#", "##..#", ".....", "#....")), "##...", "##...", ".....", ".....")
    assert same(largest(mask("...", "...")), "...", "...")
    soft = np.array([[200, 220, 90, 0, 200]], dtype=np.uint8)
    assert np.array_equal(largest(soft), [[200, 220, 0, 0, 0]])


def test_operations_are_done_in_their_order() -> None:
    ring = mask(".......", ".###...", ".#.#.#.", ".###...", ".......")
    found = Operations(fill_holes=True, keep_largest=True, grow=1, invert=True).apply(ring)
    assert same(found, ".....##", ".....##", ".....##", ".....##", ".....##")


def test_a_soft_edge_keeps_its_middle() -> None:
    edge = np.repeat(np.array([[0, 255]], dtype=np.uint8), 20, axis=1).repeat(4, axis=0)
    found = Operations(soften=3).apply(edge)[0].astype(int)
    assert (np.diff(found) >= 0).all() and found[0] == 0 and found[-1] == 255
    assert 0 < found[19] < 128 <= found[20] < 255


def test_masks_are_joined() -> None:
    before, new = mask("##.."), mask(".##.")
    assert same(joined(before, new, "replace"), ".##.")
    assert same(joined(before, new, "add"), "###.")
    assert same(joined(before, new, "subtract"), "#...")
    assert same(joined(None, new, "add"), ".##.")
    assert same(joined(None, new, "subtract"), "#..#")  # an image without a mask counts as a whole


def test_empty_and_full_masks_are_known() -> None:
    assert is_empty(mask("..")) and is_full(mask("##"))
    assert not is_empty(mask(".#")) and not is_full(mask(".#"))


def flood(flags: np.ndarray) -> list[set[tuple[int, int]]]:
    """Regions, found pixel by pixel."""
    left, found = {(int(y), int(x)) for y, x in np.argwhere(flags)}, []
    while left:
        region, waiting = set(), deque([next(iter(left))])
        while waiting:
            y, x = waiting.popleft()
            if (y, x) in left:
                left.remove((y, x))
                region.add((y, x))
                waiting += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        found.append(region)
    return found


@settings(max_examples=40)
@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_regions_are_those_of_a_flood_fill(flags: np.ndarray) -> None:
    regions = Regions(flags)
    numbers = np.unique(regions.labels)
    found = [{(int(y), int(x)) for y, x in np.argwhere(regions.pixels_of(np.arange(len(regions.labels)) == n))}
             for n in numbers]  # fmt: skip
    assert sorted(map(sorted, found)) == sorted(map(sorted, flood(flags)))
    assert [int(regions.sizes()[n]) for n in numbers] == [len(each) for each in found]
    height, width = flags.shape
    at_border = [any(y in (0, height - 1) or x in (0, width - 1) for y, x in each) for each in found]
    assert [bool(regions.at_border()[n]) for n in numbers] == at_border


@pytest.mark.parametrize("pixels", [1, -1, 4])
@settings(max_examples=15)
@given(flags=arrays.arrays(bool, (7, 6)))
def test_growing_is_a_maximum_over_near_pixels(flags: np.ndarray, pixels: int) -> None:
    """Every near pixel counts the same way everywhere, at the border too."""
    white = np.where(flags, 255, 0).astype(np.uint8)
    dot = np.zeros((2 * abs(pixels) + 1,) * 2, dtype=np.uint8)
    dot[abs(pixels), abs(pixels)] = 255
    near = np.argwhere(grown(dot, abs(pixels))) - abs(pixels)
    start = white if pixels > 0 else 255 - white
    wanted = np.zeros_like(start)
    for y, x in np.argwhere(start):
        for down, across in near:
            if 0 <= y + down < 7 and 0 <= x + across < 6:
                wanted[y + down, x + across] = 255
    assert np.array_equal(grown(white, pixels), wanted if pixels > 0 else 255 - wanted)
