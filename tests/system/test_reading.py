"""Files of strangers: refused in words before a byte is read, whoever reads them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.gui.session.event_log import EventLog, last_events
from app.gui.session.run_history import Run, parameters_in
from modules.data.text.tokenizer import Tokenizer
from modules.data.text.tokenizer import read_json as read_config
from modules.errors import UserError
from modules.preset.files.jsonfile import read_object
from modules.preset.files.prompt_file import read_prompts
from modules.system.bundled import resolve
from modules.system.reading import UnusableFile, is_inside_name, look_at, open_file, read_json
from modules.system.weights import open_weights
from modules.trainer.backup import damage_of
from modules.trainer.run_folder.throughput import _read_old
from modules.trainer.run_folder.workspace import step_reached

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes among files here")


def large(path: Path) -> None:
    path.touch()
    os.truncate(path, 300_000_000)


DISGUISES: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a file of 300 MB": large,
}
# Who reads what: the file's place in a folder, and the reader, which either says what is wrong or passes over it.
SAYS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "config": ("config.json", read_config),
    "tokenizer": ("tokenizer.json", lambda path: Tokenizer.from_folder(path.parent)),
    "index of weights": ("model.safetensors.index.json", open_weights),
    "preset": ("preset.json", read_object),
    "prompts": ("prompts.txt", read_prompts),
    "any": ("any.json", read_json),
}
PASSES: dict[str, tuple[str, Callable[[Path], Any], Any]] = {
    "manifest": ("manifest.json", lambda path: damage_of(path.parent), "its manifest cannot be read"),
    "speeds": ("speeds.json", _read_old, {}),
    "step of a run": ("events.jsonl", lambda path: step_reached(path.parent), 0),
    "last events": ("events.jsonl", last_events, []),
    "preset of a run": ("preset.json", lambda path: Run(path.parent).preset, None),
    "title of a run": ("preset.json", lambda path: Run(path.parent).preset_text(), ""),
    "image of a run": ("a.png", parameters_in, ""),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("reader", SAYS)
def test_what_is_no_file_is_refused_in_words_and_by_its_name(reader: str, disguise: str, tmp_path: Path) -> None:
    name, read = SAYS[reader]
    DISGUISES[disguise](tmp_path / name)
    with pytest.raises(UserError) as refusal:
        read(tmp_path / name)
    assert name in str(refusal.value)


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("reader", PASSES)
def test_what_is_no_file_is_passed_over_where_nothing_hangs_on_it(reader: str, disguise: str, tmp_path: Path) -> None:
    name, read, nothing = PASSES[reader]
    DISGUISES[disguise](tmp_path / name)
    assert read(tmp_path / name) == nothing


@pytest.mark.parametrize("disguise", ["a pipe", "a link to a device", "a folder"])
def test_the_events_of_a_run_are_no_pipe(disguise: str, tmp_path: Path) -> None:
    DISGUISES[disguise](tmp_path / "events.jsonl")
    assert not EventLog(tmp_path / "events.jsonl").update()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux has files that say they are empty")
def test_a_file_that_says_it_is_empty_is_read_no_further_than_it_may() -> None:
    with pytest.raises(UnusableFile, match="no file of its kind is larger"):
        read_json(Path("/proc/self/maps"), 100)
    with open_file(Path("/proc/self/maps")) as file:
        assert file.read(1)


def test_a_line_of_events_that_is_too_long_is_passed_over_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    note = json.dumps({"kind": "Note", "text": "after", "level": "info"})
    path.write_text("x" * 9_000_000 + "\n" + note + "\n")
    log = EventLog(path)
    while log.update(1_000_000):
        assert len(log._rest) <= 4_000_000
    assert [each.text for each in log.notes] == ["after"]
    assert log.damaged == 1


@pytest.mark.parametrize("name", ["cat", "cats/tabby", "cats\\tabby", "my style.v2", "..hidden", "a..b"])
def test_a_name_that_stays_in_its_folder_is_taken(name: str) -> None:
    assert is_inside_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../cat", "a/../../cat", "..\\cat", "/etc/cat", "\\cat", "C:cat", "C:\\cat", "\\\\host\\share\\cat",
     "//host/share/cat", "\\\\?\\C:\\cat", "cat:stream", "a\0b"],
)  # fmt: skip
def test_a_name_that_leaves_its_folder_on_any_system_is_refused(name: str) -> None:
    assert not is_inside_name(name)


@pytest.mark.parametrize(
    "name", ["starter:robot//etc", "starter:robot/../x", "starter:robot/a/../..", "starter:robot/..\\x"]
)
def test_what_is_called_bundled_lies_in_its_folder(name: str) -> None:
    """Concepts that come with Seachange travel in presets: such a name must not lead anywhere else."""
    with pytest.raises(UserError, match="is not among the things that come with Seachange"):
        resolve(name)


def test_a_path_that_cannot_be_looked_at_is_not_called_missing(tmp_path: Path) -> None:
    look_at(tmp_path)
    look_at(tmp_path / "nowhere" / "x")
    look_at(Path("a\0b"))
    with pytest.raises(OSError, match="too long"):
        look_at(tmp_path / ("x" * 300))
