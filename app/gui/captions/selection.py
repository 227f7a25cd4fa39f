"""What the page Captions works on: all captions, which are shown and chosen, and changes told in words. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from app.gui.captions.files import read_captions
from app.gui.captions.store import CaptionStore, Filter, Step
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.session.worker import Report, Stop, Worker
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.sections.concept import Concept

Listener = Callable[[Sequence[int]], object]
T = TypeVar("T")

# What was done to how many: for one caption, and for several.
ADDED = ("“{text}” added to 1 caption", "“{text}” added to {count:,} captions")
REMOVED = ("“{text}” removed from 1 caption", "“{text}” removed from {count:,} captions")
REPLACED = ("“{text}” replaced in 1 caption", "“{text}” replaced in {count:,} captions")


def reading(concepts: Sequence[Concept]) -> Worker[CaptionStore]:
    """Read all captions beside the window, look into each and count, so that the window need not."""

    def work(report: Report, stop: Stop) -> CaptionStore:
        read = read_captions(concepts, report, stop)
        # A folder may be in two concepts.
        found = [*{str(caption.image): caption for caption in reversed(read)}.values()][::-1]
        for number, caption in enumerate(found):
            _ = caption.words, caption.tags, caption.missing, caption.address
            if number % 500 == 0 and stop():
                break
        store = CaptionStore(found)
        _ = store.tags(), store.missing(), store.wrong()
        return store

    return Worker(work)


class CaptionSelection:
    """Numbers are places in `captions.all`. Listeners hear the numbers of what was written."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.captions = CaptionStore([])
        self.shown: list[int] = []
        self.chosen: list[int] = []
        # Saves what is being typed; asked before anything else is done.
        self.settle: Callable[[], object] = lambda: None
        # Does what takes long, with the window alive.
        self.run_blocking: Callable[[Callable[[Report, Stop], Any]], Any] = lambda act: act(
            lambda *_: None, lambda: False
        )
        self.quiet = False  # the page goes: nobody is told any more
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def take(self, captions: CaptionStore) -> None:
        """Other files: nothing of before can be undone any more."""
        self.captions, self.shown, self.chosen = captions, [], []

    def filter(self, wanted: Filter) -> None:
        self.shown = self.captions.matching(wanted)
        still_shown = set(self.shown)
        self.chosen = [number for number in self.chosen if number in still_shown]

    def scope(self, chosen: bool) -> list[int]:
        """What a change of many is for: the chosen images, or all that are shown."""
        return self.chosen if chosen else self.shown

    def write(self, number: int, text: str) -> str:
        """Give an image its text. Returns what went wrong, or ""."""
        try:
            if self.captions.write(number, text):
                name = self.captions.all[number].image.name
                saved = bool(text.strip())
                words = (
                    tr("Caption of {name} saved", name=name) if saved else tr("Caption of {name} removed", name=name)
                )
                self._say(words, tr("Undo"), self._undo_action())
                self._notify_listeners([number])
        except UserError as error:
            return error.text(WORDS)
        return ""

    def add_tag(self, numbers: Sequence[int], tag: str) -> str:
        return self._many(numbers, lambda: self.captions.add_tag(numbers, tag), ADDED, tag.strip())

    def remove_tag(self, numbers: Sequence[int], tag: str) -> str:
        return self._many(numbers, lambda: self.captions.remove_tag(numbers, tag), REMOVED, tag.strip())

    def replace(self, numbers: Sequence[int], find: str, new: str, *, regex: bool, match_case: bool) -> str:
        act = lambda: self.captions.replace(numbers, find, new, regex=regex, match_case=match_case)  # noqa: E731
        return self._many(numbers, act, REPLACED, find)

    def _many(self, numbers: Sequence[int], act: Callable[[], int], words: tuple[str, str], text: str) -> str:
        """Change many at once, and say how many it were. Returns what went wrong, or ""."""
        self.settle()
        try:
            changed = self._in_background(act)
        except UserError as error:
            return error.text(WORDS)
        left_out = len(self.captions.left_out(numbers))
        rest = plural(left_out, "; 1 cannot be changed", "; {count:,} cannot be changed") if left_out else ""
        if changed:
            self._say(plural(changed, *words, text=text) + rest, tr("Undo"), self._undo_action())
            self._notify_listeners(numbers)
        else:
            self._say(tr("Nothing to change: no caption would differ"))
        return ""

    @property
    def can_undo(self) -> bool:
        return self.captions.can_undo

    @property
    def can_redo(self) -> bool:
        return self.captions.can_redo

    def undo(self) -> Step | None:
        return self._back(self.captions.undo, tr("Undone"))

    def redo(self) -> Step | None:
        return self._back(self.captions.redo, tr("Redone"))

    def _undo_action(self) -> Callable[[], None]:
        """Takes back the change that was made just now; not what came after it."""
        made = self.captions.last

        def undo() -> None:
            self.settle()
            if made is not None and self.captions.last is made:
                self.undo()
            else:
                self._say(tr("Something else was changed since. Undo that first: Ctrl+Z"))

        return undo

    def _back(self, act: Callable[[], Step | None], words: str) -> Step | None:
        try:
            step = self._in_background(act)
        except UserError as error:
            self._say(error.text(WORDS))
            return None
        if step is None:
            return None
        self._say(f"{words}: {step.title}, {captions_in_words(len(step.after))}")
        self._notify_listeners(list(step.after))
        return step

    def _in_background(self, act: Callable[[], T]) -> T:
        """Thousands of files on a slow disk take minutes: they are written in a thread."""

        def work(report: Report, stop: Stop) -> T:
            self.captions.report, self.captions.stop = report, stop
            return act()

        return self.run_blocking(work)

    def _notify_listeners(self, numbers: Iterable[int]) -> None:
        for listener in self._listeners if not self.quiet else ():
            listener(list(numbers))

    def _say(self, text: str, action: str = "", on_action: Callable[[], None] | None = None) -> None:
        if not self.quiet:
            self._context.notify(text, action, on_action)


def captions_in_words(count: int) -> str:
    return plural(count, "1 caption", "{count:,} captions")
