from typing import Any

from app.gui.kit import Button, Frame
from tests.gui.conftest import Pump


def test_a_new_size_of_the_window_is_heard_and_none_of_what_is_in_it(root: Any, pump: Pump) -> None:
    heard: list[Any] = []
    end = root.on_size(lambda event: heard.append(event.widget))
    inside: list[Any] = []
    frame = Frame(root, width=50, height=20)
    frame.bind("<Configure>", inside.append)
    frame.place(x=0, y=0)
    root.geometry("1000x700")
    pump(lambda: root in heard and inside)
    assert {*heard} == {root}
    end()
    heard.clear()
    inside.clear()
    root.geometry("1100x700")
    frame.configure(width=60)
    pump(lambda: inside)
    assert not heard, "who has ended it hears nothing more"


def test_coming_back_to_the_window_is_no_move_of_the_focus_in_it(root: Any, pump: Pump) -> None:
    heard: list[Any] = []
    end = root.on_focus(lambda event: heard.append(event.widget))
    button = Button(root, "Here")
    button.pack()
    pump()
    heard.clear()
    button.event_generate("<FocusIn>")
    assert not heard
    root.event_generate("<FocusIn>")
    assert heard == [root]
    end()
