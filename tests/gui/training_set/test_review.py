"""Images of a training set are looked through in the window: kept, rejected, taken back, and added to the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.context import AppContext
from app.gui.training_set.picks import KEPT, REJECTED, UNDECIDED, Picks
from modules.errors import UserError
from modules.messages import Finished, RunTool, SampleReady
from modules.tools.images import training_set
from tests.gui.person import Person

Pump = Callable[..., None]
NAMES = [f"{number:05d}-{number:012x}" for number in (1, 2, 3, 4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of four images with captions, of which one has a mask."""
    for number, name in enumerate(NAMES):
        save(tmp_path / "robots" / f"{name}.png", (40 * number, 90, 60))
    save(tmp_path / "robots" / f"{NAMES[0]}-masklabel.png", (255, 255, 255))
    return tmp_path / "robots"


def save(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.new("RGB", (64, 64), colour).save(path)
    path.with_suffix(".txt").write_text(f"robot {path.stem[:5]}\n", encoding="utf-8")


def there(folder: Path) -> dict[str, list[str]]:
    """What lies where, by the numbers of images."""
    return {
        place: sorted({path.name[:5] for path in (folder / place).glob("0*")}) for place in (UNDECIDED, KEPT, REJECTED)
    }


# Without a window -----------------------------------------------------------------------------------------------------


def test_the_tool_and_the_window_mean_the_same_folders() -> None:
    assert (training_set.KEPT, training_set.REJECTED) == (KEPT, REJECTED)


def test_an_image_goes_with_all_that_lies_beside_it_and_comes_back(folder: Path) -> None:
    picks = Picks(folder)
    assert picks.names == NAMES
    assert picks.put(NAMES[:2], KEPT) and picks.put([NAMES[2]], REJECTED)
    assert there(folder) == {"": ["00004"], KEPT: ["00001", "00002"], REJECTED: ["00003"]}
    assert {path.name for path in (folder / KEPT).glob(f"{NAMES[0]}*")} == {
        f"{NAMES[0]}.png", f"{NAMES[0]}.txt", f"{NAMES[0]}-masklabel.png", f"{NAMES[0]}-masklabel.txt",
    }  # fmt: skip
    assert Picks(folder).state == picks.state
    assert picks.undo() == [NAMES[2]] and picks.undo() == NAMES[:2] and picks.undo() == []
    assert there(folder) == {"": [name[:5] for name in NAMES], KEPT: [], REJECTED: []}


def test_what_was_decided_already_is_no_step_to_undo(folder: Path) -> None:
    picks = Picks(folder)
    picks.put([NAMES[0]], KEPT)
    assert not picks.put([NAMES[0]], KEPT)
    assert picks.undo() == [NAMES[0]] and not picks.can_undo


def test_a_file_that_cannot_be_moved_is_named_and_the_others_can_be_undone(folder: Path) -> None:
    picks = Picks(folder)
    picks.put([NAMES[0]], KEPT)
    (folder / REJECTED).write_text("in the way", encoding="utf-8")
    with pytest.raises(UserError, match="rejected cannot be moved"):
        picks.put([NAMES[1]], REJECTED)
    assert picks.state[NAMES[1]] == UNDECIDED and picks.undo() == [NAMES[0]]


# With one -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def card(context: AppContext, root: Any, tmp_path: Path, pump: Pump) -> Iterator[Any]:
    """The tool's card on the page Tools."""
    from app.gui.kit import Pictures
    from app.gui.tools.card import ToolCard
    from app.gui.tools.page import ToolsPage

    context.draft.put("general.workspace", str(tmp_path / "workspace"))
    context.draft.put("model.source", "starter:model")
    context.pictures = Pictures(root, tmp_path / "thumbs")
    page = ToolsPage(root, context)
    page.pack(fill="both", expand=True)
    for _ in page.build():
        root.update()
    page.reveal("training-set")
    page.shown()
    pump()
    yield next(card for card in page.cards if isinstance(card, ToolCard) and card.tool.name == "training-set")
    page.destroy()
    context.pictures.close()


def press(grid: Any, key: str) -> None:
    grid.focus_force()
    grid.update()
    grid.event_generate(f"<KeyPress-{key}>")
    grid.update()


def test_images_appear_as_they_come_and_are_picked_with_keys(
    card: Any, folder: Path, context: AppContext, person: Person, engine: Any
) -> None:
    card.form.fields["prompts"].widget.controls["prompt"].set("a robot")
    card.button.press()
    (sent,) = engine.sent
    assert isinstance(sent, RunTool) and sent.name == "training-set" and sent.settings["prompts"][0]["prompt"]
    for number, name in enumerate(NAMES[:3], 1):
        context.running.take(SampleReady(str(folder / f"{name}.png"), "a robot", 0, number))
    review = card.images
    assert review.picks.names == NAMES and person.sees("To review 4")
    context.running.take(Finished(path=str(folder)))
    assert person.sees("3 images made in")
    review.grid_of_images.select({0}, 0)
    for key in "kxk":
        press(review.grid_of_images, key)
    assert there(folder) == {"": ["00004"], KEPT: ["00001", "00003"], REJECTED: ["00002"]}
    assert review.counts.cget("text") == "2 of 4 kept, 1 rejected, 1 not reviewed" and person.sees("Kept 2")
    person.click("To review 1")
    press(review.grid_of_images, "Right")
    press(review.grid_of_images, "x")
    assert there(folder)[REJECTED] == ["00002", "00004"]


def test_keys_in_the_large_view_go_on_to_what_is_undecided(card: Any, folder: Path, pump: Pump, person: Person) -> None:
    review = card.images
    review.open(folder)
    review.decide([NAMES[1]], KEPT)
    review.grid_of_images.select({0}, 0)
    press(review.grid_of_images, "Return")
    viewer = review.viewer
    pump(viewer.winfo_viewable)
    press(viewer, "k")
    assert viewer.name == NAMES[2]
    press(viewer, "x")
    press(viewer, "Left")
    assert viewer.name == NAMES[2] and person.sees("Rejected")
    viewer.event_generate("<Control-z>")
    assert there(folder) == {"": ["00003", "00004"], KEPT: ["00001", "00002"], REJECTED: []}
    save(folder / "00005-ab.png", (9, 9, 9))
    review.take(SampleReady(str(folder / "00005-ab.png"), "a robot", 0, 1))
    assert viewer.names[-1] == "00005-ab"
    viewer.close(None)


def test_what_is_kept_becomes_a_concept_or_class_images(
    card: Any, folder: Path, context: AppContext, person: Person
) -> None:
    context.draft.add("concepts", {"path": "starter:robot"})
    review = card.images
    review.open(folder)
    assert review.add.reason
    review.decide([NAMES[0]], KEPT)
    person.click("Keep the rest")
    review.undo()
    assert there(folder)[KEPT] == ["00001"]
    person.click("Use as class images")
    person.click("Add as concept")
    example, added = context.draft.get("concepts")  # the second time it is in the list already
    assert example["path"] == "starter:robot"
    assert (added["path"], added["kind"], added["name"]) == (str(folder / KEPT), "class", "robots, class images")


def test_what_is_kept_is_handed_over_to_the_captions(card: Any, folder: Path, context: AppContext) -> None:
    """Beside Undo, what follows: prompts are captions, and often not the best ones."""
    offered: list[tuple[str, Any]] = []
    context.notify = lambda _text, _action="", _act=None, more=(): offered.extend(more)
    card.images.open(folder)
    card.images.decide([NAMES[0]], KEPT)
    card.images.add.press()
    ((label, act),) = offered
    assert label == "Make captions"
    act()
    from app.gui.caption_models.dialog import MakeCaptions

    def dialogs() -> list[Any]:
        return [each for each in card.winfo_toplevel().winfo_children() if isinstance(each, MakeCaptions)]

    (dialog,) = dialogs()
    assert dialog.values()["source"] == str(folder / KEPT)
    dialog.close(None)
    context.draft.undo()  # the concept is gone: there is nothing to caption
    act()
    assert not dialogs()


def test_the_page_takes_back_what_was_decided_last(card: Any, folder: Path, context: AppContext) -> None:
    page: Any = card.master.master.master.master
    card.images.open(folder)
    assert not page.undo()
    card.images.decide([NAMES[0]], REJECTED)
    assert page.undo() and there(folder)[REJECTED] == []
    card.images.decide([NAMES[0]], KEPT)
    card.images.add.press()
    assert [each["path"] for each in context.draft.get("concepts")] == [str(folder / KEPT)]
    assert not page.undo()  # the concept is what Ctrl+Z takes back now


def test_a_file_of_prompts_stands_for_those_that_are_typed(card: Any, engine: Any, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a {red|blue} robot --w 128 --h 64\na boat\n", encoding="utf-8")
    prompts = card.form.fields["prompts"]
    prompts.widget.controls["negative"].set("fog")
    prompts.file.set(str(file))
    card.button.press()
    drawn = engine.sent[0].settings["prompts"]
    assert [(each["prompt"], each["width"], each["negative"]) for each in drawn] == [
        ("a {red|blue} robot", 128, "fog"), ("a boat", 0, "fog"),
    ]  # fmt: skip


def test_a_file_of_prompts_that_is_none_is_named(card: Any, engine: Any, person: Person, tmp_path: Path) -> None:
    card.form.fields["prompts"].file.set(str(tmp_path / "gone.txt"))
    card.button.press()
    assert engine.sent == [] and person.finds("gone.txt cannot be read")
