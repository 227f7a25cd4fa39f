"""What can be done with an entry of the queue: the list of acts behind its row, and the acts themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Answer, Option, ask, popup
from app.gui.run.dialogs import ErrorDialog
from app.gui.session.open_external import open_external
from modules.errors import UserError
from modules.jobs.entry import Entry
from modules.jobs.queue import Queue
from modules.language import plural, tr
from modules.sentences.render import text_of
from modules.trials.groups import group_name

Act = Callable[[], object]
Offer = tuple[str, str, Act]  # words, why it cannot be had, what it does
WIDTH = 260


class EntryActs:
    """`entries` are those of one row: one, or a set of tried values.

    Args:
        results: shows the table of a set, by its id.
    """

    def __init__(self, context: AppContext, results: Callable[[str], object]) -> None:
        self._context, self._results = context, results

    # By the row -------------------------------------------------------------------------------------------------------

    def open_menu(self, entries: Sequence[Entry], under: Any) -> None:
        """The list of acts."""
        offers = self._offers(entries, under)
        options = [Option(number, words, reason=reason) for number, (words, reason, _) in enumerate(offers)]
        popup(under, options, lambda number: offers[number][2](), search="", width=WIDTH)

    def open(self, entries: Sequence[Entry]) -> None:
        """Return, or a double click: what came of it, or how far it is."""
        entry = entries[0]
        if entry.group and (len(entries) > 1 or not entry.folder):
            self._results(entry.group)
        elif entry.is_run and entry.folder:
            self._context.go("run", entry.folder)
        elif entry.state == "finished" and entry.folder:
            self._open_folder(_place(entry))
        elif entry.state in ("failed", "skipped"):
            self.show_log(entry)

    def switch(self, entries: Sequence[Entry]) -> None:
        """Space: pause, or go on."""
        for entry in entries:
            if entry.state == "paused":
                self.act(lambda queue, entry=entry: queue.resume(entry.id))
            elif entry.state in ("waiting", "running"):
                self.act(lambda queue, entry=entry: queue.pause(entry.id))

    def remove(self, entries: Sequence[Entry]) -> None:
        """Delete: after asking, where something would be lost."""
        if any(entry.state in ("waiting", "running", "paused") for entry in entries) and not self._is_meant(entries):
            return
        self.act(lambda queue: queue.remove(*(entry.id for entry in entries)))

    def clear(self, over: Sequence[Entry]) -> None:
        """What is over leaves the list; after asking, where tables of tried values go with it."""
        if any(entry.group for entry in over):
            words = tr("The tables of tried values go, too. The runs stay in their folders.")
            answers = (Answer(tr("Cancel")), Answer(tr("Clear"), "yes", "primary"))
            if ask(self._context.app, tr("Clear what is over?"), words, answers) != "yes":
                return
        self.act(lambda queue: queue.remove(*(entry.id for entry in over)))

    def link(self, entries: Sequence[Entry], name: str) -> None:
        """A link of the row."""
        entry = entries[0]
        acts: dict[str, Act] = {
            "resume": lambda: self.switch(entries), "log": lambda: self.show_log(entry),
            "retry": lambda: self.act(lambda queue: queue.retry(entry.id)),
            "results": lambda: self._results(entry.group),
        }  # fmt: skip
        acts[name]()

    def act(self, change: Callable[[Queue], object]) -> bool:
        """Change the queue; what cannot be done is said."""
        try:
            self._context.jobs.act(change)
        except UserError as error:
            self._context.notify(error.text(WORDS), role="error")
            return False
        return True

    def show_log(self, entry: Entry) -> None:
        """Why it failed: of a run its page with the log, else what is known."""
        if entry.is_run and entry.folder and Path(entry.folder).is_dir():
            self._context.go("run", entry.folder)
        else:
            ErrorDialog(self._context.app, tr(entry.title), text_of(entry.problems, WORDS), entry.details)

    # The list of acts -------------------------------------------------------------------------------------------------

    def _offers(self, entries: Sequence[Entry], under: Any) -> list[Offer]:
        entry = entries[0]
        offers: list[Offer] = []
        if entry.group:
            offers.append((tr("Show results"), "", lambda: self._results(entry.group)))
        if entry.state in ("waiting", "paused"):
            offers += self._of_waiting(entries, under)
        if entry.state == "running":
            offers.append((tr("Pause"), "", lambda: self.switch(entries)))
        if entry.state in ("failed", "skipped"):
            offers.append((tr("Try again"), "", lambda: self.link(entries, "retry")))
            offers.append((tr("Show log"), "", lambda: self.show_log(entry)))
        if len(entries) == 1:
            offers += self._of_one(entry)
        words = tr("Stop and remove") if entry.state == "running" else tr("Remove")
        return [*offers, (words, "", lambda: self.remove(entries))]

    def _of_waiting(self, entries: Sequence[Entry], under: Any) -> list[Offer]:
        entry = entries[0]
        paused = entry.state == "paused"
        return [
            (tr("Run next"), "", lambda: self._run_next(entries)),
            (tr("After this one \u2026"), self._nothing_before(entries), lambda: self._choose_after(entries, under)),
            (tr("Resume") if paused else tr("Pause"), "", lambda: self.switch(entries)),
        ]

    def _of_one(self, entry: Entry) -> list[Offer]:
        place = _place(entry)
        gone = "" if place and place.is_dir() else tr("It has no folder yet.")
        return [
            (tr("Duplicate"), "", lambda: self.act(lambda queue: queue.duplicate(entry.id))),
            (tr("Show on the page Live run"), gone if entry.is_run else tr("It is no run."),
             lambda: self._context.go("run", entry.folder)),
            (tr("Open folder"), gone, lambda: self._open_folder(place)),
        ]  # fmt: skip

    def _open_folder(self, folder: Path | None) -> None:
        if folder is not None and (problem := open_external(folder)):
            self._context.notify(problem)

    def _run_next(self, entries: Sequence[Entry]) -> None:
        for entry in reversed(entries):
            if not self.act(lambda queue, entry=entry: queue.run_next(entry.id)):
                return

    # After another ----------------------------------------------------------------------------------------------------

    def _others(self, entries: Sequence[Entry]) -> list[Entry]:
        """That it could wait for."""
        mine = {entry.id for entry in entries}
        return [each for each in self._context.jobs.of_state("running", "waiting", "paused") if each.id not in mine]

    def _nothing_before(self, entries: Sequence[Entry]) -> str:
        return "" if self._others(entries) or entries[0].after else tr("There is nothing that it could wait for.")

    def _choose_after(self, entries: Sequence[Entry], under: Any) -> None:
        none = [Option(None, tr("Nothing: when it is its turn"))]
        options = [*none, *(Option(each.id, tr(each.title)) for each in self._others(entries))]
        popup(under, options, lambda other: self._set_after(entries, other), current=entries[0].after, width=WIDTH)

    def _set_after(self, entries: Sequence[Entry], other: int | None) -> None:
        for entry in entries:
            if not self.act(lambda queue, entry=entry: queue.set_after(entry.id, other)):
                return

    def _is_meant(self, entries: Sequence[Entry]) -> bool:
        entry = entries[0]
        if len(entries) > 1:
            name = group_name(entry.group)
            words = plural(len(entries), "1 run of “{name}”?", "{count} runs of “{name}”?", name=name)
            title = tr("Remove {what}", what=words)
        else:
            title = tr("Remove “{name}” from the queue?", name=tr(entry.title))
        words = tr("It has not begun. Its settings are forgotten.")
        if entry.state == "running":
            words = tr("It stops with a backup first. The run stays in its folder.")
        elif entry.step:
            words = tr("What it has learnt stays in its folder.")
        answers = (Answer(tr("Cancel")), Answer(tr("Remove"), "yes", "danger", "trash-2"))
        return ask(self._context.app, title, words, answers) == "yes"


def _place(entry: Entry) -> Path | None:
    """The folder of what came out."""
    folder = Path(entry.folder) if entry.folder else None
    return folder.parent if folder and folder.is_file() else folder
