import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui import busy_dialog
from app.gui.captions.token_lines import in_words
from app.gui.context import AppContext
from modules.system import files as files_module
from tests.gui.conftest import Pump, rest
from tests.gui.person import CONTROL, Person, words_of

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


def shown(person: Person) -> list[str]:
    """The images in view."""
    return [text for text in person.texts() if text.endswith(".png")]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}


def pick(page: Any, *indices: int) -> None:
    page.grid_.select(set(indices), indices[0])


def chips(person: Person) -> list[str]:
    """The tags with their counts, as they stand in the page."""
    return [text for text in person.texts() if re.fullmatch(r".+  \d+", text)]


def write(page: Any, text: str) -> None:
    inner = page.editor.text.inner
    inner.delete("1.0", "end")
    inner.insert("1.0", text)


# Reading --------------------------------------------------------------------------------------------------------------


def test_all_images_are_there_and_missing_captions_are_marked_in_words(person: Person, page: Any) -> None:
    assert person.sees("5 images · 2 without a caption")
    assert [text for text in person.texts() if text in ("No caption", *(f"{n}.png" for n in range(5)))] == [
        "0.png", "1.png", "No caption", "2.png", "3.png", "No caption", "4.png",
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
    pump(lambda: person.sees("6 tokens"))  # "a photo of" counts too
    pick(page, 2)
    pump(lambda: person.sees("Line 1: "))
    assert person.sees("one of them is picked at random")
    write(page, "word " * 100)
    page.editor.text.flush()
    assert person.sees("read in 2 chunks")


def test_a_caption_longer_than_all_chunks_is_said_to_be_cut() -> None:
    assert in_words(1, 8, 75) == "1 token"
    assert in_words(75, 1, 75) == "75 tokens"
    assert in_words(76, 1, 75) == "76 tokens: too long, cut after 1 chunk of 75"
    assert [in_words(tokens, 8, 510).endswith("read in 2 chunks of 510") for tokens in (510, 511, 1020, 1021)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_what_is_being_typed_is_saved_when_the_window_closes(page: Any, folder: Path, said: list[Any]) -> None:
    pick(page, 0)
    write(page, "last words")
    page.destroy()
    assert files(folder)["0.txt"] == b"last words\n" and said == []


# Many at once ---------------------------------------------------------------------------------------------------------


def test_a_tag_is_added_to_the_chosen_images_only(page: Any, person: Person, folder: Path, said: list[Any]) -> None:
    person.click("0.png")
    person.click("1.png", state=CONTROL)
    person.type("A tag", "night", end="")
    person.click("Add")
    assert files(folder)["0.txt"] == b"red, blue, night\n" and files(folder)["1.txt"] == b"night"
    assert files(folder)["4.txt"] == b"hills at night"
    assert said[-1][0] == "“night” added to 2 captions"
    page.undo()
    assert "1.txt" not in files(folder)


def test_a_tag_is_removed_from_all_that_are_shown(page: Any, person: Person, folder: Path) -> None:
    pick(page, 0)
    person.type("A tag", "red", end="")
    person.click("Remove")
    assert files(folder)["0.txt"] == b"blue\n" and files(folder)["2.txt"] == b"green\nfirst, second"


def test_a_wrong_tag_says_so_under_the_entry(page: Any, person: Person) -> None:
    person.type("A tag", "a, b", end="")
    person.click("Add")
    assert person.sees("without a comma")
    page.tags.tag.set("fine")
    person.click("Add")
    assert not person.sees("without a comma")


def test_an_edit_and_a_long_message_move_nothing_beside_the_picture(
    page: Any, folder: Path, person: Person, pump: Pump
) -> None:
    pump(lambda: any("hills at night" in each.text for each in words_of(page.tags)))
    below, wide = page.tags.find.winfo_y(), page.editor.winfo_width()
    page.work.add_tag(range(5), "a long new tag")
    (folder / "2.txt").write_bytes("robot".encode("utf-16-le"))
    pick(page, 2)
    pump(lambda: any("a long new tag" in each.text for each in words_of(page.tags)))
    message = person.find("2.txt is not text")
    assert (page.tags.find.winfo_y(), page.editor.winfo_width()) == (below, wide)
    assert message.box[2] <= page.editor.winfo_rootx() + wide, "broken into lines"


def test_chips_show_the_tags_with_their_counts_and_filter(page: Any, person: Person, pump: Pump) -> None:
    person.find("Remove")  # brings the tags into view
    pump(lambda: chips(person)[:1] == ["red  2"] and "hills at night  1" in chips(person))
    person.click("red  2")
    person.click("Show only images with it")
    # The first one is chosen: its name is over its text, too.
    pump(lambda: sorted(shown(person)) == ["0.png", "0.png", "2.png"])
    pump(lambda: chips(person)[:1] == ["red  2"] and "hills at night  1" not in chips(person))


def test_find_and_replace_counts_first_and_says_what_is_wrong_with_a_pattern(
    page: Any, person: Person, folder: Path, pump: Pump
) -> None:
    person.type("Find", "RED", end="")
    pump(lambda: person.finds("Found in 2 captions"))
    person.click("Match case")
    assert person.finds("Not found")
    person.click("Regular expression")
    page.tags.find.set("")
    person.type("Find", "(r", end="")
    pump(lambda: person.finds('"(r" is not a regular expression'))
    assert person.greyed("Replace")
    page.tags.find.set("")
    person.type("Find", "(r)ed", end="")
    person.type("Replace with", "\\1uby", end="")
    pump(lambda: person.finds("Found in 2 captions"))
    person.click("Replace")
    assert files(folder)["0.txt"] == b"ruby, blue\n"
    page.tags.find.set("(b)lue")
    page.tags.new.set("\\7")
    person.click("Replace")
    assert person.finds("cannot replace what was found")


def test_what_is_being_typed_is_saved_before_a_change_of_many(page: Any, folder: Path) -> None:
    pick(page, 4)
    write(page, "hills")
    page.tags.tag.set("red")
    page.tags.add()
    assert files(folder)["4.txt"] == b"hills, red"
    assert page.editor.text.get() == "hills, red"


# Filtering ------------------------------------------------------------------------------------------------------------


def test_filters_by_text_tag_and_missing(page: Any, person: Person, pump: Pump) -> None:
    person.type("Name or caption", "hills", end="")
    pump(lambda: person.sees("1 of 5 images"))
    assert shown(person)[0] == "4.png"
    person.type("hills", "", end="")
    pump(lambda: person.sees("5 images · 2"))
    person.click("All images")
    person.click("Without a caption")
    assert page.work.shown == [1, 3] and person.sees("2 of 5 images")
    person.click("Without a caption")
    person.click("All images")
    person.click("Any tag")
    person.click("green")
    assert page.work.shown == [2]


def test_an_image_that_gets_its_caption_stays_in_view_until_the_filter_is_asked_again(
    page: Any, person: Person, pump: Pump
) -> None:
    person.click("All images")
    person.click("Without a caption")
    person.click("1.png")
    write(page, "now it has one")
    page.step(1)
    assert page.work.shown == [1, 3] and page.editor.number == 3
    person.type("Name or caption", "3", end="")
    pump(lambda: page.work.shown == [3])
    person.type("3", "", end="")
    pump(lambda: page.work.shown == [3])


def test_the_way_back_of_a_toast_takes_back_nothing_that_came_later(page: Any, folder: Path, said: list[Any]) -> None:
    page.tags.tag.set("new")
    page.tags.add()
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
        begun.set()
        assert go_on.wait(60)
        flush(path)

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
    assert page.work.add_tag([0, 2], "new") == ""
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
    assert "Cancelled. Nothing was changed." in page.work.add_tag([0, 2], "new")
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


def test_what_was_wrong_with_a_tag_is_gone_after_any_change(page: Any, person: Person) -> None:
    page.tags.add()
    assert person.finds("Type a tag first.")
    person.click("All images")
    person.click("Without a caption")
    assert not person.finds("Type a tag first.")
