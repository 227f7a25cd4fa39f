"""The page Captions: all images of the concepts at the left, the caption of one and the tags of many at the right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.gui.busy_dialog import run_blocking
from app.gui.caption_models.dialog import MakeCaptions
from app.gui.captions.editor import CaptionEditor
from app.gui.captions.files import Caption
from app.gui.captions.filters import MISSING, WRONG
from app.gui.captions.selection import CaptionSelection, reading
from app.gui.captions.store import CaptionStore, Filter, Step
from app.gui.captions.tags import CaptionTags
from app.gui.context import AppContext
from app.gui.draft.labels import title_of
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import (
    Answer,
    Button,
    Cell,
    Choice,
    EmptyState,
    Entry,
    Frame,
    Option,
    RoundFrame,
    ScrollArea,
    VirtualGrid,
    ask,
    px,
)
from app.gui.page import Page, header_of
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.sections.concept import Concept

CELL = (150, 174)
SIDE, SIDE_SHARE = (290, 420), 0.34  # least and most pixels at 100 %, and the share of the page
MOST_TAGS = 5000  # that the list for filtering offers
SETTLES_MS = 400
ALL = "all"


class CaptionsPage(Page):
    """Files are read when the page is shown for the first time, and again when the concepts have changed."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.work = CaptionSelection(context)
        self.work.run_blocking = lambda act: run_blocking(context.app, tr("Writing captions"), act)
        self._concepts: list[Concept] = []
        self._read_of: object = None
        self._pending = ""
        self._waiting: WorkerPoll[CaptionStore] = WorkerPoll(self, self._arrived, self._failed, self._advance)
        self._keys = f"Captions{self.winfo_id()}"
        self._wanted = ""  # the filter that another page asked for
        self._built = False
        self._wide = 0

    # Making it --------------------------------------------------------------------------------------------------------

    def build(self) -> Iterator[None]:
        self._make_bar()
        yield
        side = self._side = RoundFrame(self)
        side.configure(width=px(SIDE[0]))
        side.pack_propagate(False)  # what it holds follows its size: a long sentence must not widen it
        side.pack(side="right", fill="y", padx=(px(6), px(20)), pady=(0, px(14)))
        top = Frame(side)
        top.pack(fill="x", padx=px(14), pady=(px(12), px(10)))
        area = ScrollArea(side)  # picture and text stay while the tags scroll
        self.bind("<Configure>", lambda event: self._widen(event.width))
        area.pack(fill="both", expand=True, padx=(px(14), px(3)), pady=(0, px(12)))
        inside = Frame(area.body)
        inside.pack(fill="both", expand=True, padx=(0, px(6)))
        yield
        self.grid_ = VirtualGrid(
            self, self._paint_cell, cell=CELL, lines=1, on_select=self._chosen,
            on_open=lambda _: self.editor.focus_text(),
        )  # fmt: skip
        self.editor = CaptionEditor(top, self.context, self.work, self.step, self._concept_of)
        self.editor.pack(fill="x")
        side.bind("<Configure>", lambda event: self.editor.fit(event.height), add=True)
        yield
        self.tags = CaptionTags(inside, self.work, self.only, self._hear_keys)
        self.tags.pack(fill="x")
        self.grid_.pack(side="left", fill="both", expand=True, padx=(px(10), 0))
        yield
        self._empty = EmptyState(self, "pencil", "", tr("Go to Concepts"), lambda: self.context.go("concepts"))
        self.work.listen(self._written)
        self.work.settle = self.editor.save
        self._bind_keys()
        self._built = True
        self._read_if_changed()

    def _make_bar(self) -> None:
        bar, self._line = header_of(self)
        self._again = Button(
            bar, kind="icon", image="rotate-ccw", hint=tr("Read the files again"), on_press=self._reload
        )
        self._again.pack(side="right")
        make = Button(bar, tr("Make captions"), self._make_captions, kind="primary", image="captions")
        make.pack(side="right", padx=(px(8), 0), before=self._again)
        self._which = Choice(bar, [Option(ALL, tr("All images"))], ALL, lambda _: self._filter(), width=126, fit=True)
        self._which.pack(side="right", padx=px(8))
        self._tags = Choice(bar, [Option("", tr("Any tag"))], "", lambda _: self._filter(), width=118, fit=True)
        self._tags.pack(side="right")
        self._search = Entry(
            bar, placeholder=tr("Name or caption"), on_change=lambda _: self._filter(), width=140, fit=True, rest_ms=120
        )
        self._search.pack(side="right", padx=px(8))

    def _widen(self, width: int) -> None:
        """The side is a third of the page, more or less."""
        wide = min(max(int(width * SIDE_SHARE), px(SIDE[0])), px(SIDE[1]))
        if wide != self._wide:
            self._wide = wide
            self._side.configure(width=wide)

    def _bind_keys(self) -> None:
        """Keys of this page go before those of the window (Ctrl+Return), wherever on the page the focus is."""

        def bound(act: Any) -> Any:
            def pressed(_: Any) -> str | None:
                return None if act() is False else "break"

            return pressed

        for sequence, act in (
            ("<Control-z>", self.undo), ("<Control-Shift-Z>", self.redo), ("<Control-y>", self.redo),
            ("<Control-s>", self._save), ("<Control-Return>", lambda: self.step(1)),
            ("<Control-Shift-Return>", lambda: self.step(-1)),
        ):  # fmt: skip
            self.bind_class(self._keys, sequence, bound(act))
        self._hear_keys(self)

    def _hear_keys(self, widget: Any) -> None:
        """Have a widget and all in it hear the keys of the page."""
        first, *rest = widget.bindtags()
        widget.bindtags((first, self._keys, *rest))
        for child in widget.winfo_children():
            self._hear_keys(child)

    # Reading ----------------------------------------------------------------------------------------------------------

    def shown(self) -> None:
        self._read_if_changed()

    def takes_start(self) -> bool:
        return True  # here the same keys go to the next caption

    def hidden(self) -> None:
        if self._built:
            self.editor.save()
        if self._waiting.busy:
            self._waiting.cancel()
            self._read_of = None

    def read(self) -> None:
        """Read all files anew."""
        self.editor.save()
        self._concepts = [concept for concept in self.context.draft.preset().concepts if concept.enabled]
        self._read_of = _files_of(self._concepts)
        self._line.set(tr("Reading captions …"))
        self._waiting.start(reading(self._concepts))

    def _read_if_changed(self) -> None:
        if self._built:
            now = [concept for concept in self.context.draft.preset().concepts if concept.enabled]
            if _files_of(now) != self._read_of:
                self.read()

    def _advance(self, done: int, total: int) -> None:
        if total:
            self._line.set(tr("Reading captions: {done:,} of {total:,}", done=done, total=total))

    def _failed(self, error: UserError) -> None:
        self._line.set(error.text(WORDS), "error")

    def _reload(self) -> None:
        """Read all files anew; what could not be saved is thrown away only if one says so."""
        self.editor.save()
        if unsaved := self.editor.unsaved:
            title = plural(unsaved, "1 caption is not saved", "{count:,} captions are not saved")
            answers = (Answer(tr("Cancel")), Answer(tr("Discard and reload"), True, "danger"))
            if not ask(self, title, tr("What you typed is lost if the files are read again."), answers):
                return
        self.read()

    def _make_captions(self) -> None:
        """Have models write captions; what was typed is saved first."""
        concepts = [n for n, concept in enumerate(self.context.draft.get("concepts")) if concept["enabled"]]
        if concepts and self.editor.save():
            selected = [str(self.work.captions.all[number].image) for number in self.work.chosen]
            MakeCaptions(self, self.context, concepts, selected, self.read)

    def reveal(self, path: str) -> None:
        """Show what passes one of the filters, as the files are now."""
        self._wanted = path
        if self._built and not self._waiting.busy and not self.editor.unsaved:
            self.read()

    def _keep_filter(self) -> None:
        """Offer the filters of what there is now, and choose that of before where it still is one."""
        which, choices = self._wanted or self._which.get(), self._choices()
        self._wanted = ""
        self._which.offer(choices)
        self._which.set(which if which in [option.value for option in choices] else ALL)

    def _arrived(self, captions: CaptionStore) -> None:
        self.editor.forget()
        self.work.take(captions)
        self._keep_filter()
        self._offer_tags()
        self._filter()
        self._show_empty()
        if self.work.shown:
            self.grid_.focus_set()

    def _choices(self) -> list[Option]:
        captions = self.work.captions
        missing, wrong = len(captions.missing()), len(captions.wrong())
        found = [Option(ALL, tr("All images")), Option(MISSING, tr("Without a caption"), note=f"{missing:,}")]
        if wrong:
            found.append(Option(WRONG, tr("Cannot be read, or not UTF-8"), note=f"{wrong:,}"))
        if len(self._concepts) > 1:
            for number, concept in enumerate(self._concepts):
                if concept.caption_files:
                    found.append(Option(number, title_of(concept.model_dump()), group=tr("Concepts")))
        return found

    def _show_empty(self) -> None:
        if self.work.captions.all:
            self._empty.place_forget()
            return
        elsewhere = [concept for concept in self._concepts if not concept.caption_files]
        self._empty.sentence.set(
            tr("The enabled concepts do not take their captions from text files.")
            if elsewhere else tr("No images yet. Add a folder of images on the page Concepts.")
        )  # fmt: skip
        self._empty.place(x=0, y=0, relwidth=1, relheight=1)
        self._empty.lift()

    # Showing ----------------------------------------------------------------------------------------------------------

    def only(self, tag: str) -> None:
        """Show only images with this tag."""
        self._tags.set(tag)
        self._filter()

    def _filter(self) -> None:
        if not self._built:
            return
        self.editor.save()
        which: Any = self._which.get()
        self.work.filter(
            Filter(
                self._search.get(), self._tags.get(), missing=which == MISSING, wrong=which == WRONG,
                concept=which if isinstance(which, int) else None,
            )
        )  # fmt: skip
        self.grid_.show(len(self.work.shown))
        self._say_counts()
        places = {number: index for index, number in enumerate(self.work.shown)}
        if places:  # what was chosen stays so, or else the first
            chosen = {places[number] for number in self.work.chosen} or {0}
            self.grid_.select(chosen, min(chosen))
            self.grid_.see(min(chosen))
        else:
            self._chosen()

    def _say_counts(self) -> None:
        captions, shown = self.work.captions, len(self.work.shown)
        whole = len(captions.all)
        words = (
            plural(whole, "1 image", "{count:,} images")
            if shown == whole
            else tr("{shown:,} of {whole:,} images", shown=shown, whole=whole)
        )
        missing = len(captions.missing())
        self._line.set(words + (tr(" · {missing:,} without a caption", missing=missing) if missing else ""), "text2")

    def _offer_tags(self) -> None:
        self._pending = ""
        tags = self.work.captions.tags().most_common(MOST_TAGS)
        self._tags.offer([Option("", tr("Any tag")), *(Option(tag, tag, note=f"{count:,}") for tag, count in tags)])

    def _paint_cell(self, cell: Cell, index: int) -> None:
        caption = self.work.captions.all[self.work.shown[index]]
        cell.words(0, caption.image.name, "error" if caption.missing or caption.problem else "text2")
        if caption.missing:
            cell.mark(tr("No caption"), "error")
        elif caption.problem:
            cell.mark(tr("Cannot be read"), "error")
        elif caption.legacy:
            cell.mark(tr("Not UTF-8"), "changed")

        def arrived(_: object) -> None:
            if self.winfo_exists():
                self.grid_.refresh(index)

        size = cell.picture_size
        failed = self.context.pictures.failed(caption.image, size)
        cell.image(self.context.pictures.thumb(caption.image, size, arrived), tr("No picture") if failed else "")

    # Choosing and changing --------------------------------------------------------------------------------------------

    def step(self, by: int) -> None:
        """Save, and go to the next image (1) or the one before (-1)."""
        if self.work.shown and self.editor.save():
            index = min(max(self.grid_.current + by, 0), len(self.work.shown) - 1)
            self.grid_.select({index}, index)
            self.grid_.see(index)

    def _save(self) -> None:
        self.editor.save()

    def undo(self) -> bool:
        """Take the last change of captions back: the files are as they were."""
        self.editor.save()
        return self.work.can_undo and self._go_to(self.work.undo())

    def redo(self) -> bool:
        return self.work.can_redo and self._go_to(self.work.redo())

    def _go_to(self, step: Step | None) -> bool:
        """Show what an undo changed."""
        places = {number: index for index, number in enumerate(self.work.shown)}
        changed = [places[number] for number in (step.after if step else ()) if number in places]
        if step is not None and changed and self.editor.number not in step.after:
            self.grid_.select({changed[0]}, changed[0])
            self.grid_.see(changed[0])
        return True

    def _chosen(self) -> None:
        shown = self.work.shown
        self.work.chosen = [shown[index] for index in sorted(self.grid_.selection) if index < len(shown)]
        current = self.grid_.current
        self.editor.show(shown[current] if 0 <= current < len(shown) else -1)
        self.tags.chosen()

    def _written(self, numbers: Sequence[int]) -> None:
        """Files were written: say so wherever they are seen. Nothing is filtered anew, or images would run away."""
        del numbers
        self.grid_.refresh()
        self.editor.reload()
        self._say_counts()
        if not self._pending:
            self._pending = self.after(SETTLES_MS, self._offer_tags)

    def _concept_of(self, caption: Caption) -> dict[str, Any] | None:
        concepts = self._concepts
        return concepts[caption.concept].model_dump() if caption.concept < len(concepts) else None

    def destroy(self) -> None:
        self._waiting.cancel()
        self.work.quiet = True
        if self._built:
            self.editor.save()
        super().destroy()


def _files_of(concepts: Sequence[Concept]) -> list[tuple[object, ...]]:
    """What the list of caption files depends on."""
    return [
        (
            concept.path,
            concept.subfolders,
            concept.caption_files,
            concept.caption_table,
            concept.prefix,
            concept.suffix,
            concept.trigger,
        )
        for concept in concepts
    ]
