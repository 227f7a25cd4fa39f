"""Folders that would end a run, or spoil the next one, are found by writing into them for real."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import psutil
import pytest

from modules.check.run import paths
from modules.check.run.paths import findings, names_on_windows
from modules.messages import Finding
from modules.preset.preset import Preset
from modules.system import disks
from tests.check.rooms import mended, preset_for, subject_of
from tests.data.pictures import picture


def found(preset: Preset) -> dict[str, Finding]:
    # Folders of tests may lie in memory
    return {one.name: one for one in findings(subject_of(preset)) if one.name != "paths.in-memory"}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 100 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid():
        pytest.skip("only root can mount a small disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", place], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_ordinary_folders_are_silent_and_left_as_they_were(tmp_path: Path) -> None:
    assert found(preset_for(tmp_path / "new" / "workspace")) == {}
    assert list(tmp_path.iterdir()) == []


# Writing --------------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_found_by_writing(tiny_disk: Path) -> None:
    assert found(preset_for(tiny_disk / "workspace")) == {}
    (tiny_disk / "much").write_bytes(bytes(100 * 1024))
    finding = found(preset_for(tiny_disk / "workspace"))["paths.not-writable"]
    assert finding.severity == "error"
    assert finding.title == f"The disk with the workspace ({tiny_disk / 'workspace'}) is full: 0 kB free."


def test_a_disk_that_can_only_be_read_is_found_even_by_root(tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    finding = found(preset_for(tiny_disk / "workspace"))["paths.not-writable"]
    assert finding.title == f"The disk with the workspace ({tiny_disk / 'workspace'}) is read-only."


def test_a_disk_in_memory_is_said_to_be_one(tiny_disk: Path) -> None:
    told = {one.name: one for one in findings(subject_of(preset_for(tiny_disk / "workspace")))}
    assert told["paths.in-memory"].title == "In the machine's memory: the workspace and the cache."
    assert told["paths.in-memory"].severity == "warning"


def test_each_folder_is_written_to_by_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    preset = preset_for(
        tmp_path / "workspace",
        [],
        f"general.cache={tmp_path / 'file'}",
        f"output.path={tmp_path / 'file' / 'model.safetensors'}",
    )
    told = [one for one in findings(subject_of(preset)) if one.name == "paths.not-writable"]
    assert [(one.severity, one.path) for one in told] == [("error", "general.cache")]
    assert told[0].title == f"Nothing can be written to the cache ({tmp_path / 'file'}): {tmp_path / 'file'} is a file."


def test_links_that_lead_nowhere_or_to_themselves_are_found(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    loop = found(preset_for(tmp_path / "loop" / "workspace"))["paths.not-writable"]
    assert loop.title.endswith("is a link that leads to itself.")
    gone = found(preset_for(tmp_path / "gone" / "workspace"))["paths.not-writable"]
    assert gone.title.endswith("leads through a link to nowhere.")


def test_a_folder_without_rights_is_found(tmp_path: Path) -> None:
    if not hasattr(os, "geteuid") or not os.geteuid():
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "Permission denied" in found(preset_for(tmp_path / "closed"))["paths.not-writable"].title


# One inside the other -------------------------------------------------------------------------------------------------


def test_a_workspace_inside_a_concept_would_be_trained_on(tmp_path: Path) -> None:
    picture(tmp_path / "pictures" / "a.png")
    preset = preset_for(tmp_path / "pictures" / "workspace", [tmp_path / "pictures"], "concepts.0.subfolders=true")
    finding = found(preset)["paths.workspace-inside-concept"]
    assert finding.severity == "warning"
    assert 'inside the concept "pictures"' in finding.title
    assert found(mended(preset, finding)) == {}


def test_links_do_not_hide_it(tmp_path: Path) -> None:
    picture(tmp_path / "pictures" / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "pictures")
    preset = preset_for(tmp_path / "link" / "workspace", [tmp_path / "pictures"], "concepts.0.subfolders=true")
    assert "paths.workspace-inside-concept" in found(preset)


def test_a_concept_of_a_runs_own_samples_is_found(tmp_path: Path) -> None:
    run = tmp_path / "workspace" / "cat"
    picture(run / "samples" / "a.png")
    picture(tmp_path / "workspace" / "my pictures" / "a.png")
    (run / "events.jsonl").write_text("")
    assert "paths.concept-inside-run" in found(preset_for(tmp_path / "workspace", [run / "samples"]))
    whole = preset_for(tmp_path / "workspace", [run], "concepts.0.subfolders=true")
    assert "paths.concept-inside-run" in found(whole)
    assert found(preset_for(tmp_path / "workspace", [tmp_path / "workspace" / "my pictures"])) == {}


# Disks ----------------------------------------------------------------------------------------------------------------


def test_a_network_share_is_known_by_its_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "share").mkdir()
    real = psutil.disk_partitions(all=True)
    share = real[0]._replace(mountpoint=str(tmp_path / "share"), fstype="cifs")
    monkeypatch.setattr(disks.psutil, "disk_partitions", lambda all: [*real, share])
    finding = found(preset_for(tmp_path / "share" / "workspace"))["paths.network"]
    assert finding.severity == "warning"
    assert finding.title == "On a network share: the workspace and the cache."
    apart = preset_for(tmp_path / "share" / "workspace", [], f"general.cache={tmp_path / 'cache'}")
    assert found(apart)["paths.network"].severity == "info"
    assert found(preset_for(tmp_path / "shared")) == {}  # begins with the same letters


@pytest.mark.parametrize(
    ("folder", "program"),
    [
        ("OneDrive - Firm/train", "OneDrive"), ("Dropbox (Personal)", "Dropbox"), ("Google Drive/x", "Google Drive"),
        ("Library/Mobile Documents/com~apple~CloudDocs", "iCloud"), ("Nextcloud", "Nextcloud"),
        ("my dropbox notes", ""), ("onedrivers", ""),
    ],
)  # fmt: skip
def test_folders_that_programs_copy_to_the_internet_are_known_by_name(
    folder: str, program: str, tmp_path: Path
) -> None:
    told = found(preset_for(tmp_path / folder))
    assert bool(told) == bool(program)
    if program:
        assert told["paths.synced"].title == f"{program} copies the workspace to the internet."


# Names ----------------------------------------------------------------------------------------------------------------


def test_a_name_that_no_folder_can_have_is_said_to_change(tmp_path: Path) -> None:
    finding = found(preset_for(tmp_path, [], 'general.name=cats: "best"?'))["paths.renamed"]
    assert finding.title == 'The folder of the run will be called "cats best".'


def on_windows(workspace: str, output: str = "", *, long_paths: bool = False) -> dict[str, Finding]:
    preset = Preset.model_validate({"general": {"workspace": workspace, "name": "cat"}, "output": {"path": output}})
    return {one.name: one for one in names_on_windows(preset, long_paths=long_paths)}


def test_paths_that_windows_does_not_take_are_found_to_the_letter() -> None:
    names = [
        len(f"\\cat\\{PurePosixPath(name)}")
        for name in (*paths.LONGEST_INSIDE, "models/.cat-step-00000500.safetensors.1234567.part")
    ]
    fits = "C:\\" + "x" * (259 - max(names) - 3)
    assert on_windows(fits) == {}
    finding = on_windows(f"{fits}y")["paths.too-long"]
    assert finding.severity == "error"
    assert finding.title == "Files of this run would have paths of 260 characters; Windows allows 259."
    assert "1 character shorter" in finding.text
    assert on_windows(f"{fits}y", long_paths=True) == {}


@pytest.mark.parametrize("name", ["a?b.safetensors", "nul.safetensors", "COM1", "folder./x.safetensors", "a:b"])
def test_names_that_windows_keeps_for_itself_are_refused(name: str) -> None:
    assert on_windows("C:\\train", f"C:\\models\\{name}")["paths.forbidden-name"].severity == "error"


def test_ordinary_names_are_not(tmp_path: Path) -> None:
    assert on_windows("C:\\train", "C:\\models\\my cat (2).safetensors") == {}


@pytest.mark.skipif(os.name == "nt", reason="of other systems")
def test_other_systems_say_nothing_of_windows(tmp_path: Path) -> None:
    assert found(preset_for(tmp_path / ("x" * 200) / ("y" * 100), [], f"output.path={tmp_path}/a?b.safetensors")) == {}
