"""The dialog in which prepared images are looked at before they are written: frames are dragged, images put aside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import (
    Answer,
    Button,
    Cell,
    Dialog,
    Frame,
    ImageView,
    KeyHints,
    Label,
    Segmented,
    VirtualGrid,
    labelled,
    px,
)
from app.gui.prepare.frame_view import FrameView
from app.gui.prepare.plan import ALL, CROPPED, LEFT_OUT, ReviewedPlan, reviewed
from app.gui.session.number_format import TIMES
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.data.image.pixels import open_image
from modules.errors import UserError
from modules.language import plural, tr
from modules.preparing.settings import Settings
from modules.preparing.target import Point, Target
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.paths import Values
from modules.text import percent

CELL = (124, 146)
SIDE = 330  # of the list
COPY = 132


class PrepareReview(Dialog):
    """Answers the settings that were changed by hand (`ReviewedPlan.values`), or None."""

    def __init__(
        self, master: Any, context: AppContext, settings: Settings, on_close: Callable[[Values | None], object]
    ) -> None:
        answers = (Answer(tr("Cancel")), Answer(tr("Use this"), True, kind="primary"))
        super().__init__(
            master, tr("Review"), answers=answers, width=1060, height=640,
            on_close=lambda answer: on_close(self.plan.values() if answer and self.plan else None),
        )  # fmt: skip
        self._context, self._settings = context, settings
        self.plan: ReviewedPlan | None = None
        self.rows: list[int] = []  # of the plan, that are listed
        self._make_list()
        self._make_view()
        self._reading: WorkerPoll[ReviewedPlan] = WorkerPoll(self, self._arrived, self._failed, self._advance)
        self._opening: WorkerPoll[tuple[int, Image.Image]] = WorkerPoll(self, self._opened, self._unreadable)
        self.until_destroyed(self._reading.cancel, self._opening.cancel)
        cache = Path(with_absolute_paths(context.draft.preset()).general.cache)
        self._reading.start(Worker(lambda report, stop: reviewed(settings, cache, report, stop)))
        for key in ("<Delete>", "<x>"):
            self.bind(key, lambda _: self.toggle())
        self.bind("<r>", lambda _: self.reset())

    def _make_list(self) -> None:
        side = Frame(self.body, width=SIDE)
        side.pack(side="left", fill="y")
        side.pack_propagate(False)
        options = {ALL: tr("All"), CROPPED: tr("Cropped"), LEFT_OUT: tr("Left out")}
        self.which = Segmented(side, labelled(options), ALL, lambda _: self._list())
        self.which.pack(anchor="w", pady=(0, px(6)))
        self.line = Label(side, tr("Reading …"), role="text2", wrap=True)
        self.line.pack(fill="x", pady=(0, px(6)))
        self.grid = VirtualGrid(side, self._paint_cell, cell=CELL, lines=2, on_select=self._look)
        self.grid.pack(fill="both", expand=True)

    def _make_view(self) -> None:
        right = Frame(self.body)
        right.pack(side="left", fill="both", expand=True, padx=(px(16), 0))
        bar = Frame(right)
        bar.pack(side="bottom", fill="x", pady=(px(8), 0))
        self.out = Button(bar, tr("Leave out"), self.toggle)
        self.out.pack(side="left")
        self.auto = Button(bar, tr("Automatic focus"), self.reset, image="rotate-ccw")
        self.auto.pack(side="left", padx=px(8))
        keys = [(["Del"], tr("leave out or keep")), (["R"], tr("automatic focus"))]
        KeyHints(bar, keys, line=True).pack(side="right", fill="x", expand=True)
        self.how = Label(right, "", role="text2", wrap=True)
        self.how.pack(side="bottom", fill="x", pady=(px(2), 0))
        self.name = Label(right, "", font="bold")
        self.name.pack(side="bottom", fill="x", pady=(px(8), 0))
        self.copy = ImageView(right, self._context.pictures, width=COPY, height=COPY)
        self.view = FrameView(right, self._context.pictures, self._moved, empty=tr("Reading …"))
        self.view.pack(side="left", fill="both", expand=True)

    @property
    def row(self) -> int:
        """The image that is looked at; -1 for none."""
        current = self.grid.current
        return self.rows[current] if 0 <= current < len(self.rows) else -1

    def toggle(self) -> None:
        """Leave the image out, or keep it."""
        if self.plan is None or self.row < 0:
            return
        if self.plan.planned[self.row].left_out is None:
            self.plan.leave_out(self.row)
        else:
            self.plan.keep(self.row)
        self._refresh()

    def reset(self) -> None:
        """Back to the focus that was found."""
        if self.plan is not None and self.row >= 0 and self.plan.by_hand(self.row):
            self.plan.forget_point(self.row)
            self._refresh()

    def _moved(self, point: Point) -> None:
        if self.plan is not None and self.row >= 0:
            self.plan.move(self.row, point)
            self._refresh()

    def _advance(self, done: int, total: int) -> None:
        if total > done:
            self.line.set(tr("Reading images: {done:,} of {total:,}", total=total, done=done))

    def _arrived(self, plan: ReviewedPlan) -> None:
        self.plan = plan
        self._list()

    def _failed(self, error: UserError) -> None:
        self.line.set(error.text(WORDS), "error")
        self.view.show_frame(None, None, (1, 1))

    def _list(self) -> None:
        if self.plan is None:
            return
        self.rows = self.plan.rows(self.which.get())
        self.grid.show(len(self.rows))
        if self.rows:
            self.grid.select({0}, 0)
        self._look()

    def _look(self) -> None:
        row, plan = self.row, self.plan
        if plan is None or row < 0 or not plan.can_be_read(row):
            self._opening.cancel()
            self.view.show_frame(None, None, (1, 1), tr("Cannot be read") if row >= 0 else tr("None"))
            self._refresh()
            return
        self._put_beside(plan.copy_of(row))
        file, box, size = plan.file(row), self.view.room(), plan.planned[row].size

        def opened() -> tuple[int, Image.Image]:
            share = min(box[0] / size[0], box[1] / size[1])
            shown = open_image(file, min(share, 1.0))
            return row, shown.resize((max(1, round(size[0] * share)), max(1, round(size[1] * share))))

        self._opening.start(Worker(lambda *_: opened()))
        self._refresh(frame=False)

    def _put_beside(self, copy: int | None) -> None:
        """The image that this one is a copy of, which takes of its room."""
        if copy is None or self.plan is None:
            self.copy.pack_forget()
        else:
            self.copy.pack(side="right", anchor="n", padx=(px(10), 0), before=self.view)
            self.copy.show(self.plan.file(copy).path)
        self.update_idletasks()

    def _opened(self, found: tuple[int, Image.Image]) -> None:
        row, image = found
        if self.plan is not None and row == self.row:
            self.view.show_frame(image, self._target(row), self.plan.planned[row].size)

    def _unreadable(self, error: UserError) -> None:
        self.view.show_frame(None, None, (1, 1), error.text(WORDS))

    def _target(self, row: int) -> Target | None:
        assert self.plan is not None
        each = self.plan.planned[row]
        return each.target if each.left_out is None else None

    def _refresh(self, *, frame: bool = True) -> None:
        """All but the picture itself."""
        plan, row = self.plan, self.row
        if plan is None:
            return
        gone = len(plan.planned) - plan.ready
        ready = plural(plan.ready, "1 image ready", "{count:,} images ready")
        self.line.set(tr("{ready}, {gone:,} left out", ready=ready, gone=gone) if gone else ready)
        self.out.disable("" if row >= 0 and plan.can_be_read(row) else tr("No image is chosen that can be read."))
        if row < 0:
            for label in (self.name, self.how):
                label.set("")
            return
        each = plan.planned[row]
        self.name.set(each.key)
        self.how.set(*in_words(plan, row))
        self.out.set(tr("Leave out") if each.left_out is None else tr("Keep"))
        self.auto.disable("" if plan.by_hand(row) else tr("The focus was not set by hand."))
        if frame:
            self.view.reframe(self._target(row), each.size or (1, 1))
            self.grid.refresh(self.grid.current)

    def _paint_cell(self, cell: Cell, index: int) -> None:
        plan = self.plan
        if plan is None or index >= len(self.rows):
            return
        row = self.rows[index]
        each, file = plan.planned[row], plan.file(row)
        cell.words(0, file.name)
        if each.left_out is not None:
            cell.words(1, tr("left out"), "changed")
        elif each.target is not None:
            cell.words(1, size_in_words(each.target.size), "text3")

        def arrived(_: object) -> None:
            if self.winfo_exists():
                self.grid.refresh(index)

        pictures, side = self._context.pictures, cell.picture_size
        failed = pictures.failed(file, side)
        cell.image(pictures.thumb(file, side, arrived), tr("Cannot be read") if failed else "")


def size_in_words(size: tuple[int, int]) -> str:
    return f"{size[0]} {TIMES} {size[1]}"


def in_words(plan: ReviewedPlan, row: int) -> tuple[str, str]:
    """What becomes of an image, and in which colour that is said."""
    each = plan.planned[row]
    if each.left_out is not None:
        return tr("Left out: {reason}", reason=WORDS.what(each.left_out)), "changed"
    assert each.target is not None
    words = [size_in_words(each.size)]
    if each.target.size != each.size:
        words.append(f"\u2192 {size_in_words(each.target.size)}")
    if plan.is_cropped(row):
        left, top, right, bottom = each.target.box
        share = 1 - (right - left) * (bottom - top) / (each.size[0] * each.size[1])
        words.append(f"\u00b7 {tr('{share} cut off', share=percent(share))}")
    if each.target.scale > 1.001:
        words.append(f"\u00b7 {tr('enlarged {times:.1f} times', times=each.target.scale)}")
    return " ".join(words), "text2"
