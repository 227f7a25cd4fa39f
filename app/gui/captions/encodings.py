"""Caption files that are not plain UTF-8, or half changed by a kill: which there are, and what mends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.busy_dialog import run_blocking
from app.gui.captions.batch import CutShort, put_back
from app.gui.captions.journal import delete
from app.gui.captions.selection import CaptionSelection
from app.gui.captions.store import CaptionStore
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Answer, Choice, Dialog, Label, Notice, labelled, px
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.files.text_file import LEGACY

NAMED = {"utf-8-sig": "UTF-8 with a byte order mark", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
GUESSES = {
    LEGACY: "Western European (Windows-1252)", "cp1250": "Central European (Windows-1250)",
    "cp1251": "Cyrillic (Windows-1251)", "cp1253": "Greek (Windows-1253)", "cp1254": "Turkish (Windows-1254)",
    "cp932": "Japanese (Shift JIS)", "gb18030": "Chinese (GB 18030)", "cp950": "Chinese (Big5)",
    "cp949": "Korean (CP949)", "utf-16-le": "UTF-16 without its mark",
}  # fmt: skip
EXAMPLES, SHOWN = 4, 90


def what_is_not_utf8(captions: CaptionStore) -> str:
    """ "3 captions are not UTF-8: 2 UTF-16, 1 does not say its encoding"; "" if all are."""
    found = captions.not_utf8()
    counts: dict[str, int] = {}
    for encoding, numbers in found.items():
        name = tr(NAMED[encoding]) if encoding in NAMED else ""
        counts[name] = counts.get(name, 0) + len(numbers)
    if not counts:
        return ""
    parts = [f"{count:,} {name}" for name, count in counts.items() if name]
    if "" in counts:
        parts.append(plural(counts[""], "1 does not say which encoding it has",
                            "{count:,} do not say which encoding they have"))  # fmt: skip
    whole = plural(sum(counts.values()), "1 caption is not plain UTF-8", "{count:,} captions are not plain UTF-8")
    return f"{whole}: {', '.join(parts)}."


class ConvertDialog(Dialog):
    """Answers with the encoding by which to read what does not say its own; None to leave all as it is."""

    def __init__(self, master: Any, captions: CaptionStore, on_close: Callable[[str | None], object]) -> None:
        found = captions.not_utf8()
        self._all = captions.all
        self._numbers = [number for group in found.values() for number in group]
        self._unsure = [*found.get(LEGACY, ()), *found.get("", ())]
        self._guess = LEGACY
        super().__init__(
            master, tr("Convert to UTF-8"), what_is_not_utf8(captions),
            on_close=lambda yes: on_close(yes and self._guess),
            answers=[Answer(tr("Cancel")), Answer(tr("Convert"), True, "primary")], width=560,
        )  # fmt: skip
        if self._unsure:
            Label(self.body, tr("Read what does not say its encoding as")).pack(fill="x", pady=(px(4), px(4)))
            self.guess = Choice(self.body, labelled(GUESSES), LEGACY, self._turn, width=300)
            self.guess.pack(anchor="w")
        self._examples = Label(self.body, role="text", wrap=True)
        self._examples.pack(fill="x", pady=(px(10), px(4)))
        self._stays = Label(self.body, font="small", role="changed", wrap=True)
        self._stays.pack(fill="x")
        self._turn(LEGACY)

    def _turn(self, guess: str) -> None:
        self._guess = guess
        texts = {number: self._all[number].as_utf8(guess) for number in self._numbers}
        shown = [
            f"{self._all[number].title}: {_short(texts[number])}"
            for number in (self._unsure or self._numbers)[:EXAMPLES]
        ]
        self._examples.set("\n".join(shown))
        left = sum(data is None for data in texts.values())
        stay = plural(left, "1 file cannot be read so, and stays", "{count:,} files cannot be read so, and stay")
        self._stays.set(stay if left else "")
        some = len(texts) - left
        self.buttons[-1].set(plural(some, "Convert 1 file", "Convert {count:,} files"))
        self.buttons[-1].disable("" if some else tr("None of them can be read so"))


class FileNotice(Notice):
    """What is wrong with caption files, and what mends it; there only while something is.

    Args:
        read: reads all files again.
    """

    def __init__(self, master: Any, context: AppContext, work: CaptionSelection, read: Callable[[], object]) -> None:
        super().__init__(master)
        self._context, self._work, self._read = context, work, read
        self._packing: dict[str, Any] = {}
        self.cut_short: CutShort | None = None

    def show_after(self, widget: Any, **packing: Any) -> None:
        """Where it is packed."""
        self._packing = {"after": widget, "fill": "x", **packing}

    def look(self) -> None:
        """Say what is wrong now."""
        if (left := self.cut_short) is not None:
            done = plural(len(left.back), "1 file was written", "{count:,} files were written")
            words = tr("A change of {whole:,} captions was cut short: {done}.", whole=left.files, done=done)
            self.show(words, [(tr("Put them back"), self._put_back), (tr("Keep them"), self._keep)])
        elif words := what_is_not_utf8(self._work.captions):
            self.show(words, [(tr("Convert to UTF-8"), self._convert)])
        else:
            self.pack_forget()
            return
        self.pack(**self._packing)

    def _convert(self) -> None:
        def answered(guess: str | None) -> None:
            if guess and (problem := self._work.convert(guess)):
                self._work.say(problem)

        self._work.settle()
        ConvertDialog(self, self._work.captions, answered)

    def _put_back(self) -> None:
        left = self.cut_short
        assert left is not None
        try:
            run_blocking(self._context.app, tr("Writing captions"), lambda *how: put_back(left, *how))
        except UserError as error:
            self._work.say(error.text(WORDS))
            return
        self._read()

    def _keep(self) -> None:
        if self.cut_short is not None:
            delete(self.cut_short.journal)
            self.cut_short = None
            self.look()


def _short(data: bytes | None) -> str:
    if data is None:
        return tr("cannot be read so")
    text = " / ".join(data.decode().split("\n")).strip()
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
