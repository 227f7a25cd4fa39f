"""The captions of all images, to be edited: found, filtered, changed for many at once, saved at once, and undone.

Every change is written to the disk as it is made, each file as a whole or not at all. Undo puts back the very bytes
that were there, or no file where there was none. A file that another program has changed meanwhile is not overwritten.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.gui.captions.batch import Change, write_all
from app.gui.captions.edits import Edit
from app.gui.captions.files import Caption, Report, Stop, reread, with_data
from modules.language import tr


@dataclass(frozen=True, slots=True)
class Filter:
    """Which captions are shown: all of these must hold."""

    text: str = ""  # every word of it stands in the caption or in the name of the file
    tag: str = ""
    missing: bool = False
    wrong: bool = False  # cannot be read, or only by a guess
    concept: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One change of many files: what was there before and after, by number."""

    title: str
    before: Mapping[int, bytes | None]
    after: Mapping[int, bytes | None]


class CaptionStore:
    """All captions of the concepts that have caption files. Numbers are places in `all`, and never change."""

    def __init__(self, captions: Sequence[Caption]) -> None:
        self.all = list(captions)
        self._by_file: defaultdict[str, list[int]] = defaultdict(list)  # a.png and a.jpg share a.txt
        for number, caption in enumerate(self.all):
            self._by_file[caption.address].append(number)
        # How many files of how many have been written, and whether to put them back, if that takes a while.
        self.report: Report = lambda *_: None
        self.stop: Stop = lambda: False
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._tags: Counter[str] | None = None  # of all, and what is missing: counted once, until a file changes
        self._missing: list[int] | None = None
        self._wrong: list[int] | None = None
        self._not_utf8: dict[str, list[int]] | None = None

    # Finding ----------------------------------------------------------------------------------------------------------

    def matching(self, wanted: Filter) -> list[int]:
        """The numbers of the captions that the filter lets through, in order."""
        if wanted == Filter():
            return list(range(len(self.all)))
        words = wanted.text.lower().split()
        return [number for number, caption in enumerate(self.all) if _passes(caption, wanted, words)]

    def tags(self, numbers: Sequence[int] | None = None) -> Counter[str]:
        """How many images have each tag, in any of their lines."""
        if numbers is None or len(numbers) == len(self.all):
            if self._tags is None:
                self._tags = Counter(tag for caption in self.all for tag in caption.tags)
            return self._tags
        return Counter(tag for number in numbers for tag in self.all[number].tags)

    def missing(self) -> list[int]:
        if self._missing is None:
            self._missing = [number for number, caption in enumerate(self.all) if caption.missing]
        return self._missing

    def wrong(self) -> list[int]:
        """Those that cannot be read, or only by a guess."""
        if self._wrong is None:
            self._wrong = [number for number, caption in enumerate(self.all) if caption.problem or caption.legacy]
        return self._wrong

    # Changing ---------------------------------------------------------------------------------------------------------

    def write(self, number: int, text: str) -> bool:
        """Give an image this text, each line an alternative. An empty text takes its file away. False: no change.

        Raises:
            UserError: it cannot be written, or another program changed the file. Nothing was then changed.
        """
        return self._apply(tr("Caption written"), {number: text}) > 0

    def apply(self, edit: Edit, numbers: Iterable[int]) -> int:
        """Change many captions. Returns how many differ.

        What may not be changed, cannot be read, or only by a guess, is left out.

        Raises:
            UserError: as `write`; or there is nothing but what is left out, or the edit cannot be done.
        """
        numbers = list(numbers)
        texts = self.changed(edit, numbers)
        if numbers and not texts and len(left_out := self.left_out(numbers)) == len(numbers):
            raise self.all[left_out[0]].refusal_of_many() or AssertionError("it is left out for a reason")
        return self._apply(edit.title, texts)

    def changed(self, edit: Edit, numbers: Iterable[int], stop: Stop = lambda: False) -> dict[int, str]:
        """What an edit would write: the texts of the captions that would differ.

        Raises:
            UserError: the edit cannot be done.
        """
        texts: dict[int, str] = {}
        for number in numbers:
            if stop():
                break
            caption = self.all[number]
            lines = caption.lines
            new = [line.strip() for line in edit.change(lines)]
            if new != lines and caption.refusal_of_many() is None:
                texts[number] = "\n".join(new)
        return texts

    def not_utf8(self) -> dict[str, list[int]]:
        """What is not plain UTF-8 and could be, by encoding; under "" and `LEGACY` what does not say its own."""
        if self._not_utf8 is None:
            found: defaultdict[str, list[int]] = defaultdict(list)
            for number, caption in enumerate(self.all):
                if caption.encoding != "utf-8" and caption.data and not caption.fixed and not caption.refusal():
                    found[caption.encoding].append(number)
            self._not_utf8 = dict(found)
        return self._not_utf8

    def convert(self, guess: str) -> int:
        """Write all of those in UTF-8, `guess` being the encoding of what does not say its own. Returns how many.

        Raises:
            UserError: as `write`.
        """
        numbers = [number for group in self.not_utf8().values() for number in group]
        new = {number: data for number in numbers if (data := self.all[number].as_utf8(guess)) is not None}
        return self._apply_bytes(tr("Converted to UTF-8"), new)

    def left_out(self, numbers: Iterable[int]) -> list[int]:
        """Those that a change of many leaves as they are."""
        return [number for number in numbers if self.all[number].refusal_of_many()]

    def _apply(self, title: str, texts: Mapping[int, str]) -> int:
        return self._apply_bytes(
            title,
            {number: self.all[number].with_text(text) if text.strip() else None for number, text in texts.items()},
        )

    def _apply_bytes(self, title: str, new: Mapping[int, bytes | None]) -> int:
        before: dict[int, bytes | None] = {}
        after: dict[int, bytes | None] = {}
        for number, data in new.items():
            caption = self.all[number]
            if data != caption.data:
                if refusal := caption.refusal():
                    raise refusal
                before[number], after[number] = caption.data, data
        if after:
            self._write_all(before, after)
            self._done.append(Step(title, before, after))
            self._undone.clear()
        return len(after)

    def refresh(self, number: int) -> bool:
        """Read one file again. Whether another program has changed it since."""
        now = reread(self.all[number])
        if now.data == self.all[number].data:
            return False
        self._put({same: reread(self.all[same]) for same in self._by_file[now.address]})
        return True

    def _put(self, captions: Mapping[int, Caption]) -> None:
        for number, caption in captions.items():
            self.all[number] = caption
        self._tags = self._missing = self._wrong = self._not_utf8 = None

    @property
    def last(self) -> Step | None:
        """The change that undo would take back."""
        return self._done[-1] if self._done else None

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)

    def undo(self) -> Step | None:
        """Put back the bytes that were there before the last change.

        Raises:
            UserError: as `write`.
        """
        if not self._done:
            return None
        step = self._done[-1]
        self._write_all(step.after, step.before)
        self._undone.append(self._done.pop())
        return step

    def redo(self) -> Step | None:
        if not self._undone:
            return None
        step = self._undone[-1]
        self._write_all(step.before, step.after)
        self._done.append(self._undone.pop())
        return step

    def _write_all(self, now: Mapping[int, bytes | None], new: Mapping[int, bytes | None]) -> None:
        """Write all files, or none."""
        changes: dict[Path, Change] = {}
        for number, data in new.items():
            path = self.all[number].file.path
            assert path is not None
            changes[path] = Change(now[number], data)
        write_all(changes, self.report, self.stop)
        sharing = {same: number for number in new for same in self._by_file[self.all[number].address]}
        self._put({same: with_data(self.all[same], new[number]) for same, number in sharing.items()})


def _passes(caption: Caption, wanted: Filter, words: Sequence[str]) -> bool:
    if wanted.concept is not None and caption.concept != wanted.concept:
        return False
    if (wanted.missing and not caption.missing) or (wanted.wrong and not (caption.problem or caption.legacy)):
        return False
    if wanted.tag and wanted.tag not in caption.tags:
        return False
    return all(word in caption.words for word in words)
