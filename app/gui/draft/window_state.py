"""What the window remembers of itself: size, page, theme, what was opened last. Nothing that a run depends on.

Several windows share one file. Each writes the keys that it changed over what stands there now, so that the last word
on a key wins and no window forgets what another remembered.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from modules.language import tr
from modules.system.files import write_text
from modules.system.locks import Lock, LockTaken
from modules.system.reading import read_json
from modules.system.user_folder import settings_folder

MOST_RECENT = 12

DEFAULTS: dict[str, Any] = {
    "geometry": "",  # as the window system writes it: "1280x800+40+30"
    "page": "general",
    "theme": "system",  # "dark", "light"
    "text_size": 100,  # percent
    "pane": True,  # the live pane on the right, of pages that are forms
    "panes": [],  # the other pages on which it is open
    "recent": [],  # files that were opened, newest first
    "expert": [],  # cards that show their expert settings
    "project": "",  # the project that was open last
    "welcomed": False,
    "run": "",  # the folder of the run under way; of one that the end of the window has stopped, afterwards
    "own_lora": "",  # the card "Your own LoRA": "open", "closed", or not offered yet
    "grid": "",  # the folder of the grid that was shown last
    "captioning": {},  # what was asked last for captions made by models
    "training_set": "",  # the folder of the training set that was looked through last
    "scores": {},  # that were computed last, each with its model
    "grid_size": 80,  # of its pictures, in pixels at 100 %
    "tile_size": 168,  # width of a tile on the page Captions, in pixels at 100 %
    "check_first": True,  # look before every start
    "sample_size": 0,  # pixels of a sample on the page Live run; 0: as there is room
    "quiet_findings": [],  # kinds of findings that nobody wants to hear of, with their project
}

T = TypeVar("T")


class WindowState:
    """The keys of `DEFAULTS`. `note` says what was wrong with the file, if something was."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or settings_folder() / "window.json"
        self.note = ""
        self._values = self._read()
        self._changed: dict[str, Any] = {}

    def get(self, key: str, kind: Callable[[Any], T] = lambda value: value) -> T:
        """What is remembered under this key, or its default."""
        return kind(self._values.get(key, DEFAULTS[key]))

    def put(self, key: str, value: Any) -> None:
        """Remember; `save` writes it. The caller saves now and then, and at the end."""
        if key not in DEFAULTS:
            raise KeyError(key)
        if self.get(key) != value:
            self._values[key] = self._changed[key] = value

    def opened(self, path: Path | str) -> None:
        """A file was opened: it stands first among the recent ones."""
        known = [name for name in cast("list[str]", self._read().get("recent", [])) if name != str(path)]
        self._values["recent"] = self._changed["recent"] = [str(path), *known][:MOST_RECENT]

    def recent(self) -> list[Path]:
        """The files that were opened last and are still there."""
        return [path for path in map(Path, cast("list[str]", self.get("recent"))) if path.is_file()]

    def save(self) -> bool:
        """Write what changed. False: another window is writing just now; try again later.

        Raises:
            OSError: the folder cannot be written.
        """
        if not self._changed:
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with Lock(self.path.with_suffix(".lock"), seconds=0.2):
                self._values = {**self._read(), **self._changed}
                write_text(self.path, json.dumps(self._values, indent=2, ensure_ascii=False) + "\n")
        except LockTaken:
            return False
        self._changed.clear()
        return True

    def _read(self) -> dict[str, Any]:
        """What stands in the file; what is damaged or of another kind than expected is left out, and said."""
        try:
            data = read_json(self.path)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self.note = tr(
                "The saved state of the window could not be read ({error}). It starts with its defaults.", error=error
            )
            return {}
        if not isinstance(data, dict):
            self.note = tr("The saved state of the window is damaged. It starts with its defaults.")
            return {}
        return {key: value for key, value in cast("dict[str, Any]", data).items() if _fits(key, value)}


def _fits(key: str, value: Any) -> bool:
    if key not in DEFAULTS:
        return True  # of a newer window: kept for it
    usual = DEFAULTS[key]
    if isinstance(usual, list):
        return isinstance(value, list) and all(isinstance(entry, str) for entry in cast("list[Any]", value))
    return type(value) is type(usual)
