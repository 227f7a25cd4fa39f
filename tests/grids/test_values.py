"""What is typed as the values of an axis, and what it comes to."""

from __future__ import annotations

import pytest

from modules.errors import UserError
from modules.grids.run_models import usual_steps
from modules.grids.values import sampler_of, sampler_title, values_of


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        ("steps", "1-5", ["1", "2", "3", "4", "5"]),
        ("steps", "1-5 (+2), 8", ["1", "3", "5", "8"]),
        ("seed", "10-4 (-3)", ["10", "7", "4"]),
        ("steps", "1-10 [5]", ["1", "3", "6", "8", "10"]),
        ("strength", "0-1 [5]", ["0", "0.25", "0.5", "0.75", "1"]),
        ("strength", "0.8-1.2 (0.2)", ["0.8", "1", "1.2"]),
        ("guidance", "3, 7.5", ["3", "7.5"]),
        ("step", "base, 100-300 (100), last", ["base", "100", "200", "300", "last"]),
        ("size", "512x768, 512", ["512x768", "512"]),
        ("prompt", "a robot, 1-5, red", ["a robot, 1-5, red"]),
        ("replace", "red, blue", ["red, blue"]),
        ("trigger", "on, off", ["on", "off"]),
    ],
)
def test_a_text_is_spelled_out(kind: str, text: str, values: list[str]) -> None:
    assert values_of(kind, text) == values


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("seed", "red", '"red" is not a number'),
        ("steps", "2.5", '"2.5" is not a whole number'),
        ("ratio", "0-2 [3]", "2 is out of range: it must be at least 0 and at most 1"),
        ("steps", "1-5 (-1)", "The range 1-5 .-1. has no end"),
        ("steps", "1-5 (0)", "has no end"),
        ("seed", "0-999999999", "more than 1000 values"),
        ("size", "large", "large"),
        ("sampler", "Euler z", 'no sampler "Euler z"'),
        ("trigger", "maybe", "neither on nor off"),
    ],
)
def test_what_is_no_value_is_refused_in_words(kind: str, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        values_of(kind, text)


def test_a_sampler_is_taken_and_shown_as_people_call_it() -> None:
    for text in ("dpmpp_2m", "DPM++ 2M Karras", "Euler a"):
        assert sampler_title(sampler_of(text)) == {"dpmpp_2m": "DPM++ 2M"}.get(text, text)


def test_usual_steps_stand_close_at_the_beginning() -> None:
    assert usual_steps(range(100, 3001, 100)) == [100, 200, 400, 800, 1500, 3000]
    assert usual_steps([0, 5, 10]) == [5, 10]
