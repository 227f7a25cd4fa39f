import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.concepts.card import CELL, amount_of, state_of
from app.gui.concepts.folder_summary import FolderSummaries, FolderSummary, summary_of
from app.gui.context import AppContext
from app.gui.draft.labels import title_of
from modules.preset.sections.concept import Concept
from modules.preset.validate import all_settings
from tests.gui.conftest import Pump, left_behind
from tests.gui.person import CONTROL, SHIFT, Person, words_of

NAMES = [name for name in Concept.model_fields]
Shown = Callable[..., Any]


def images(folder: Path, *sizes: tuple[int, int]) -> Path:
    folder.mkdir()
    for number, size in enumerate(sizes or ((96, 64), (64, 96), (64, 64))):
        Image.new("RGB", size, (40 * number, 90, 160)).save(folder / f"{number}.png")
    (folder / "0.txt").write_text("a, b, c", encoding="utf-8")
    return folder


def built(page: Any) -> Any:
    page.pack(fill="both", expand=True)
    for _ in page.build():
        pass
    page.shown()
    return page


@pytest.fixture
def said(context: AppContext) -> list[tuple[str, Any]]:
    """What the window said, with the way back that it offered."""
    found: list[tuple[str, Any]] = []
    context.notify = lambda text, action="", on_action=None: found.append((text, on_action))
    return found


@pytest.fixture
def page(context: AppContext, root: Any, tmp_path: Path, said: list[tuple[str, Any]]) -> Iterator[Any]:
    from app.gui.concepts.page import ConceptsPage
    from app.gui.kit import Pictures

    context.pictures = Pictures(root, tmp_path / "thumbs")
    yield built(ConceptsPage(root, context))
    context.pictures.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return images(tmp_path / "cats")


def enabled(context: AppContext) -> list[bool]:
    return [concept["enabled"] for concept in context.draft.get("concepts")]


# The words on a card --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda folder: None, "Folder not found"),
        (lambda folder: folder.mkdir(), "No images"),
        (lambda folder: folder.write_text("x"), "Not a folder"),
        (lambda folder: (folder / "in").mkdir(parents=True), "Only sub-folders inside"),
        (images, ""),
    ],
)
def test_a_card_says_what_is_wrong_with_its_folder(tmp_path: Path, make: Any, problem: str) -> None:
    make(tmp_path / "a")
    assert summary_of(str(tmp_path / "a"), False).problem == problem


def test_a_card_says_how_many_images_and_how_often() -> None:
    concept = Concept(path="/some/cats").model_dump()
    assert title_of(concept) == "cats"
    assert amount_of(concept, FolderSummary(1)) == "1 image · \u00d71"
    assert amount_of({**concept, "repeats": 0.5}, FolderSummary(1299)) == "1,299 images · \u00d70.5"
    assert amount_of({**concept, "samples": 40}, None) == "Reading … · 40 per epoch"
    assert state_of(concept, FolderSummary(0, problem="No images"), 0) == ("No images", "error")
    assert state_of(concept, FolderSummary(3), 2) == ("2 settings are wrong", "error")
    assert state_of(concept, FolderSummary(3), 0) == ("caption files", "text2")
    assert (
        state_of(concept, FolderSummary(3, not_taken=((".heic", 2), (".tga", 1))), 0)[0]
        == "2 .heic and 1 .tga not read"
    )
    assert state_of({**concept, "kind": "validation"}, FolderSummary(3), 0)[0] == "Validation · caption files"


def test_the_starters_folders_are_found_by_name() -> None:
    assert summary_of("starter:robot", False).images > 0
    assert summary_of("starter:nonsense", False).problem


def test_folders_are_listed_beside_the_window_and_again_when_asked(folder: Path, pump: Pump) -> None:
    summary, concept = FolderSummaries(), Concept(path=str(folder)).model_dump()
    assert summary.of(concept) is None
    summary.look([concept])
    pump(lambda: summary.poll() and summary.of(concept) is not None)
    (folder / "new.png").write_bytes((folder / "0.png").read_bytes())
    summary.look([concept], again=True)
    pump(lambda: summary.poll() and (found := summary.of(concept)) and found.images == 4)
    found = summary.of(concept)
    assert found and found.first and found.first.path == folder / "0.png"
    summary.close()


# The page -------------------------------------------------------------------------------------------------------------


def add(context: AppContext, folder: Path, *names: str) -> None:
    for name in names:
        context.draft.add("concepts", {"path": str(folder), "name": name})


