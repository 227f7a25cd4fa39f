"""What tests of pages do: make a page, use its controls as a person would, read what stands there."""

from typing import Any

from app.gui.context import AppContext
from app.gui.form.form import SettingRow
from app.gui.kit import Frame, Label, Segmented
from app.gui.pages import PAGES


def page_of(context: AppContext, key: str) -> Any:
    """A page of the window, whole."""
    page = next(card for card in PAGES if card.key == key).page_class()(context.app, context)
    page.pack(fill="both", expand=True)
    for _ in page.build():
        pass
    return page


def row_alone(context: AppContext, path: str) -> SettingRow:
    """A row outside any form, as results of a search are."""
    frame = Frame(context.app, "card")
    frame.pack(fill="x")
    row = SettingRow(frame, context, path)
    row.pack(fill="x")
    return row


def type_into(entry: Any, text: str, end: str = "<Return>") -> None:
    entry.update()  # keys reach only what is on the screen
    entry.focus_force()
    entry.delete(0, "end")
    entry.insert(0, text)
    entry.event_generate("<Key>", keysym="Shift_L")
    entry.event_generate(end)


def choose(control: Any, value: Any) -> None:
    """By the keyboard, one after another, until it is chosen."""
    back, on = ("<Left>", "<Right>") if isinstance(control, Segmented) else ("<Up>", "<Down>")
    control.update()
    control.focus_force()
    for key in [back] * 12 + [on] * 12:
        if control.get() == value:
            return
        control.event_generate(key)
    assert control.get() == value


def words_in(row: SettingRow) -> list[str]:
    labels = [child for child in row.winfo_children() if isinstance(child, Label) and child.winfo_manager()]
    return [str(label.cget("text")) for label in labels]
