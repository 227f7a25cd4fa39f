"""Which folders are runs, which of them are alive, and which one goes on: one answer for window and command line.

No torch: the window asks it, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from modules.errors import UserError
from modules.preset.files import store
from modules.preset.files.jsonfile import read_object
from modules.preset.files.naming import folder_name, run_name
from modules.preset.paths import get
from modules.preset.preset import Preset
from modules.preset.validate import examine
from modules.sentences.problem import Problem, problem
from modules.system.bundled import in_program_folder
from modules.system.locks import is_locked
from modules.system.reading import open_file
from modules.wire import decode

LOCK = ".lock"  # in the folder of a run
BACKUP = re.compile(r"step-\d{8,}")
FIRST_LINES = 1_000_000  # bytes of events that are read to know them for ours


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run: its settings, its events or a backup's manifest say so."""
    return (
        _is_project(folder / "preset.json")
        or _has_events(folder)
        or any(map(_has_manifest, all_backups(folder / "backups")))
    )


def is_training(folder: Path) -> bool:
    """Whether a process trains in the folder of a run now."""
    return is_locked(folder / LOCK)


def all_backups(folder: Path) -> list[Path]:
    """Every folder that is named as a backup, newest first."""
    found = folder.glob("step-*")
    return sorted((path for path in found if BACKUP.fullmatch(path.name) and path.is_dir()), reverse=True)


def step_of(backup: Path) -> int:
    """The step at which a backup was made, by its name."""
    return int(backup.name.removeprefix("step-"))


def recorded_preset(folder: Path) -> Preset | None:
    """What a run was last trained with: by its own preset.json, or that of its newest backup that can be read."""
    for file in _records(folder):
        try:
            return examine(store.load(file).values)[0]
        except UserError:
            continue
    return None


def runs_named(workspace: Path, name: str) -> list[Path]:
    """The runs of a name, whatever number their folders got, newest first by what last happened in them."""
    numbered = _numbered(name)
    found = [path for path in _folders(workspace) if numbered.fullmatch(path.name) and is_run(path)]
    return sorted((path for path in found if _own_name(path) in ("", name)), key=last_used, reverse=True)


def last_used(folder: Path) -> float:
    """When the last event or backup of a run was written, in seconds since 1970."""
    backups = (path / "manifest.json" for path in all_backups(folder / "backups"))
    return max(map(_time_of, (folder / "events.jsonl", folder / "preset.json", *backups)))


def new_names(workspace: Path, name: str) -> Iterator[str]:
    """What the folder of a new run may be called: its name, or that with a number above all that are there; and on."""
    numbered = _numbered(name)
    taken = [match for path in _folders(workspace, files=True) if (match := numbered.fullmatch(path.name))]
    first = max((int(match[1] or 1) for match in taken), default=0) + 1
    return (f"{name} {number}" if number > 1 else name for number in count(first))


def new_run_folder(preset: Preset) -> Path:
    """Make `<workspace>/<name>`, or `<name> 2` and so on where that is taken. Two runs at once get two folders.

    Raises:
        UserError: the workspace cannot be written.
    """
    workspace = in_program_folder(preset.general.workspace)
    for name in new_names(workspace, run_name(preset)):
        folder = workspace / name
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # another run was faster
            continue
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError("run.no-folder", "general.workspace", folder=folder, reason=reason) from error
        return folder
    raise AssertionError("names never end")


def run_to_continue(preset: Preset, wanted: str) -> Path:
    """The folder of a run. `wanted`: "newest" for the newest run of the preset's name, a run's name, or a folder.

    A name means a run in the workspace before it means a folder where one stands.

    Raises:
        UserError: there is no such run, or what is there is no run.
    """
    workspace = Path(preset.general.workspace)
    if wanted == "newest":
        name = run_name(preset)
        runs = runs_named(workspace, name)
        if not runs:
            raise UserError(problem("resume.none-of-name", name=name, workspace=str(workspace)))
        return runs[0]
    places = [workspace / wanted, Path(wanted).expanduser().absolute()]
    for folder in places if Path(wanted).name == wanted else reversed(places):
        if BACKUP.fullmatch(folder.name) and folder.parent.name == "backups" and folder.is_dir():
            raise UserError(problem("resume.backup", folder=str(folder), run=str(folder.parent.parent)))
        if is_run(folder):
            return folder
    other = next((folder for folder in places if folder.exists()), None)
    if other is not None:
        raise UserError(problem("resume.no-run", folder=str(other)))
    raise UserError(problem("resume.missing", wanted=wanted, workspace=str(workspace)))


def passed_over(preset: Preset, folder: Path) -> Problem:
    """Which run of its name goes on, as the newest of all, and which others there are."""
    others = [path.name for path in runs_named(folder.parent, run_name(preset)) if path != folder]
    more = [problem("resume.others", names=others)] if others else []
    return problem("resume.which", name=folder.name, others=more)


def _numbered(name: str) -> re.Pattern[str]:
    """Names of folders that runs of a name may have; a system may take "Cat" and "cat" for one."""
    return re.compile(rf"{re.escape(name)}(?: ([1-9]\d{{0,8}}))?", re.IGNORECASE)


def _own_name(folder: Path) -> str:
    """What a run calls itself, by its settings; "" where none can be read."""
    for file in _records(folder):
        try:
            values = read_object(file)
        except UserError:
            continue
        return folder_name(str(get(values, "general.name") or values.get("title") or ""))
    return ""


def _records(folder: Path) -> Iterator[Path]:
    yield folder / "preset.json"
    yield from (backup / "preset.json" for backup in all_backups(folder / "backups"))


def _folders(workspace: Path, *, files: bool = False) -> list[Path]:
    try:
        return [path for path in workspace.iterdir() if files or path.is_dir()]
    except OSError:
        return []


def _time_of(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _is_project(file: Path) -> bool:
    try:
        return read_object(file).get("kind") == "project"
    except UserError:
        return False


def _has_manifest(backup: Path) -> bool:
    try:
        return isinstance(read_object(backup / "manifest.json").get("sha256"), dict)
    except UserError:
        return False


def _has_events(folder: Path) -> bool:
    try:
        with open_file(folder / "events.jsonl") as file:
            first = file.readline(FIRST_LINES)
        decode(first.decode())
    except (OSError, ValueError):
        return False
    return True
