"""What can be done with the list of concepts, with words for what was done and a way back. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from app.gui.context import AppContext
from app.gui.draft.labels import title_of
from modules.language import plural, tr
from modules.preset.paths import Values
from modules.system.bundled import is_bundled

LIST = "concepts"
Offers = Sequence[tuple[str, Callable[[int], object]]]  # words, and what they do with the number of a concept
STARTER: Values = {"path": "starter:robot", "caption_dropout": 0.1, "flip": True}


class ConceptActions:
    """The concepts of the draft. What takes numbers takes places in that list."""

    def __init__(self, context: AppContext) -> None:
        self._context, self._draft = context, context.draft

    @property
    def all(self) -> list[Values]:
        return cast("list[Values]", self._draft.get(LIST) or [])

    def any_enabled(self, numbers: Sequence[int]) -> bool:
        return any(self.all[number]["enabled"] for number in numbers)

    def last_place(self) -> Path | None:
        """The folder in which the newest concept lies: where the next one is looked for."""
        paths = [str(concept["path"]) for concept in reversed(self.all)]
        return next((Path(path).parent for path in paths if path and not is_bundled(path)), None)

    def add(self, paths: Sequence[Path], offers: Offers = (), **more: str) -> int:
        """Add folders (of a file: its folder) that are not in the list yet. Returns the last one's number, or -1.

        The example images make room for those that are trained. `more`: settings of the new concepts. `offers`: what
        can be done next with the last of them, beside Undo.
        """
        known = {str(concept["path"]) for concept in self.all}
        folders = dict.fromkeys(path.parent if path.is_file() else path for path in paths)
        new = [folder for folder in folders if str(folder) not in known]
        if not new:
            self._context.notify(tr("That folder is in the list already"))
            return -1
        trained = more.get("kind", "train") == "train"
        examples = [n for n, concept in enumerate(self.all) if trained and is_bundled(str(concept["path"]))]
        if examples:
            self._draft.remove(LIST, *examples)
        numbers = [self._draft.add(LIST, {"path": str(folder), **more}) for folder in new]
        name = more.get("name") or new[0].name
        words = plural(len(new), "“{name}” added", "{count:,} folders added", name=name)
        if examples:
            words = tr("{words}, in place of the example images", words=words)
        further = {"more": [(label, partial(act, numbers[-1])) for label, act in offers]} if offers else {}
        self._context.notify(words, tr("Undo"), self._undo_action(len(new) + bool(examples)), **further)
        return numbers[-1]

    def add_starter(self) -> int:
        return self._draft.add(LIST, {**STARTER, "name": tr("Starter robot")})

    def duplicate(self, numbers: Sequence[int]) -> int:
        """Put a copy behind each. Returns the number of the first copy, or -1."""
        place = -1
        for number in sorted(numbers, reverse=True):
            place = self._draft.duplicate(LIST, number)
        return place

    def remove(self, numbers: Sequence[int]) -> None:
        """Take them out of the list. No file is touched."""
        if not numbers:
            return
        one = title_of(self.all[numbers[0]])
        self._draft.remove(LIST, *numbers)
        words = plural(len(numbers), "“{one}” removed", "{count:,} concepts removed", one=one)
        self._context.notify(tr("{words}. The images stay on the disk", words=words), tr("Undo"), self._undo_action(1))

    def set_enabled(self, numbers: Sequence[int]) -> None:
        """Switch them on, or off where one of them is on; as one change."""
        on = not self.any_enabled(numbers)
        if len(numbers) == 1:
            self._draft.put(f"{LIST}.{numbers[0]}.enabled", on)
        elif numbers:
            chosen = set(numbers)
            changed = [{**each, "enabled": on} if n in chosen else each for n, each in enumerate(self.all)]
            self._draft.put(LIST, changed)

    def _undo_action(self, times: int) -> Callable[[], None]:
        """Takes back just what was done now, and not what came after it."""
        now = self._draft.state

        def undo() -> None:
            if self._draft.state is now:
                for _ in range(times):
                    self._draft.undo()
            else:
                self._context.notify(tr("Something else was changed since. Undo that first: Ctrl+Z"))

        return undo
