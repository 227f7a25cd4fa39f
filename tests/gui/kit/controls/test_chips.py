"""Values as chips: taking one away, another order, and adding, by mouse and by keys."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.gui.person import drawn_words

Pump = Callable[..., None]


@pytest.fixture
def chips(root: Any, pump: Pump) -> Any:
    from app.gui.kit import Chip, Chips

    heard: list[list[str]] = []
    made = Chips(root, heard.append, lambda: heard.append(["added"]))
    made.heard = heard
    made.pack(fill="x")
    made.show([Chip("base", "base"), Chip("200", "200"), Chip("1000", "1,000", star=True)])
    pump()
    return made


def middle(chips: Any, words: str) -> tuple[int, int]:
    box = next(seen.box for seen in drawn_words(chips) if seen.text == words)
    return (box[0] + box[2]) // 2 - chips.winfo_rootx(), (box[1] + box[3]) // 2 - chips.winfo_rooty()


def click(chips: Any, x: int, y: int) -> None:
    chips.event_generate("<Button-1>", x=x, y=y)
    chips.event_generate("<ButtonRelease-1>", x=x, y=y)


def test_the_cross_takes_one_away_and_its_words_do_not(chips: Any) -> None:
    from app.gui.kit import px

    x, y = middle(chips, "200")
    click(chips, x, y)
    assert chips.heard == []
    click(chips, x + px(20), y)
    assert chips.heard == [["base", "1000"]]


def test_the_last_one_adds(chips: Any) -> None:
    click(chips, *middle(chips, "Add"))
    assert chips.heard == [["added"]]


def test_dragging_changes_the_order(chips: Any) -> None:
    x, y = middle(chips, "base")
    chips.event_generate("<Button-1>", x=x, y=y)
    to = middle(chips, "1,000")[0] + 30
    chips.event_generate("<B1-Motion>", x=to, y=y)
    chips.event_generate("<ButtonRelease-1>", x=to, y=y)
    assert chips.heard == [["200", "1000", "base"]]


def test_the_keys_do_the_same(chips: Any, pump: Pump) -> None:
    chips.focus_force()
    pump()
    for key in ("Right", "Alt-Right", "Delete", "Right", "space"):
        chips.event_generate(f"<{key}>")
    assert chips.heard == [["base", "1000", "200"], ["base", "1000"], ["added"]]


def test_it_is_as_high_as_its_lines_need(chips: Any, root: Any, pump: Pump) -> None:
    from app.gui.kit import Chip

    low = chips.winfo_height()
    chips.show([Chip(str(number), f"value {number}") for number in range(60)])
    pump(lambda: chips.winfo_height() > 2 * low)
    chips.show([])
    pump(lambda: chips.winfo_height() == low)


def test_what_is_disabled_says_why_and_keeps_its_values(chips: Any) -> None:
    chips.disable("A grid is being made.")
    click(chips, *middle(chips, "Add"))
    chips.focus_force()
    chips.event_generate("<Delete>")
    assert chips.heard == []
    assert len(chips.values) == 3