def test_nothing_yet_shows_what_to_do_and_the_starters_robot_is_one_press_away(
    page: Any, person: Person, context: AppContext
) -> None:
    assert person.sees("Nothing to train on yet")
    person.click("Use the starter's robot")
    assert context.draft.get("concepts.0.path") == "starter:robot"
    assert not person.sees("Nothing to train on yet") and person.sees("Starter robot")


def test_dropped_folders_become_concepts_once_and_can_be_taken_back(
    page: Any, person: Person, context: AppContext, folder: Path, pump: Pump, said: list[Any]
) -> None:
    page.drop([folder, folder / "0.png"])
    assert [concept["path"] for concept in context.draft.get("concepts")] == [str(folder)]
    pump(lambda: person.sees("1 of 1 on · 3 images"))
    page.drop([folder])
    assert len(context.draft.get("concepts")) == 1 and "already" in said[-1][0]
    said[0][1]()
    assert context.draft.get("concepts") == []


def test_the_counts_follow_the_switches(
    page: Any, person: Person, context: AppContext, folder: Path, pump: Pump
) -> None:
    add(context, folder, "one", "two", "three")
    pump(lambda: person.sees("3 of 3 on · 9 images"))
    person.click("two")
    person.click("Switch off")
    assert person.sees("2 of 3 on · 6 images")


def test_a_click_on_the_switch_of_a_card_turns_it_and_nothing_else(
    page: Any, person: Person, context: AppContext, folder: Path, pump: Pump
) -> None:
    add(context, folder, "cats")
    pump(lambda: person.sees("3 images"))
    from app.gui.kit import px

    line = person.find("caption files")
    person.click_at(line.widget, line.box[0] + px(CELL[0] - 30), line.box[1])
    assert enabled(context) == [False]
    assert not person.sees("Switch on"), "nothing is selected"


def test_several_are_switched_as_one_change(
    page: Any, person: Person, context: AppContext, folder: Path, pump: Pump
) -> None:
    add(context, folder, "one", "two", "three", "four")
    pump(lambda: person.sees("4 of 4 on"))
    person.click("one")
    person.click("three", state=SHIFT)
    person.click("Switch off")
    assert enabled(context) == [False, False, False, True]
    context.draft.undo()
    assert enabled(context) == [True] * 4


def test_removing_can_be_taken_back_and_touches_no_file(
    page: Any, person: Person, context: AppContext, folder: Path, pump: Pump, said: list[Any]
) -> None:
    add(context, folder, "one", "two", "three")
    pump(lambda: person.sees("3 of 3 on"))
    person.click("one")
    person.click("three", state=CONTROL)
    person.press("<Delete>")
    pump(lambda: person.sees("1 of 1 on"))
    assert context.draft.get("concepts.0.name") == "two"
    assert len(list(folder.iterdir())) == 4
    said[-1][1]()
    assert [concept["name"] for concept in context.draft.get("concepts")] == ["one", "two", "three"]


def test_the_way_back_of_a_toast_takes_back_nothing_else(
    page: Any, person: Person, context: AppContext, said: list[Any]
) -> None:
    person.click("Use the starter's robot")
    person.click("Starter robot")
    person.click("Remove")
    context.draft.put("training.batch_size", 7)
    said[-1][1]()
    assert context.draft.get("training.batch_size") == 7 and context.draft.get("concepts") == []


def test_a_copy_stands_behind_its_original_and_is_chosen(
    page: Any, person: Person, context: AppContext, folder: Path, pump: Pump
) -> None:
    add(context, folder, "one", "two")
    pump(lambda: person.sees("2 of 2 on"))
    person.click("one")
    person.click("Duplicate")
    assert [concept["name"] for concept in context.draft.get("concepts")] == ["one", "one", "two"]
    assert page.chosen() == [1]


def test_the_filter_finds_names_folders_and_problems(
    page: Any, person: Person, context: AppContext, folder: Path, pump: Pump
) -> None:
    add(context, folder, "Winter")
    context.draft.add("concepts", {"path": "/not/there", "name": "Lost", "enabled": False})
    names = lambda: [name for name in ("Winter", "Lost") if person.sees(name)]  # noqa: E731
    pump(lambda: person.sees("Folder not found") and person.sees("3 images"))
    person.type("Filter concepts", "wint", end="")
    pump(lambda: names() == ["Winter"])
    person.type("wint", "", end="")
    before = "All"
    for shown, found in (
        ("Off", ["Lost"]),
        ("On", ["Winter"]),
        ("With problems", ["Lost"]),
        ("All", ["Winter", "Lost"]),
    ):
        person.click(before)
        person.click(shown)
        assert names() == found, shown
        before = shown


