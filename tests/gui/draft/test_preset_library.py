import json
from pathlib import Path

import pytest

from app.gui.draft.autosave import save_project
from app.gui.draft.draft import Draft
from app.gui.draft.preset_library import OWN, Library, OpenedFile, from_text, open_file, text_of
from modules.errors import Problems, UserError
from modules.preset.files import store
from modules.system.bundled import ROOT


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "own")


@pytest.fixture
def draft() -> Draft:
    return Draft(store.read(ROOT / "presets" / "Starter" / "Robot LoRA.json"), "Robot LoRA")


def test_every_preset_that_ships_is_listed_with_title_and_note_and_can_be_loaded(library: Library) -> None:
    entries = library.entries()
    assert len(entries) == len(list((ROOT / "presets").rglob("*.json")))
    assert all(entry.preset and entry.name and entry.note for entry in entries)
    assert entries[0].group == "Starter"
    assert [entry.memory for entry in entries if entry.group == "SDXL" and "LoRA" in entry.name] == [8, 12, 12, 16, 24]


def test_a_new_window_opens_with_the_robot(library: Library) -> None:
    starter = library.starter()
    assert starter and starter.path.name == "Robot LoRA.json"


def test_a_saved_preset_is_listed_first_and_holds_no_path_of_this_machine(library: Library, draft: Draft) -> None:
    draft.put("general.workspace", "/home/me/runs")
    draft.add("concepts", {"path": "/home/me/cat"})
    draft.put("training.batch_size", 8)
    path = library.save("My robot", draft)
    assert "/home/me" not in path.read_text(encoding="utf-8")
    entry = library.entries()[0]
    assert (entry.name, entry.group, entry.own) == ("My robot", OWN, True)
    assert draft.changed_paths() == ()
    assert draft.base.name == "My robot"


def test_nothing_is_overwritten_without_being_asked_for(library: Library, draft: Draft) -> None:
    path = library.save("mine", draft)
    before = path.read_bytes()
    draft.put("training.batch_size", 8)
    with pytest.raises(UserError, match="already"):
        library.save("mine", draft)
    assert path.read_bytes() == before
    library.save("mine", draft, overwrite=True)
    assert path.read_bytes() != before


@pytest.mark.parametrize("name", ["", "  ", "..", "a/b", "a\\b", "what?", "x" * 81])
def test_names_that_no_file_can_have_are_refused(library: Library, draft: Draft, name: str) -> None:
    with pytest.raises(UserError, match="cannot be the name"):
        library.save(name, draft)


def test_renaming_keeps_the_preset_and_refuses_a_taken_name(library: Library, draft: Draft) -> None:
    library.save("one", draft)
    library.save("two", draft)
    one = library.entries()[0]
    with pytest.raises(UserError, match="already"):
        library.rename(one, "two")
    library.rename(one, "three")
    assert [entry.name for entry in library.entries() if entry.own] == ["three", "two"]


def test_a_deleted_preset_comes_back_even_when_its_name_was_taken(library: Library, draft: Draft) -> None:
    library.save("mine", draft)
    trashed = library.delete(library.entries()[0])
    assert not any(entry.own for entry in library.entries())
    library.save("mine", draft)
    library.restore(trashed)
    assert [entry.name for entry in library.entries() if entry.own] == ["mine", "mine 2"]


def test_what_ships_is_neither_renamed_nor_deleted(library: Library) -> None:
    entry = library.entries()[0]
    for act in (lambda: library.delete(entry), lambda: library.rename(entry, "x")):
        with pytest.raises(UserError, match="ships with"):
            act()


def test_a_damaged_preset_is_listed_with_what_is_wrong(library: Library) -> None:
    library.own.mkdir(parents=True)
    (library.own / "torn.json").write_text('{"version": 6, "training": {', encoding="utf-8")
    entry = library.entries()[0]
    assert entry.preset is None
    assert "not valid JSON" in entry.problem
    with pytest.raises(UserError):
        _ = entry.values


def test_a_file_that_changed_is_read_again(library: Library, draft: Draft) -> None:
    path = library.save("mine", draft)
    first = library.entries()[0]
    assert library.entries()[0] is first
    path.write_text(json.dumps({"version": 6, "note": "new"}), encoding="utf-8")
    assert library.entries()[0].note == "new"


def test_text_goes_through_the_clipboard_and_back_with_anything_around_it(draft: Draft) -> None:
    text = text_of(draft)
    assert from_text(f"Try this:\n```json\n{text}```\nbye") == from_text(text) == draft.preset()


def test_pasted_text_that_is_no_preset_is_refused_in_words() -> None:
    with pytest.raises(UserError, match="clipboard holds no preset"):
        from_text("hello")
    with pytest.raises(UserError, match="pasted text is not valid JSON"):
        from_text("{hello}")
    with pytest.raises(Problems, match=r"training\.lr: There is no such setting"):
        from_text('{"version": 6, "training": {"lr": 1}}')


def test_a_project_that_is_opened_is_known_as_one(draft: Draft, tmp_path: Path) -> None:
    draft.put("general.workspace", str(tmp_path))
    save_project(draft, tmp_path / "all.json")
    opened = open_file(tmp_path / "all.json")
    assert opened == OpenedFile("all", draft.preset(), project=True)
    other = Draft()
    other.load(opened.name, opened.preset, whole=opened.project)
    assert other.values == draft.values
