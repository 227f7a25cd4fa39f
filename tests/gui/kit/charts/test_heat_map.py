"""Cells by row and column: the one under the pointer is told of, a click keeps it, arrow keys move."""

from typing import Any

from app.gui.kit import Column, HeatMap
from tests.gui.conftest import Pump

COLUMNS = [Column(f"IN{n:02}", f"{n:02}", "input blocks") for n in range(3)]
CELLS = {
    ("attention", "IN00"): (0.1, "accent"),
    ("attention", "IN02"): (0.9, "accent"),
    ("norm", "IN02"): (0.5, "accent"),
}


def test_cells_are_looked_at_by_pointer_and_by_keys(root: Any, pump: Pump) -> None:
    looked: list[Any] = []
    shown = HeatMap(root, looked.append)
    shown.pack(fill="x")
    shown.show(["attention", "norm"], COLUMNS, CELLS, ("0.001 %", "10 %"))
    pump()
    x, y = shown.middle_of(("attention", "IN00"))
    shown.event_generate("<Motion>", x=x, y=y)
    assert looked == [("attention", "IN00")]
    shown.event_generate("<Button-1>", x=x, y=y)
    shown.event_generate("<Leave>")
    assert looked == [("attention", "IN00")], "a click keeps it"
    x, y = shown.middle_of(("norm", "IN00"))
    shown.event_generate("<Motion>", x=x, y=y)
    assert shown.pinned == ("attention", "IN00"), "no such layer is there"
    shown.focus_force()
    pump()
    for key in ("Right", "Down", "Down", "Left"):
        shown.event_generate(f"<{key}>")
    assert looked[-1] == ("norm", "IN02")
    assert shown.colour_of(("attention", "IN00")) != shown.colour_of(("attention", "IN02"))
    shown.destroy()
