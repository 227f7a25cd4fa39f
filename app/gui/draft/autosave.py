"""The project that saves itself: what is edited survives a crash, a power cut, and a second window.

* `project.json` is a project file as `train` takes it. `project.edit.json` beside it holds what only the window knows:
  the preset that is compared with, texts that could not be used, settings of methods not chosen now.
* Each window holds a lock on its project. A second window starts on a copy ("project 2.json") of the first one's;
  what a second window left when it crashed is restored instead of copied over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from app.gui.draft.draft import Draft
from app.gui.draft.parsing import InvalidInput
from app.gui.draft.problem_labels import WORDS
from app.gui.draft.state import Baseline, DraftState, values_of
from modules.errors import UserError
from modules.language import tr
from modules.preset.files import store
from modules.preset.files.migrate import migrate
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.validate import examine
from modules.system.files import write_text
from modules.system.locks import Lock, LockTaken
from modules.system.reading import read_json
from modules.system.user_folder import settings_folder


class Project:
    """The file of one window, locked until `close`."""

    def __init__(self, path: Path, lock: Lock | None, number: int, note: str = "") -> None:
        self.path, self.number = path, number
        self.interrupted = False  # what was restored had not been closed: the last window crashed
        self.note = note  # what went wrong or was left out when it was opened, for the user
        self._lock = lock
        self._saved: DraftState | None = None

    @classmethod
    def open(cls, folder: Path | None = None) -> Project:
        """The first project that no other window has. Where none can be kept, one that says so."""
        for number, path in _names(folder or settings_folder()):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                return cls(path, Lock(path.with_suffix(".lock")), number)
            except LockTaken:
                continue
            except OSError as error:
                return cls(
                    path,
                    None,
                    1,
                    tr(
                        "Your settings cannot be kept safely in {parent}: {reason}",
                        parent=path.parent,
                        reason=error.strerror or error,
                    ),
                )
        raise AssertionError("names never end")

    @property
    def is_copy(self) -> bool:
        """Whether another window had the first project already."""
        return self.number > 1

    def restore(self, draft: Draft) -> bool:
        """Put what was edited last into the draft. False: there is nothing, or it cannot be read (see `note`)."""
        source = self.path
        if self.is_copy and not self._crashed():
            source = next(_names(self.path.parent))[1]
        if not source.is_file():
            return False
        try:
            loaded = store.load(source)
        except UserError as error:
            self.note = tr("The last project could not be opened: {error}", error=error.text(WORDS))
            return False
        preset, wrong = examine(loaded.values)
        if wrong:
            problems = " ".join(map(WORDS.line, wrong.values()))
            self.note = tr("Some settings of the last project were left out: {problems}", problems=problems)
        self.interrupted = source == self.path and self._crashed()
        draft.restore(_state(values_of(preset), _sidecar(source)))
        self._saved = draft.state
        if self.interrupted and not self.is_copy:
            self._add_note(draft)
        return True

    def _add_note(self, draft: Draft) -> None:
        """It is said once: until something is edited again, there is nothing to lose.

        A copy that was left by a crash stays marked: it must not be taken for one that can be written over.
        """
        with suppress(OSError):  # it will be said again, and that nothing can be kept is said by `save`
            self._write_sidecar(draft.state, open_=False)

    def save(self, draft: Draft) -> None:
        """Write the draft if it changed. Cheap when it did not: the caller may ask once a second.

        Raises:
            OSError: the folder cannot be written.
        """
        if draft.state is self._saved:
            return
        save_project(draft, self.path)
        self._write_sidecar(draft.state, open_=True)
        self._saved = draft.state

    def close(self, draft: Draft) -> None:
        """Save for the last time and let the next window have it."""
        self.save(draft)
        self._write_sidecar(draft.state, open_=False)
        if self._lock is not None:
            self._lock.release()

    def _write_sidecar(self, state: DraftState, *, open_: bool) -> None:
        data = {
            "open": open_,
            "base": {"name": state.base.name, "values": state.base.values},
            "bad": {path: asdict(bad) for path, bad in state.bad.items()},
            "kept": [[section, kind, values] for (section, kind), values in state.kept.items()],
        }
        write_text(_edit_path(self.path), json.dumps(data, ensure_ascii=False) + "\n")

    def _crashed(self) -> bool:
        return _sidecar(self.path).get("open") is True


def save_project(draft: Draft, path: Path) -> None:
    """Write everything that is edited, as a file that `train` and any window can open.

    Raises:
        OSError: it cannot be written.
    """
    values: Values = {"kind": "project", **store.non_default_values(draft.preset(), Preset())}
    # Relative paths in a project start at its folder; what is typed in the window starts where that was started.
    store.make_paths_absolute(values, Path.cwd())
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def _names(folder: Path) -> Iterator[tuple[int, Path]]:
    yield 1, folder / "project.json"
    for number in range(2, 1000):
        yield number, folder / f"project {number}.json"


def _edit_path(path: Path) -> Path:
    return path.with_suffix(".edit.json")


def _sidecar(path: Path) -> dict[str, Any]:
    """What only the window knows; empty where it is missing or damaged: it is a comfort, not the project."""
    try:
        data = read_json(_edit_path(path))
    except (OSError, ValueError):
        return {}
    return _object(data)


def _state(values: Values, sidecar: dict[str, Any]) -> DraftState:
    base = Baseline("", values)
    data = _object(sidecar.get("base"))
    if data:
        preset, _ = examine(_migrated(_object(data.get("values"))))
        base = Baseline(str(data.get("name", "")), values_of(preset))
    bad = {
        path: InvalidInput(str(_object(text).get("text", "")), str(_object(text).get("error", "")))
        for path, text in _object(sidecar.get("bad")).items()
        if get(values, path) is not None
    }
    return DraftState(values, base, bad, dict(_kept(sidecar)))


def _migrated(values: Values) -> Values:
    """Values that an older Seachange may have left behind; what cannot be brought up to date says nothing."""
    try:
        return migrate(values)
    except UserError:
        return {"version": Preset.VERSION}


def _kept(sidecar: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Values]]:
    for entry in _list(sidecar.get("kept")):
        match entry:
            case [str(section), str(kind), dict(inside)]:
                alone: Values = {"version": Preset.VERSION}
                put(alone, section, inside)
                preset, wrong = examine(alone)
                if not wrong:
                    yield (section, kind), values_of(preset)[section]
            case _:
                continue  # damaged


def _object(data: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _list(data: Any) -> list[Any]:
    return cast("list[Any]", data) if isinstance(data, list) else []
