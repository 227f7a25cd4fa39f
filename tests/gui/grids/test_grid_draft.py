"""What is known of a grid without a window: where a typed value goes, and what a picture says of itself."""

import pytest

from app.gui.examine.axis_values import offers, with_added
from app.gui.examine.facts import parts_of
from app.gui.examine.same_for_all import read
from app.gui.grids.grid_draft import forgotten_role
from modules.errors import UserError


@pytest.mark.parametrize(
    ("kind", "there", "text", "values"),
    [
        ("step", ["base", "200", "1000", "last"], "400", ["base", "200", "400", "1000", "last"]),
        ("seed", ["7"], "1-5 (+2)", ["1", "3", "5", "7"]),
        ("strength", ["1"], "0-1 [3]", ["0", "0.5", "1"]),
        ("prompt", ["a cat"], "a dog, running", ["a cat", "a dog, running"]),
        ("sampler", ["DDIM"], "Euler", ["DDIM", "Euler"]),
    ],
)
def test_a_value_goes_where_it_belongs(kind: str, there: list[str], text: str, values: list[str]) -> None:
    assert with_added(kind, there, text) == values


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(UserError):
        with_added("seed", [], "many")


def test_what_is_there_is_not_offered_again() -> None:
    assert [option.value for option in offers("trigger", None, ["on"])] == ["off"]


def test_a_picture_says_what_made_it() -> None:
    text = 'a cat, on\na mat\nNegative prompt: blur\nSteps: 20, Sampler: DDIM, Loras: "a: 1, b: 0.5", Size: 64x32'
    prompt, negative, settings = parts_of(text)
    assert (prompt, negative) == ("a cat, on\na mat", "blur")
    assert settings == {"Steps": "20", "Sampler": "DDIM", "Loras": "a: 1, b: 0.5", "Size": "64x32"}
    assert parts_of("only words") == ("only words", "", {})


def test_the_bands_have_colours() -> None:
    assert [forgotten_role(value) for value in (0.0, 0.39, 0.4, 1.4, 1.5, None)] == [
        "good", "good", "changed", "changed", "error", "text3",
    ]  # fmt: skip


def test_a_size_is_read_with_one_side_or_two() -> None:
    assert read("size", "512x768") == {"width": 512, "height": 768}
    assert read("size", "512") == {"width": 512, "height": 512}
    assert read("size", "") == {"width": 0, "height": 0}
    assert read("steps", "many") == {"steps": "many"}, "the schema says what is wrong with it"
