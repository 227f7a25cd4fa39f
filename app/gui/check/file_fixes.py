"""What a finding mends in files: converted or renamed in one go, and taken back in one go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from app.gui.captions.batch import Change, Changes, content_of, reversed_changes, write_all
from app.gui.draft.problem_labels import WORDS
from app.gui.session.worker import Report, Stop
from modules.errors import UserError
from modules.language import tr
from modules.messages import Fix
from modules.preset.files.text_file import NotText, decoded, encoded

if TYPE_CHECKING:
    from app.gui.context import AppContext

MOST_NAMED = 8


class FileFixes:
    """Those that were done in this window, with the bytes that were there before.

    Args:
        on_change: called when files were written.
    """

    def __init__(self, context: AppContext, on_change: Callable[[], object]) -> None:
        self._context, self._on_change = context, on_change
        self._done: dict[str, Changes] = {}

    def is_done(self, fix: Fix) -> bool:
        return _key(fix) in self._done

    def press(self, fix: Fix, words: str) -> None:
        """Do it, or take it back if it was done; `words` say what it is."""
        key, notify = _key(fix), self._context.notify
        try:
            if key in self._done:
                self._write(words, lambda: reversed_changes(self._done[key]))
                del self._done[key]
                notify(tr("Undone: {what}", what=words))
            else:
                self._done[key] = self._write(words, lambda: changes_of(fix.files))
                notify(tr("Done: {what}", what=words), tr("Undo"), lambda: self._take_back(fix, words))
        except UserError as error:
            notify(error.text(WORDS), role="changed")
        self._on_change()

    def _take_back(self, fix: Fix, words: str) -> None:
        if self.is_done(fix):
            self.press(fix, words)

    def _write(self, words: str, changes: Callable[[], Changes]) -> Changes:
        from app.gui.busy_dialog import run_blocking  # noqa: PLC0415  a dialog: what is known needs no screen

        def act(report: Report, stop: Stop) -> Changes:
            made = changes()
            write_all(made, report, stop)
            return made

        return run_blocking(self._context.app, words, act)


def changes_of(files: Mapping[str, str]) -> dict[Path, Change]:
    """What the files of a mend hold, and will hold. What was mended otherwise meanwhile is left as it is."""
    found: dict[Path, Change] = {}
    for old, new in files.items():
        data = content_of(Path(old))
        if data is None:
            continue
        if old != new:
            found |= {Path(new): Change(None, data), Path(old): Change(data, None)}
            continue
        try:
            converted = encoded(*decoded(data))
        except NotText:
            continue
        if converted != data:
            found[Path(old)] = Change(data, converted)
    return found


def describe_files(files: Mapping[str, str]) -> str:
    """The first of them, a line each."""
    lines = [Path(old).name if old == new else f"{Path(old).name} \N{RIGHTWARDS ARROW} {Path(new).name}"
             for old, new in [*files.items()][:MOST_NAMED]]  # fmt: skip
    more = [tr("and {count:,} more", count=len(files) - MOST_NAMED)] if len(files) > MOST_NAMED else []
    return "\n".join([*lines, *more])


def _key(fix: Fix) -> str:
    return f"{fix.code} {sorted(fix.files)}"
