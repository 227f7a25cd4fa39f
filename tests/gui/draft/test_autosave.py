import json
import threading
from pathlib import Path

import pytest

from app.gui.draft.autosave import Project
from app.gui.draft.draft import Draft
from app.gui.draft.window_state import MOST_RECENT, WindowState
from modules.preset.files import store
from modules.system.bundled import ROOT
from modules.system.locks import Lock, LockTaken
from modules.system.user_folder import settings_folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "window.json"


@pytest.fixture
def draft() -> Draft:
    return Draft(store.read(ROOT / "presets" / "Starter" / "Robot LoRA.json"), "Robot LoRA")


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {}, "home/.config/seachange"),
        ("linux", {"XDG_CONFIG_HOME": "/etc/xdg"}, "/etc/xdg/seachange"),
        ("linux", {"XDG_CONFIG_HOME": "not/absolute"}, "home/.config/seachange"),
        ("darwin", {}, "home/Library/Application Support/Seachange"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/Seachange"),
    ],
)
def test_each_system_has_its_folder(platform: str, environment: dict[str, str], folder: str) -> None:
    assert settings_folder(environment, platform, Path("home")) == Path(folder)


def test_what_was_put_is_there_in_the_next_window(path: Path) -> None:
    one = WindowState(path)
    one.put("theme", "dark")
    one.put("expert", ["training.Optimizer"])
    assert one.save()
    other = WindowState(path)
    assert (other.get("theme"), other.get("expert"), other.get("page")) == ("dark", ["training.Optimizer"], "general")


def test_two_windows_keep_each_others_keys_and_the_last_word_wins(path: Path) -> None:
    one, other = WindowState(path), WindowState(path)
    one.put("theme", "dark")
    one.put("page", "model")
    other.put("text_size", 150)
    other.put("page", "tools")
    one.save()
    other.save()
    third = WindowState(path)
    assert (third.get("theme"), third.get("text_size"), third.get("page")) == ("dark", 150, "tools")


