"""Seachange put on another machine: the program's own files, installed by the README's command."""

from __future__ import annotations

import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from modules.errors import UserError
from modules.remote.address import address_of
from modules.remote.setting_up import PARTS, program, set_up

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the shell of another machine")
# In the place of ssh: what is to run there runs here, in another home.
HERE = 'for last; do :; done\nHOME="$HOME_THERE" exec sh -c "$last"\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ssh.sh").write_text(HERE)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("SEACHANGE_SSH", f"sh {tmp_path / 'ssh.sh'}")
    monkeypatch.setenv("HOME_THERE", str(tmp_path / "home"))
    return tmp_path / "home"


def small_program(root: Path, script: str) -> Path:
    for part in PARTS:
        path = root / part
        if "." in part or part == "LICENSE":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(script if part == "start-ui.sh" else part)
        else:
            (path / "__pycache__").mkdir(parents=True)
            (path / "__pycache__" / "a.pyc").write_text("made by Python")
            (path / "a.py").write_text(part)
    (root / "start-ui.sh").chmod(0o755)
    return root


def test_the_program_is_sent_and_installed_and_the_workspace_stays(tmp_path: Path, home: Path) -> None:
    root = small_program(tmp_path / "ours", '#!/bin/sh\necho "Setting up $1" >&2\ntouch installed\n')
    (home / "seachange" / "workspace").mkdir(parents=True)
    (home / "seachange" / "workspace" / "run").write_text("a run")
    said: list[str] = []
    set_up(address_of("workstation"), said.append, root)
    assert said == ["Setting up tools"]
    there = home / "seachange"
    assert (there / "installed").exists() and (there / "modules" / "a.py").read_text() == "modules"
    assert (there / "workspace" / "run").read_text() == "a run"
    assert not list(there.rglob("*.pyc"))


def test_an_installation_that_fails_says_why(tmp_path: Path, home: Path) -> None:
    root = small_program(tmp_path / "ours", '#!/bin/sh\necho "There is no Python" >&2\nexit 2\n')
    with pytest.raises(UserError) as failed:
        set_up(address_of("workstation:my folder"), lambda _: None, root)
    assert failed.value.problem.code == "remote.no-setup" and "There is no Python" in str(failed.value)


def test_what_is_sent_is_the_program_and_nothing_of_the_user() -> None:
    with tarfile.open(fileobj=BytesIO(program())) as sent:
        names = sent.getnames()
        assert {name.partition("/")[0] for name in names} == set(PARTS)
        assert "modules/engine.py" in names and not [name for name in names if name.endswith(".pyc")]
        assert {(entry.uname, entry.gname, entry.uid) for entry in sent.getmembers()} == {("", "", 0)}
