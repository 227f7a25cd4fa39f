"""What the card of a concept says of its folder: how many images, the first one, or what is wrong, in a few words.

Folders are listed beside the window, one after another: a drive that sleeps must not hold up the page.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from app.gui.session.worker import Stop, Worker
from modules.data.source.kinds import source_of
from modules.data.source.source import DataFile, Kinds
from modules.errors import UserError
from modules.language import tr
from modules.preset.paths import Values
from modules.preset.sections.concept import IMAGE_FILES, Concept
from modules.system.bundled import resolve

Key = tuple[str, bool]  # folder, with sub-folders


@dataclass(frozen=True, slots=True)
class FolderSummary:
    """Of one folder. `problem` is empty where there is none."""

    images: int
    first: DataFile | None = None
    not_taken: Kinds = ()
    problem: str = ""


class FolderSummaries:
    """Ask with `of`, which never waits; `poll` says whether more is known than before."""

    def __init__(self) -> None:
        self._known: dict[Key, FolderSummary] = {}
        self._todo: deque[Key] = deque()
        self._new: deque[Key] = deque()
        self._work: Worker[None] | None = None

    def of(self, concept: Values) -> FolderSummary | None:
        """What is known of this concept's folder; None: not looked yet."""
        return self._known.get(_key(concept))

    def look(self, concepts: Iterable[Values], *, again: bool = False) -> None:
        """Have the folders listed that are not known; all of them, `again`."""
        waiting = set(self._todo)
        for key in dict.fromkeys(map(_key, concepts)):
            if key not in waiting and (again or key not in self._known):
                self._todo.append(key)
        self._go_on()

    def poll(self) -> bool:
        """Whether something new is known since the last time."""
        self._go_on()
        found = bool(self._new)
        self._new.clear()
        return found

    @property
    def busy(self) -> bool:
        """Whether something is being looked for, or was found and not asked for yet."""
        running = self._work is not None and self._work.running  # asked first: what is found comes before its end
        return running or bool(self._todo or self._new)

    def close(self) -> None:
        self._todo.clear()
        if self._work is not None:
            self._work.cancel()

    def _go_on(self) -> None:
        if self._todo and (self._work is None or not self._work.running):
            self._work = Worker(lambda _, stop: self._list_all(stop))

    def _list_all(self, stop: Stop) -> None:
        while self._todo and not stop():
            try:
                key = self._todo.popleft()
            except IndexError:  # the page was closed meanwhile
                return
            summary = summary_of(*key)
            if self._known.get(key) != summary:
                self._known[key] = summary
                self._new.append(key)


def summary_of(folder: str, subfolders: bool) -> FolderSummary:
    """Look at one folder now."""
    try:
        found = source_of(Concept(path=folder, subfolders=subfolders)).listing()
    except (UserError, OSError):
        return FolderSummary(0, problem=_problem(folder, subfolders))
    return FolderSummary(len(found.entries), found.entries[0].file, found.remarks.not_taken)


def _problem(folder: str, subfolders: bool) -> str:
    """A few words for the card; the page Concepts has no room for sentences."""
    if not folder.strip():
        return tr("No folder chosen")
    try:
        place = resolve(folder)
        if not place.exists():
            return tr("Folder not found")
        if place.is_file():
            return tr("No images") if place.suffix.lower() in IMAGE_FILES else tr("Not a folder")
        inside = any(child.is_dir() for child in place.iterdir())
    except (UserError, OSError):
        return tr("Cannot be read")
    return tr("Only sub-folders inside") if inside and not subfolders else tr("No images")


def _key(concept: Values) -> Key:
    return str(concept["path"]), bool(concept["subfolders"])
