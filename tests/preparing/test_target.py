"""What becomes of an image: part and size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modules.preparing.focus import point_in_mask, point_of_detail
from modules.preparing.settings import Settings, points_of
from modules.preparing.target import is_small, target_of
from modules.preset.validate import examine_section
from modules.sentences.render import PLAIN, text_of


def asked(**values: Any) -> Settings:
    return Settings(source="images", **values)


@pytest.mark.parametrize(
    ("size", "values", "box", "made"),
    [
        ((3000, 2000), {}, (0, 0, 3000, 2000), (3000, 2000)),
        ((3000, 2000), {"shape": "longest", "pixels": 1500}, (0, 0, 3000, 2000), (1500, 1000)),
        ((3000, 2000), {"shape": "shortest", "pixels": 1000}, (0, 0, 3000, 2000), (1500, 1000)),
        ((3000, 2000), {"shape": "ratio", "ratio": "1:1", "pixels": 1024}, (500, 0, 2500, 2000), (1024, 1024)),
        ((2000, 3000), {"shape": "size", "size": "832x1216"}, (0, 38.46, 2000, 2961.54), (832, 1216)),
        ((3000, 2000), {"shape": "bucket", "pixels": 1024}, (0, 0, 3000, 2000), (1216, 832)),
    ],
)
def test_the_part_and_its_size_are_those_that_were_asked_for(
    size: tuple[int, int], values: dict[str, Any], box: tuple[float, ...], made: tuple[int, int]
) -> None:
    target = target_of(size, asked(**values))
    if values.get("shape") == "bucket":  # 1216:832 is narrower than 3:2
        box = (38.46, 0, 2961.54, 2000)
    assert target.size == made
    assert target.box == pytest.approx(box, abs=0.01)


def test_a_small_image_is_cropped_and_not_enlarged_unless_asked() -> None:
    values: dict[str, Any] = {"shape": "size", "size": "1024x1024"}
    assert is_small((600, 400), asked(**values))
    assert target_of((600, 400), asked(**values)).size == (400, 400)
    assert target_of((600, 400), asked(**values, small="enlarge")).size == (1024, 1024)
    assert not is_small((1024, 2000), asked(**values))


def test_a_crop_follows_its_focus_as_far_as_the_image_goes() -> None:
    settings = asked(shape="ratio")
    assert target_of((300, 100), settings, (0.4, 0.5)).box == (70, 0, 170, 100)
    assert target_of((300, 100), settings, (0.0, 0.9)).box == (0, 0, 100, 100)
    assert target_of((300, 100), settings, (1.0, 0.5)).box == (200, 0, 300, 100)


def test_a_form_that_differs_by_rounding_alone_cuts_nothing_off() -> None:
    assert target_of((3001, 2000), asked(shape="ratio", ratio="3:2", pixels=300)).box == (0, 0, 3001, 2000)


def test_the_subject_is_what_a_mask_shows_or_where_most_detail_is() -> None:
    mask = Image.new("L", (100, 50))
    ImageDraw.Draw(mask).rectangle((70, 10, 89, 29), fill=255)
    assert point_in_mask(mask) == pytest.approx((0.8, 0.4))
    assert point_in_mask(Image.new("L", (100, 50))) is None
    noise = np.full((200, 600, 3), 128, np.uint8)
    noise[:, 430:560] = np.random.default_rng(0).integers(0, 255, (200, 130, 3))
    across, down = point_of_detail(Image.fromarray(noise), (200, 200))
    assert across == pytest.approx(495 / 600, abs=0.04)
    assert down == pytest.approx(0.5, abs=0.02)


def test_a_picture_without_detail_is_cropped_in_its_middle() -> None:
    assert point_of_detail(Image.new("RGB", (600, 200), "red"), (200, 200)) == pytest.approx((0.5, 0.5), abs=0.01)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ratio": "3"}, "two whole numbers"),
        ({"size": "0x512"}, "two whole numbers"),
        ({"points": "robot.png: 2 0.5"}, "two numbers from 0 to 1"),
        ({"points": "robot.png"}, "two numbers from 0 to 1"),
    ],
)
def test_what_cannot_be_meant_is_said(values: dict[str, Any], words: str) -> None:
    _, wrong = examine_section(Settings, {"source": "images", **values})
    assert words in text_of(list(wrong.values()), PLAIN)


def test_a_focus_by_hand_may_stand_on_a_name_with_colons_and_spaces() -> None:
    assert points_of("a b: c.png: 0.25 1\n\nrobot.png:0 .5") == {"a b: c.png": (0.25, 1.0), "robot.png": (0.0, 0.5)}
