"""start-ui.sh, with a Python that only writes down what it is asked: nothing is installed here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modules.system.bundled import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="bash")

# Answers questions (-c) as a real Python does; what it is asked to run (-m) it writes down.
FAKE = """#!/bin/sh
for word; do case "$word" in
    -c) exec "{real}" "$@" ;;
    -m) [ "$2" != venv ] || break
        printf '[%s]' "$@" >>"{log}"; echo >>"{log}"
        case "$*" in *pip*) exit ${{PIP_EXIT:-0}} ;; esac
        exit 0 ;;
esac; done
printf '[%s]' "$@" >>"{log}"; echo >>"{log}"
"""


class Place:
    """A folder with the script and, unless it is fresh, an environment whose Python is the fake."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "sea change"
        self.log = folder / "log"
        self.python = self.home / ".venv/bin/python"
        self.home.mkdir()
        self.log.touch()
        shutil.copy(ROOT / "start-ui.sh", self.home)
        shutil.copy(ROOT / "pyproject.toml", self.home)
        self.fake(self.python)

    def fake(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FAKE.format(real=sys.executable, log=self.log))
        path.chmod(0o755)
        return path

    def run(self, *arguments: str, script: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(script or self.home / "start-ui.sh"), *arguments],
            cwd=self.log.parent,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        found = self.log.read_text().splitlines()
        self.log.write_text("")
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


PIP = "[-m][pip][install][--disable-pip-version-check][-e]"


def test_it_installs_once_and_then_only_runs(place: Place) -> None:
    assert place.run("train", "a preset.json").returncode == 0
    assert place.calls() == [f"{PIP}[.]", "[-P][-m][app][train][a preset.json]"]
    assert place.run().returncode == 0
    assert place.calls() == ["[-P][-m][app]"]


def test_it_installs_again_when_the_requirements_change(place: Place) -> None:
    place.run()
    place.calls()
    with (place.home / "pyproject.toml").open("a") as file:
        file.write("# more\n")
    place.run()
    assert place.calls() == [f"{PIP}[.]", "[-P][-m][app]"]


def test_a_moved_folder_is_installed_again(place: Place) -> None:
    place.run()
    place.calls()
    moved = place.home.with_name("moved")
    place.home.rename(moved)
    place.run(script=moved / "start-ui.sh")
    assert place.calls() == [f"{PIP}[.]", "[-P][-m][app]"]


def test_a_failed_installation_runs_nothing_and_is_done_again(place: Place) -> None:
    done = place.run(PIP_EXIT="1")
    assert done.returncode == 2
    assert "Starting again continues it" in done.stderr
    assert place.calls() == [f"{PIP}[.]"]
    assert not list((place.home / ".venv").glob("installed-*"))
    place.run()
    assert place.calls() == [f"{PIP}[.]", "[-P][-m][app]"]


def test_it_works_through_a_link_from_elsewhere(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    link = tmp_path / "other" / "seachange"
    link.symlink_to("../sea change/start-ui.sh")
    assert place.run("settings", script=link).returncode == 0
    assert place.calls()[-1] == "[-P][-m][app][settings]"


def test_without_venv_it_says_what_to_install(place: Place, tmp_path: Path) -> None:
    shutil.rmtree(place.home / ".venv")
    bare = tmp_path / "bare python"
    bare.write_text("#!/bin/sh\necho python tkinter\n")
    bare.chmod(0o755)
    done = place.run(SEACHANGE_PYTHON=str(bare))
    assert done.returncode == 2
    assert "sudo apt install python3-venv" in done.stderr
    done = place.run(SEACHANGE_PYTHON=str(tmp_path / "none"))
    assert "Seachange needs Python 3.11, 3.12, 3.13 or 3.14" in done.stderr


def test_without_tkinter_it_says_so_and_goes_on(place: Place, tmp_path: Path) -> None:
    shutil.rmtree(place.home / ".venv")
    # Says that it can make environments, and "makes" one by copying the fake.
    headless = tmp_path / "headless"
    fake = place.fake(tmp_path / "fake")
    headless.write_text(
        "#!/bin/sh\n"
        'case "$1" in -I) echo python venv ;; -V) echo Python 3.11 ;;\n'
        f'-m) mkdir -p "$4/bin"; cp "{fake}" "$4/bin/python" ;; esac\n'
    )
    headless.chmod(0o755)
    done = place.run("train", "x", SEACHANGE_PYTHON=str(headless))
    assert done.returncode == 0, done.stderr
    assert "has no tkinter" in done.stderr
    assert "sudo apt install python3-tk" in done.stderr
    assert place.calls() == [f"{PIP}[.]", "[-P][-m][app][train][x]"]


def test_the_windows_script_names_the_same_versions() -> None:
    batch = (ROOT / "start-ui.bat").read_bytes()
    assert batch.count(b"\r\n") == batch.count(b"\n"), "cmd.exe loses labels in files without CRLF"
    requirements = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    torch = next(line for line in requirements.splitlines() if line.strip().startswith('"torch'))
    assert torch.strip().strip(",").encode() in batch
