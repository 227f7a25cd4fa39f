"""Presets to choose from: those that ship with Seachange and the user's own, found, counted, saved, shared, deleted."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from app.gui.draft.draft import Draft, values_of
from app.gui.draft.preset_diff import Difference, differences, with_preset_values
from app.gui.draft.problem_labels import WORDS
from modules.catalog import FAMILIES
from modules.errors import Problems, UserError
from modules.language import tr
from modules.preset.files import store
from modules.preset.files.jsonfile import read_object
from modules.preset.preset import Preset
from modules.preset.validate import examine
from modules.sentences.problem import problem
from modules.system.bundled import ROOT
from modules.system.sorting import natural_key
from modules.system.user_folder import settings_folder

OWN = "Your presets"
MEMORY = re.compile(r"(\d+) GB")
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
LONGEST_NAME = 80


@dataclass(frozen=True)
class Entry:
    """A preset file: its preset, or what is wrong with it."""

    path: Path
    group: str  # the folder it lies in ("SDXL"), or OWN
    own: bool
    preset: Preset | None
    wrong: UserError | None = None

    @property
    def name(self) -> str:
        """What the list and the top bar call it."""
        return self.path.stem if self.own or not (self.preset and self.preset.title) else self.preset.title

    @property
    def problem(self) -> str:
        """Why it cannot be loaded; "" if it can."""
        return self.wrong.text(WORDS) if self.wrong else ""

    @property
    def note(self) -> str:
        return self.preset.note if self.preset else self.problem

    @property
    def family(self) -> str:
        """The kind of model, in words."""
        return FAMILIES[self.preset.model.family].title if self.preset else ""

    @property
    def memory(self) -> int:
        """GB of the card that the preset is made for; 0 for any computer."""
        found = MEMORY.search(self.path.stem)
        return int(found[1]) if found else 0

    @cached_property
    def values(self) -> dict[str, object]:
        """Every value. Only of an entry that has a preset."""
        if self.preset is None:
            assert self.wrong
            raise self.wrong
        return values_of(self.preset)


@dataclass(frozen=True)
class DeletedPreset:
    """A deleted preset: `Library.restore` brings it back."""

    was: Path
    lies: Path


class Library:
    """Both folders of presets. Files are parsed once and again when they change."""

    def __init__(self, own: Path | None = None, built_in: Path = ROOT / "presets") -> None:
        self.own = own or settings_folder() / "presets"
        self.built_in = built_in
        self._read: dict[Path, tuple[tuple[int, int], Entry]] = {}

    def entries(self) -> list[Entry]:
        """The user's own first, then by folder and memory class; "Starter" leads."""
        mine = sorted(_files(self.own), key=lambda path: natural_key(path.stem))
        theirs = [self._entry(path, own=False) for path in _files(self.built_in)]
        theirs.sort(key=lambda entry: (entry.group != "Starter", entry.group, entry.memory, entry.path.name))
        return [*(self._entry(path, own=True) for path in mine), *theirs]

    def starter(self) -> Entry | None:
        """What a new window opens with."""
        starters = [entry for entry in self.entries() if entry.group == "Starter" and entry.preset]
        return next((entry for entry in starters if entry.path.stem == "Robot LoRA"), next(iter(starters), None))

    def save(self, name: str, draft: Draft, *, overwrite: bool = False, note: str = "") -> Path:
        """Save the recipe under a name among the user's own; the draft's changes are counted from there on.

        Raises:
            UserError: the name cannot be a file's, or is taken and `overwrite` was not said; nothing was written.
        """
        target = self._target(name)
        if target.exists() and not overwrite:
            raise _taken(target)
        preset = draft.preset().model_copy(update={"title": name.strip(), "note": note.strip()})
        try:
            store.write_preset(preset, target)
        except OSError as error:
            raise _unwritable(target, error) from error
        draft.compare_with(target.stem)
        return target

    def rename(self, entry: Entry, name: str) -> Path:
        """Give one of the user's own another name.

        Raises:
            UserError: the name cannot be a file's, or is taken; it cannot be renamed; or it ships with Seachange.
        """
        _refuse_built_in(entry)
        target = self._target(name)
        same_file = target.exists() and target.samefile(entry.path)  # "robot" to "Robot" where case does not count
        if target.exists() and not same_file:
            raise _taken(target)
        try:
            entry.path.rename(target)
        except OSError as error:
            raise _unwritable(target, error) from error
        return target

    def delete(self, entry: Entry) -> DeletedPreset:
        """Move one of the user's own to the trash beside it.

        Raises:
            UserError: it ships with Seachange.
        """
        _refuse_built_in(entry)
        trash = self.own / ".trash"
        trash.mkdir(parents=True, exist_ok=True)
        lies = _free(trash / f"{entry.path.stem} {time.strftime('%Y-%m-%d %H-%M-%S')}.json")
        entry.path.rename(lies)
        return DeletedPreset(entry.path, lies)

    def restore(self, trashed: DeletedPreset) -> Path:
        """Bring a deleted preset back, under a free name if its own was taken meanwhile."""
        target = _free(trashed.was)
        trashed.lies.rename(target)
        return target

    def _target(self, name: str) -> Path:
        name = name.strip()
        if not name or name.strip(".") == "" or FORBIDDEN.search(name) or len(name) > LONGEST_NAME:
            raise UserError("preset.name", name=name, most=LONGEST_NAME)
        return self.own / f"{name}.json"

    def _entry(self, path: Path, *, own: bool) -> Entry:
        try:
            stat = path.stat()
            stamp = stat.st_mtime_ns, stat.st_size
        except OSError:  # it went just now: reading it says so in words
            stamp = 0, 0
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = self._read[path] = stamp, _parsed(path, OWN if own else path.parent.name, own)
        return known[1]


