from typing import Any

from app.gui.kit import Frame
from tests.gui.conftest import Pump


def test_a_new_size_of_the_window_is_heard_and_none_of_what_is_in_it(root: Any, pump: Pump) -> None:
    heard: list[Any] = []
    root.on_size(lambda event: heard.append(event.widget))
    inside: list[Any] = []
    frame = Frame(root, width=50, height=20)
    frame.bind("<Configure>", inside.append)
    frame.place(x=0, y=0)
    root.geometry("1000x700")
    pump(lambda: root in heard and bool(inside))
    assert {*heard} == {root}
    frame.destroy()
