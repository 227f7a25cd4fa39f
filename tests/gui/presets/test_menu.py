"""Presets from the top bar: what would change, loading and undoing it, saving, sharing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.gui.context import AppContext
from tests.gui.by_hand import choose
from tests.gui.person import Person
from tests.gui.shell.test_window import context, dialog, window

Pump = Callable[..., None]
__all__ = ["context", "window"]


def entry_called(context: AppContext, name: str) -> Any:
    return next(entry for entry in context.library.entries() if entry.name == name)


def descendants(widget: Any) -> Iterator[Any]:
    for child in widget.winfo_children():
        yield child
        yield from descendants(child)


def notes(window: Any, pump: Pump) -> dict[str, str]:
    """The grey words beside the presets in the list."""
    from app.gui.kit import Popup

    window.top.preset.open()
    pump()
    opened = Popup.open_now
    assert opened is not None
    found = {option.label: option.note for option in opened.list.shown}
    opened.close()
    return found


def test_the_list_tells_how_much_each_would_change(window: Any, pump: Pump) -> None:
    lines = notes(window, pump)
    assert lines["Robot LoRA"] == "current"
    assert lines["Robot full"].endswith("settings differ")
    window.context.draft.put("training.steps", 77)
    assert notes(window, pump)["Robot LoRA"] == "current, 1 changed"


def test_loading_shows_what_changes_and_can_be_undone(window: Any, pump: Pump) -> None:
    context = window.context
    before = context.draft.values
    window.presets.choose(entry_called(context, "Robot full"))
    asked = dialog(window)
    assert context.draft.values is before
    asked.close(None)
    assert context.draft.values is before
    window.presets.choose(entry_called(context, "Robot full"))
    dialog(window).buttons[-1].press()
    assert context.draft.get("method.kind") == "full"
    assert context.draft.base.name == "Robot full"
    window.undo_actions.undo()
    assert context.draft.values == before


def test_another_programs_file_shows_what_became_of_each_setting_and_keeps_my_folders(
    window: Any, pump: Pump, tmp_path: Path
) -> None:
    from app.gui.kit import Label

    context = window.context
    context.draft.put("general.workspace", str(tmp_path / "mine"))
    concepts = [concept["path"] for concept in context.draft.get("concepts")]
    file = tmp_path / "kohya.json"
    said = {
        "LoRA_type": "Standard", "network_dim": 7, "network_alpha": 3, "train_batch_size": 3, "optimizer": "Lion",
        "max_resolution": "512,512", "epoch": 4, "lr_warmup": 0, "caption_dropout_rate": 0.1, "never_heard_of": 1,
    }  # fmt: skip
    file.write_text(json.dumps(said), encoding="utf-8")
    window.presets.open_path(file)
    asked = dialog(window)
    pump()
    words = " ".join(str(label.cget("text")) for label in descendants(asked) if isinstance(label, Label))
    assert "never_heard_of = 1" in words and "network_dim = 7" in words
    asked.buttons[-1].press()
    assert (context.draft.get("method.rank"), context.draft.get("optimizer.kind")) == (7, "lion")
    assert context.draft.get("general.workspace") == str(tmp_path / "mine")
    mine = context.draft.get("concepts")
    assert [concept["path"] for concept in mine] == concepts and all(each["caption_dropout"] == 0.1 for each in mine)
    window.undo_actions.undo()
    assert context.draft.get("method.rank") != 7


def test_the_list_opens_under_its_button_and_picks(window: Any, pump: Pump) -> None:
    from app.gui.kit import Popup

    window.top.preset.open()
    pump()
    opened = Popup.open_now
    assert opened is not None
    opened.entry.inner.insert(0, "robot full")
    opened.entry.flush()
    opened.list.pick_marked()
    assert "Robot full" in dialog(window).title()


def test_saving_asks_before_it_replaces(window: Any, pump: Pump) -> None:
    context = window.context
    context.draft.put("training.steps", 77)

    def save(name: str) -> Any:
        asked = window.presets.save_as()
        asked.entry.set(name)
        asked.buttons[-1].press()
        return asked

    refused = save("a/b")
    assert "cannot be the name" in refused.error.cget("text")
    pump(lambda: refused.winfo_viewable() and refused.winfo_height() >= refused.winfo_reqheight())
    refused.close(None)
    asked = window.presets.save_as()
    assert asked.note.get() == ""  # what the author of the starter wrote is not the user's
    asked.entry.set("Mine")
    asked.note.set("for the cat")
    asked.buttons[-1].press()
    assert entry_called(context, "Mine").note == "for the cat"
    assert context.draft.base.name == "Mine"
    assert context.draft.changed_paths() == ()
    context.draft.put("training.steps", 78)
    again = save("Mine")
    assert again.note.get() == "for the cat"
    assert again.buttons[-1].text == "Replace it"
    again.buttons[-1].press()
    assert not again.winfo_exists()
    assert entry_called(context, "Mine").preset.training.steps == 78


def test_own_presets_are_renamed_and_deleted_with_a_way_back(window: Any, person: Person, pump: Pump) -> None:
    context = window.context
    context.library.save("Mine", context.draft)
    window.presets.manage()
    pump(lambda: person.dialog() == "Your presets")
    person.type("Mine", "Yours", end="<Return>")
    assert [entry.name for entry in context.library.entries() if entry.own] == ["Yours"]
    assert person.dialog() == "Your presets", "Return renames, and closes nothing"
    person.type("Yours", "Ours", end="<Tab>")
    assert [entry.name for entry in context.library.entries() if entry.own] == ["Ours"]
    person.click("Delete “Ours”")
    assert not [entry for entry in context.library.entries() if entry.own]
    person.click("Restore")
    assert [entry.name for entry in context.library.entries() if entry.own] == ["Ours"]


def test_a_preset_travels_as_text(window: Any, pump: Pump) -> None:
    context = window.context
    context.draft.put("training.steps", 77)
    window.presets.copy()
    assert '"steps": 77' in window.app.pasted()
    context.draft.undo()
    window.presets.paste()
    dialog(window).buttons[-1].press()
    assert context.draft.get("training.steps") == 77
    window.app.copy("nothing of that kind")
    window.presets.paste()
    assert "no preset to paste" in dialog(window).title()


def test_a_project_from_a_file_is_loaded_whole(window: Any, pump: Pump, tmp_path: Path) -> None:
    from app.gui.draft.autosave import save_project

    context = window.context
    context.draft.put("general.name", "from a file")
    save_project(context.draft, tmp_path / "mine.json")
    context.draft.undo()
    context.draft.put("training.steps", 5)
    window.presets.open_path(tmp_path / "mine.json")
    dialog(window).buttons[-1].press()
    assert context.draft.get("general.name") == "from a file"
    assert context.draft.get("training.steps") == 600


def test_files_that_were_opened_lately_are_in_the_list(window: Any, tmp_path: Path) -> None:
    from app.gui.kit import Popup

    file = tmp_path / "from a friend.json"
    file.write_text('{"version": 6, "training": {"steps": 123}}')
    window.presets.open_path(file)
    dialog(window).close(None)
    window.top.preset.open()
    opened = Popup.open_now
    assert opened is not None
    opened.list.narrow("SD 1.5 LoRA")
    assert all("LoRA" in each.label and "1.5" in each.label for each in opened.list.shown)
    opened.list.narrow("pumpkin")  # only its note says so
    assert [each.label for each in opened.list.shown] == ["Robot LoRA"]
    opened.list.narrow("friend")
    opened.list.pick_marked()
    dialog(window).buttons[-1].press()
    assert window.context.draft.get("training.steps") == 123


def test_copied_for_another_program_with_what_it_does_not_do(
    window: Any, pump: Pump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = window.context
    context.draft.put("training.ema", True)
    asked = window.presets.copy_as()
    pump()
    choose(asked.form, ("kohya", "posix"))
    pump()
    assert "Training" in shown_words(asked) and "EMA" in shown_words(asked)
    monkeypatch.setattr(context.app, "ask_folder", lambda *_: tmp_path / "out")
    asked.buttons[1].press()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"train.sh", "dataset.toml", "prompts.txt"}
    again = window.presets.copy_as()
    choose(again.form, ("kohya", "posix"))
    again.buttons[1].press()
    assert "exists already" in shown_words(again) and again.winfo_exists()
    choose(again.form, ("onetrainer", "posix"))
    again.buttons[2].press()
    assert json.loads(context.app.pasted())["ema"] == "GPU"


def test_a_program_that_cannot_train_it_is_not_offered_its_files(window: Any, pump: Pump) -> None:
    window.context.draft.put("model.family", "zimage")
    asked = window.presets.copy_as()
    choose(asked.form, ("kohya", "posix"))
    pump()
    assert "does not train Z-Image" in shown_words(asked) and asked.buttons[2].reason
    asked.close(None)


def shown_words(dialog: Any) -> str:
    from app.gui.kit import Label

    return " ".join(str(label.cget("text")) for label in descendants(dialog) if isinstance(label, Label))