def change_of(draft: Draft, entry: Entry) -> list[Difference]:
    """What loading would change, setting by setting; its length is what the list says ("8 settings differ")."""
    return differences(draft.values, with_preset_values(draft.values, entry.values))


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file of any folder. A project is loaded whole: its machine settings and concepts with it."""

    name: str
    preset: Preset
    project: bool


def open_file(path: Path) -> OpenedFile:
    """A preset or project that lies anywhere: picked in a dialog or dropped on the window.

    Raises:
        UserError: it cannot be read.
        Problems: with everything that is wrong in it.
    """
    preset = store.read(path)
    return OpenedFile(path.stem, preset, read_object(path).get("kind") == "project")


def text_of(draft: Draft) -> str:
    """The recipe as text to paste into a chat or a forum: no path of this machine is in it."""
    return json.dumps(store.shareable_values(draft.preset()), indent=2, ensure_ascii=False) + "\n"


def from_text(text: str) -> Preset:
    """The preset in a pasted text, whatever stands around it.

    Raises:
        UserError: there is none in it.
        Problems: with everything that is wrong in it.
    """
    first, last = text.find("{"), text.rfind("}")
    if first < 0 or last < first:
        raise UserError("preset.none-copied")
    loaded = store.load_text(text[first : last + 1], tr("The pasted text"), Path.cwd())
    preset, found = examine(loaded.values)
    if problems := [*loaded.problems, *found.values()]:
        raise Problems(problem("preset-file.wrong", file=tr("The pasted text")), problems)
    return preset


def _files(folder: Path) -> Iterator[Path]:
    yield from (
        path
        for path in sorted(folder.rglob("*.json"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _parsed(path: Path, group: str, own: bool) -> Entry:
    try:
        return Entry(path, group, own, store.read(path))
    except UserError as error:
        return Entry(path, group, own, None, error)


def _free(path: Path) -> Path:
    number, candidate = 2, path
    while candidate.exists():
        candidate = path.with_stem(f"{path.stem} {number}")
        number += 1
    return candidate


def _refuse_built_in(entry: Entry) -> None:
    if not entry.own:
        raise UserError("preset.bundled", name=entry.name)


def _taken(target: Path) -> UserError:
    return UserError("preset.exists", name=target.stem)


def _unwritable(target: Path, error: OSError) -> UserError:
    return UserError("preset.not-written", file=target, reason=error.strerror or str(error))
