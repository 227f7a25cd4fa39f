"""The images of a folder that a person looks through: kept and rejected ones lie in folders of these names beside it.

What was decided is where the files lie, so that nothing else has to be remembered, and a file manager shows it, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from modules.errors import UserError
from modules.system.reading import read_bytes

ENDING, MASK = ".png", "-masklabel"
UNDECIDED, KEPT, REJECTED = "", "kept", "rejected"
Step = dict[str, str]  # where each image lay before


class Picks:
    """`names` in the order in which they were made; `state` says of each where it lies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: dict[str, str] = {}
        self._done: list[Step] = []
        self.look()

    @property
    def names(self) -> list[str]:
        return sorted(self.state)

    def look(self) -> None:
        """List the images anew: some were made meanwhile, or moved by hand."""
        self.state = {
            path.stem: place
            for place in (REJECTED, KEPT, UNDECIDED)
            for path in (self.folder / place).glob(f"*{ENDING}")
            if not path.stem.endswith(MASK)
        }

    def path(self, name: str) -> Path:
        return self.folder / self.state[name] / f"{name}{ENDING}"

    def caption(self, name: str) -> str:
        """What stands in its caption file; "" without one."""
        try:
            return read_bytes(self.path(name).with_suffix(".txt")).decode("utf-8", "replace").strip()
        except (OSError, UserError):
            return ""

    def count(self, place: str) -> int:
        return sum(state == place for state in self.state.values())

    # Deciding ---------------------------------------------------------------------------------------------------------

    def put(self, names: Iterable[str], place: str) -> bool:
        """Keep images, reject them, or take that back. Whether any was moved.

        Raises:
            UserError: a file cannot be moved; those before it were.
        """
        before = {name: self.state[name] for name in names if self.state.get(name, place) != place}
        moved: Step = {}
        try:
            for name, old in before.items():
                self._move(name, place)
                moved[name] = old
        finally:
            if moved:
                self._done.append(moved)
        return bool(moved)

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    def undo(self) -> Sequence[str]:
        """Take the last decision back; gives the images that it was about.

        Raises:
            UserError: a file cannot be moved.
        """
        step = self._done.pop() if self._done else {}
        there = {name: place for name, place in step.items() if name in self.state}
        for name, place in there.items():
            self._move(name, place)
        return [*there]

    def settle(self) -> None:
        """What was decided until now is not taken back any more, one by one: something was made of it."""
        self._done.clear()

    def _move(self, name: str, place: str) -> None:
        """An image with all that lies beside it by its name: caption, mask, notes of other programs."""
        source, target = self.folder / self.state[name], self.folder / place
        try:
            target.mkdir(exist_ok=True)
            for path in [path for path in source.iterdir() if self._belongs(path, name)]:
                path.replace(target / path.name)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError("training-set.not-moved", file=error.filename or name, reason=reason) from error
        self.state[name] = place

    def _belongs(self, path: Path, name: str) -> bool:
        if path.suffix == ENDING:
            return path.stem in (name, f"{name}{MASK}")
        return path.name.startswith((f"{name}.", f"{name}-"))
