import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui import busy_dialog
from app.gui.captions import batch
from app.gui.captions.edits import add_tag
from app.gui.captions.token_lines import in_words
from app.gui.context import AppContext
from modules.system import files as files_module
from modules.system.files import write_text
from modules.system.user_folder import settings_folder
from tests.gui.conftest import Pump, rest
from tests.gui.person import Person

TEXTS: dict[str, str | None] = {
    "0": "red, blue\n", "1": None, "2": "red, green\nfirst, second", "3": "  \n", "4": "hills at night",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cats"
    folder.mkdir()
    for name, text in TEXTS.items():
        Image.new("RGB", (64, 32), (90, 20, 160)).save(folder / f"{name}.png")
        if text is not None:
            (folder / f"{name}.txt").write_bytes(text.encode())
    return folder


@pytest.fixture
def said(context: AppContext) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    context.notify = lambda text, action="", on_action=None: found.append((text, on_action))
    return found


@pytest.fixture
def page(context: AppContext, root: Any, tmp_path: Path, folder: Path, said: list[Any], pump: Pump) -> Iterator[Any]:
    from app.gui.captions.page import CaptionsPage
    from app.gui.kit import Pictures

    context.pictures = Pictures(root, tmp_path / "thumbs")
    context.draft.add("concepts", {"path": str(folder), "prefix": "a photo of "})
    page = CaptionsPage(root, context)
    page.pack(fill="both", expand=True)
    for _ in page.build():
        pass
    page.shown()
    pump(lambda: page.work.captions.all)
    yield page
    page.destroy()
    context.pictures.close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}


def pick(page: Any, *indices: int) -> None:
    page.grid_.select(set(indices), indices[0])


def write(page: Any, text: str) -> None:
    inner = page.editor.text.inner
    inner.delete("1.0", "end")
    inner.insert("1.0", text)


# Reading --------------------------------------------------------------------------------------------------------------


def test_all_images_are_there_and_missing_captions_are_marked_in_words(person: Person, page: Any) -> None:
    assert person.sees("5 images · 2 without a caption")
    tiles = ("no caption", "red, blue", "hills at night", *(f"{n}.png" for n in range(5)))
    assert [each.text for each in person.seen(page.grid_) if each.text in tiles] == [
        "0.png", "red, blue", "1.png", "no caption", "2.png", "3.png", "no caption", "4.png", "hills at night",
    ]  # fmt: skip


