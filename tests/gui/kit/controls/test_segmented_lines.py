"""Segments that are too narrow for their words."""

from typing import Any

from app.gui.kit import Frame, Segmented, px

WORDS = ("Keep what is there", "Write beside it", "Replace what is there")


def items(control: Any) -> list[int]:
    return [item for item in control.find_all() if control.type(item) == "text"]


def shown(control: Any) -> list[str]:
    return [str(control.itemcget(item, "text")) for item in items(control)]


def test_words_are_never_cut_off_but_stand_in_more_lines(root: Any) -> None:
    frame = Frame(root)
    control = Segmented(frame, WORDS, WORDS[0])
    control.pack(fill="x")
    for width, lines in ((700, 1), (300, 2), (190, 3)):
        frame.place(x=0, y=0, width=width, height=200)
        root.update()
        assert shown(control) == list(WORDS), width
        assert control.winfo_height() == px(30) * lines


def test_a_press_chooses_the_segment_under_it_in_any_line(root: Any) -> None:
    frame = Frame(root)
    control = Segmented(frame, WORDS, WORDS[0])
    control.pack(fill="x")
    frame.place(x=0, y=0, width=190, height=200)
    root.update()
    for number, word in enumerate(WORDS):
        x, y = control.coords(items(control)[number])
        control.event_generate("<ButtonRelease-1>", x=int(x), y=int(y))
        assert control.get() == word