def watchers(context: AppContext) -> int:
    return len(context.draft._watchers)  # pyright: ignore[reportPrivateUsage]


def test_a_page_that_goes_leaves_no_watcher_behind(page: Any, context: AppContext) -> None:
    before = watchers(context)
    page.destroy()
    assert watchers(context) == before - 1
    context.draft.add("concepts")


# The dialog of one concept --------------------------------------------------------------------------------------------


@pytest.fixture
def dialog(page: Any, person: Person, context: AppContext, folder: Path, pump: Pump) -> Iterator[Any]:
    shutil.copy(folder / "0.png", folder / "copy.png")
    context.draft.put("training.resolution", 64)
    add(context, folder, "Cats")
    page.open(0)
    pump(lambda: person.dialog() == "Cats" and person.sees("a, b, c") and person.finds("Masks"))
    dialog = person.front()
    yield dialog
    dialog.close(None)


def labels_in(person: Person) -> Counter[str]:
    """The names of settings that stand in the dialog, also where one has to scroll for them."""
    names = {setting.label for setting in all_settings() if setting.path.startswith("concepts.0.")}
    found = [each for each in words_of(person.front()) if each.text in names]
    return Counter(each.text for each in found if hasattr(each.widget.master, "setting"))


def test_the_dialog_has_every_setting_of_a_concept(dialog: Any, person: Person, context: AppContext) -> None:
    from app.gui.concepts.settings import REST, grouped

    context.window_state.put("expert", ["concepts"])
    for path, value in (("captions", "prompt"), ("shuffle_tags", True), ("random_crop", True)):
        context.draft.put(f"concepts.0.{path}", value)
    person.pump()
    settings = [setting for setting in all_settings() if setting.path.startswith("concepts.0.")]
    expected = Counter(setting.label for setting in settings if context.draft.is_visible(setting, setting.path))
    assert labels_in(person) == expected
    assert sorted(setting.path for _, group in grouped() for setting in group) == sorted(
        f"concepts.0.{name}" for name in NAMES
    )
    assert REST not in dict(grouped())


def test_settings_that_do_not_apply_are_not_shown(dialog: Any, person: Person, context: AppContext) -> None:
    label = next(setting.label for setting in all_settings() if setting.path == "concepts.0.prompt")
    assert not labels_in(person)[label]
    context.draft.put("concepts.0.captions", "prompt")
    person.pump()
    assert labels_in(person)[label]
    context.draft.undo()
    person.pump()
    assert not labels_in(person)[label]


def test_each_setting_can_be_shown_by_its_path(
    dialog: Any, person: Person, context: AppContext, subtests: pytest.Subtests
) -> None:
    for setting in all_settings():
        if setting.path.startswith("concepts.0."):
            with subtests.test(setting.path):
                if setting.when is not None:
                    context.draft.put(f"concepts.0.{setting.when.path}", setting.when.values[0])
                dialog.reveal(setting.path)
                assert person.sees(setting.label)


def test_the_captions_of_five_draws_are_shown_at_once(
    dialog: Any, person: Person, context: AppContext, pump: Pump
) -> None:
    pump(lambda: person.sees("Same caption in every epoch"))
    context.draft.put("concepts.0.shuffle_tags", True)
    pump(lambda: person.sees("Epoch 5"))
    lines = [text for text in person.texts() if sorted(text.split(", ")) == ["a", "b", "c"]]
    assert len(lines) >= 6, "the caption of this epoch, and of the five to come"
    assert lines[0] == lines[1]
    pump(lambda: sum(text.endswith(" tokens") for text in person.texts()) == 5)


def test_the_next_epoch_is_another_and_the_picture_follows_the_settings(
    dialog: Any, person: Person, context: AppContext, pump: Pump
) -> None:
    context.draft.put("concepts.0.flip", True)
    context.draft.put("concepts.0.shuffle_tags", True)
    captions, flips = set[str](), set[bool]()
    for epoch in range(2, 10):
        person.click("Next epoch")
        pump(lambda epoch=epoch: person.sees(f"epoch {epoch}"))
        captions.add(next(text for text in person.texts() if sorted(text.split(", ")) == ["a", "b", "c"]))
        flips.add(person.sees("lipped"))
    assert len(captions) > 1 and flips == {True, False}
    context.draft.put("concepts.0.prefix", "PREFIX ")
    pump(lambda: person.sees("PREFIX "))


