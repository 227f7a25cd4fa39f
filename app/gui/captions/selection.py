"""What the page Captions works on: all captions, which are shown and chosen, and changes told in words. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from app.gui.captions.edits import Edit
from app.gui.captions.files import read_captions
from app.gui.captions.store import CaptionStore, Filter, Step
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.session.worker import Report, Stop
from modules.data.text.spellings import written_in_several_ways
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.sections.concept import Concept

Listener = Callable[[Sequence[int]], object]
T = TypeVar("T")


def read_store(concepts: Sequence[Concept], report: Report, stop: Stop) -> CaptionStore:
    """Read all captions, look into each and count, so that the window need not."""
    read = read_captions(concepts, report, stop)
    # A folder may be in two concepts.
    found = [*{(str(caption.image), caption.address): caption for caption in reversed(read)}.values()][::-1]
    for number, caption in enumerate(found):
        _ = caption.words, caption.tags, caption.missing, caption.address, caption.encoding
        if number % 500 == 0 and stop():
            break
    store = CaptionStore(found)
    _ = (
        written_in_several_ways(store.tags()),
        store.missing(),
        store.wrong(),
        store.not_utf8(),
    )  # which remember what they find
    return store


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

    def write(self, number: int, text: str) -> str:
        """Give an image its text. Returns what went wrong, or ""."""
        try:
            if self.captions.write(number, text):
                name = self.captions.all[number].image.name
                saved = bool(text.strip())
                words = (
                    tr("Caption of {name} saved", name=name) if saved else tr("Caption of {name} removed", name=name)
                )
                self.say(words, tr("Undo"), self._undo_action())
                self._notify_listeners([number])
        except UserError as error:
            return error.text(WORDS)
        return ""

    def edit(self, edit: Edit, numbers: Sequence[int]) -> str:
        """Change many captions at once, and say how many it were. Returns what went wrong, or ""."""
        return self._many(lambda: self.captions.apply(edit, numbers), edit.title, numbers)

    def convert(self, guess: str) -> str:
        """Write what is not UTF-8 in UTF-8; `guess` is the encoding of what does not say its own."""
        numbers = [number for group in self.captions.not_utf8().values() for number in group]
        return self._many(lambda: self.captions.convert(guess), tr("Converted to UTF-8"), numbers, left_out=False)

    def _many(self, act: Callable[[], int], title: str, numbers: Sequence[int], *, left_out: bool = True) -> str:
        self.settle()
        try:
            changed, left = self._in_background(
                lambda: (act(), len(self.captions.left_out(numbers)) if left_out else 0)
            )
        except UserError as error:
            return error.text(WORDS)
        rest = plural(left, "; 1 cannot be changed", "; {count:,} cannot be changed") if left else ""
        if changed:
            self.say(f"{title}: {captions_in_words(changed)}{rest}", tr("Undo"), self._undo_action())
            self._notify_listeners(numbers)
        else:
            self.say(tr("Nothing to change: no caption would differ"))
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
                self.say(tr("Something else was changed since. Undo that first: Ctrl+Z"))

        return undo

    def _back(self, act: Callable[[], Step | None], words: str) -> Step | None:
        try:
            step = self._in_background(act)
        except UserError as error:
            self.say(error.text(WORDS))
            return None
        if step is None:
            return None
        self.say(f"{words}: {step.title}, {captions_in_words(len(step.after))}")
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

    def say(self, text: str, action: str = "", on_action: Callable[[], None] | None = None) -> None:
        if not self.quiet:
            self._context.notify(text, action, on_action)


def captions_in_words(count: int) -> str:
    return plural(count, "1 caption", "{count:,} captions")
