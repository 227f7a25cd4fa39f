"""Rows with bars, and a bar of parts: what is drawn is what was given, and one row is chosen by mouse and by keys."""

from typing import Any

import pytest

from app.gui.kit import Limit, MeterRow, MeterRows, Part, StackedBar, theme
from tests.gui.conftest import Pump

ROWS = [MeterRow(name, f"{name}, all on the card", share, "good", "9 GB") for name, share in (("a", 0.5), ("b", 1.0))]


def written(canvas: Any) -> list[str]:
    return [canvas.itemcget(item, "text") for item in canvas.find_all() if canvas.type(item) == "text"]


def filled(canvas: Any, role: str) -> list[list[float]]:
    colour = theme.colour(role)
    return [
        canvas.coords(item)
        for item in canvas.find_all()
        if canvas.type(item) == "rectangle" and canvas.itemcget(item, "fill") == colour
    ]


def test_a_row_is_chosen_by_a_click_and_by_keys(root: Any, pump: Pump) -> None:
    picked: list[str] = []
    rows = MeterRows(root, picked.append, dots=True, pitch=30)
    rows.pack(fill="x")
    rows.show(ROWS, "a")
    pump()
    rows.event_generate("<ButtonRelease-1>", x=20, y=45)
    rows.event_generate("<ButtonRelease-1>", x=20, y=45)  # what is chosen is not told again
    pump()
    assert (picked, rows.chosen) == (["b"], "b")
    rows.focus_force()
    pump()
    rows.event_generate("<Up>")
    pump()
    assert picked == ["b", "a"]
    rows.destroy()


def test_a_bar_is_as_long_as_its_share(root: Any, pump: Pump) -> None:
    rows = MeterRows(root, lambda _: None)
    rows.pack(fill="x")
    rows.show(ROWS, None)
    pump()
    half, whole = (right - left for left, _, right, _ in filled(rows, "good"))
    assert half == pytest.approx(whole / 2, abs=1)
    assert "a, all on the card" in written(rows)
    rows.destroy()


@pytest.mark.parametrize(("whole", "role"), [(12.0, "text2"), (6.0, "error")])
def test_what_is_more_than_fits_is_red_and_all_of_it_is_in_the_bar(
    root: Any, pump: Pump, whole: float, role: str
) -> None:
    bar = StackedBar(root)
    bar.pack(fill="x")
    parts = [Part("Base", 8, "8.0", "8 GB"), Part("Nothing", 0, "", ""), Part("Activations", 2, "2.0", "2 GB")]
    bar.show(parts, Limit(whole, whole - 0.5, "the limit"))
    pump()
    texts = [item for item in bar.find_all() if bar.type(item) == "text"]
    words = next(item for item in texts if bar.itemcget(item, "text") == "the limit")
    assert bar.itemcget(words, "fill") == theme.colour(role)
    assert {"Base", "8 GB", "Activations"} <= set(written(bar))
    assert "Nothing" not in written(bar)
    ends = [right for _, _, right, _ in filled(bar, theme.curve(1))]
    assert max(ends) <= bar.winfo_width()
    bar.destroy()
