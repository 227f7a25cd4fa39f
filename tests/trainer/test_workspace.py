"""Folders of runs: names that every system allows, never one that is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modules.errors import UserError
from modules.preset.preset import Preset
from modules.system.bundled import ROOT
from modules.trainer.workspace import anchored, check_writable, folder_to_continue, new_run_folder, run_name


def preset(name: str = "", title: str = "", **general: Any) -> Preset:
    return Preset.model_validate({"title": title, "general": {"name": name, **general}})


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("my cat", "my cat"),
        ('a/b\\c:d*e?f"g<h>i|j', "a b c d e f g h i j"),
        ("../../etc", "etc"),
        ("..", "run"),
        ("   ", "run"),
        ("con", "con run"),
        ("Lpt1", "Lpt1 run"),
        ("ends with a dot.", "ends with a dot"),
        ("line\nbreak", "line break"),
        ("x" * 100, "x" * 80),
    ],
)
def test_a_run_gets_a_name_that_every_system_allows(name: str, folder: str) -> None:
    assert run_name(preset(name)) == folder


def test_the_presets_title_names_a_run_that_has_no_name() -> None:
    assert run_name(preset(title="Robot LoRA")) == "Robot LoRA"
    assert run_name(preset("mine", title="Robot LoRA")) == "mine"


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    made = [new_run_folder(preset("a", workspace=str(tmp_path))).name for _ in range(3)]
    assert made == ["a", "a 2", "a 3"]


def test_a_file_of_that_name_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine", encoding="utf-8")
    assert new_run_folder(preset("a", workspace=str(tmp_path))).name == "a 2"
    assert (tmp_path / "a").read_text(encoding="utf-8") == "mine"


def test_a_workspace_inside_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot be made.*general.workspace"):
        new_run_folder(preset("a", workspace=str(tmp_path / "file")))
    with pytest.raises(UserError, match="Nothing can be written"):
        check_writable(tmp_path / "file" / "deep" / "down")
    check_writable(tmp_path / "not" / "there yet")
    assert not (tmp_path / "not").exists()


def test_paths_are_absolute_and_references_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.safetensors").touch()
    found = anchored(
        Preset.model_validate(
            {
                "general": {"workspace": "here"},
                "model": {"source": "model.safetensors", "vae": "someone/on-the-hub"},
                "concepts": [{"path": "cats"}, {"path": "starter:robot"}],
                "output": {"path": "~/out.safetensors"},
            }
        )
    )
    assert found.general.workspace == str(ROOT / "here")  # Seachange's own folders lie beside it, wherever one stands
    assert found.general.cache == str(ROOT / "here" / "cache")
    assert (found.model.source, found.model.vae) == (str(tmp_path / "model.safetensors"), "someone/on-the-hub")
    assert [concept.path for concept in found.concepts] == [str(tmp_path / "cats"), "starter:robot"]
    assert found.output.path == str(Path.home() / "out.safetensors")
    assert anchored(Preset()).model.source == ""


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ((), "no run named"),
        (("a",), "no backup was made"),
        (("a/backups/step-00000003",), "all 1 backups of it are damaged"),
    ],
)
def test_what_cannot_be_continued_is_said(made: tuple[str, ...], words: str, tmp_path: Path) -> None:
    for folder in made:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(UserError, match=words):
        folder_to_continue(preset("a", workspace=str(tmp_path)), "newest")
    with pytest.raises(UserError, match="There is no run elsewhere"):
        folder_to_continue(preset("a", workspace=str(tmp_path)), "elsewhere")
