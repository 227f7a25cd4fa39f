"""The page Captions: all images of the concepts at the left, the caption of one and the tags of many at the right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from app.gui.busy_dialog import run_blocking
from app.gui.caption_models.dialog import make_captions
from app.gui.captions.batch import CutShort, cut_short
from app.gui.captions.editor import CaptionEditor
from app.gui.captions.edits import Edit
from app.gui.captions.encodings import FileNotice
from app.gui.captions.files import Caption
from app.gui.captions.filters import MISSING, TAGGED, WRONG, FilterBar
from app.gui.captions.many import ManyDialog
from app.gui.captions.selection import CaptionSelection, read_store
from app.gui.captions.store import CaptionStore, Filter, Step
from app.gui.captions.tags import CaptionTags
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Answer, Button, Cell, Divider, EmptyState, Frame, RoundFrame, VirtualGrid, ask, px
from app.gui.page import Page, bind_keys, header_of
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.sections.concept import Concept

WORDS_HIGH = 82  # of a tile, under its picture, and the space around it
SIDE, SIDE_SHARE = (300, 420), 0.27  # least and most pixels at 100 %, and the share of the page


class Tiles(VirtualGrid):
    """Images with their captions."""

    wrapped = 3
    stretch = True


class CaptionsPage(Page):
    """Files are read when the page is shown for the first time, and again when the concepts have changed."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.work = CaptionSelection(context)
        self.work.run_blocking = lambda act: run_blocking(context.app, tr("Writing captions"), act)
        self._concepts: list[Concept] = []
        self._read_of: object = None
        self._waiting: WorkerPoll[tuple[CaptionStore, CutShort | None]] = WorkerPoll(
            self, self._arrived, self._failed, self._advance
        )
        self._wanted = ""  # the filter that another page asked for
        self._built = False
        self._wide = 0

    # Making it --------------------------------------------------------------------------------------------------------

    def build(self) -> Iterator[None]:
        self._make_bar()
        yield
        side = self._make_side()
        left = Frame(self, "window")
        left.pack(side="left", fill="both", expand=True)
        self.filters = FilterBar(left, self._filter, self._resize)
        self.filters.pack(fill="x", padx=(px(20), px(6)))
        self._notice = FileNotice(left, self.context, self.work, self.read)
        self._notice.show_after(self.filters, padx=(px(20), px(6)), pady=(px(8), 0))
        yield
        wide = self.context.window_state.get("tile_size", int)
        self.filters.size.set(wide)
        self.grid_ = Tiles(
            left, self._paint_cell, cell=_tile(wide), lines=1, on_select=self._chosen,
            on_open=lambda _: self.editor.focus_text(),
        )  # fmt: skip
        self.editor = CaptionEditor(side, self.context, self.work, self._typed, self._concept_of)
        self.editor.pack(fill="x")
        side.bind("<Configure>", lambda event: self.editor.fit(event.height), add=True)
        self.editor.fit(side.winfo_height())  # it may stand already
        yield
        Divider(side).pack(fill="x", pady=px(9))
        self.tags = CaptionTags(side, self.work, self.editor, self.only, self.edit_many)
        self.tags.pack(fill="both", expand=True)
        self.grid_.pack(fill="both", expand=True, padx=(px(10), 0))
        yield
        self._empty = EmptyState(self, "pencil", "", tr("Go to Concepts"), lambda: self.context.go("concepts"))
        self.work.listen(self._written)
        self.work.settle = self.editor.save
        bind_keys(self, self._acts())
        self._built = True
        self._read_if_changed()

    def _make_bar(self) -> None:
        self.bar, self._line = header_of(self)
        self._again = Button(
            self.bar, tr("Reload"), self._reload, kind="quiet", image="rotate-ccw", hint=tr("Read the files again")
        )
        self._again.pack(side="right")
        make = Button(self.bar, tr("Make captions"), self._make_captions, kind="primary", image="captions")
        make.pack(side="right", padx=(px(8), 0), before=self._again)

    def _make_side(self) -> Frame:
        """The card at the right, and what is in it."""
        card = self._side = RoundFrame(self)
        card.configure(width=px(SIDE[0]))
        card.pack_propagate(False)  # what it holds follows its size: a long sentence must not widen it
        card.pack(side="right", fill="y", padx=(px(6), px(20)), pady=(0, px(14)))
        self.bind("<Configure>", lambda event: self._widen(event.width))
        side = Frame(card)
        side.pack(fill="both", expand=True, padx=px(14), pady=(px(11), px(12)))
        return side

    def _widen(self, width: int) -> None:
        """The side is a third of the page, more or less."""
        wide = min(max(int(width * SIDE_SHARE), px(SIDE[0])), px(SIDE[1]))
        if wide != self._wide:
            self._wide = wide
            self._side.configure(width=wide)

    def _resize(self, wide: float) -> None:
        self.context.window_state.put("tile_size", int(wide))
        self.grid_.resize(_tile(wide))

    def _acts(self) -> list[tuple[str, Callable[[], object]]]:
        """Keys of this page go before those of the window (Ctrl+Return), wherever on the page the focus is."""
        return [
            ("<Control-z>", self.undo), ("<Control-Shift-Z>", self.redo), ("<Control-y>", self.redo),
            ("<Control-s>", self._save), ("<Control-Return>", lambda: self.step(1)),
            ("<Control-Shift-Return>", lambda: self.step(-1)), ("<Control-Down>", lambda: self.step(1)),
            ("<Control-Up>", lambda: self.step(-1)),
        ]  # fmt: skip

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
        concepts = self._concepts
        self._waiting.start(Worker(lambda report, stop: (read_store(concepts, report, stop), cut_short())))

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
        if self.editor.save():
            selected = [str(self.work.captions.all[number].image) for number in self.work.chosen]
            make_captions(self, self.context, selected, self.read)

    def reveal(self, path: str) -> None:
        """Show what passes one of the filters, as the files are now."""
        self._wanted = path
        if self._built and not self._waiting.busy and not self.editor.unsaved:
            self.read()

    def _arrived(self, found: tuple[CaptionStore, CutShort | None]) -> None:
        captions, self._notice.cut_short = found
        self.editor.forget()
        self.work.take(captions)
        self._offer_filters()
        if self._wanted:
            self.filters.choose(self._wanted)
            self._wanted = ""
        self._filter()
        self._show_empty()
        self._notice.look()
        if self.work.shown:
            self.grid_.focus_set()

    def _offer_filters(self) -> None:
        captions = self.work.captions
        self.filters.offer(self._concepts, len(captions.missing()), len(captions.wrong()))

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
        self.filters.tag = tag
        self._offer_filters()
        self.filters.choose(TAGGED)
        self._filter()

    def _filter(self) -> None:
        if not self._built:
            return
        self.editor.save()
        filters, kind = self.filters, self.filters.kind
        self.work.filter(
            Filter(
                filters.words, filters.tag if kind == TAGGED else "", missing=kind == MISSING, wrong=kind == WRONG,
                concept=filters.concept,
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
        self.tags.settle()

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

    def _paint_cell(self, cell: Cell, index: int) -> None:
        number = self.work.shown[index]
        caption, typed = self.work.captions.all[number], self.editor.text_of(number)
        text = (caption.text if typed is None else typed).strip()
        if text or caption.problem:
            cell.paragraph(text)
        else:
            cell.paragraph(tr("no caption"), "changed")
        unsaved = tr(" · unsaved") if typed is not None else ""
        cell.words(0, caption.title + unsaved, "changed" if unsaved else "text2")
        if caption.problem:
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
        if 0 <= current < len(shown):
            where = tr("{place:,} of {whole:,}", place=current + 1, whole=len(shown))
            self.editor.show(shown[current], where)
        else:
            self.editor.show(-1)

    def _typed(self, number: int) -> None:
        """The text of an image, or whether it is saved, has changed."""
        if self._built:
            self.grid_.refresh(self.grid_.current if number == self.editor.number else None)
            self.tags.light()

    def _written(self, numbers: Sequence[int]) -> None:
        """Files were written: say so wherever they are seen. Nothing is filtered anew, or images would run away."""
        del numbers
        self.grid_.refresh()
        self.editor.reload()
        self._say_counts()
        self._offer_filters()
        self._notice.look()

    # Many at once -----------------------------------------------------------------------------------------------------

    def edit_many(self) -> None:
        """Ask what is to be done to many captions, and do it."""
        self.editor.save()

        def done(result: tuple[Edit, list[int]] | None) -> None:
            if result is not None and (problem := self.work.edit(*result)):
                self.work.say(problem)

        ManyDialog(self, self.work, done)

    def _concept_of(self, caption: Caption) -> dict[str, Any] | None:
        concepts = self._concepts
        return concepts[caption.concept].model_dump() if caption.concept < len(concepts) else None

    def destroy(self) -> None:
        self._waiting.cancel()
        self.work.quiet = True
        if self._built:
            self.editor.save()
        super().destroy()


def _tile(wide: float) -> tuple[float, float]:
    """Width and height of a tile: three quarters of the width are the picture's height."""
    return wide, round(wide * 0.62) + WORDS_HIGH


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
