"""A list of jobs: dragged, walked through, and acted upon."""

from collections.abc import Callable
from typing import Any

import pytest

from app.gui.kit import ListActions, ListHead, ListRow, RowList
from tests.gui.person import Person, tip_of

Pump = Callable[..., None]
HEAD, PITCH = 36, 52


@pytest.fixture
def made(root: Any, pump: Pump) -> tuple[RowList, list[Any]]:
    heard: list[Any] = []
    acts = ListActions(
        move=lambda key, before: heard.append(("move", key, before)),
        menu=lambda key, under: heard.append(("menu", key)),
        link=lambda key, name: heard.append((name, key)),
        open=lambda key: heard.append(("open", key)),
        switch=lambda key: heard.append(("switch", key)),
        remove=lambda key: heard.append(("remove", key)),
    )
    rows = RowList(root, acts)
    rows.pack(fill="both", expand=True)
    rows.show([
        ListHead("Waiting"),
        *(ListRow(key, f"Row {key}", "below", moves=True, end="1:00") for key in (1, 2, 3)),
        ListHead("Finished", "Clear", "over"),
        ListRow(4, "Row 4", links=(("retry", "Try again"),)),
    ])  # fmt: skip
    pump()
    return rows, heard


def drag(rows: RowList, pump: Pump, begins: int, ends: int, x: int = 200) -> None:
    rows.event_generate("<Motion>", x=x, y=begins)
    rows.event_generate("<ButtonPress-1>", x=x, y=begins)
    for y in (begins + (10 if ends > begins else -10), ends):
        rows.event_generate("<B1-Motion>", x=x, y=y)
        pump()
    rows.event_generate("<ButtonRelease-1>", x=x, y=ends)
    pump()


def place(row: int) -> int:
    """The middle of a row, counted from 0 below the first head."""
    return HEAD + row * PITCH + PITCH // 2


def test_a_row_is_dragged_to_where_it_is_let_go(made: tuple[RowList, list[Any]], pump: Pump) -> None:
    rows, heard = made
    drag(rows, pump, place(0), place(1) + 20)
    drag(rows, pump, place(2), place(0) - 20)
    drag(rows, pump, place(0), place(2) + 20)
    drag(rows, pump, place(1), place(1) + 8)  # not far enough to come to another place
    assert heard == [("move", 1, 3), ("move", 3, 1), ("move", 1, None)]


def test_a_row_that_is_over_cannot_be_dragged(made: tuple[RowList, list[Any]], pump: Pump) -> None:
    rows, heard = made
    drag(rows, pump, HEAD + 3 * PITCH + HEAD + 20, place(0))
    assert heard == []


def test_escape_lets_a_row_go_where_it_was(made: tuple[RowList, list[Any]], pump: Pump) -> None:
    rows, heard = made
    rows.event_generate("<ButtonPress-1>", x=200, y=place(0))
    rows.event_generate("<B1-Motion>", x=200, y=place(2))
    rows.focus_force()
    rows.event_generate("<Escape>")
    rows.event_generate("<ButtonRelease-1>", x=200, y=place(2))
    pump()
    assert heard == []


def test_keys_walk_move_and_act(made: tuple[RowList, list[Any]], pump: Pump) -> None:
    rows, heard = made
    rows.focus_force()
    pump()
    for key in ("<Down>", "<Alt-Up>", "<Alt-Down>", "<space>", "<Delete>", "<Return>", "<Shift-F10>"):
        rows.event_generate(key)
        pump()
    rows.event_generate("<End>")
    rows.event_generate("<Alt-Up>")  # it is over: nothing
    assert heard == [
        ("move", 2, 1), ("move", 2, None), ("switch", 2), ("remove", 2), ("open", 2), ("menu", 2),
    ]  # fmt: skip


def test_links_of_rows_and_heads_are_clicked(made: tuple[RowList, list[Any]], root: Any, pump: Pump) -> None:
    _, heard = made
    person = Person(root, pump)
    person.click("Clear")
    person.click("Try again")
    assert heard == [("head", "over"), ("retry", 4)]


def test_the_row_with_the_keys_keeps_them_while_others_come_and_go(made: tuple[RowList, list[Any]], pump: Pump) -> None:
    rows, _ = made
    rows.mark(2)
    rows.show([ListRow(7, "New"), ListRow(2, "Row 2"), ListRow(3, "Row 3")])
    assert rows.marked == 2
    rows.show([ListRow(7, "New"), ListRow(3, "Row 3")])
    assert rows.marked == 3  # the one in its place


def test_what_has_no_room_is_told_by_the_tip(root: Any, pump: Pump) -> None:
    rows = RowList(root, ListActions())
    rows.pack(fill="both", expand=True)
    long = "The loss is NaN. " * 30
    rows.show([ListRow(1, "Row", middle=long)])
    pump()
    rows.event_generate("<Motion>", x=300, y=PITCH // 2)
    assert tip_of(rows) == long


def test_a_long_list_scrolls_to_the_row_that_the_keys_come_to(root: Any, pump: Pump) -> None:
    rows = RowList(root, ListActions())
    rows.pack(fill="both", expand=True)
    rows.show([ListRow(n, f"Row {n}") for n in range(200)])
    pump()
    person = Person(root, pump)
    assert person.sees("Row 3")
    assert not person.sees("Row 150")
    rows.mark(150)
    assert person.sees("Row 150")
