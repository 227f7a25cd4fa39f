"""Presets and projects as files."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from modules.errors import Problems, UserError
from modules.preset.files.store import read, shareable_values, values_of, write_preset, write_project
from modules.preset.preset import Preset
from modules.preset.validate import preset_of
from modules.sentences.render import PLAIN
from modules.system.bundled import PLACES, resolve

FULL: dict[str, Any] = {
    "version": 6,
    "title": "Mine",
    "general": {"seed": 7, "workspace": "/data/runs", "device": "cpu"},
    "model": {"source": "/home/me/model.safetensors", "vae": "someone/vae"},
    "concepts": [{"path": "/home/me/cats", "repeats": 2.0}, {"path": "starter:robot", "flip": True}],
    "training": {"steps": 10, "text_encoder_1": {"train": True}},
    "optimizer": {"kind": "lion", "beta1": 0.8},
    "method": {"kind": "embedding"},
    "words": [{"token": "<cat>"}, {"vectors": 2}],
    "sampling": {"prompts": [{"prompt": "cät"}]},
    "output": {"path": "/home/me/out.safetensors", "dtype": "bf16"},
}


def written(folder: Path, text: str) -> Path:
    path = folder / "a preset.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_project_survives_being_written_and_read(tmp_path: Path) -> None:
    preset = preset_of(FULL)
    write_project(preset, tmp_path / "run.json")
    assert read(tmp_path / "run.json") == preset


def test_a_file_holds_only_what_differs_from_the_defaults(tmp_path: Path) -> None:
    write_project(preset_of(FULL), tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == {"kind": "project", **FULL}
    write_preset(Preset(), tmp_path / "empty.json")
    assert json.loads((tmp_path / "empty.json").read_text(encoding="utf-8")) == {"version": 6}


def test_a_preset_to_share_holds_no_path_and_no_machine_setting() -> None:
    recipe = shareable_values(preset_of(FULL))
    assert "/" not in json.dumps(recipe).replace("someone/vae", "")
    assert recipe["general"] == {"seed": 7}
    assert recipe["model"] == {"vae": "someone/vae"}
    assert recipe["concepts"] == [{"path": "starter:robot", "flip": True}]
    assert recipe["output"] == {"dtype": "bf16"}


@pytest.mark.parametrize(
    "source", ["C:\\models\\a.safetensors", "~/a", "./a", "model.ckpt", "cats/model.safetensors", "../a/b", "a/b/c"]
)
def test_no_model_of_this_machine_travels(source: str) -> None:
    assert "model" not in shareable_values(preset_of({"version": 6, "model": {"source": source}}))


def test_a_written_preset_is_the_recipe(tmp_path: Path) -> None:
    write_preset(preset_of(FULL), tmp_path / "shared.json")
    assert values_of(tmp_path / "shared.json") == shareable_values(preset_of(FULL))


def test_machine_settings_and_folders_in_a_preset_are_refused_together(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(FULL))
    with pytest.raises(Problems) as caught:
        read(path)
    named = [problem.path for problem in caught.value.problems]
    assert named == ["general.workspace", "general.device", "concepts.0.path", "output.path"]
    assert "--set general.workspace=..." in PLAIN.line(caught.value.problems[0])
    assert "--concept FOLDER" in PLAIN.line(caught.value.problems[2])


def test_wrong_values_are_reported_with_what_does_not_belong(tmp_path: Path) -> None:
    path = written(tmp_path, '{"version": 6, "general": {"threads": 2, "seed": -1}, "kind": "prset"}')
    with pytest.raises(Problems) as caught:
        read(path)
    assert [problem.path for problem in caught.value.problems] == [
        "kind",
        "general.threads",
        "general.seed",
    ]


def test_relative_paths_of_a_project_start_at_its_file(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    values = {
        "kind": "project",
        "version": 6,
        "model": {"source": "model", "vae": "someone/vae"},
        "concepts": [{"path": "cats"}, {"path": "starter:robot"}, {"path": str(tmp_path / "dogs")}],
        "general": {"workspace": "runs"},
    }
    preset = read(written(tmp_path, json.dumps(values)))
    assert preset.general.workspace == str(tmp_path / "runs")
    assert (preset.model.source, preset.model.vae) == (str(tmp_path / "model"), "someone/vae")
    paths = [concept.path for concept in preset.concepts]
    assert paths == [str(tmp_path / "cats"), "starter:robot", str(tmp_path / "dogs")]


def test_an_interrupted_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_project(Preset(), path)
    (tmp_path / f".run.json.{os.getpid()}.part").mkdir()  # the draft cannot be written
    with pytest.raises(OSError):
        write_project(preset_of(FULL), path)
    assert read(path) == Preset()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version": 6,\n "title": }', "line 2, column 11"),
        ("", "not valid JSON"),
        ("[1]", "holds no settings"),
        ('{"version": 6, "training": {"steps": NaN}}', "NaN, which is not a number"),
        ('{"version": 6, "training": {"learning_rate": 1e999}}', "1e999, which is not a number"),
        ('{"version": 6, "general": {"seed": ' + "9" * 5000 + "}}", "5000 digits"),
        ("[" * 100_000, "more than 50 levels"),
        ('{"a":' * 60 + "1" + "}" * 60, "more than 50 levels"),
        ('{"version": 6, "title": "\\ud800"}', "half of a character"),
        ('{"version": 6, "version": 1}', "version: Keep one"),
        ('{"version": 6, "training": {"steps": 1, "steps": 2}}', "steps: Keep one"),
        (" " * 5_000_001, "larger than 5 MB"),
    ],
    ids=lambda value: value[:20],
)
def test_a_file_that_is_no_preset_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(written(tmp_path, text))


def test_brackets_inside_of_text_are_no_nesting(tmp_path: Path) -> None:
    note = '\\"' + "[{" * 200
    assert read(written(tmp_path, f'{{"version": 6, "note": "{note}"}}')).note == '"' + "[{" * 200


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_file_in_another_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "other.json"
    path.write_bytes('{"version": 6, "title": "café"}'.encode(encoding))
    assert read(path).title == "café"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "bom.json"
    path.write_bytes('{"version": 6, "title": "café"}'.encode("utf-8-sig"))
    assert read(path).title == "café"


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    written(tmp_path, "{}")
    with pytest.raises(UserError, match=r"In that folder there are: a preset\.json"):
        read(tmp_path / "a prset.json")
    with pytest.raises(UserError, match="no folder"):
        read(tmp_path / "nowhere" / "x.json")
    with pytest.raises(UserError, match="is a folder"):
        read(tmp_path)


def test_bundled_things_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: resolve(name) for name in PLACES}
    monkeypatch.chdir(tmp_path)
    assert {name: resolve(name) for name in PLACES} == before
    assert all(path.is_absolute() for path in before.values())
    assert resolve("a/b") == Path("a/b")
    assert resolve("~/b") == Path.home() / "b"
    with pytest.raises(UserError, match='Did you mean "starter:robot"'):
        resolve("starter:robt")
