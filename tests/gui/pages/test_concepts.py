import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.concepts.card import amount_of, state_of, title_of
from app.gui.concepts.folder_summary import FolderSummaries, FolderSummary, summary_of
from app.gui.context import AppContext
from modules.preset.sections.concept import Concept
from modules.preset.validate import all_settings
from tests.gui.conftest import Pump

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
    assert amount_of({**concept, "samples": 40}, None) == "Looking … · 40 an epoch"
    assert state_of(concept, FolderSummary(0, problem="No images"), 0) == ("No images", "error")
    assert state_of(concept, FolderSummary(3), 2) == ("2 settings are wrong", "error")
    assert state_of(concept, FolderSummary(3), 0) == ("captions from files", "text2")
    assert state_of({**concept, "kind": "validation"}, FolderSummary(3), 0)[0] == "Validation · captions from files"


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


def test_nothing_yet_shows_what_to_do_and_the_starters_robot_is_one_press_away(page: Any, context: AppContext) -> None:
    assert page._empty.winfo_manager()
    page.use_starter()
    assert context.draft.get("concepts.0.path") == "starter:robot"
    assert not page._empty.winfo_manager()


def test_dropped_folders_become_concepts_once_and_can_be_taken_back(
    page: Any, context: AppContext, folder: Path, pump: Pump, said: list[Any]
) -> None:
    page.drop([folder, folder / "0.png"])
    assert [concept["path"] for concept in context.draft.get("concepts")] == [str(folder)]
    pump(lambda: "3 images" in page._line.cget("text"))
    page.drop([folder])
    assert len(context.draft.get("concepts")) == 1 and "already" in said[-1][0]
    said[0][1]()
    assert context.draft.get("concepts") == []


def test_the_counts_follow_the_switches(page: Any, context: AppContext, folder: Path, pump: Pump) -> None:
    for _ in range(3):
        context.draft.add("concepts", {"path": str(folder)})
    pump(lambda: page._line.cget("text") == "3 of 3 on · 9 images")
    page._list.turn([1])
    assert page._line.cget("text") == "2 of 3 on · 6 images"


def test_a_click_on_the_switch_of_a_card_turns_it_and_nothing_else(
    page: Any, context: AppContext, folder: Path, pump: Pump
) -> None:
    context.draft.add("concepts", {"path": str(folder)})
    grid = page._grid
    pump(lambda: grid._cells)
    cell = grid._cells[0]
    x, y = (int(place) for place in grid.coords(cell._switch))
    for kind in ("<ButtonPress-1>", "<ButtonRelease-1>"):
        grid.event_generate(kind, x=x - 10, y=y - 8)
    pump(lambda: enabled(context) == [False])
    assert grid.selection == set()


def test_several_are_switched_as_one_change(page: Any, context: AppContext, folder: Path, pump: Pump) -> None:
    for _ in range(4):
        context.draft.add("concepts", {"path": str(folder)})
    pump(lambda: page._grid.count == 4)
    page._grid.select({0, 1, 2}, 0)
    page._turn()
    assert enabled(context) == [False, False, False, True]
    context.draft.undo()
    assert enabled(context) == [True] * 4


def test_removing_can_be_taken_back_and_touches_no_file(
    page: Any, context: AppContext, folder: Path, pump: Pump, said: list[Any]
) -> None:
    for name in ("one", "two", "three"):
        context.draft.add("concepts", {"path": str(folder), "name": name})
    pump(lambda: page._grid.count == 3)
    page._grid.select({0, 2}, 0)
    page._grid.focus_force()
    page._grid.event_generate("<Delete>")
    pump(lambda: page._grid.count == 1)
    assert context.draft.get("concepts.0.name") == "two"
    assert len(list(folder.iterdir())) == 4
    said[-1][1]()
    assert [concept["name"] for concept in context.draft.get("concepts")] == ["one", "two", "three"]


def test_the_way_back_of_a_toast_takes_back_nothing_else(page: Any, context: AppContext, said: list[Any]) -> None:
    page.use_starter()
    page._list.remove([0])
    context.draft.put("training.batch_size", 7)
    said[-1][1]()
    assert context.draft.get("training.batch_size") == 7 and context.draft.get("concepts") == []


