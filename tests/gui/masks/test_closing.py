from typing import Any

from app.gui.masks.painting import LEARNT
from app.gui.masks.shapes import rectangle
from tests.gui.conftest import Pump
from tests.gui.person import Person


def test_closing_the_window_asks_for_masks_that_are_not_saved(whole_window: Any, person: Person, pump: Pump) -> None:
    whole_window.go("masks")
    page = whole_window.pages.front.page
    pump(lambda: page.painting is not None)
    page.painting.fill(rectangle((1, 1), (9, 9), page.painting.size), LEARNT)
    vanished: list[bool] = []
    whole_window.app.vanish = lambda: vanished.append(True)
    try:
        whole_window.close()
        pump(lambda: person.sees("1 mask is not saved"))
        assert not vanished
        person.click("Discard")
        pump(lambda: vanished)
    finally:
        del whole_window.app.vanish
    assert page.store.unsaved() == []
