"""Edit many captions at once: tags renamed, merged, removed, added, sorted; text replaced; what changes is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.gui.captions import edits
from app.gui.captions.edits import Edit
from app.gui.captions.selection import CaptionSelection, captions_in_words
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import (
    Answer,
    Choice,
    Dialog,
    Entry,
    Frame,
    Label,
    LinkButton,
    Segmented,
    Switch,
    Tree,
    TreeLine,
    labelled,
    px,
)
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.language import plural, tr

SCOPES = {"chosen": "Selected", "shown": "All shown"}
WAYS = {
    "rename": "Rename or merge", "remove": "Remove", "add": "Add", "sort": "Sort tags", "replace": "Find and replace",
}  # fmt: skip
ORDERS = {"count": "By frequency", "name": "By name"}
SIZE, LIST = (760, 540), 300  # pixels at 100 %
SETTLES_MS = 200
SHOWN = 110  # letters of an example


class ManyDialog(Dialog):
    """Answers with the edit and the numbers of the captions that it is for; None when nothing is to be done."""

    def __init__(self, master: Any, work: CaptionSelection, on_close: Callable[[Any], object]) -> None:
        self._work = work
        self._ticked: dict[str, None] = {}  # in the order in which they were ticked
        self._pending, self._edit = "", None
        self._fields: dict[str, Frame] = {}
        super().__init__(
            master, tr("Edit many"), on_close=lambda done: on_close(self._result() if done else None),
            answers=[Answer(tr("Cancel")), Answer(tr("Change captions"), True, "primary")],
            width=SIZE[0], height=SIZE[1],
        )  # fmt: skip
        self._counting: WorkerPoll[dict[int, str]] = WorkerPoll(self, self._counted, self._refused)
        self._make_top()
        self._make_list()
        self._make_fields()
        self._read_tags()
        self._turn("rename")

    def destroy(self) -> None:
        self._counting.cancel()
        if self._pending:
            self.after_cancel(self._pending)
        super().destroy()

    # Making it --------------------------------------------------------------------------------------------------------

    def _make_top(self) -> None:
        top = Frame(self.body)
        top.pack(fill="x", pady=(px(4), px(8)))
        self.way = Segmented(top, labelled(WAYS), "rename", self._turn)
        self.way.pack(fill="x")
        several = len(self._work.chosen) > 1
        self.scope = Segmented(
            self.body, labelled(SCOPES), "chosen" if several else "shown", lambda _: self._read_tags()
        )
        self.scope.pack(fill="x", pady=(0, px(8)))
        self._about = Label(self.body, font="small", role="text2")
        self._about.pack(fill="x", pady=(0, px(6)))

    def _make_list(self) -> None:
        left = self._left = Frame(self.body, width=LIST)
        left.pack_propagate(False)
        left.pack(side="left", fill="y")
        line = Frame(left)
        line.pack(fill="x", pady=(0, px(6)))
        self.search = Entry(line, placeholder=tr("Find a tag"), on_change=lambda _: self._show_tags(), rest_ms=120)
        self.search.pack(side="left", fill="x", expand=True)
        self.order = Choice(line, labelled(ORDERS), "count", lambda _: self._show_tags(), width=128)
        self.order.pack(side="right", padx=(px(6), 0))
        self.list = Tree(left, self._tick, lines=4, empty=tr("No tags"))
        self.list.pack(fill="both", expand=True)

    def _make_fields(self) -> None:
        right = Frame(self.body)
        right.pack(side="left", fill="both", expand=True, padx=(px(16), 0))
        for way in WAYS:
            self._fields[way] = Frame(right)
            getattr(self, f"_make_{way}")(self._fields[way])
        self._example = Label(right, font="small", role="text2", wrap=True)
        self._example.pack(side="bottom", fill="x", pady=(px(8), 0))
        self.count = Label(right, font="bold", wrap=True)
        self.count.pack(side="bottom", fill="x")

    def _make_rename(self, frame: Frame) -> None:
        self._explain(frame, tr("The ticked tags become one. A caption that had several of them has it once."))
        self.name = self._entry(frame, tr("New name"))

    def _make_remove(self, frame: Frame) -> None:
        self._explain(frame, tr("The ticked tags are taken out of all captions."))
        line = Frame(frame)
        line.pack(fill="x", pady=(px(4), 0))
        Label(line, tr("In fewer captions than")).pack(side="left")
        self.rare = Entry(line, "2", width=56)
        self.rare.pack(side="left", padx=px(6))
        LinkButton(line, tr("Tick these"), self._tick_rare, font="body").pack(side="left")

    def _make_add(self, frame: Frame) -> None:
        self._explain(frame, tr("Goes to the end of every caption that lacks it."))
        self.tag = self._entry(frame, tr("Tag"))

    def _make_sort(self, frame: Frame) -> None:
        self._explain(frame, tr("Puts the tags of each caption in order. Captions without a comma stay."))
        self.sort = Choice(frame, labelled(ORDERS), "count", lambda _: self._soon(), width=190)
        self.sort.pack(anchor="w", pady=(px(4), px(6)))
        self.first = self._switch(frame, tr("The first tag keeps its place"), on=True)

    def _make_replace(self, frame: Frame) -> None:
        self.find = self._entry(frame, tr("Find"))
        self.new = self._entry(frame, tr("Replace with"))
        self.regex = self._switch(frame, tr("Regular expression"))
        self.case = self._switch(frame, tr("Match case"))

    def _explain(self, frame: Frame, words: str) -> None:
        Label(frame, words, role="text2", wrap=True).pack(fill="x", pady=(0, px(8)))

    def _entry(self, frame: Frame, label: str) -> Entry:
        words = Label(frame, label)
        words.pack(fill="x", pady=(0, px(3)))
        entry = Entry(frame, on_change=lambda _: self._soon(), rest_ms=150)
        entry.pack(fill="x", pady=(0, px(8)))
        words.bind("<Button-1>", lambda _: words.after_idle(entry.focus_set))
        return entry

    def _switch(self, frame: Frame, words: str, *, on: bool = False) -> Switch:
        line = Frame(frame)
        line.pack(fill="x", pady=px(2))
        switch = Switch(line, on, lambda _: self._soon())
        switch.pack(side="left")
        label = Label(line, words)
        label.pack(side="left", padx=px(4))
        label.bind("<Button-1>", lambda _: switch.turn())
        return switch

    # The tags ---------------------------------------------------------------------------------------------------------

    @property
    def numbers(self) -> Sequence[int]:
        """The captions that an edit is for."""
        return self._work.chosen if self.scope.get() == "chosen" else self._work.shown

    def _read_tags(self) -> None:
        self._tags = self._work.captions.tags(self.numbers)
        self._ticked = {tag: None for tag in self._ticked if tag in self._tags}
        tags = plural(len(self._tags), "1 tag", "{count:,} tags")
        self._about.set(tr("{tags} in {captions}", tags=tags, captions=captions_in_words(len(self.numbers))))
        self._show_tags()
        self._soon()

    def _show_tags(self) -> None:
        wanted = self.search.get().casefold()
        tags = [(tag, count) for tag, count in self._tags.most_common() if wanted in tag.casefold()]
        if self.order.get() == "name":
            tags.sort(key=lambda each: each[0].casefold())
        self.list.show([TreeLine(tag, tag, ticked=tag in self._ticked, note=f"{count:,}") for tag, count in tags])

    def _tick(self, tag: str) -> None:
        if tag in self._ticked:
            del self._ticked[tag]
        else:
            self._ticked[tag] = None
        self._ticks_changed()

    def _tick_rare(self) -> None:
        text = self.rare.get().strip()
        self.rare.invalid(not text.isdecimal())
        if text.isdecimal():
            self._ticked = {tag: None for tag, count in self._tags.items() if count < int(text)}
            self._ticks_changed()

    def _ticks_changed(self) -> None:
        if self._ticked and self.way.get() == "rename":  # the usual way is the one that most captions have
            self.name.set(max(self._ticked, key=lambda tag: self._tags[tag]))
        self._show_tags()
        self._soon()

    # The edit ---------------------------------------------------------------------------------------------------------

    def _turn(self, way: str) -> None:
        for name, frame in self._fields.items():
            frame.pack(fill="x") if name == way else frame.pack_forget()
        self._soon()

    def _soon(self) -> None:
        """Count when nothing has changed for a moment; until then nothing can be done."""
        self._counting.cancel()
        self._edit = None
        self.buttons[-1].disable(tr("Counting"))
        if self._pending:
            self.after_cancel(self._pending)
        self._pending = self.after(SETTLES_MS, self._count)

    def _made(self) -> Edit:
        """The edit as it is set now.

        Raises:
            UserError: it cannot be done.
        """
        match self.way.get():
            case "rename":
                return edits.rename_tags(self._ticked, self.name.get())
            case "remove":
                return edits.remove_tags(self._ticked)
            case "add":
                return edits.add_tag(self.tag.get())
            case "sort":
                return edits.sort_tags(self._tags if self.sort.get() == "count" else None, keep_first=self.first.get())
            case _:
                return edits.replace(
                    self.find.get(), self.new.get(), regex=self.regex.get(), match_case=self.case.get()
                )

    def _count(self) -> None:
        self._pending = ""
        try:
            edit = self._edit = self._made()
        except UserError as error:
            self._refused(error)
            return
        captions, numbers = self._work.captions, list(self.numbers)
        self._counting.start(Worker(lambda _, stop: captions.changed(edit, numbers, stop)))

    def _counted(self, texts: dict[int, str]) -> None:
        many = captions_in_words(len(texts))
        self.count.set(tr("Changes {captions}", captions=many) if texts else tr("No caption would change"), "text")
        self._example.set("")
        if texts:
            number, text = next(iter(texts.items()))
            caption = self._work.captions.all[number]
            before, after = (_short(each) for each in (caption.text.strip(), text or tr("(no caption)")))
            self._example.set(f"{caption.title}\n{before}\n\N{RIGHTWARDS ARROW} {after}")
        self.buttons[-1].set(tr("Change {captions}", captions=many) if texts else tr("Change captions"))
        self.buttons[-1].disable("" if texts else tr("No caption would change"))

    def _refused(self, error: UserError) -> None:
        words = error.text(WORDS)
        self._edit = None
        self.count.set(words, "text2")
        self._example.set("")
        self.buttons[-1].set(tr("Change captions"))
        self.buttons[-1].disable(words)

    def _result(self) -> tuple[Edit, list[int]] | None:
        return (self._edit, list(self._chosen)) if self._edit else None

    def close(self, answer: Any) -> None:
        self._chosen = self.numbers if self.winfo_exists() else ()
        super().close(answer)


def _short(text: str) -> str:
    text = text.replace("\n", " / ")
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