def test_a_copy_stands_behind_its_original_and_is_chosen(page: Any, context: AppContext, pump: Pump) -> None:
    for name in ("one", "two"):
        context.draft.add("concepts", {"path": "starter:robot", "name": name})
    pump(lambda: page._grid.count == 2)
    page._grid.select({0}, 0)
    page.duplicate()
    assert [concept["name"] for concept in context.draft.get("concepts")] == ["one", "one", "two"]
    assert page.chosen() == [1]


def test_the_filter_finds_names_folders_and_problems(page: Any, context: AppContext, folder: Path, pump: Pump) -> None:
    context.draft.add("concepts", {"path": str(folder), "name": "Winter"})
    context.draft.add("concepts", {"path": "/not/there", "enabled": False})
    pump(lambda: not page._summaries.busy and not page._timer)
    page._filter.set("wint")
    page._arrange()
    assert page._numbers == [0]
    page._filter.set("")
    for shown, numbers in (("off", [1]), ("on", [0]), ("wrong", [1]), ("all", [0, 1])):
        page._show.set(shown)
        page._arrange()
        assert page._numbers == numbers


def watchers(context: AppContext) -> int:
    return len(context.draft._watchers)  # pyright: ignore[reportPrivateUsage]


def test_a_page_that_goes_leaves_no_watcher_behind(page: Any, context: AppContext) -> None:
    before = watchers(context)
    page.destroy()
    assert watchers(context) == before - 1
    context.draft.add("concepts")


# The dialog of one concept --------------------------------------------------------------------------------------------


@pytest.fixture
def dialog(page: Any, context: AppContext, folder: Path, pump: Pump) -> Iterator[Any]:
    shutil.copy(folder / "0.png", folder / "copy.png")
    context.draft.put("training.resolution", 64)
    context.draft.add("concepts", {"path": str(folder), "name": "Cats"})
    page.open(0)
    dialog = page._dialog
    pump(lambda: dialog._rest is None and dialog.preview._caption.cget("text"))
    yield dialog
    dialog.close(None)


def test_the_dialog_has_every_setting_of_a_concept(dialog: Any, context: AppContext) -> None:
    from app.gui.concepts.settings import REST, grouped

    context.draft.put("concepts.0.captions", "prompt")
    context.draft.put("concepts.0.shuffle_tags", True)
    context.draft.put("concepts.0.random_crop", True)
    context.window_state.put("expert", ["concepts"])
    dialog.settings._arrange()
    shown = {path for path, row in dialog.settings._rows.items() if row.winfo_manager()}
    knobs = [setting for setting in all_settings() if setting.path.startswith("concepts.0.")]
    assert shown == {setting.path for setting in knobs if context.draft.is_visible(setting, setting.path)}
    assert sorted(setting.path for _, group in grouped() for setting in group) == sorted(
        f"concepts.0.{n}" for n in NAMES
    )
    assert REST not in dict(grouped())


def test_settings_that_do_not_apply_are_not_shown(dialog: Any, context: AppContext) -> None:
    rows = dialog.settings._rows
    assert "concepts.0.prompt" not in rows
    context.draft.put("concepts.0.captions", "prompt")
    assert rows["concepts.0.prompt"].winfo_manager()
    context.draft.undo()
    assert not rows["concepts.0.prompt"].winfo_manager()


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_can_be_shown_by_its_path(dialog: Any, context: AppContext, name: str) -> None:
    setting = next(setting for setting in all_settings() if setting.path == f"concepts.0.{name}")
    if setting.when is not None:
        context.draft.put(f"concepts.0.{setting.when.path}", setting.when.values[0])
    dialog.reveal(f"concepts.0.{name}")
    assert dialog.settings._rows[f"concepts.0.{name}"].winfo_manager()


def test_the_captions_of_five_draws_are_shown_at_once(dialog: Any, context: AppContext, pump: Pump) -> None:
    draws = dialog.preview.draws
    pump(lambda: len(draws.lines) == 1 and "same" in draws.title.cget("text"))
    context.draft.put("concepts.0.shuffle_tags", True)
    pump(lambda: len(draws.lines) == 5)
    assert draws.lines[0] == dialog.preview._caption.cget("text")
    assert len({tuple(sorted(line.split(", "))) for line in draws.lines}) == 1
    pump(lambda: draws._rows[0][2].cget("text").endswith("tokens"))


