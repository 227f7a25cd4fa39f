"""The page Masks: tools, the image that is painted, and all images of the concepts with the state of their masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from app.gui.context import AppContext
from app.gui.draft.labels import title_of
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Button, Choice, Divider, EmptyState, Option, RoundFrame, px, theme
from app.gui.masks.brush_bar import BrushBar, Look
from app.gui.masks.files import MADE, NONE, PAINTED, MaskedImage, read_images
from app.gui.masks.hand import PaintingHand, PaintView
from app.gui.masks.make import MakeMasks
from app.gui.masks.painting import Painting
from app.gui.masks.shapes import Box
from app.gui.masks.side import MaskSide
from app.gui.masks.store import UNSAVED, Loaded, MaskStore, Written, load
from app.gui.masks.tool_strip import TOOLS, ToolStrip
from app.gui.masks.unsaved import ask_unsaved
from app.gui.page import Page, bind_keys, header_of
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.language import tr
from modules.preset.paths import Values
from modules.preset.sections.concept import Concept

SIDE = 240
ROOMY = 600  # pixels of the window at 100 %
FILTERS = {NONE: "Without a mask", MADE: "Made", PAINTED: "Painted", UNSAVED: "Not saved"}
Operation = Callable[[np.ndarray], np.ndarray]


class MasksPage(Page):
    """Folders are listed when the page is first shown, and again when the concepts have changed."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        context.masks = context.masks or MaskStore()
        self.store: MaskStore = context.masks
        self.list: list[int] = []  # numbers of the images that are shown
        self.number = -1  # the image that is painted
        self.painting: Painting | None = None
        self._concepts: list[Concept] = []
        self._read_of: object = None
        self._built = False
        self._roomy = self.winfo_toplevel().winfo_height() / theme.scale > ROOMY  # else a large text size takes it
        self._reading: WorkerPoll[list[MaskedImage]] = WorkerPoll(self, self._arrived, self._failed, self._advance)
        self._opening: WorkerPoll[Loaded] = WorkerPoll(self, self._opened, self._unreadable)
        self.until_destroyed(self._reading.cancel, self._opening.cancel)

    # Making it --------------------------------------------------------------------------------------------------------

    def build(self) -> Iterator[None]:
        self._make_bar()
        yield
        self.strip = ToolStrip(self, self.choose_tool, self.undo, self.redo, roomy=self._roomy)
        self.strip.pack(side="left", fill="y", padx=(px(20), px(6)), pady=(0, px(14)))
        yield
        self.side = MaskSide(self, self.context, self.store, lambda: self.list, self.adjust, self._chosen)
        self.make = MakeMasks(self.side.top, self.context, self._to_make, self.read)
        self.make.fit(self._roomy)
        self.side.configure(width=px(SIDE))
        self.side.pack_propagate(False)
        self.side.pack(side="right", fill="y", padx=(px(6), px(20)), pady=(0, px(14)))
        yield
        self._make_canvas()
        yield
        self._empty = EmptyState(self, "brush", "", tr("Go to Concepts"), lambda: self.context.go("concepts"))
        bind_keys(self, self._acts())
        self._built = True
        self.choose_tool("brush")
        self._refresh()
        self._read_if_changed()

    def _make_bar(self) -> None:
        bar, self._line = header_of(self)
        self._save = Button(
            bar, tr("Save and next"), self.save_and_next, kind="primary", image="save", hint=tr("Enter")
        )
        self._save.pack(side="right")
        self._clear = Button(
            bar,
            tr("Clear") if self._roomy else "",
            self.clear,
            kind="quiet" if self._roomy else "icon",
            image="trash-2",
            hint=tr("Clear: no mask, all of the image is learnt"),
        )
        self._clear.pack(side="right", padx=px(4))
        self._invert = Button(
            bar,
            tr("Invert") if self._roomy else "",
            self.invert,
            kind="quiet" if self._roomy else "icon",
            image="blend",
            hint=tr("Invert: what is learnt is left out"),
        )
        self._invert.pack(side="right")
        self.which = Choice(bar, [Option("", tr("All images"))], "", lambda _: self.filter(), width=126, fit=True)
        self.which.pack(side="right", padx=px(4))

    def _make_canvas(self) -> None:
        card = RoundFrame(self)
        card.pack(side="left", fill="both", expand=True, padx=px(6), pady=(0, px(14)))
        self.hand = PaintingHand(self._changed)
        self.bar = BrushBar(card, self.hand.brush, self._brush_changed, self._look, self._zoom, roomy=self._roomy)
        self.bar.pack(fill="x", padx=px(12), pady=px(6))
        Divider(card).pack(fill="x", padx=px(1))
        self.view = self.hand.view = PaintView(card, self.hand.hand, on_zoom=self.bar.zoomed)
        self.view.pack(fill="both", expand=True, padx=px(2), pady=(0, px(6)))

    def _acts(self) -> list[tuple[str, Callable[[], object]]]:
        acts: list[tuple[str, Callable[[], object]]] = [
            ("<Return>", self.save_and_next), ("<KP_Enter>", self.save_and_next),
            ("<Control-s>", lambda: self.save() or None), ("<Key-o>", self.bar.cycle), ("<Key-O>", self.bar.cycle),
            ("<bracketleft>", lambda: self.bar.resize(-1)), ("<bracketright>", lambda: self.bar.resize(1)),
        ]  # fmt: skip
        for tool, (key, _, _) in TOOLS.items():
            acts += [(f"<Key-{letter}>", lambda tool=tool: self.choose_tool(tool)) for letter in (key, key.upper())]
        return acts

    # Reading ----------------------------------------------------------------------------------------------------------

    def shown(self) -> None:
        self._read_if_changed()

    def _read_if_changed(self) -> None:
        concepts = [concept for concept in self.context.draft.preset().concepts if concept.enabled]
        now = [(concept.path, concept.subfolders, concept.caption_table) for concept in concepts]
        if self._built:
            self._concepts = concepts
            if now != self._read_of:
                self._read_of = now
                self.read()
            else:
                self._refresh()

    def read(self) -> None:
        """List all folders anew."""
        concepts = self._concepts
        self._line.set(tr("Reading images …"), "text2")
        self._reading.start(Worker(lambda report, stop: read_images(concepts, report, stop)))

    def _advance(self, done: int, total: int) -> None:
        if total > done:
            self._line.set(tr("Reading images: {done:,} of {total:,}", total=total, done=done))

    def _failed(self, error: UserError) -> None:
        self._line.set(error.text(WORDS), "error")

    def _arrived(self, images: list[MaskedImage]) -> None:
        self._line.set(tr("Red is left out of the loss"), "text2")
        self._leave()
        self.store.take(images)
        if images:
            self._empty.place_forget()
        else:
            self._empty.sentence.set(tr("No images yet. Add a folder of images on the page Concepts."))
            self._empty.place(x=0, y=0, relwidth=1, relheight=1)
            self._empty.lift()
        self.filter()

    def filter(self) -> None:
        """Show the images of a state or of a concept; what is painted now stays in front if it is among them."""
        self._offer()
        which = self.which.get()
        before = self.number
        concept = which if isinstance(which, int) else None
        self.list = self.store.matching("" if concept is not None else str(which), concept)
        self.side.grid_.show(len(self.list))
        if self.list:
            place = self.list.index(before) if before in self.list else 0
            self.side.grid_.select({place}, place)
            self.side.grid_.see(place)
        else:
            self._chosen()
        self._refresh()

    def _offer(self) -> None:
        counts = self.store.counts()
        found = [Option("", tr("All images"))]
        found += [Option(state, tr(words), note=f"{counts[state]:,}") for state, words in FILTERS.items()]
        if len(self._concepts) > 1:
            titles = [title_of(concept.model_dump()) for concept in self._concepts]
            found += [Option(number, title, group=tr("Concepts")) for number, title in enumerate(titles)]
        self.which.offer(found)

    def _to_make(self, all_without: bool) -> Values | None:
        """The settings of the tool for the image in front, or for all of its concept that have no mask."""
        if self.number < 0:
            return None
        one = self.store.all[self.number]
        concept = self._concepts[one.concept]
        which: Values = {"source": concept.path, "subfolders": concept.subfolders}
        return which if all_without else {**which, "only": [one.image.key], "existing": "replace"}

    # One image --------------------------------------------------------------------------------------------------------

    def _chosen(self) -> None:
        at = self.side.grid_.current
        number = self.list[at] if 0 <= at < len(self.list) else -1
        if number == self.number and (self.painting is not None or self._opening.busy):
            return
        self._leave()
        self.number = number
        if number < 0:
            self._opening.cancel()
            self.view.words(tr("No image is shown"))
            self.view.show(None)
        else:
            masked, kept = self.store.all[number], self.store.kept(number)
            self._opening.start(Worker(lambda *_: load(masked, with_mask=kept is None)))
        self._refresh()

    def _leave(self) -> None:
        """The image in front goes; what was painted over it stays in the store."""
        if self.painting is not None:
            self.hand.take(None, None)
            self.store.leave(self.number)
        self.painting, self.number = None, -1

    def _opened(self, loaded: Loaded) -> None:
        self.store.look_again(self.number)
        self.painting = self.store.open(self.number, loaded)
        fixed = self.store.all[self.number].refusal() is not None
        self.hand.take(loaded.image, None if fixed else self.painting)
        self.view.show(loaded.image, self.painting.mask)
        self.side.reset()
        self._changed()

    def _unreadable(self, error: UserError) -> None:
        self.view.words(error.text(WORDS))
        self.view.show(None)
        self._refresh()

    def choose_tool(self, tool: str) -> None:
        self.strip.choose(tool)
        self.view.tool = tool if tool in ("pan", "zoom") else "paint"
        if self.view.tool == "paint":
            self.hand.tool = tool
        self.bar.refresh(tool)
        self._brush_changed()

    def _brush_changed(self) -> None:
        self.bar.refresh(self.hand.tool)
        self.view.brush = self.hand.brush.size if self.hand.tool in ("brush", "eraser") else 0

    def _look(self, look: Look, strength: float) -> None:
        self.view.look(look, strength)

    def _zoom(self) -> None:
        self.view.zoom_to(0.0 if self.view.zoom == 1.0 else 1.0)

    # Changing it ------------------------------------------------------------------------------------------------------

    def invert(self) -> None:
        if self._may_change() and self.painting is not None and self.painting.invert():
            self._replaced()

    def clear(self) -> None:
        if self._may_change() and self.painting is not None and self.painting.replace(None):
            self._replaced()

    def adjust(self, operation: Operation, again: bool) -> None:
        """Do something with the whole mask. `again`: in place of the adjustment that was made just before."""
        painting = self.painting
        if painting is None or not self._may_change():
            return
        mask = painting.adjusting() if again else painting.mask
        if mask is None:
            return
        if painting.adjust(operation(mask)) if again else painting.replace(operation(mask)):
            self.hand.show(painting.whole)
            self._changed(adjusted=again)

    def _may_change(self) -> bool:
        return self.number >= 0 and self.store.all[self.number].refusal() is None

    def _replaced(self) -> None:
        if self.painting is not None:
            self.hand.show(self.painting.whole)
        self._changed()

    def undo(self) -> bool:
        return self._step(self.painting.undo() if self.painting is not None else None)

    def redo(self) -> bool:
        return self._step(self.painting.redo() if self.painting is not None else None)

    def _step(self, box: Box | None) -> bool:
        if box is not None:
            self.hand.show(box)
            self._changed()
        return box is not None

    def _changed(self, *, adjusted: bool = False) -> None:
        if not adjusted:
            self.side.reset()
        if self.number in self.list:
            self.side.grid_.refresh(self.list.index(self.number))
        self._refresh()

    # Saving -----------------------------------------------------------------------------------------------------------

    def save_and_next(self) -> None:
        if self.save() and self.list:
            place = min(self.side.grid_.current + 1, len(self.list) - 1)
            self.side.grid_.select({place}, place)
            self.side.grid_.see(place)

    def save(self, *, over: bool = False) -> bool:
        """Write the mask in front. False where it cannot be: it is kept then."""
        number = self.number
        if number < 0:
            return True
        try:
            written = self.store.save(number, over=over)
        except UserError as error:
            again = (tr("Save over it"), lambda: self._over(number)) if error.problem.code == "masks.changed" else ()
            self.context.notify(error.text(WORDS), *again)
            return False
        if written is not None:
            name = self.store.all[number].image.name
            words = tr("Mask of {name} saved", name=name) if written.after else tr("Mask of {name} deleted", name=name)
            self.context.notify(words, tr("Undo"), lambda: self._put_back(number, written))
            self._changed()
            self._offer()
        return True

    def _over(self, number: int) -> None:
        if number == self.number:
            self.save(over=True)

    def _put_back(self, number: int, written: Written) -> None:
        try:
            self.store.put_back(number, written)
        except UserError as error:
            self.context.notify(error.text(WORDS))
            return
        self._renew()

    def hidden(self) -> None:
        """Another page is in front: what is not saved is asked about."""
        if self._reading.busy:
            self._reading.cancel()
            self._read_of = None
        if self.store.unsaved():
            self.after_idle(lambda: ask_unsaved(self.context, lambda: None, self._renew))

    def _renew(self) -> None:
        """Masks were written or thrown away: the image in front is read anew."""
        if self.winfo_exists():
            self.hand.take(None, None)
            self.painting, self.number = None, -1
            self._chosen()
            self.side.grid_.refresh()
            self._offer()

    # Saying -----------------------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Everything that follows from the image in front."""
        painting, one = self.painting, self.store.all[self.number] if self.number >= 0 else None
        refusal = one.refusal() if one else None
        fixed = refusal.text(WORDS) if refusal else "" if one else tr("No image is shown")
        self._save.disable(fixed)
        self._invert.disable(fixed)
        nothing = fixed or ("" if painting is not None and painting.mask is not None else tr("This image has no mask"))
        self._clear.disable(nothing)
        self.side.usable(nothing)
        self.make.refresh(fixed)
        self.strip.can(painting is not None and painting.can_undo, painting is not None and painting.can_redo)
        at = self.side.grid_.current + 1
        self.side.count.set(tr("{at:,} of {whole:,}", at=at, whole=len(self.list)) if self.list else "")
        self._notice(one, fixed)

    def _notice(self, one: MaskedImage | None, fixed: str) -> None:
        """Why nothing can be painted here; or that training does not look at masks."""
        off = one is not None and one.concept < len(self._concepts) and self._concepts[one.concept].masks != "file"
        if one is None or not (fixed or off):
            self.side.notice.pack_forget()
            return
        if fixed:
            self.side.notice.show(fixed)
        else:
            use = (tr("Use them"), lambda: self._use_masks(one.concept))
            self.side.notice.show(tr("This concept is trained without mask files."), [use])
        self.side.notice.pack(fill="x", padx=px(14), pady=(0, px(8)), before=self.side.divider)

    def _use_masks(self, concept: int) -> None:
        enabled: Sequence[int] = [
            number for number, each in enumerate(self.context.draft.preset().concepts) if each.enabled
        ]
        self.context.draft.put(f"concepts.{enabled[concept]}.masks", "file")
        self._read_if_changed()
