"""The page "Queue": what runs, what waits in which order, what is over, and when all of it will be done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.enqueue import enqueue, run_entry, turn
from app.gui.kit import (
    Button,
    Card,
    Choice,
    EmptyState,
    Frame,
    Label,
    ListActions,
    Notice,
    RowList,
    labelled,
    px,
)
from app.gui.page import Page, header_of
from app.gui.queue.menu import EntryActs
from app.gui.queue.rows import OWN, OwnRun, counts_text, items_of
from app.gui.run_control import fix_first, no_images
from app.gui.session.number_format import stage_text
from app.gui.trials.results import Results
from modules.errors import UserError
from modules.jobs.entry import Entry
from modules.jobs.queue import WhenDone
from modules.language import tr
from modules.trials.groups import group_name

TICK_MS = 500
WHEN_DONE: dict[WhenDone, str] = {"nothing": "Do nothing", "sleep": "Sleep", "shutdown": "Shut down"}
SOON = {"sleep": "The computer goes to sleep in {count} s.", "shutdown": "The computer shuts down in {count} s."}


class QueuePage(Page):
    """Two windows show the same list; this one also the run that it was told to start at once."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.acts = EntryActs(context, self.show_results)
        self._built = False
        self.results: Results | None = None  # in place of the list

    def build(self) -> Iterator[None]:
        self.controls, self.line = header_of(self)
        controls = self.controls
        self.rest = Button(controls, "", self._turn, kind="quiet", image="pause")
        self.rest.pack(side="left", padx=(0, px(8)))
        Button(controls, tr("Try values"), self.context.try_values, image="list-checks").pack(side="left")
        self.add = Button(controls, tr("Add this run"), self.add_run, kind="primary", image="list-plus")
        self.add.pack(side="left", padx=(px(8), 0))
        yield
        self.back, _ = header_of(self)
        Button(self.back, tr("Back to queue"), self.show_list, kind="quiet", image="list-ordered").pack(side="left")
        Button(self.back, tr("Export"), lambda: self.results and self.results.export(), image="download").pack(
            side="left", padx=px(8)
        )
        Button(self.back, tr("Open as grid"), lambda: self.results and self.results.as_grid(), image="grid-3x3").pack(
            side="left"
        )
        self.back.pack_forget()
        self.queue = Frame(self)
        self.queue.pack(fill="both", expand=True)
        self.notice = Notice(self.queue)
        self.card = Card(self.queue)
        self._head()
        acts = ListActions(
            move=self._move, menu=self._menu, link=self._link, open=lambda key: self._with(key, self.acts.open),
            switch=self._switch, remove=self._remove,
        )  # fmt: skip
        self.list = RowList(self.card.body, acts)
        self.list.pack(fill="both", expand=True)
        words = tr("Runs and tools that wait here begin one after another, also while you sleep.")
        self.empty = EmptyState(
            self.queue, "list-ordered", words, tr("Add this run"), self.add_run, button_image="list-plus"
        )
        self._built = True
        self.until_destroyed(self.context.jobs.listen(self._tick), self.context.app.every(TICK_MS, self._tick))
        self.refresh()

    def _head(self) -> None:
        head = Frame(self.card.body)
        head.pack(fill="x", padx=(px(12), px(8)))
        self.when_done = Choice(
            head, labelled({value: tr(words) for value, words in WHEN_DONE.items()}), "nothing", self._when_done,
            width=150,
        )  # fmt: skip
        self.when_done.pack(side="right")
        Label(head, tr("When the queue is done"), font="small", role="text2").pack(side="right", padx=(0, px(8)))
        self.state = Label(head, "", font="small", role="text2", wrap=True)
        self.state.pack(side="left", fill="x", expand=True)

    # What is shown ----------------------------------------------------------------------------------------------------

    def shown(self) -> None:
        self.context.jobs.tick()
        self.refresh()

    def _tick(self) -> None:
        if self.winfo_viewable():
            self.refresh()

    def refresh(self) -> None:
        """As the queue is now; cheap where nothing has changed."""
        if not self._built:
            return
        if self.results is not None:
            self._refresh_results(self.results)
            return
        jobs, own = self.context.jobs, self.own_run()
        self.list.show(items_of(jobs.entries, own, jobs.on, time.time()))
        self.line.set(counts_text(jobs.entries, own) or tr("What comes after what"))
        self.when_done.set(jobs.when_done)
        self._show_state(bool(own))
        self._show_notice()
        some = bool(self.list.items)
        front, other = (self.card, self.empty) if some else (self.empty, self.card)
        other.pack_forget()
        if not front.winfo_manager():
            front.pack(fill="both", expand=True, padx=px(20), pady=(px(2), px(14)))
        self.add.disable(self.why_not())

    def _refresh_results(self, results: Results) -> None:
        if not results.outcomes.entries:  # removed, perhaps by another window
            self.show_list()
            return
        self.line.set(f"{group_name(results.outcomes.group)}: {results.words}")
        if results.refresh() and not self._pending:
            self._pending = self.after(1, self._read_on)

    def _read_on(self) -> None:
        self._pending = ""
        self.refresh()

    def _show_state(self, own: bool) -> None:
        jobs = self.context.jobs
        runs = own or bool(jobs.of_state("running"))
        if jobs.on:
            words = tr("Pause after this one") if runs else tr("Pause the queue")
            self.rest.set(words, image="pause", kind="quiet")
            self.state.set("")
        else:
            self.rest.set(tr("Start the queue"), image="play", kind="plain")
            self.state.set(tr("The queue rests: what waits does not begin.") if jobs.of_state("waiting") else "")

    def _show_notice(self) -> None:
        words, links = self._notice()
        self.notice.show(words, links)
        if words and not self.notice.winfo_manager():
            self.notice.pack(fill="x", padx=px(20), pady=(0, px(8)), before=self.queue.pack_slaves()[0])
        elif not words:
            self.notice.pack_forget()

    def _notice(self) -> tuple[str, list[tuple[str, Callable[[], object]]]]:
        jobs = self.context.jobs
        if jobs.trouble:
            return jobs.trouble, []
        if jobs.note:
            return jobs.note, [(tr("Close"), self._forget_note)]
        if jobs.ends_at and jobs.when_done in SOON:
            words = tr(SOON[jobs.when_done], count=max(round(jobs.ends_at - time.time()), 0))
            return words, [(tr("Cancel"), lambda: self._when_done("nothing"))]
        if jobs.interrupted:
            words = tr("The queue was interrupted: the computer was switched off while it ran.")
            return words, [(tr("Continue"), lambda: turn(self.context, on=True))]
        return "", []

    def _forget_note(self) -> None:
        self.context.jobs.note = ""
        self.refresh()

    def own_run(self) -> OwnRun | None:
        """The run that this window started by its button."""
        running = self.context.running
        if not running.training or running.queued:
            return None
        now = running.progress
        name = running.folder.name if running.folder else tr("This run")
        stage = stage_text(running.stage) if running.stage else tr("Getting ready") + " \u2026"
        return OwnRun(name, now.step if now else 0, now.steps if now else 0, now.seconds_left if now else 0.0, stage)

    # What a person does -----------------------------------------------------------------------------------------------

    def takes_start(self) -> bool:
        return False

    def why_not(self) -> str:
        """Why the settings of now cannot be put into the queue."""
        return no_images(self.context) or fix_first(len(self.context.draft.errors()))

    def add_run(self) -> None:
        """The settings of now, as a run."""
        if not self.why_not():
            added = enqueue(self.context, run_entry(self.context.draft.freeze()))
            if added:
                self.list.mark(added[-1].id)

    def reveal(self, path: str) -> None:
        """The table of a set of tried values, by its id; anything else: the list."""
        if any(entry.group == path for entry in self.context.jobs.entries):
            self.show_results(path)
        else:
            self.show_list()

    def show_results(self, group: str) -> None:
        """The table of a set of tried values, in place of the list."""
        self._forget_results()
        self.queue.pack_forget()
        self.controls.pack_forget()
        self.back.pack(side="right", before=self.line)
        self.results = Results(self, self.context, group)
        self.results.pack(fill="both", expand=True, padx=px(20), pady=(px(2), px(14)))
        self.refresh()

    def show_list(self) -> None:
        """The queue itself."""
        self._forget_results()
        self.back.pack_forget()
        self.controls.pack(side="right", before=self.line)
        self.queue.pack(fill="both", expand=True)
        self.refresh()

    def _forget_results(self) -> None:
        if self.results is not None:
            self.results.destroy()
            self.results = None

    def _entries(self, key: Any) -> list[Entry]:
        """Those that a row stands for."""
        wanted = key if isinstance(key, tuple) else (key,)
        return [entry for entry in self.context.jobs.entries if entry.id in wanted]

    def _with(self, key: Any, act: Callable[[Sequence[Entry]], object]) -> None:
        if key == OWN:
            self.context.go("run")
        elif entries := self._entries(key):
            act(entries)

    def _move(self, key: Any, before: Any) -> None:
        target = self._entries(before)[0].id if before is not None else None
        for entry in self._entries(key):
            if not self.acts.act(lambda queue, entry=entry: queue.move(entry.id, target)):
                break
        self.refresh()

    def _menu(self, key: Any, under: Any) -> None:
        self._with(key, lambda entries: self.acts.open_menu(entries, under))

    def _link(self, key: Any, name: str) -> None:
        if key == "over":
            self.acts.clear(self.context.jobs.of_state("failed", "finished", "skipped"))
        else:
            self._with(key, lambda entries: self.acts.link(entries, name))

    def _switch(self, key: Any) -> None:
        if key != OWN:
            self._with(key, self.acts.switch)

    def _remove(self, key: Any) -> None:
        if key != OWN:
            self._with(key, self.acts.remove)

    def _turn(self) -> None:
        turn(self.context, on=not self.context.jobs.on)

    def _when_done(self, value: WhenDone) -> None:
        try:
            self.context.jobs.act(lambda queue: setattr(queue, "when_done", value))
        except UserError as error:
            self.context.notify(error.text(WORDS), role="error")