def test_the_next_draw_is_another_and_the_picture_follows_the_settings(
    dialog: Any, context: AppContext, pump: Pump
) -> None:
    context.draft.put("concepts.0.flip", True)
    context.draft.put("concepts.0.shuffle_tags", True)
    captions, flips = set[str](), set[bool]()
    for draw in range(1, 9):
        dialog.preview.next_draw()
        pump(lambda draw=draw: f"epoch {draw + 1}" in dialog.preview._count.cget("text"))
        captions.add(dialog.preview._caption.cget("text"))
        flips.add("lipped" in dialog.preview._how.cget("text"))
    assert len(captions) > 1 and flips == {True, False}
    context.draft.put("concepts.0.prefix", "PREFIX ")
    pump(lambda: dialog.preview._caption.cget("text").startswith("PREFIX "))


def test_another_image_can_be_looked_at(dialog: Any, pump: Pump) -> None:
    dialog.preview._grid.select({1}, 1)
    pump(lambda: dialog.preview._caption.cget("text") == "(no caption)")


def test_the_numbers_are_counted_when_they_are_asked_for(dialog: Any, context: AppContext, pump: Pump) -> None:
    assert not dialog.numbers.asked
    dialog._show_view("Numbers")
    pump(lambda: dialog.numbers._words.cget("text") == "As the files are now")
    words = [str(child.cget("text")) for child in labels(dialog.numbers)]
    assert "copy.png" in " ".join(words) and "1 too many" in words
    context.draft.put("concepts.0.repeats", 3)
    assert "changed" in dialog.numbers._words.cget("text")


def test_counting_can_be_cancelled_and_begun_again(dialog: Any, pump: Pump) -> None:
    dialog.numbers.begin()
    dialog.numbers._press()
    assert dialog.numbers._words.cget("text") == "Cancelled"
    dialog.numbers._press()
    pump(lambda: dialog.numbers._words.cget("text") == "As the files are now")


def test_a_folder_that_is_gone_is_said_where_the_picture_was(dialog: Any, context: AppContext, pump: Pump) -> None:
    context.draft.put("concepts.0.path", "/not/there")
    pump(lambda: "no folder" in dialog.preview._view.itemcget(dialog.preview._view._words, "text"))
    dialog._show_view("Numbers")
    pump(lambda: dialog.numbers._words.cget("text") == "It could not be counted")


def test_the_dialog_goes_with_its_concept_and_leaves_nothing(dialog: Any, context: AppContext, pump: Pump) -> None:
    context.draft.undo()
    pump(lambda: not dialog.winfo_exists())
    assert watchers(context) == 1  # the page's


def test_revealing_a_setting_opens_the_dialog_of_its_concept(page: Any, context: AppContext, pump: Pump) -> None:
    page.use_starter()
    page.reveal("concepts.0.keep_tags")
    pump(lambda: page._dialog._rest is None)
    assert page._dialog._number == 0
    page._dialog.close(None)


def test_revealing_the_switch_shows_the_card_alone(page: Any, context: AppContext) -> None:
    for _ in range(2):
        page.use_starter()
    page.reveal("concepts.0.enabled")
    assert page._dialog is None and page.chosen() == [0]


def test_dialogs_that_were_closed_leave_nothing_behind(page: Any, context: AppContext, root: Any, pump: Pump) -> None:
    from app.gui.kit import theme

    page.use_starter()
    counts: list[tuple[int, int, int]] = []
    for _ in range(5):
        page.open(0)
        pump(lambda: page._dialog._rest is None and page._dialog.preview._caption.cget("text"))
        page._dialog._show_view("Numbers")
        page._dialog.close(None)
        pump()
        counts.append((len(theme.painted), watchers(context), len(root.winfo_children())))
    assert len(set(counts)) == 1


def labels(widget: Any) -> Iterator[Any]:
    from app.gui.kit import Label

    for child in widget.winfo_children():
        if isinstance(child, Label):
            yield child
        yield from labels(child)