def test_a_caption_that_was_mended_outside_is_seen_by_the_next_epoch(
    dialog: Any, person: Person, context: AppContext, folder: Path, pump: Pump
) -> None:
    (folder / "1.txt").write_bytes(b"\x81")
    (folder / "x.tga").touch()
    context.draft.put("concepts.0.masks", "file")  # has the folder read anew
    pump(lambda: any("1 cannot be used · 1 .tga not read" in text for text in person.texts()))
    (folder / "1.txt").write_text("mended", encoding="utf-8")
    person.click("Next epoch")
    pump(lambda: not any("cannot be used" in text for text in person.texts()))
    (folder / "1.txt").write_text("mended again", encoding="utf-8")
    person.click("Next epoch")
    pump(lambda: person.sees("mended again"))
    (folder / "1.txt").write_text("and once more", encoding="utf-8")
    dialog.event_generate("<FocusIn>")
    pump(lambda: person.sees("and once more"))
    person.click("Statistics")
    pump(lambda: person.sees("1 .tga not read"))


def test_another_image_can_be_looked_at(dialog: Any, person: Person, pump: Pump) -> None:
    pump(lambda: person.sees("1.png"))
    person.click("1.png")
    pump(lambda: person.sees("(no caption)"))


def test_the_statistics_are_counted_when_they_are_asked_for(
    dialog: Any, person: Person, context: AppContext, pump: Pump
) -> None:
    assert not dialog.numbers.asked
    person.click("Statistics")
    pump(lambda: person.sees("As the files are now"))
    assert person.finds("copy.png") and person.read("Duplicate files") == "1"
    context.draft.put("concepts.0.repeats", 3)
    assert person.sees("Settings changed since this was counted")


def test_counting_can_be_cancelled_and_begun_again(dialog: Any, person: Person, pump: Pump) -> None:
    person.click("Statistics")
    pump(lambda: person.sees("As the files are now"))
    button = person.find("Count again").widget
    button.press()
    button.press()  # before anything could be counted
    assert person.sees("Cancelled")
    person.click("Count again")
    pump(lambda: person.sees("As the files are now"))


def test_a_folder_that_is_gone_is_said_where_the_picture_was(
    dialog: Any, person: Person, context: AppContext, pump: Pump
) -> None:
    context.draft.put("concepts.0.path", "/not/there")
    pump(lambda: person.sees("no folder"))
    person.click("Statistics")
    pump(lambda: person.sees("Could not be counted"))


def test_the_dialog_goes_with_its_concept_and_leaves_nothing(dialog: Any, context: AppContext, pump: Pump) -> None:
    context.draft.undo()
    pump(lambda: not dialog.winfo_exists())
    assert watchers(context) == 1  # the page's


def test_revealing_a_setting_opens_the_dialog_of_its_concept(page: Any, person: Person, pump: Pump) -> None:
    page.use_starter()
    page.reveal("concepts.0.keep_tags")
    pump(lambda: person.dialog() == "Starter robot" and person.sees("Keep first tags"))
    person.press("<Escape>")


def test_revealing_the_switch_shows_the_card_alone(page: Any, person: Person) -> None:
    for _ in range(2):
        page.use_starter()
    page.reveal("concepts.0.enabled")
    assert person.dialog() == "" and page.chosen() == [0]


def test_dialogs_that_were_closed_leave_nothing_behind(
    page: Any, person: Person, context: AppContext, root: Any, pump: Pump
) -> None:
    from app.gui.kit import theme

    def once() -> None:
        page.open(0)
        pump(lambda: person.dialog() == "Starter robot" and person.sees("blip robot") and person.finds("Masks"))
        person.click("Statistics")
        person.front().close(None)
        pump()

    def state() -> dict[str, int]:
        return {"painted": len(theme.painted), "watchers": watchers(context), "widgets": len(root.winfo_children())}

    page.use_starter()
    once()
    assert left_behind(once, state, rounds=4) == {}


def test_in_a_small_window_the_picture_leaves_room_to_words_and_list(
    context: AppContext, root: Any, folder: Path
) -> None:
    from app.gui.concepts.preview import VIEW, ConceptPreview
    from app.gui.kit import Pictures, px

    context.pictures = Pictures(root, None)
    preview = ConceptPreview(root, context, context.draft.add("concepts", {"path": str(folder)}))
    for width, height, most in ((900, 900, px(VIEW)), (360, 900, 180), (900, 400, 160)):
        preview.place(x=0, y=0, width=width, height=height)
        root.update()
        assert int(preview.view.cget("width")) == most
    preview.destroy()
    context.pictures.close()
