"""Sliders side by side: a knob is dragged, a curve drawn across, a key steps, a double click goes back."""

from typing import Any

import pytest

from app.gui.kit import Column, SliderBank
from tests.gui.conftest import Pump

COLUMNS = [Column(f"IN{n:02}", f"{n:02}", "input blocks") for n in range(5)]


@pytest.fixture
def bank(root: Any, pump: Pump) -> Any:
    told: list[dict[str, float]] = []
    made = SliderBank(root, told.append)
    made.told = told  # pyright: ignore[reportAttributeAccessIssue]
    made.pack(fill="x")
    made.show(COLUMNS, dict.fromkeys((column.key for column in COLUMNS), 0.5), 0.5)
    pump()
    return made


def at(bank: Any, key: str, value: float) -> dict[str, int]:
    x, y = bank.place_of(key, value)
    return {"x": round(x), "y": round(y)}


def test_dragging_across_draws_a_curve_over_columns_that_were_jumped(bank: Any) -> None:
    bank.event_generate("<Button-1>", **at(bank, "IN00", 0))
    bank.event_generate("<B1-Motion>", **at(bank, "IN04", 1))
    bank.event_generate("<ButtonRelease-1>", **at(bank, "IN04", 1))
    assert list(bank.values.values()) == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.02)
    assert {key: value for changes in bank.told for key, value in changes.items()} == bank.values


def test_keys_move_the_chosen_knob_and_a_double_click_gives_the_usual_value(bank: Any, pump: Pump) -> None:
    bank.focus_force()
    pump()
    for key in ("Right", "Right", "Up", "Up"):
        bank.event_generate(f"<{key}>")
    assert bank.told[-1] == {"IN01": 0.6}
    for press in ("<Button-1>", "<ButtonRelease-1>", "<Button-1>", "<ButtonRelease-1>"):
        bank.event_generate(press, **at(bank, "IN01", 0.1))
    assert bank.told[-1] == {"IN01": 0.5}
    bank.event_generate("<End>")
    bank.event_generate("<Up>")
    assert bank.values["IN01"] == 1, "the end of the slider"


def test_a_value_beyond_one_is_in_sight(bank: Any, pump: Pump) -> None:
    bank.show(COLUMNS, {**bank.values, "IN02": 1.6}, 0.5)
    pump()
    assert 0 < bank.place_of("IN02", 1.6)[1] < bank.place_of("IN02", 1)[1]
    bank.event_generate("<Button-1>", **at(bank, "IN03", 0.5))
    assert bank.values["IN02"] == 1.6