def test_looking_at_every_image_writes_nothing(page: Any, folder: Path, said: list[Any]) -> None:
    before, times = files(folder), {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    for index in range(5):
        pick(page, index)
        page.step(1)
    page.editor.text.focus_set()
    page.hidden()
    assert files(folder) == before and said == []
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


def test_concepts_that_are_off_or_without_caption_files_are_left_out(
    page: Any, person: Person, context: AppContext, pump: Pump
) -> None:
    context.draft.put("concepts.0.captions", "filename")
    page.shown()
    pump(lambda: person.sees("do not take their captions from text files"))
    context.draft.put("concepts.0.enabled", False)
    page.shown()
    pump(lambda: person.sees("No images yet"))
    context.draft.put("concepts.0.captions", "file")
    context.draft.put("concepts.0.enabled", True)
    page.shown()
    pump(lambda: person.sees("5 images") and not person.sees("No images yet"))


def test_leaving_the_page_while_it_reads_ends_the_reading_and_coming_back_begins_anew(
    page: Any, person: Person, pump: Pump
) -> None:
    page.read()
    page.hidden()
    rest(pump, page, 300)
    assert person.sees("Reading captions"), "what was read is not shown"
    page.shown()
    pump(lambda: person.sees("5 images"))


def test_a_folder_of_two_concepts_is_shown_once(page: Any, person: Person, context: AppContext, pump: Pump) -> None:
    context.draft.duplicate("concepts", 0)
    page.read()
    pump(lambda: not person.sees("Reading captions"))
    assert person.sees("5 images · 2 without a caption")


def test_images_that_share_a_caption_file_are_edited_as_one(page: Any, folder: Path, pump: Pump) -> None:
    Image.new("RGB", (8, 8)).save(folder / "0.jpg")
    page.read()
    pump(lambda: len(page.work.captions.all) == 6)
    pick(page, 0)
    write(page, "one")
    page.step(1)
    assert page.editor.text.get() == "one"
    write(page, "two")
    assert page.editor.save() and files(folder)["0.txt"].strip() == b"two"
    page.undo()
    page.undo()
    assert files(folder)["0.txt"] == b"red, blue\n"


# The editor -----------------------------------------------------------------------------------------------------------


def test_every_line_is_kept_and_the_end_of_the_file_too(page: Any, folder: Path) -> None:
    pick(page, 0)
    assert page.editor.text.get() == "red, blue"
    write(page, "red, yellow\nother")
    assert page.editor.save()
    assert files(folder)["0.txt"] == b"red, yellow\nother\n"


def test_what_was_typed_is_saved_on_the_way_to_the_next_image(
    page: Any, person: Person, folder: Path, pump: Pump
) -> None:
    pick(page, 1)
    write(page, "new words")
    inner = page.editor.text.inner
    inner.focus_force()
    inner.event_generate("<Control-Return>")
    pump(lambda: page.editor.number == 2)
    assert files(folder)["1.txt"] == b"new words"
    assert page.editor.text.get() == "red, green\nfirst, second"
    page.step(-1)
    assert page.editor.text.get() == "new words"
    assert person.sees("5 images · 1 without a caption")


def test_what_was_typed_is_saved_when_the_focus_leaves(page: Any, folder: Path, pump: Pump) -> None:
    pick(page, 4)
    page.editor.text.inner.focus_force()
    write(page, "hills by day")
    page.grid_.focus_force()
    pump(lambda: files(folder)["4.txt"] == b"hills by day")


def test_undo_and_redo_bring_back_the_very_bytes(page: Any, folder: Path, said: list[Any]) -> None:
    before = files(folder)
    pick(page, 3)
    write(page, "something")
    page.editor.save()
    after = files(folder)
    assert page.undo() and files(folder) == before
    assert page.editor.text.get().strip() == ""
    assert page.redo() and files(folder) == after
    said[0][1]()
    assert files(folder) == before
    assert not page.undo()


def test_ctrl_z_in_the_text_takes_letters_back_first_and_then_files(page: Any, folder: Path, pump: Pump) -> None:
    pick(page, 4)
    inner = page.editor.text.inner
    inner.focus_force()
    pump()
    inner.insert("end", "!")
    page.step(1)
    assert files(folder)["4.txt"] == b"hills at night!"
    inner.focus_force()
    inner.event_generate("<Control-z>")
    pump(lambda: files(folder)["4.txt"] == b"hills at night")
    inner.event_generate("<Control-Shift-Z>")
    pump(lambda: files(folder)["4.txt"] == b"hills at night!")
    pick(page, 0)
    inner.insert("end", "?")
    inner.event_generate("<Control-z>")
    assert page.editor.text.get() == "red, blue" and files(folder)["4.txt"] == b"hills at night!"


def test_undo_goes_to_the_image_that_it_changed(page: Any) -> None:
    pick(page, 0)
    write(page, "x")
    page.editor.save()
    pick(page, 4)
    page.undo()
    assert page.editor.number == 0


def test_a_caption_that_cannot_be_saved_stays_in_the_editor_and_says_why(
    page: Any, person: Person, folder: Path
) -> None:
    pick(page, 0)
    write(page, "mine")
    (folder / "0.txt").write_text("theirs", encoding="utf-8")
    assert not page.editor.save()
    assert person.sees("Another program")
    pick(page, 1)
    pick(page, 0)
    assert page.editor.text.get() == "mine"
    assert (folder / "0.txt").read_text(encoding="utf-8") == "theirs"


def test_an_empty_text_takes_the_file_away(page: Any, folder: Path, said: list[Any]) -> None:
    pick(page, 0)
    write(page, " ")
    page.editor.save()
    assert "0.txt" not in files(folder) and "removed" in said[-1][0]


def test_tokens_are_counted_for_each_line_with_the_prefix(page: Any, person: Person, pump: Pump) -> None:
    pick(page, 4)
    pump(lambda: person.sees("6 of 75 tokens"))  # "a photo of" counts too
    pick(page, 2)
    pump(lambda: person.sees("Line 1: "))
    assert person.sees("one of them is picked at random")
    write(page, "word " * 100)
    page.editor.text.flush()
    assert person.sees("read in 2 chunks")


def test_a_caption_longer_than_all_chunks_is_said_to_be_cut() -> None:
    assert in_words(75, 1, 75) == "75 of 75 tokens"
    assert in_words(76, 1, 75) == "76 tokens: too long, cut after 1 chunk of 75"
    assert [in_words(tokens, 8, 510).endswith("read in 2 chunks of 510") for tokens in (510, 511, 1020, 1021)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_what_is_being_typed_is_saved_when_the_window_closes(page: Any, folder: Path, said: list[Any]) -> None:
    pick(page, 0)
    write(page, "last words")
    page.destroy()
    assert files(folder)["0.txt"] == b"last words\n" and said == []


# Tags -----------------------------------------------------------------------------------------------------------------


def chips(page: Any, person: Person) -> list[str]:
    return [each.text for each in person.seen(page.tags)]


def test_a_chip_adds_its_tag_to_the_text_or_takes_it_out_and_leaving_saves(
    page: Any, person: Person, folder: Path, pump: Pump
) -> None:
    pump(lambda: "green" in chips(page, person))
    person.click("green")
    assert page.editor.text.get() == "red, blue, green"
    assert person.sees("0.png · unsaved") and files(folder)["0.txt"] == b"red, blue\n"
    person.click("red")
    page.step(1)
    assert files(folder)["0.txt"] == b"blue, green\n" and not person.sees("unsaved")


def test_a_right_click_on_a_chip_shows_only_images_with_it(page: Any, person: Person, pump: Pump) -> None:
    pump(lambda: "green" in chips(page, person))
    person.click("green", button=3)
    assert page.work.shown == [2] and person.sees("1 of 5 images")
    person.click("With “green”")
    person.click("All images")
    assert page.work.shown == [0, 1, 2, 3, 4]


def test_an_edit_and_a_long_message_move_nothing_beside_the_picture(
    page: Any, folder: Path, person: Person, pump: Pump
) -> None:
    pump(lambda: person.sees("hills at night"))
    where, wide = page.editor.text.winfo_rooty(), page.editor.winfo_width()
    page.work.edit(add_tag("a long new tag"), range(5))
    (folder / "2.txt").write_bytes("robot".encode("utf-16-le"))
    pick(page, 2)
    message = person.find("2.txt is not text")
    assert (page.editor.text.winfo_rooty(), page.editor.winfo_width()) == (where, wide)
    assert message.box[2] <= page.editor.winfo_rootx() + wide, "broken into lines"


def test_where_there_is_little_height_the_picture_leaves_it_to_text_and_tags(page: Any, pump: Pump) -> None:
    pump(lambda: page.tags.winfo_height() > 40)
    for height, seen in ((300, False), (2000, True), (300, False)):
        page.editor.fit(height)
        assert bool(page.editor.picture.winfo_manager()) == seen
    page.editor.fit(2000)


def test_a_tag_in_two_ways_is_said_and_merged_into_the_frequent_one(
    page: Any, folder: Path, person: Person, pump: Pump
) -> None:
    page.work.write(0, "long hair")
    page.work.write(1, "long hair, red")
    page.work.write(4, "red, long_hair")
    pump(lambda: person.sees("Written two ways: “long hair” 2, “long_hair” 1"))
    person.click("Merge them")
    assert files(folder)["4.txt"] == b"red, long hair"
    pump(lambda: not person.sees("Written two ways"))
    page.undo()
    assert files(folder)["4.txt"] == b"red, long_hair"


# Many at once ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(page: Any, person: Person, root: Any, pump: Pump) -> Callable[..., Any]:
    """Opens the dialog at one of its ways."""

    def opened(way: str) -> Any:
        page.edit_many()
        pump(lambda: person.dialog() == "Edit many")
        if way:
            person.click(way)
        return person.front()

    return opened


def test_a_tag_is_added_to_the_chosen_images_only(
    page: Any, person: Person, folder: Path, said: list[Any], many: Callable[..., Any], pump: Pump
) -> None:
    pick(page, 0, 1)
    many("Add")
    person.type("Tag", "night", end="")
    pump(lambda: person.sees("Changes 2 captions"))
    assert files(folder)["0.txt"] == b"red, blue\n", "not before it is said"
    person.click("Change 2 captions")
    pump(lambda: files(folder)["0.txt"] == b"red, blue, night\n")
    assert files(folder)["1.txt"] == b"night" and files(folder)["4.txt"] == b"hills at night"
    assert said[-1][0] == "“night” added: 2 captions"
    page.undo()
    assert "1.txt" not in files(folder)


def test_tags_are_ticked_by_how_rare_they_are_and_removed(
    page: Any, person: Person, folder: Path, many: Callable[..., Any], pump: Pump
) -> None:
    dialog = many("Remove")
    pump(lambda: person.sees("No tag is chosen."))
    assert person.greyed("Change captions")
    person.click("Tick these")
    pump(lambda: person.sees("Changes 3 captions"))
    assert person.sees("\N{RIGHTWARDS ARROW} red")
    dialog.close(True)
    pump(lambda: "4.txt" not in files(folder))
    assert files(folder)["0.txt"] == b"red\n" and files(folder)["2.txt"] == b"red"


def test_a_dialog_that_is_closed_while_it_counts_leaves_nothing(
    many: Callable[..., Any], root: Any, pump: Pump
) -> None:
    many("Add").close(None)
    rest(pump, root, 400)  # an error in a callback fails the test


def test_tags_are_merged_under_the_name_of_the_most_frequent(
    page: Any, person: Person, folder: Path, many: Callable[..., Any], pump: Pump
) -> None:
    dialog = many("")
    dialog.list.focus_force()
    pump()
    for tag in ("green", "red"):
        dialog.list.go(tag)
        dialog.list.event_generate("<space>")
    pump(lambda: person.sees("Changes 1 caption") and dialog.name.get() == "red")
    person.click("Cancel")
    assert files(folder)["2.txt"] == b"red, green\nfirst, second"
    dialog = many("")
    dialog.list.focus_force()
    pump()
    dialog.list.go("green")
    dialog.list.event_generate("<space>")
    person.type("New name", "olive", end="")
    pump(lambda: person.sees("Changes 1 caption"))
    dialog.close(True)
    pump(lambda: files(folder)["2.txt"] == b"red, olive\nfirst, second")


def test_find_and_replace_counts_first_and_says_what_is_wrong_with_a_pattern(
    page: Any, person: Person, folder: Path, many: Callable[..., Any], pump: Pump
) -> None:
    dialog = many("Find and replace")
    person.type("Find", "RED", end="")
    person.type("Replace with", "x", end="")
    pump(lambda: person.sees("Changes 2 captions"))
    person.click("Match case")
    pump(lambda: person.sees("No caption would change"))
    person.click("Regular expression")
    person.type("Find", "(r", end="")
    pump(lambda: person.sees('"(r" is not a regular expression'))
    assert person.greyed("Change captions")
    person.type("Find", "(r)ed", end="")
    person.type("Replace with", "\\7", end="")
    pump(lambda: person.sees("cannot replace what was found"))
    person.type("Replace with", "\\1uby", end="")
    pump(lambda: person.sees("Changes 2 captions"))
    dialog.close(True)
    pump(lambda: files(folder)["0.txt"] == b"ruby, blue\n")


def test_what_is_being_typed_is_saved_before_a_change_of_many(page: Any, folder: Path) -> None:
    pick(page, 4)
    write(page, "hills")
    page.work.edit(add_tag("red"), page.work.shown)
    assert files(folder)["4.txt"] == b"hills, red"
    assert page.editor.text.get() == "hills, red"


# Filtering ------------------------------------------------------------------------------------------------------------


def test_filters_by_text_tag_and_missing(page: Any, person: Person, pump: Pump) -> None:
    person.type("Find in captions", "hills", end="")
    pump(lambda: person.sees("1 of 5 images"))
    assert page.work.shown == [4]
    person.type("hills", "", end="")
    pump(lambda: person.sees("5 images · 2"))
    person.click("All images")
    person.click("Without a caption")
    assert page.work.shown == [1, 3] and person.sees("2 of 5 images")
    person.click("Without a caption")
    person.click("All images")
    assert page.work.shown == [0, 1, 2, 3, 4]


def test_an_image_that_gets_its_caption_stays_in_view_until_the_filter_is_asked_again(
    page: Any, person: Person, pump: Pump
) -> None:
    person.click("All images")
    person.click("Without a caption")
    person.click("1.png")
    write(page, "now it has one")
    page.step(1)
    assert page.work.shown == [1, 3] and page.editor.number == 3
    person.type("Find in captions", "3", end="")
    pump(lambda: page.work.shown == [3])
    person.type("3", "", end="")
    pump(lambda: page.work.shown == [3])


def test_the_way_back_of_a_toast_takes_back_nothing_that_came_later(page: Any, folder: Path, said: list[Any]) -> None:
    page.work.edit(add_tag("new"), page.work.shown)
    back = said[-1][1]
    pick(page, 4)
    write(page, "typed meanwhile")
    back()
    assert files(folder)["4.txt"] == b"typed meanwhile" and "Undo that first" in said[-1][0]
    page.undo()
    back()
    assert files(folder)["0.txt"] == b"red, blue\n"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Each file that is written sets the first event, and waits for the second."""
    begun, go_on, flush = threading.Event(), threading.Event(), files_module.flush_to_disk

    def wait(path: Path) -> None:
        if settings_folder() in (path, path.parent):  # the journal
            return
        begun.set()
        assert go_on.wait(60)
        flush(path)

    monkeypatch.setattr(batch, "AT_ONCE", 1)
    monkeypatch.setattr(busy_dialog, "SOON_S", 0.0)
    monkeypatch.setattr(files_module, "flush_to_disk", wait)
    return begun, go_on


def dialogs(root: Any) -> list[Any]:
    return [child for child in root.winfo_children() if isinstance(child, busy_dialog.BusyDialog)]


def when_busy(root: Any, act: Callable[[Any], None]) -> None:
    """Do this to the dialog that waits, once it says how far the work is."""

    def look() -> None:
        shown = dialogs(root)
        if shown and shown[0].words.cget("text"):
            act(shown[0])
        else:
            root.after(20, look)

    root.after(20, look)


def test_a_long_change_is_waited_for_with_the_window_alive(
    page: Any, root: Any, folder: Path, slow: tuple[threading.Event, threading.Event]
) -> None:
    drawn: list[tuple[str, str]] = []

    def look(shown: Any) -> None:
        shown.close(None)  # it stays
        drawn.append((shown.title(), shown.words.cget("text")))
        slow[1].set()

    when_busy(root, look)
    assert page.work.edit(add_tag("new"), [0, 2]) == ""
    assert drawn == [("Writing captions", "0 of 2")]
    assert slow[0].is_set()
    assert files(folder)["2.txt"].startswith(b"red, green, new")
    assert not dialogs(root)


def test_a_long_change_that_is_cancelled_puts_everything_back(
    page: Any, root: Any, folder: Path, slow: tuple[threading.Event, threading.Event]
) -> None:
    before = files(folder)

    def cancel(shown: Any) -> None:
        shown.cancel.press()
        slow[1].set()

    when_busy(root, cancel)
    assert "Cancelled. Nothing was changed." in page.work.edit(add_tag("new"), [0, 2])
    assert files(folder) == before
    assert not page.work.can_undo


# Files that cannot be read --------------------------------------------------------------------------------------------


def test_a_caption_in_another_encoding_is_shown_and_converted_by_save(
    page: Any, folder: Path, person: Person, pump: Pump
) -> None:
    (folder / "0.txt").write_bytes("café".encode("cp1252"))
    page.read()
    pump(lambda: page.editor.text.get() == "café")
    assert person.sees("Windows-1252")
    pick(page, 1)
    pick(page, 0)
    assert files(folder)["0.txt"] == b"caf\xe9", "looking at it converts nothing"
    person.click("Save as UTF-8")
    assert files(folder)["0.txt"] == "café".encode()
    assert not person.sees("Windows-1252")
    page.undo()
    assert files(folder)["0.txt"] == b"caf\xe9"


def test_a_caption_that_is_no_text_is_filtered_shown_and_written_anew(
    page: Any, folder: Path, person: Person, pump: Pump
) -> None:
    (folder / "2.txt").write_bytes("robot".encode("utf-16-le"))
    page.reveal("wrong")
    pump(lambda: page.work.shown == [2])
    assert page.editor.text.get() == "robot"
    assert person.sees("2.txt is not text")
    person.click("Save as UTF-8")
    assert files(folder)["2.txt"] == b"robot"


def test_a_file_that_was_mended_outside_is_read_when_its_image_is_chosen(page: Any, folder: Path) -> None:
    (folder / "2.txt").write_text("mended outside", encoding="utf-8")
    pick(page, 2)
    assert page.editor.text.get() == "mended outside"


# Reading again --------------------------------------------------------------------------------------------------------


def test_reading_again_keeps_the_filter(page: Any, folder: Path, person: Person, pump: Pump) -> None:
    person.click("All images")
    person.click("Without a caption")
    assert page.work.shown == [1, 3]
    (folder / "3.txt").write_text("a caption by another program", encoding="utf-8")
    person.click("Read the files again")
    pump(lambda: page.work.shown == [1])
    assert person.sees("Without a caption")


def test_reading_again_asks_before_it_throws_away_what_could_not_be_saved(
    page: Any, folder: Path, person: Person, monkeypatch: pytest.MonkeyPatch, pump: Pump
) -> None:
    from app.gui.captions import page as module

    asked: list[str] = []
    monkeypatch.setattr(module, "ask", lambda _page, title, *_: asked.append(title) or len(asked) == 2)
    (folder / "0.txt").write_text("changed by another program", encoding="utf-8")
    page.editor.text.set("typed")
    person.click("Read the files again")
    assert asked == ["1 caption is not saved"]
    assert page.editor.text.get() == "typed"
    person.click("Read the files again")
    pump(lambda: page.editor.text.get() != "typed")
    assert page.editor.text.get() == "changed by another program"


# Encodings ------------------------------------------------------------------------------------------------------------


def test_files_in_other_encodings_are_counted_shown_and_converted_as_one_change(
    page: Any, folder: Path, person: Person, said: list[Any], pump: Pump
) -> None:
    (folder / "0.txt").write_bytes("синий".encode("cp1251"))
    (folder / "2.txt").write_bytes("röt\r\n".encode("utf-16"))
    (folder / "4.txt").write_bytes(b"\xef\xbb\xbfhills")
    before = files(folder)
    page.read()
    pump(lambda: person.sees("3 captions are not plain UTF-8"))
    assert "Convert it to UTF-8 first" in page.work.edit(add_tag("new"), [0]), "nothing is written by a guess"
    person.click("Convert to UTF-8")
    pump(lambda: person.dialog() == "Convert to UTF-8")
    person.click("Western European (Windows-1252)")
    person.click("Cyrillic (Windows-1251)")
    assert person.sees("0.png: синий")
    person.click("Convert 3 files")
    pump(lambda: files(folder)["0.txt"] == "синий".encode())
    assert files(folder)["2.txt"] == "röt\r\n".encode() and files(folder)["4.txt"] == b"hills"
    assert said[-1][0] == "Converted to UTF-8: 3 captions"
    pump(lambda: not person.sees("not plain UTF-8"))
    said[-1][1]()
    assert files(folder) == before


def test_a_change_that_was_killed_is_offered_to_be_taken_back(
    page: Any, folder: Path, person: Person, pump: Pump
) -> None:
    path = settings_folder() / "captions-3-0.json"
    rows = [[str(folder / "0.txt"), "b2xk", "cmVkLCBibHVlCg=="], [str(folder / "1.txt"), None, "bmV3"]]
    write_text(path, json.dumps(rows))
    page.read()
    pump(lambda: person.sees("A change of 2 captions was cut short: 1 file was written."))
    person.click("Put them back")
    pump(lambda: files(folder)["0.txt"] == b"old" and not person.sees("cut short"))
    assert not path.exists()


# Captions that are in no files ----------------------------------------------------------------------------------------


def test_a_caption_in_a_table_says_where_it_can_be_changed(
    page: Any, folder: Path, person: Person, context: AppContext, pump: Pump
) -> None:
    table = folder / "list.csv"
    table.write_text("file_name,text\n0.png,from the table\n", encoding="utf-8")
    context.draft.put("concepts.0.path", str(table))
    page.shown()
    pump(lambda: page.editor.text.get() == "from the table")
    assert person.sees("This caption is a row of") and person.sees("Change it there, and press Reload.")
    assert page.editor.text.reason and "Change it there" in page.work.edit(add_tag("x"), page.work.shown)
    assert not person.sees("Suggest"), "a model's words would have no place"
    image = (folder / "0.png").read_bytes()
    assert page.editor.save(pressed=True) and "Change it there" in page.work.write(0, "over the image")
    assert (folder / "0.png").read_bytes() == image
