import numpy as np
import pytest
from PIL import Image

from app.gui.kit.images.paint_layer import PaintLayer, Place
from app.gui.masks.painting import LEARNT, LEFT_OUT, Painting
from app.gui.masks.shapes import line, polygon, rectangle, similar

SIZE = (40, 30)


def grey(value: int) -> np.ndarray:
    return np.full(SIZE[::-1], value, np.uint8)


def test_a_stroke_over_no_mask_decides_what_the_rest_is() -> None:
    for value, rest in ((LEARNT, 0), (LEFT_OUT, 255)):
        painting = Painting(SIZE, None)
        assert painting.begin(value) == (0, 0, *SIZE)
        painting.cover(line((10, 10), (20, 10), 6, 1, SIZE))
        painting.end()
        assert painting.mask is not None
        assert (painting.mask[10, 15], painting.mask[25, 35]) == (value, rest)
        painting.undo()
        assert painting.mask is None and not painting.unsaved


def test_a_stroke_that_crosses_itself_covers_no_more_than_once() -> None:
    painting = Painting(SIZE, grey(0))
    painting.begin(LEARNT)
    soft = line((20, 15), (20, 15), 20, 0, SIZE)
    painting.cover(soft)
    assert painting.mask is not None
    once = painting.mask.copy()
    painting.cover(soft)
    assert np.array_equal(painting.mask, once)
    assert 0 < once[15, 26] < once[15, 22], "it is soft"


def test_strokes_are_undone_and_done_again_one_by_one() -> None:
    painting = Painting(SIZE, grey(0))
    states = [grey(0)]
    for x in (5, 15, 25):
        painting.fill(rectangle((x, 5), (x + 5, 20), SIZE), LEARNT)
        assert painting.mask is not None
        states.append(painting.mask.copy())
    for state in reversed(states[:-1]):
        painting.undo()
        assert np.array_equal(painting.mask, state)  # pyright: ignore[reportArgumentType]
    assert painting.undo() is None
    for state in states[1:]:
        painting.redo()
        assert np.array_equal(painting.mask, state)  # pyright: ignore[reportArgumentType]
    painting.saved()
    painting.undo()
    painting.fill(rectangle((0, 0), (3, 3), SIZE), LEARNT)
    assert painting.unsaved and not painting.can_redo
    painting.undo()
    assert painting.unsaved, "what was saved had one rectangle more, and cannot be come back to"


def test_a_mask_that_rests_comes_back_as_it_was() -> None:
    painting = Painting(SIZE, grey(7))
    painting.fill(rectangle((2, 2), (9, 9), SIZE), LEARNT)
    before = painting.mask
    painting.rest()
    assert painting.mask is None and np.array_equal(painting.packed(), before)  # pyright: ignore[reportArgumentType]
    painting.wake()
    assert np.array_equal(painting.mask, before)  # pyright: ignore[reportArgumentType]


def test_an_adjustment_takes_the_place_of_the_one_before_until_something_else_is_done() -> None:
    painting = Painting(SIZE, grey(100))
    for change in (10, 20, 30):
        mask = painting.adjusting()
        assert mask is not None
        painting.adjust(mask + np.uint8(change))
    assert painting.mask is not None and painting.mask[0, 0] == 130
    painting.fill(rectangle((0, 0), (4, 4), SIZE), LEARNT)
    mask = painting.adjusting()
    assert mask is not None and mask[20, 20] == 130
    painting.adjust(mask - np.uint8(30))
    for expected in (130, 130, 100):
        painting.undo()
        assert painting.mask[20, 20] == expected


def test_shapes_cover_what_they_enclose() -> None:
    box = rectangle((30, 20), (50, 25), SIZE)
    assert box is not None and box.box == (30, 20, 40, 25) and box.share.min() == 255, "what is outside is cut off"
    triangle = polygon([(0, 0), (20, 0), (0, 20)], SIZE)
    assert triangle is not None and (triangle.share[2, 2], triangle.share[18, 18]) == (255, 0)
    assert line((-50, -50), (-40, -40), 10, 1, SIZE) is None
    brush = line((20, 15), (20, 15), 10, 1, SIZE)
    assert brush is not None and brush.share.sum() / 255 == pytest.approx(np.pi * 25, rel=0.05)


def test_similar_colour_takes_what_hangs_together_with_the_click() -> None:
    image = Image.new("RGB", SIZE, (200, 0, 0))
    image.paste((0, 200, 0), (10, 0, 12, 30))  # a wall from top to bottom
    image.paste((190, 5, 0), (20, 10, 25, 15))
    found = similar(image, (30, 20), 12)
    assert found is not None and found.box == (12, 0, 40, 30) and found.share.min() == 255
    found = similar(image, (30, 20), 4)
    assert found is not None and found.share[12, 10] == 0, "it differs by more"


@pytest.mark.parametrize("scale", [0.37, 1.0, 2.6, 5.0])
def test_what_is_drawn_of_a_change_is_what_all_drawn_anew_would_be(scale: float) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (120, 160, 3), dtype=np.uint8))
    mask = rng.integers(0, 255, (120, 160), dtype=np.uint8)
    layer = PaintLayer(image, mask, (10, 20, 30))
    layer.draw(Place(scale, -11, 7), (200, 150))
    mask[20:60, 30:70] = 255 - mask[20:60, 30:70]
    layer.changed((30, 20, 70, 60))
    by_parts = np.asarray(layer.shown).astype(int)
    layer.draw(layer.place, (200, 150))
    assert np.abs(by_parts - np.asarray(layer.shown)).max() <= 2
