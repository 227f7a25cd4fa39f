import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.gui.context import AppContext
from modules.data.image.mask_files import maker_of, png_of, write_mask
from modules.data.source.folders import on_disk
from modules.messages import Finished, Stage
from modules.system.bundled import ROOT
from tests.gui.by_hand import page_of
from tests.gui.conftest import Pump
from tests.gui.person import Person

SIZE = (96, 64)
MADE = {"tool": "mask", "model": "u2net"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cats"
    folder.mkdir()
    for name in "abcd":
        Image.new("RGB", SIZE, (90, 20, 160)).save(folder / f"{name}.png")
    write_mask(folder / "b-masklabel.png", Image.new("L", SIZE, 255), MADE)
    write_mask(folder / "c-masklabel.png", Image.new("L", SIZE, 0))
    return folder


@pytest.fixture
def page(context: AppContext, root: Any, folder: Path, pump: Pump) -> Iterator[Any]:
    from app.gui.kit import Pictures

    context.pictures = Pictures(root, None)
    context.draft.add("concepts", {"path": str(folder), "masks": "file"})
    page = page_of(context, "masks")
    pump(lambda: page.painting is not None)
    yield page
    page.destroy()
    context.pictures.close()


def choose(page: Any, pump: Pump, place: int) -> None:
    page.side.grid_.select({place}, place)
    pump(lambda: page.painting is not None and page.number == page.list[place])


def drag(page: Any, *points: tuple[float, float], button: int = 1, state: int = 0) -> None:
    """Over these points of the image, with the pointer."""
    view = page.view
    view.update()
    at = [tuple(round(each) for each in view.layer.place.on_screen(*point)) for point in points]
    view.event_generate(f"<ButtonPress-{button}>", x=at[0][0], y=at[0][1], state=state)
    for x, y in at[1:]:
        view.event_generate("<Motion>", x=x, y=y)
    view.event_generate(f"<ButtonRelease-{button}>", x=at[-1][0], y=at[-1][1])
    view.update()


def press(page: Any, key: str, state: int = 0) -> None:
    page.view.focus_force()
    page.view.event_generate(f"<{key}>", state=state)
    page.view.update()


def saved(folder: Path, name: str) -> np.ndarray:
    with Image.open(folder / f"{name}-masklabel.png") as mask:
        assert mask.mode == "L"
        return np.asarray(mask)


def test_each_tile_says_who_made_its_mask_and_the_filter_shows_those(page: Any, person: Person, pump: Pump) -> None:
    states = [text for text in person.texts(page.side) if text in ("none", "made", "painted", "painting")]
    assert states == ["none", "made", "painted", "none"]
    page.which.set("none")
    page.filter()
    pump(lambda: len(page.list) == 2)
    assert person.sees("1 of 2")


def test_enter_saves_what_was_painted_and_goes_to_the_next_image(
    page: Any, person: Person, pump: Pump, folder: Path
) -> None:
    drag(page, (20, 30), (60, 30))
    assert person.sees("painting")
    press(page, "Return")
    pump(lambda: page.number == 1 and page.painting is not None)
    mask = saved(folder, "a")
    assert mask.shape == SIZE[::-1] and (mask[30, 40], mask[2, 90]) == (255, 0)
    assert not person.sees("painting") and maker_of(on_disk(folder / "a-masklabel.png")) is None
    press(page, "Return")
    pump(lambda: page.number == 2 and page.painting is not None)
    assert maker_of(on_disk(folder / "b-masklabel.png")) == MADE, "nothing was painted, and nothing written"


def test_the_right_button_leaves_out_and_the_eraser_too(page: Any, pump: Pump) -> None:
    choose(page, pump, 1)
    drag(page, (20, 30), (30, 30), button=3)
    assert page.painting.mask[30, 25] == 0
    page.undo()
    press(page, "e")
    drag(page, (60, 30), (70, 30))
    assert (page.painting.mask[30, 25], page.painting.mask[30, 65]) == (255, 0)


def test_shift_draws_a_straight_line_from_the_last_stroke(page: Any, pump: Pump) -> None:
    choose(page, pump, 2)
    page.hand.brush.size = 8
    drag(page, (10, 10), (11, 10))
    drag(page, (80, 10), (80, 10), state=0x1)
    assert page.painting.mask[10, 45] == 255 and page.painting.mask[30, 45] == 0


def test_letters_choose_tools_and_brackets_the_size_but_not_with_control(page: Any, pump: Pump) -> None:
    choose(page, pump, 2)
    before = page.hand.brush.size
    press(page, "bracketright")
    assert page.hand.brush.size > before
    press(page, "r")
    drag(page, (10, 10), (30, 40))
    assert page.painting.mask[10:40, 10:30].mean() > 250 and page.painting.mask[50, 50] == 0
    press(page, "w")
    drag(page, (80, 50))
    assert page.painting.mask.min() == 255, "the image is of one colour"
    press(page, "e", 0x4)
    assert page.hand.tool == "magic"
    looks = []
    for _ in range(3):
        press(page, "o")
        looks.append(page.view.layer.look)
    assert looks == ["mask", "image", "overlay"]


def test_strokes_that_are_not_saved_survive_another_image_and_a_new_page(
    page: Any, context: AppContext, pump: Pump, folder: Path
) -> None:
    drag(page, (20, 30), (60, 30))
    before = page.painting.mask.copy()
    choose(page, pump, 3)
    choose(page, pump, 0)
    assert np.array_equal(page.painting.mask, before) and page.painting.can_undo
    other = page_of(context, "masks")
    pump(lambda: other.painting is not None)
    assert np.array_equal(other.painting.mask, before)
    assert not (folder / "a-masklabel.png").exists()


def test_leaving_the_page_asks_for_what_is_not_saved(page: Any, person: Person, pump: Pump, folder: Path) -> None:
    drag(page, (20, 30), (60, 30))
    page.hidden()
    pump(lambda: person.sees("1 mask is not saved"))
    person.click("Save")
    pump((folder / "a-masklabel.png").exists)
    page.hidden()
    pump()
    assert not person.sees("not saved")


def test_a_deleted_mask_comes_back_with_undo(page: Any, context: AppContext, pump: Pump, folder: Path) -> None:
    said: list[tuple[str, Any]] = []
    context.notify = lambda text, action="", on_action=None, **_: said.append((text, on_action))
    before = (folder / "b-masklabel.png").read_bytes()
    choose(page, pump, 1)
    page.clear()
    assert (folder / "b-masklabel.png").exists(), "not before it is saved"
    assert page.save() and not (folder / "b-masklabel.png").exists()
    assert said[-1][0] == "Mask of b.png deleted"
    said[-1][1]()
    assert (folder / "b-masklabel.png").read_bytes() == before


def test_a_mask_that_another_program_has_changed_is_not_written_over_unasked(
    page: Any, context: AppContext, pump: Pump, folder: Path
) -> None:
    said: list[tuple[str, Any]] = []
    context.notify = lambda text, action="", on_action=None, **_: said.append((action, on_action))
    choose(page, pump, 2)
    drag(page, (20, 30), (60, 30))
    other = png_of(Image.new("L", (7, 5), 90))
    (folder / "c-masklabel.png").write_bytes(other)
    assert not page.save() and (folder / "c-masklabel.png").read_bytes() == other
    assert said[-1][0] == "Save over it"
    said[-1][1]()
    assert saved(folder, "c").shape == SIZE[::-1]


def test_grow_and_soften_begin_from_the_same_mask_each_time(page: Any, pump: Pump) -> None:
    choose(page, pump, 2)
    page.hand.tool = "rectangle"
    drag(page, (40, 20), (50, 30))
    grow = page.side.grow[0]
    grow.focus_force()
    for key, times, expected in (("Right", 8, 26 * 26), ("Left", 5, 16 * 16), ("Left", 3, 100)):
        for _ in range(times):
            grow.event_generate(f"<{key}>")
        pump(lambda expected=expected: 0.8 * expected <= (page.painting.mask > 127).sum() <= expected * 1.25)


def test_images_that_cannot_get_a_file_beside_them_say_so_and_are_not_painted(
    page: Any, context: AppContext, person: Person, pump: Pump, folder: Path, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder / "a.png", "a.png")
    places = {
        str(ROOT / "resources/starter/concepts/robot"): "came with Seachange",
        str(tmp_path / "set.tar"): "Unpack the images",
    }
    for place, words in places.items():
        context.draft.put("concepts.0.path", place)
        page.shown()
        pump(lambda words=words: person.sees(words) and page.painting is not None)
        drag(page, (20, 30), (60, 30))
        press(page, "Return")
        assert not page.store.unsaved()


def test_a_concept_without_mask_files_says_so_and_can_use_them(
    page: Any, context: AppContext, person: Person, pump: Pump
) -> None:
    context.draft.put("concepts.0.masks", "none")
    page.shown()
    pump(lambda: person.sees("trained without mask files"))
    person.click("Use them")
    assert context.draft.get("concepts.0.masks") == "file"
    pump(lambda: not person.sees("trained without mask files"))


def test_masks_are_made_by_the_tool_and_shown_when_it_is_done(
    page: Any, context: AppContext, person: Person, pump: Pump, folder: Path, engine: Any
) -> None:
    person.click("All without")
    job = engine.sent[-1]
    assert (job.name, job.settings) == ("mask", {"kind": "background", "source": str(folder), "subfolders": False})
    assert person.sees("Stop") and not person.sees("This image")
    write_mask(folder / "a-masklabel.png", Image.new("L", SIZE, 255), MADE)
    context.running.take(Stage("stage.masks", 1, 2))
    assert person.sees("Making masks")
    context.running.take(Finished())
    pump(lambda: page.store.all[0].state == "made" and page.painting is not None)
    person.click("This image")
    assert engine.sent[-1].settings["only"] == ["a.png"]
