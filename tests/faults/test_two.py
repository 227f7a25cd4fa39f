"""What others do at the same time: another process, a program that edits pictures, somebody on the network."""

import io
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.gui.tools import tensorboard
from modules.data.cache import fill
from modules.data.source.source import DataFile
from modules.errors import UserError
from modules.messages import Event, Note, SaveNow, Started
from modules.system.bundled import resolve
from modules.system.locks import Lock
from modules.trainer.run_folder.workspace import LOCK
from tests.trainer.runs import assert_equal, end_of, folder_of, model_of, run, trained, values


def test_a_run_that_is_on_is_not_continued_by_another(tmp_path: Path) -> None:
    preset = values(tmp_path, "training.steps=2")
    folder = folder_of(run(preset))
    with Lock(folder / LOCK), pytest.raises(UserError, match="is in use by another Seachange"):
        run(preset, resume="newest")
    assert run(values(tmp_path, "training.steps=3"), resume="newest")  # the lock that is left behind holds nobody up


def test_what_is_learnt_does_not_depend_on_what_was_cached_before(tmp_path: Path) -> None:
    """A kill or another run may have encoded a part: encoding in other company changes the last bits."""
    pictures = shutil.copytree(resolve("starter:robot"), tmp_path / "pictures")
    concept = f"concepts.0.path={pictures}"
    whole = folder_of(run(values(tmp_path / "whole", "training.steps=2", concept), cold=True))
    later = sorted(pictures.glob("*.png"))[3:]
    for picture in later:
        picture.rename(picture.with_suffix(".later"))
    run(values(tmp_path / "parts", "training.steps=1", concept), cold=True)
    for picture in later:
        picture.with_suffix(".later").rename(picture)
    assert_equal(trained(whole), trained(folder_of(run(values(tmp_path / "parts", "training.steps=2", concept)))))


def test_an_image_that_changes_while_it_is_read_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = shutil.copytree(resolve("starter:robot"), tmp_path / "pictures")
    victim = sorted(pictures.glob("*.png"))[0]
    decode = fill.load_pixels

    def edited(file: DataFile, *more: Any) -> Any:
        if file.path == victim:
            shutil.copyfile(sorted(pictures.glob("*.png"))[1], victim)
        return decode(file, *more)

    monkeypatch.setattr(fill, "load_pixels", edited)
    events = run(values(tmp_path, "training.steps=1", f"concepts.0.path={pictures}"), cold=True)
    said = [event.text for event in events if isinstance(event, Note) and victim.name in event.text]
    assert any("changed while it was read" in text for text in said), said


@pytest.mark.parametrize(("ending", "words"), [(".png", "what was encoded of"), (".txt", "said when the run")])
def test_a_file_that_is_deleted_during_a_run_changes_nothing_and_is_said(
    ending: str, words: str, tmp_path: Path
) -> None:
    pictures = shutil.copytree(resolve("starter:robot"), tmp_path / "pictures")
    concept = f"concepts.0.path={pictures}"

    def deletes(event: Event) -> None:
        if isinstance(event, Started):
            for path in pictures.glob(f"*{ending}"):
                path.unlink()

    quiet = folder_of(run(values(tmp_path / "quiet", "training.steps=4", concept)))
    events = run(values(tmp_path / "other", "training.steps=4", concept), answer=deletes)
    assert_equal(trained(quiet), trained(folder_of(events)))
    said = [event.text for event in events if isinstance(event, Note) and words in event.text]
    assert len(said) == 2, "once when it is found, and how many in the end"


def test_a_picture_that_is_deleted_and_not_cached_gives_its_place_to_another(tmp_path: Path) -> None:
    pictures = shutil.copytree(resolve("starter:robot"), tmp_path / "pictures")
    victim = sorted(pictures.glob("*.png"))[0]

    def deletes(event: Event) -> None:
        if isinstance(event, Started):
            shutil.rmtree(tmp_path / "cache")  # from here on every image is read as it comes up
            victim.unlink()

    settings = (f"concepts.0.path={pictures}", f"general.cache={tmp_path / 'cache'}", "training.steps=8")
    events = run(values(tmp_path, *settings), answer=deletes)
    assert end_of(events).step == 8


def test_a_model_that_appeared_in_the_meantime_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "wanted.safetensors"

    def somebody_else_saves(event: Event) -> SaveNow | None:
        target.write_text("somebody else's")
        return None

    events = run(values(tmp_path, "training.steps=1", f"output.path={target}"), answer=somebody_else_saves)
    assert target.read_text() == "somebody else's"
    assert model_of(events) == tmp_path / "wanted 2.safetensors"
    assert any("this run has not written it" in event.text for event in events if isinstance(event, Note))


def test_tensorboard_listens_on_this_computer_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    class Fake:
        """A process that is not started."""

        stderr = io.BytesIO()

        def __init__(self, command: list[str], **_more: object) -> None:
            asked.append(command)

        def poll(self) -> int:
            return 0

    monkeypatch.setattr(tensorboard.subprocess, "Popen", Fake)
    tensorboard.TensorBoard(lambda _address: None).start(tmp_path)
    assert asked[0][asked[0].index("--host") + 1] == "127.0.0.1"
    assert "--bind_all" not in asked[0]
