"""A picture of a grid as large as the window allows, with what made it; keys go along columns, rows and tabs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from app.gui.context import AppContext
from app.gui.examine.facts import Fact, facts_of, parts_of
from app.gui.examine.kept import KeptModels
from app.gui.examine.sheet import BASE_GOES_MS, named_value
from app.gui.grids.grid_draft import SIDES, Place, ShownGrid
from app.gui.kit import (
    Answer,
    Button,
    Dialog,
    Frame,
    Head,
    KeyHints,
    Label,
    LinkButton,
    PictureSheet,
    ScrollArea,
    SheetCell,
    ZoomView,
    px,
    theme,
)
from app.gui.session.open_external import open_external
from app.gui.session.run_history import parameters_in
from modules.language import tr
from modules.scores.record import scores_of

SHARE = 0.86  # of the window
SIDE = 294  # pixels of the facts
NAME = 112  # of their names
STRIP = 56  # pixels of a small picture


class GridViewer(Dialog):
    """`path(place)` gives the picture of a place, if it is there; `moved(place)` is told of another one."""

    def __init__(
        self,
        master: Any,
        context: AppContext,
        grid: ShownGrid,
        place: Place,
        *,
        path: Callable[[Place], Path | None],
        kept: KeptModels,
        moved: Callable[[Place], object],
        around: Callable[[int], object],
    ) -> None:
        window = master.winfo_toplevel()
        wide, high = (size * SHARE / theme.scale for size in (window.winfo_width(), window.winfo_height()))
        close = Answer(tr("Close"), kind="primary")
        super().__init__(master, tr("Picture"), answers=[close], width=min(wide, high * 1.36), height=high)
        self.context, self.content, self.place = context, grid, place
        run = grid.folder.parent.parent  # whose samples it may show
        self._scores = scores_of(run) | scores_of(grid.folder)
        self._path, self.kept, self._moved, self._around = path, kept, moved, around
        self._release = ""
        self._facts()
        self._picture()
        Button(self.footer, tr("Open folder"), self._open_folder, kind="quiet", image="folder-open").pack(side="left")
        Button(self.footer, tr("Save image"), self._save, image="download").pack(side="right", padx=(px(8), 0))
        self._listen()
        self._refresh()

    def _facts(self) -> None:
        side = Frame(self.body, width=SIDE)
        side.pack_propagate(False)
        side.pack(side="right", fill="y", padx=(px(18), 0))
        head = Frame(side)
        head.pack(fill="x", pady=(0, px(6)))
        Label(head, tr("Settings"), font="section").pack(side="left")
        LinkButton(head, tr("Copy settings"), self._copy).pack(side="right")
        self.hints = KeyHints(side, self._hints())
        self.hints.pack(side="bottom", fill="x", pady=(px(8), 0))
        buttons = Frame(side)
        buttons.pack(side="bottom", fill="x")
        self.keep = Button(buttons, tr("Keep this model"), self._keep, kind="primary", image="star")
        self.around = Button(buttons, tr("Grid around this step"), self._grid_around, image="grid-3x3")
        self.sample = Button(buttons, tr("Use as sample prompt"), self._use_prompt, image="plus")
        area = ScrollArea(side)
        area.pack(fill="both", expand=True)
        self.rows = Frame(area.body)
        self.rows.pack(fill="x")
        self.rows.columnconfigure(1, weight=1)
        self.rows.columnconfigure(0, minsize=px(NAME))

    def _hints(self) -> list[tuple[tuple[str, ...], str]]:
        found = []
        for side, keys in zip(SIDES, (("\u2190", "\u2192"), ("\u2191", "\u2193"), ("Tab",)), strict=True):
            axis = self.content.axis(side)
            if len(axis.heads) > 1:
                found.append((keys, tr(axis.title)))
        if self.content.base_of(self.place) is not None:
            found.append((("B",), tr("hold: base")))
        return [*found, (("1",), tr("pixel size")), (("wheel",), tr("zoom")), (("Esc",), tr("close"))]

    def _picture(self) -> None:
        left = Frame(self.body)
        left.pack(side="left", fill="both", expand=True)
        columns = self.content.columns.heads
        self.strip = PictureSheet(
            left, self._paint, size=STRIP, heads=0, on_select=lambda _, column: self._to(0, column)
        )
        if len(columns) > 1:
            self.strip.show([Head(value.label, star=value.star) for value in columns], [Head("")])
            self.strip.configure(height=px(STRIP + 40))
            self.strip.pack(side="bottom", fill="x", pady=(px(8), 0))
        stage = Frame(left)
        stage.pack(fill="both", expand=True)
        self.view = ZoomView(stage, empty=tr("This picture was not made yet."))
        self.view.pack(fill="both", expand=True)
        for image, step, side in (("chevron-left", -1, 0.0), ("chevron-right", 1, 1.0)):
            hint = tr("Previous") if step < 0 else tr("Next")
            arrow = Button(self.view, "", lambda step=step: self.go(0, step), kind="icon", image=image, hint=hint)
            arrow.configure(takefocus=0)
            arrow.place(relx=side, rely=0.5, anchor="e" if side else "w", x=px(-12 if side else 12))

    def _listen(self) -> None:
        for key, axis, step in (("Left", 0, -1), ("Right", 0, 1), ("Up", 1, -1), ("Down", 1, 1)):
            self.bind(f"<{key}>", lambda _, axis=axis, step=step: self.go(axis, step))
        self.bind("<Tab>", lambda _: self.go(2, 1, around=True))
        self.bind("<Shift-Tab>", lambda _: self.go(2, -1, around=True))
        self.bind("<ISO_Left_Tab>" if self.tk.call("tk", "windowingsystem") == "x11" else "<Shift-Tab>",
                  lambda _: self.go(2, -1, around=True))  # fmt: skip
        self.bind("<Key-1>", lambda _: self.view.pixels())
        for key in "bB":
            self.bind(f"<KeyPress-{key}>", lambda _: self._hold_base(True))
            self.bind(f"<KeyRelease-{key}>", lambda _: self._hold_base(False))
        for key in "kK":
            self.bind(f"<KeyPress-{key}>", lambda _: self._keep())

    # Where one is -----------------------------------------------------------------------------------------------------

    def go(self, axis: int, step: int, *, around: bool = False) -> str | None:
        """Along columns (0), rows (1) or tabs (2)."""
        count = len(self.content.axis(SIDES[axis]).heads)
        if axis == 2 and count < 2:
            return None  # there are no tabs: the key walks through the dialog
        to = self.place[axis] + step
        self._to(axis, to % count if around else min(max(to, 0), count - 1))
        return "break"

    def _to(self, axis: int, index: int) -> None:
        place = cast("Place", (*self.place[:axis], index, *self.place[axis + 1 :]))
        if place != self.place:
            self.place = place
            self._moved(place)
            self._refresh()

    def arrived(self, place: Place) -> None:
        """A picture has come meanwhile."""
        if place[1:] == self.place[1:]:
            self.strip.refresh(0, place[0])
        if place == self.place:
            self._refresh()

    def _refresh(self) -> None:
        path = self._path(self.place)
        self.view.show(path)
        named = [named_value(self.content.axis(side), self.place[n]) for n, side in enumerate(SIDES)]
        self.rename(", ".join(filter(None, (self.content.run_name, *named))))
        self._show_facts(path)
        refusal = self.kept.refusal(self.place)
        step = self.content.step_head(self.place)
        self.keep.set(tr("Kept") if self.kept.has(self.place) else tr("Keep this model"))
        self.keep.disable(refusal)
        for button, wanted in (
            (self.keep, self.kept.file(self.place) is not None), (self.around, step is not None and step.step > 0),
            (self.sample, path is not None),
        ):  # fmt: skip
            button.pack_forget()
            if wanted:
                button.pack(anchor="w", pady=(px(6), 0))
        self.strip.select(0, self.place[0])
        self.strip.refresh()

    def _show_facts(self, path: Path | None) -> None:
        self.rows.clear()
        for row, (name, value) in enumerate(self._facts_of(path) if path else []):
            Label(self.rows, name, role="text2", anchor="nw").grid(row=row, column=0, sticky="nw", pady=px(3))
            Label(self.rows, value, wrap=True).grid(row=row, column=1, sticky="ew", padx=(px(10), 0), pady=px(3))

    def _facts_of(self, path: Path) -> list[Fact]:
        return facts_of(self.content, self.place, path, self._scores.get(path))

    def _paint(self, cell: SheetCell, row: int, column: int) -> None:
        path = self._path((column, *self.place[1:]))
        if path is not None:
            cell.image(self.context.pictures.thumb(path, cell.size, lambda _: self._came(column)))

    def _came(self, column: int) -> None:
        if self.winfo_exists():
            self.strip.refresh(0, column)

    def _hold_base(self, held: bool) -> None:
        if self._release:
            self.after_cancel(self._release)
            self._release = ""
        base = self.content.base_of(self.place)
        if held and base is not None:
            self.view.show(self._path(base))
        elif not held:
            self._release = self.after(BASE_GOES_MS, self._base_goes)

    def _base_goes(self) -> None:
        self._release = ""
        self.view.show(self._path(self.place))

    # What is done -----------------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        if self.kept.file(self.place) is not None:
            self.kept.keep(self.place)

    def kept_changed(self) -> None:
        self._refresh()

    def _grid_around(self) -> None:
        step = self.content.step_head(self.place)
        self.close(None)
        if step is not None:
            self._around(step.step)

    def _use_prompt(self) -> None:
        path = self._path(self.place)
        if path is None:
            return
        prompt, negative, _ = parts_of(parameters_in(path))
        self.context.draft.add("sampling.prompts", {"prompt": prompt, "negative": negative})
        self.sample.disable(tr("It is one of the sample prompts now."))

    def _copy(self) -> None:
        if (path := self._path(self.place)) is not None:
            self.context.app.copy(parameters_in(path))

    def _save(self) -> None:
        path = self._path(self.place)
        if path is None:
            return
        target = self.context.app.ask_save_file(tr("Save image"), path.name, (("PNG", "*.png"),))
        if target is not None:
            try:
                shutil.copyfile(path, target)
            except OSError as error:
                self.context.notify(str(error), role="error")

    def _open_folder(self) -> None:
        if problem := open_external(self.content.folder):
            self.context.notify(problem)

    def destroy(self) -> None:
        if self._release:
            self.after_cancel(self._release)
        super().destroy()
