"""The table of pictures: what is drawn, and how one walks through it."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.gui.person import drawn_words

Pump = Callable[..., None]


@pytest.fixture
def table(root: Any, pump: Pump) -> Any:
    from app.gui.kit import PictureTable

    opened: list[tuple[int, int]] = []
    made = PictureTable(
        root,
        lambda cell, row, column: cell.words(0, f"{row} {column}"),
        on_open=lambda row, column: opened.append((row, column)),
    )
    made.opened = opened
    made.pack(fill="both", expand=True)
    pump()
    return made


def cells(table: Any) -> set[tuple[int, int]]:
    """The cells that are drawn, by what stands in them; those that are not used lie far away."""
    texts = [seen.text for seen in drawn_words(table) if seen.box[0] > -5000 and re.fullmatch(r"\d+ \d+", seen.text)]
    return {(int(row), int(column)) for row, column in (text.split() for text in texts)}


def columns_in_view(table: Any) -> list[int]:
    return sorted({column for _, column in cells(table)})


def test_only_what_is_in_view_has_cells(table: Any, pump: Pump) -> None:
    table.show([f"prompt {row}" for row in range(50)], 1000)
    pump(lambda: cells(table))
    assert len(cells(table)) < 200


def test_it_begins_at_the_newest_column_and_stays_there(table: Any, pump: Pump) -> None:
    table.show(["a"], 100)
    pump(lambda: 99 in columns_in_view(table))
    table.show(["a"], 101)
    pump(lambda: 100 in columns_in_view(table))
    table.wheel(-5, True)
    pump(lambda: 100 not in columns_in_view(table))
    before = columns_in_view(table)
    table.show(["a"], 102)
    pump(lambda: cells(table))
    assert columns_in_view(table) == before, "whoever looks back is not torn away"


def test_arrows_move_into_view_and_return_opens(table: Any, pump: Pump) -> None:
    table.show(["a", "b"], 100)
    pump()
    table.focus_force()
    table.event_generate("<Home>")
    pump(lambda: 0 in columns_in_view(table))
    table.event_generate("<Down>")
    table.event_generate("<Right>")
    pump(lambda: table.current == (1, 1))
    table.event_generate("<Return>")
    pump(lambda: table.opened == [(1, 1)])


def test_a_click_opens_the_cell_under_the_pointer(table: Any, pump: Pump) -> None:
    from app.gui.kit import px

    table.show(["a", "b"], 3)
    pump(lambda: len(cells(table)) == 6)
    table.event_generate("<Button-1>", x=px(2 + 88 + 8) + 20, y=px(2) + table.row_height() + 40)
    pump(lambda: table.opened == [(1, 1)])
    table.event_generate("<Button-1>", x=px(900), y=px(40))
    pump()
    assert table.opened == [(1, 1)]


def test_another_theme_paints_it_anew(table: Any, pump: Pump) -> None:
    from app.gui.kit import theme

    table.show(["a"], 3)
    pump(lambda: len(cells(table)) == 3)
    theme.set("light")
    pump(lambda: len(cells(table)) == 3)
    assert str(table.cget("bg")) == theme.colour("window")
