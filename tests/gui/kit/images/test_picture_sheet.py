"""The sheet of pictures: what is drawn of it, that its heads stay, and how one walks, scrolls and zooms."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.gui.person import drawn_words

Pump = Callable[..., None]


@pytest.fixture
def sheet(root: Any, pump: Pump) -> Any:
    from app.gui.kit import Head, PictureSheet

    opened: list[tuple[int, int]] = []
    sizes: list[float] = []
    made = PictureSheet(
        root,
        lambda cell, row, column: cell.image(None, f"{row} {column}"),
        on_open=lambda row, column: opened.append((row, column)),
        on_size=sizes.append,
    )
    made.opened, made.sizes = opened, sizes
    made.pack(fill="both", expand=True)
    made.show([Head(f"c{number}", "0.35") for number in range(200)], [Head(f"r{number}") for number in range(50)])
    pump(lambda: cells(made))
    return made


def cells(sheet: Any) -> set[tuple[int, int]]:
    """The cells that are drawn, by what stands in them; those that are not used lie far away."""
    texts = [seen.text for seen in drawn_words(sheet) if seen.box[0] > -5000 and re.fullmatch(r"\d+ \d+", seen.text)]
    return {(int(row), int(column)) for row, column in (text.split() for text in texts)}


def heads(sheet: Any, letter: str) -> dict[str, tuple[int, int]]:
    """Where the heads stand that begin with a letter."""
    left, top = sheet.winfo_rootx(), sheet.winfo_rooty()
    found = {seen.text: seen.box for seen in drawn_words(sheet) if re.fullmatch(rf"{letter}\d+", seen.text)}
    return {text: (box[0] - left, box[1] - top) for text, box in found.items()}


def test_only_what_is_in_view_is_drawn(sheet: Any) -> None:
    assert (0, 0) in cells(sheet)
    assert len(cells(sheet)) < 300
    assert len(heads(sheet, "c")) < 30


def test_heads_stay_while_the_pictures_move(sheet: Any, pump: Pump) -> None:
    top, left = heads(sheet, "c")["c0"][1], heads(sheet, "r")["r0"][0]
    sheet.wheel(20, False)
    sheet.wheel(20, True)
    pump(lambda: (0, 0) not in cells(sheet))
    assert {place[1] for place in heads(sheet, "c").values()} == {top}
    assert {place[0] for place in heads(sheet, "r").values()} == {left}
    rows, columns = {row for row, _ in cells(sheet)}, {column for _, column in cells(sheet)}
    assert set(heads(sheet, "c")) == {f"c{column}" for column in columns}, "each head goes with its column"
    assert set(heads(sheet, "r")) == {f"r{row}" for row in rows}


def test_arrows_move_into_view_and_return_opens(sheet: Any, pump: Pump) -> None:
    sheet.focus_force()
    for key in ("Right", "End", "Down", "Left", "Return"):
        sheet.event_generate(f"<{key}>")
    pump(lambda: sheet.opened == [(1, 198)])
    pump(lambda: (1, 198) in cells(sheet))


def test_a_click_opens_the_cell_under_the_pointer(sheet: Any, pump: Pump) -> None:
    box = next(seen.box for seen in drawn_words(sheet) if seen.text == "2 3")
    sheet.event_generate("<Button-1>", x=box[0] - sheet.winfo_rootx(), y=box[1] - sheet.winfo_rooty())
    pump(lambda: sheet.opened == [(2, 3)])
    sheet.event_generate("<Button-1>", x=20, y=box[1] - sheet.winfo_rooty())
    pump()
    assert sheet.opened == [(2, 3)], "the head of a row is no picture"


def test_ctrl_and_the_wheel_change_the_size_within_bounds_and_do_not_scroll(sheet: Any, pump: Pump) -> None:
    box = next(seen.box for seen in drawn_words(sheet) if seen.text == "2 3")
    at = {"x": box[0] - sheet.winfo_rootx(), "y": box[1] - sheet.winfo_rooty()}
    sheet.event_generate("<Control-Button-4>", **at)
    pump(lambda: sheet.sizes == [92])
    pump(lambda: (2, 3) in cells(sheet))
    assert sheet.at(**at) == (2, 3), "what is under the pointer stays there"
    for _ in range(30):
        sheet.event_generate("<Control-Button-4>", **at)
    assert sheet.size == 512
    for _ in range(40):
        sheet.event_generate("<Control-Button-5>", **at)
    assert sheet.size == 48


def test_what_is_chosen_stays_while_more_comes(sheet: Any, pump: Pump) -> None:
    from app.gui.kit import Head

    sheet.select(3, 4)
    sheet.show([Head(f"c{number}") for number in range(201)], [Head(f"r{number}") for number in range(50)])
    pump(lambda: cells(sheet))
    assert sheet.current == (3, 4)
    sheet.show([Head("c0")], [Head("r0")])
    assert sheet.current == (-1, -1)


def test_it_follows_the_last_column_until_somebody_looks_back(root: Any, pump: Pump) -> None:
    from app.gui.kit import Head, PictureSheet

    sheet = PictureSheet(root, lambda cell, row, column: cell.image(None, f"{row} {column}"), follow=True)
    sheet.pack(fill="both", expand=True)
    for count in (100, 101):
        sheet.show([Head(f"c{number}") for number in range(count)], [Head("r0")])
        pump(lambda count=count: (0, count - 1) in cells(sheet))
    sheet.wheel(-5, True)
    pump(lambda: (0, 100) not in cells(sheet))
    before = cells(sheet)
    sheet.show([Head(f"c{number}") for number in range(102)], [Head("r0")])
    pump(lambda: cells(sheet))
    assert cells(sheet) == before
