"""A person at the window: sees what is on the screen, clicks on it, types, reads. It knows no page and no private name.

person.sees("3 of 3 on")           whether such words can be read now
person.click("Add folder")         the thing with these words, or the one whose tip says them
person.type("Batch size", "7")     into the entry beside or under these words
person.read("Batch size")          what stands in it
person.choose("Optimizer", "Lion") from the list or the segments beside these words
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

CONTROL, SHIFT = 0x4, 0x1  # what is held down during a click
Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the screen


@dataclass(frozen=True)
class Seen:
    """Words on the screen: the widget they are in, and where they stand. `fonts` of a text that was drawn."""

    text: str
    widget: Any
    box: Box

    @property
    def middle(self) -> tuple[int, int]:
        left, top, right, bottom = self.box
        return (left + right) // 2, (top + bottom) // 2


class Person:
    """`root` is the window; `pump` lets it live, as the fixture of this name does."""

    def __init__(self, root: Any, pump: Callable[..., None]) -> None:
        self.root, self.pump = root, pump

    # Seeing -----------------------------------------------------------------------------------------------------------

    def seen(self, within: Any = None) -> list[Seen]:
        """All words that can be read now: in front, not scrolled away, not covered."""
        self.pump()
        front = within or self.front()
        return [each for each in words_of(front) if (part := in_view(each)) and uncovered(each.widget, part)]

    def texts(self, within: Any = None) -> list[str]:
        return [each.text for each in self.seen(within)]

    def sees(self, words: str) -> bool:
        """Whether these words can be read somewhere, alone or inside a longer text."""
        return any(words in text for text in self.texts())

    def finds(self, words: str) -> bool:
        """The same, also where one has to scroll for it."""
        self.pump()
        return any(words in each.text for each in words_of(self.front()))

    def front(self) -> Any:
        """The dialog that holds the input, else the window."""
        return self.root.grab_current() or self.root

    def dialog(self) -> str:
        """The title of the dialog in front; "" for none."""
        front = self.front()
        return "" if front is self.root else str(front.title())

    def find(self, words: str, nth: int = 0) -> Seen:
        """The thing that says exactly this, or in its tip, or within longer words; scrolled into view if it is not."""
        for wanted in (self._exactly, self._by_tip, self._within):
            if len(found := wanted(words)) > nth:
                return found[nth]
        hidden = [each for each in words_of(self.front()) if each.text == words or words in tip_of(each.widget)]
        assert len(hidden) > nth, f"nobody sees {words!r}, but {self.texts()}"
        self._scroll_to(hidden[nth].widget)
        found = [each for each in self.seen() if each.widget is hidden[nth].widget]
        assert found, f"{words!r} is there, but cannot be scrolled into view"
        return found[0]

    def tip(self, words: str) -> str:
        """What the tip of this thing says."""
        return tip_of(self.find(words).widget)

    def greyed(self, words: str) -> bool:
        """Whether it cannot be used now; its tip says why."""
        return bool(getattr(self.find(words).widget, "reason", ""))

    # Doing ------------------------------------------------------------------------------------------------------------

    def click(self, words: str, nth: int = 0, *, button: int = 1, times: int = 1, state: int = 0) -> None:
        """Click on the thing that says this."""
        found = self.find(words, nth)
        self.click_at(found.widget, *found.middle, button=button, times=times, state=state)

    def click_at(self, widget: Any, x: int, y: int, *, button: int = 1, times: int = 1, state: int = 0) -> None:
        """Click on a place of the screen, in this widget."""
        place = {"x": x - widget.winfo_rootx(), "y": y - widget.winfo_rooty(), "rootx": x, "rooty": y, "state": state}
        widget.event_generate("<Enter>", x=place["x"], y=place["y"])
        widget.event_generate("<Motion>", **place)
        for turn in range(times):
            widget.event_generate(f"<{'Double-' if turn else ''}ButtonPress-{button}>", **place)
            if widget.winfo_exists():
                widget.event_generate(f"<ButtonRelease-{button}>", **place)
        self.pump()

    def type(self, label: str, text: str, end: str = "<Return>", nth: int = 0) -> None:
        """Into the entry beside the label, or into the one whose grey words these are, in place of what was there."""
        self.click(label, nth)
        entry = self.focused()
        entry.focus_force()
        if hasattr(entry, "select_range"):
            entry.delete(0, "end")
        else:
            entry.delete("1.0", "end")
        entry.insert("insert", text)
        entry.event_generate("<Key>", keysym="Shift_L")  # so that it hears of a key
        if end:
            entry.event_generate(end)
        self.pump()

    def press(self, key: str) -> None:
        """A key for whatever has the focus: "<F8>", "<Control-z>"."""
        widget = self.focused()
        widget.focus_force()
        widget.event_generate(key)
        self.pump()

    def focused(self) -> Any:
        return self.front().focus_lastfor() or self.front()

    def read(self, label: str, nth: int = 0) -> str:
        """What the control beside the label shows."""
        return " ".join(each.text for each in words_of(self.beside(label, nth)))

    def choose(self, label: str, option: str, nth: int = 0) -> None:
        """One of the options beside the label: of those in sight, or of the list that opens."""
        control = self.beside(label, nth)
        if not any(each.text == option for each in words_of(control)):
            self.click_at(control, *middle_of(control))
        self.click(option)

    def turn(self, label: str, nth: int = 0) -> None:
        """The switch beside the label."""
        control = self.beside(label, nth)
        self.click_at(control, *middle_of(control))

    def beside(self, label: str, nth: int = 0) -> Any:
        """What stands right of the label, in the same row."""
        found = self.find(label, nth)
        middle, right = found.middle[1], found.box[0] + 1
        rights = [
            child
            for child in found.widget.master.winfo_children()
            if child is not found.widget
            and child.winfo_ismapped()
            and child.winfo_rootx() > right
            and child.winfo_rooty() <= middle <= child.winfo_rooty() + child.winfo_height()
        ]
        assert rights, f"nothing stands beside {label!r}"
        return min(rights, key=lambda child: child.winfo_rootx())

    def _exactly(self, words: str) -> list[Seen]:
        return [each for each in self.seen() if each.text == words]

    def _within(self, words: str) -> list[Seen]:
        return [each for each in self.seen() if words in each.text]

    def _by_tip(self, words: str) -> list[Seen]:
        """Buttons without words are known by their tips."""
        front = self.front()
        found = (Seen(tip_of(widget), widget, box_of(widget)) for widget in below(front) if words in tip_of(widget))
        return [each for each in found if (part := in_view(each)) and uncovered(each.widget, part)]

    def _scroll_to(self, widget: Any) -> None:
        above = widget
        while above is not None:
            if hasattr(above, "keep_visible"):
                above.keep_visible(widget)
            above = above.master
        self.pump()


def below(widget: Any) -> Iterator[Any]:
    """It and everything in it that is on the screen; other windows are none of its parts."""
    if not widget.winfo_exists() or not widget.winfo_viewable():
        return
    yield widget
    for child in widget.winfo_children():
        if child.winfo_toplevel() is widget.winfo_toplevel():
            yield from below(child)


def words_of(widget: Any) -> Iterator[Seen]:
    """All texts in it, wherever they lie."""
    for each in below(widget):
        kind = each.winfo_class()
        if kind == "Canvas":
            yield from drawn_words(each)
        elif kind == "Label" and (text := str(each.cget("text"))):
            yield Seen(text, each, box_of(each))
        elif kind == "Entry" and each.get():
            yield Seen(each.get(), each, box_of(each))
        elif kind == "Text" and (text := each.get("1.0", "end-1c")):
            yield Seen(text, each, box_of(each))


def drawn_words(canvas: Any) -> Iterator[Seen]:
    left, top = canvas.winfo_rootx() - canvas.canvasx(0), canvas.winfo_rooty() - canvas.canvasy(0)
    for item in canvas.find_all():
        if canvas.type(item) == "text" and (text := canvas.itemcget(item, "text")) and (box := canvas.bbox(item)):
            x0, y0, x1, y1 = box
            yield Seen(text, canvas, (round(left + x0), round(top + y0), round(left + x1), round(top + y1)))


def box_of(widget: Any) -> Box:
    left, top = widget.winfo_rootx(), widget.winfo_rooty()
    return left, top, left + widget.winfo_width(), top + widget.winfo_height()


def middle_of(widget: Any) -> tuple[int, int]:
    left, top, right, bottom = box_of(widget)
    return (left + right) // 2, (top + bottom) // 2


def in_view(seen: Seen) -> Box | None:
    """The part of it that lies within everything it lies in; None for none."""
    left, top, right, bottom = seen.box
    widget = seen.widget
    while widget is not None:
        box = box_of(widget)
        left, top, right, bottom = max(left, box[0]), max(top, box[1]), min(right, box[2]), min(bottom, box[3])
        widget = None if widget is widget.winfo_toplevel() else widget.master
    return (left, top, right, bottom) if left < right and top < bottom else None


def uncovered(widget: Any, part: Box) -> bool:
    """Whether nothing else lies over the middle of it."""
    there = widget.winfo_containing((part[0] + part[2]) // 2, (part[1] + part[3]) // 2)
    return there is not None and f"{there}.".startswith(f"{widget}.")


def tip_of(widget: Any) -> str:
    from app.gui.kit.base.tip import tip_text

    return tip_text(widget)