@pytest.mark.parametrize("text", ["{", "[]", '{"theme": 3, "expert": [1], "page": "model"}', "\0"])
def test_a_damaged_file_gives_defaults_where_it_is_damaged(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    window_state = WindowState(path)
    assert (window_state.get("theme"), window_state.get("expert")) == ("system", [])
    assert window_state.note or window_state.get("page") == "model"


def test_keys_of_a_newer_window_are_kept(path: Path) -> None:
    path.write_text('{"hologram": true}', encoding="utf-8")
    window_state = WindowState(path)
    window_state.put("theme", "dark")
    window_state.save()
    assert json.loads(path.read_text(encoding="utf-8"))["hologram"] is True


def test_recent_files_are_newest_first_each_once_and_only_those_that_are_there(path: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.json" for n in range(MOST_RECENT + 3)]
    window_state = WindowState(path)
    for file in [*files, files[5]]:
        file.touch()
        window_state.opened(file)
        window_state.save()
    files[6].unlink()
    assert window_state.recent()[:2] == [files[5], files[14]]
    assert len(window_state.recent()) == MOST_RECENT - 1


def test_a_save_while_another_window_writes_is_put_off_and_nothing_is_lost(path: Path) -> None:
    window_state = WindowState(path)
    window_state.put("theme", "dark")
    with Lock(path.with_suffix(".lock")):
        assert not window_state.save()
    assert window_state.save()
    assert WindowState(path).get("theme") == "dark"


def test_a_lock_is_held_by_one_and_waited_for(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "x.lock")
    with pytest.raises(LockTaken):
        Lock(tmp_path / "x.lock")
    threading.Timer(0.05, lock.release).start()
    Lock(tmp_path / "x.lock", seconds=60).release()


# The project ----------------------------------------------------------------------------------------------------------


def test_an_interrupted_edit_is_restored_with_its_bad_texts_and_its_preset(tmp_path: Path, draft: Draft) -> None:
    project = Project.open(tmp_path)
    draft.put("concepts.0.path", "/my/cat")
    draft.put("optimizer.kind", "prodigy")
    draft.put("optimizer.d_coef", 2.0)
    draft.put("optimizer.kind", "adamw")
    draft.type("training.batch_size", "4x")
    project.save(draft)
    project._lock.release()  # the process was killed

    again = Draft()
    project = Project.open(tmp_path)
    assert project.restore(again)
    assert again.values == draft.values
    assert again.errors() == draft.errors()
    assert (again.base.name, again.changed_paths()) == ("Robot LoRA", ())
    assert again.changed("training.batch_size")
    again.put("optimizer.kind", "prodigy")
    assert again.get("optimizer.d_coef") == 2.0
    project.close(again)


def test_an_edit_that_was_restored_is_told_once(tmp_path: Path, draft: Draft) -> None:
    project = Project.open(tmp_path)
    draft.put("training.steps", 77)
    project.save(draft)
    project._lock.release()  # the process was killed
    told: list[bool] = []
    for _ in range(3):
        again = Draft()
        project = Project.open(tmp_path)
        assert project.restore(again)
        assert again.get("training.steps") == 77
        told.append(project.interrupted)
        project.save(again)
        project._lock.release()  # killed again, with nothing edited
    assert told == [True, False, False]


def test_a_project_is_a_file_that_train_takes(tmp_path: Path, draft: Draft) -> None:
    project = Project.open(tmp_path)
    draft.put("concepts.0.path", str(tmp_path / "cat"))
    project.save(draft)
    assert store.read(project.path) == draft.preset()
    project.close(draft)


def test_a_relative_folder_means_the_same_after_saving(
    tmp_path: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draft.put("concepts.0.path", "cat")
    project = Project.open(tmp_path / "settings")
    project.save(draft)
    assert store.read(project.path).concepts[0].path == str(tmp_path / "cat")
    project.close(draft)


def test_a_draft_that_did_not_change_is_not_written_again(tmp_path: Path, draft: Draft) -> None:
    project = Project.open(tmp_path)
    project.save(draft)
    project.path.unlink()
    project.save(draft)
    assert not project.path.exists()
    draft.put("training.batch_size", 8)
    project.save(draft)
    assert project.path.exists()
    project.close(draft)


def test_a_second_window_starts_on_a_copy_and_the_first_is_not_touched(tmp_path: Path, draft: Draft) -> None:
    first = Project.open(tmp_path)
    first.save(draft)
    second = Project.open(tmp_path)
    other = Draft()
    assert second.is_copy and second.restore(other)
    assert other.values == draft.values
    other.put("training.batch_size", 32)
    second.close(other)
    assert store.read(first.path).training.batch_size == 4

    third = Project.open(tmp_path)  # the same second file, closed in order: a copy again
    third.restore(other)
    assert other.get("training.batch_size") == 4
    third.close(other)
    first.close(draft)


def test_what_a_second_window_left_when_it_crashed_is_restored(tmp_path: Path, draft: Draft) -> None:
    first = Project.open(tmp_path)
    first.save(draft)
    second = Project.open(tmp_path)
    draft.put("training.batch_size", 32)
    second.save(draft)
    second._lock.release()
    again, other = Project.open(tmp_path), Draft()
    again.restore(other)
    assert other.get("training.batch_size") == 32
    again.close(other)
    first.close(draft)


def test_a_damaged_project_is_said_and_left_as_it_is(tmp_path: Path, draft: Draft) -> None:
    (tmp_path / "project.json").write_text("{", encoding="utf-8")
    project = Project.open(tmp_path)
    assert not project.restore(draft)
    assert "could not be opened" in project.note
    assert (tmp_path / "project.json").read_text(encoding="utf-8") == "{"
    project.close(draft)


def test_wrong_settings_of_a_project_are_left_out_and_said(tmp_path: Path, draft: Draft) -> None:
    held = {"kind": "project", "version": 6, "training": {"batch_size": 0, "steps": 5}}
    (tmp_path / "project.json").write_text(json.dumps(held), encoding="utf-8")
    project = Project.open(tmp_path)
    assert project.restore(draft)
    assert "Batch size" in project.note
    assert draft.get("training.steps") == 5
    project.close(draft)


def test_where_nothing_can_be_kept_the_window_opens_and_says_so(tmp_path: Path, draft: Draft) -> None:
    (tmp_path / "file").write_text("")
    project = Project.open(tmp_path / "file" / "settings")
    assert "cannot be kept" in project.note
    assert not project.restore(draft)
    with pytest.raises(OSError, match="file"):
        project.close(draft)


@pytest.mark.parametrize(
    "beside",
    [
        {"open": True, "base": [], "bad": [], "kept": {}},
        {"base": {"name": 1, "values": [1]}, "bad": {"training.steps": "x"}, "kept": [1, ["method", "lora", 5]]},
    ],
)
def test_what_only_the_window_knows_may_be_damaged(tmp_path: Path, draft: Draft, beside: object) -> None:
    draft.put("training.steps", 77)
    project = Project.open(tmp_path)
    project.close(draft)
    (tmp_path / "project.edit.json").write_text(json.dumps(beside))
    again = Draft()
    assert Project.open(tmp_path).restore(again)
    assert again.get("training.steps") == 77
