"""Prepared images, looked at before they are written: frames are dragged, images put aside, and the form takes it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.context import AppContext
from app.gui.session.number_format import TIMES
from modules.text import percent
from modules.tools import TOOLS
from tests.gui.person import Person
from tests.tools.images.test_prepare import picture

Pump = Callable[..., None]


@pytest.fixture
def card(context: AppContext, root: Any, tmp_path: Path) -> Iterator[Any]:
    """The card of the tool, on a folder with a wide image, a smaller copy of it, and one that is torn."""
    from app.gui.kit import Pictures
    from app.gui.tools.card import ToolCard

    context.pictures = Pictures(root, None)
    context.draft.put("general.cache", str(tmp_path / "cache"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    wide = picture(1, (400, 200))
    wide.save(folder / "robot.png")
    wide.resize((200, 100)).save(folder / "small.png")
    Image.new("RGB", (200, 200), "red").save(folder / "square.png")
    (folder / "torn.png").write_bytes((folder / "robot.png").read_bytes()[:100])
    made = ToolCard(root, context, TOOLS["prepare"])
    made.pack(fill="both", expand=True)
    made.form.show("source", str(folder))
    made.form.show("shape", "ratio")
    made.form.show("focus", "centre")
    made.refresh()
    yield made
    made.destroy()
    context.pictures.close()


@pytest.fixture
def review(card: Any, person: Person) -> Iterator[Any]:
    """The open dialog, which has read the images."""
    person.click("Review …")
    person.pump(lambda: person.dialog() is not None and person.front().plan is not None)
    front = person.front()
    yield front
    if front.winfo_exists():
        front.close(None)


def look_at(review: Any, person: Person, name: str) -> Any:
    """Choose an image; gives its row."""
    person.click(name)
    person.pump(lambda: review.plan.planned[review.row].key == name)
    return review.row


def test_the_list_says_what_becomes_of_each_and_what_is_left_out(review: Any, person: Person) -> None:
    assert person.sees("2 images ready, 2 left out")
    look_at(review, person, "robot.png")
    assert person.sees(f"400 {TIMES} 200 \u2192 200 {TIMES} 200 \u00b7 {percent(0.5)} cut off")
    look_at(review, person, "small.png")
    assert person.sees("Left out: shows the same as robot.png")
    assert review.copy.winfo_manager() == "pack", "the image that it is a copy of is beside it"
    look_at(review, person, "torn.png")
    assert person.finds("Left out: ") and not review.out.enabled
    person.click("Cropped")
    assert [review.plan.planned[row].key for row in review.rows] == ["robot.png"]


def test_a_frame_is_dragged_and_the_form_takes_what_was_set_by_hand(card: Any, review: Any, person: Person) -> None:
    row = look_at(review, person, "robot.png")
    person.pump(lambda: review.view.image is not None)
    wide, high = review.view.winfo_width(), review.view.winfo_height()
    review.view.event_generate("<Button-1>", x=wide // 2, y=high // 2)
    review.view.event_generate("<B1-Motion>", x=wide, y=high // 2)
    assert review.plan.planned[row].target.box == (200, 0, 400, 200)
    look_at(review, person, "small.png")
    person.click("Keep")
    look_at(review, person, "square.png")
    review.toggle()
    assert person.sees("2 images ready, 2 left out")
    person.click("Use this")
    values = card.form.read()
    assert values["points"] == "robot.png: 0.75 0.5"
    assert (values["kept"], values["aside"]) == ("small.png", "square.png")
    assert person.sees("1 frame set by hand, 1 left out by hand")


def test_the_found_focus_comes_back_and_cancel_changes_nothing(card: Any, review: Any, person: Person) -> None:
    row = look_at(review, person, "robot.png")
    review.plan.move(row, (0.9, 0.5))
    review.reset()
    assert review.plan.planned[row].target.box == (100, 0, 300, 200)
    review.plan.leave_out(row)
    person.click("Cancel")
    values = card.form.read()
    assert (values["points"], values["aside"], values["kept"]) == ("", "", "")
