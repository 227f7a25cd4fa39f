"""The right card: the pictures as they come, tabs for the third axis, and how far the work is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.grids.grid_draft import Place, ShownGrid, forgotten_role
from app.gui.grids.job import GridJob
from app.gui.kit import (
    LARGEST,
    SMALLEST,
    Button,
    Choice,
    Divider,
    Frame,
    Head,
    KeyHints,
    Label,
    Option,
    PictureSheet,
    Progress,
    RoundFrame,
    Segmented,
    SheetCell,
    Slider,
    px,
)
from modules.grids.axes import Axis
from modules.grids.axes import Head as Value
from modules.language import plural, tr
from modules.text import in_bytes, time_left

THUMBS = 192  # pixels up to which small pictures are kept on disk
SLIDER_STEP = 4
MOST_SEGMENTS = 6
BASE_GOES_MS = 40  # a key held down comes as presses and releases in turn
HINTS = ((("click",), "large"), (("B",), "hold: base"), (("K",), "keep this model"), (("Ctrl wheel",), "size"))


class GridSheet(RoundFrame):
    """`show(grid)`; `tab` is the sheet in front.

    Args:
        on_open: called with the place of a cell that is to be seen large.
        on_keep: called with the place whose model is to be kept.
        kept: whether the model of a place was kept.
    """

    def __init__(
        self,
        master: Any,
        context: AppContext,
        job: GridJob,
        *,
        on_open: Callable[[Place], object],
        on_keep: Callable[[Place], object],
        kept: Callable[[Place], bool],
        on_blind: Callable[[], object],
        on_export: Callable[[Any], object],
    ) -> None:
        super().__init__(master)
        self.context, self.job, self._kept = context, job, kept
        self.content: ShownGrid | None = None
        self.tab = 0
        self.bytes = 0  # on disk
        self._shows_base = False
        self._release = ""
        self._tabs: Segmented | Choice | None = None
        self._head(on_blind, on_export)
        self._foot()
        size = context.window_state.get("grid_size", int)
        self.sheet = PictureSheet(
            self,
            self._paint,
            size=size,
            on_open=lambda row, column: on_open((column, row, self.tab)),
            on_size=self._sized,
        )
        self.sheet.pack(fill="both", expand=True, padx=(px(12), px(4)), pady=(px(2), px(4)))
        self.slider.set(size)
        for key in "bB":
            self.sheet.bind(f"<KeyPress-{key}>", lambda _: self._hold_base(True))
            self.sheet.bind(f"<KeyRelease-{key}>", lambda _: self._hold_base(False))
        for key in "kK":
            self.sheet.bind(f"<KeyPress-{key}>", lambda _: self.current and on_keep(self.current))

    def _head(self, on_blind: Callable[[], object], on_export: Callable[[Any], object]) -> None:
        line = self._line = Frame(self)
        line.pack(fill="x", padx=px(14), pady=(px(10), px(6)))
        line.bind("<Configure>", lambda _: self._place_tabs(), add=True)
        self._left = Frame(self)
        self._axis = Label(self._left, "", font="small", role="text2")
        self.export = Button(line, tr("Export"), lambda: on_export(self.export), image="download")
        self.export.pack(side="right")
        self.blind = Button(
            line, tr("Blind"), on_blind, image="eye", hint=tr("Pick the better of two without knowing which")
        )
        self.blind.pack(side="right", padx=px(8))
        Label(line, image="image", role="text2", size=20).pack(side="right", padx=(px(6), px(4)))
        self.slider = Slider(line, SMALLEST, LARGEST, SMALLEST, self._slid, step=SLIDER_STEP, width=90)
        self.slider.pack(side="right")
        Label(line, image="image", role="text2", size=14).pack(side="right", padx=(0, px(6)))

    def _foot(self) -> None:
        foot = Frame(self, height=47)
        foot.pack_propagate(False)
        foot.pack(side="bottom", fill="x", padx=px(14), pady=(0, px(2)))
        line = Divider(self)
        line.pack(side="bottom", fill="x", padx=1)
        self._working, self._resting = Frame(foot), Frame(foot)
        self.stop = Button(self._working, tr("Stop"), self.job.stop, kind="danger", image="square")
        self.stop.pack(side="right", padx=(px(12), 0))
        words = Frame(self._working)
        words.pack(fill="x", pady=(px(7), 0))
        self.left = Label(words, "", font="small", role="text2")
        self.left.pack(side="right")
        self.doing = Label(words, "", font="small")
        self.doing.pack(side="left", fill="x", expand=True)
        self.bar = Progress(self._working, 0.0)
        self.bar.pack(fill="x", pady=(px(4), 0))
        self.says = Label(self._resting, "", font="small", role="text2")
        self.says.pack(side="left")
        hints = KeyHints(self._resting, [(keys, tr(words)) for keys, words in HINTS], line=True)
        hints.pack(side="left", fill="x", expand=True, padx=(px(12), 0))

    # What is so -------------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Place | None:
        row, column = self.sheet.current
        return (column, row, self.tab) if row >= 0 else None

    def path(self, place: Place) -> Path | None:
        """The picture of a place, if it is there."""
        if self.content is None:
            return None
        return self.job.files.get(place) or self.content.files.get(place)

    def show(self, grid: ShownGrid | None, size: int = 0) -> None:
        """These axes; `size`: bytes of the pictures."""
        same = grid is not None and self.content is not None and grid.tabs == self.content.tabs
        self.content, self.bytes = grid, size
        if not same:
            self.tab = first_tab(grid)
            self._show_tabs()
        if grid is not None:
            noted = _measured(grid.columns) or _measured(grid.rows)
            corner = (_corner(grid.columns), tr("forgotten") if _measured(grid.columns) else "")
            self.sheet.show(
                [head(value, below=_measured(grid.columns)) for value in grid.columns.heads],
                [head(value, below=_measured(grid.rows)) for value in grid.rows.heads],
                corner if noted or grid.columns.title else ("", ""),
            )
        self.refresh()

    def _show_tabs(self) -> None:
        if self._tabs is not None:
            self._tabs.destroy()
            self._tabs = None
        self._axis.pack_forget()
        self._left.pack_forget()
        if self.content is None or len(self.content.tabs.heads) < 2:
            return
        heads = self.content.tabs.heads
        self._axis.set(tr(self.content.tabs.title).capitalize())
        self._axis.pack(side="left", padx=(0, px(8)))
        options = [Option(index, value.label) for index, value in enumerate(heads)]
        if len(heads) <= MOST_SEGMENTS and sum(len(value.label) for value in heads) < 40:
            self._tabs = Segmented(self._left, options, self.tab, self.turn)
        else:
            self._tabs = Choice(self._left, options, self.tab, self.turn, width=160, fit=True)
        self._tabs.pack(side="left")
        if not self._pending:
            self._pending = self.after_idle(self._place_tabs)

    def _place_tabs(self) -> None:
        """In the line of the buttons, or below it where that is too short."""
        self._pending = ""
        others = sum(each.winfo_reqwidth() + px(10) for each in self._line.winfo_children())
        wanted = "line" if self._left.winfo_reqwidth() + others <= self._line.winfo_width() else "below"
        if self._tabs is None:
            self._left.pack_forget()
        elif wanted == "line":
            self._left.pack(in_=self._line, side="left")
        else:
            self._left.pack(in_=self, fill="x", padx=px(14), pady=(0, px(6)), after=self._line)

    def turn(self, tab: int) -> None:
        """Another sheet."""
        self.tab = tab
        if self._tabs is not None:
            self._tabs.set(tab)
        self.sheet.refresh()

    def refresh(self, place: Place | None = None) -> None:
        """What has come, or all of it."""
        if place is None:
            self.sheet.refresh()
        elif place[2] == self.tab:
            self.sheet.refresh(place[1], place[0])
        self._refresh_foot()

    def _refresh_foot(self) -> None:
        job, grid = self.job, self.content
        shown, other = (self._working, self._resting) if job.going else (self._resting, self._working)
        if not shown.winfo_manager():
            other.pack_forget()
            shown.pack(fill="both", expand=True)
        if job.going:
            self.doing.set(self._doing())
            left = self.context.running.countdown.seconds
            self.left.set(tr("{time} left", time=time_left(left)) if left else "")
            self.bar.set(job.done / job.total if job.total else None)
            stopping = self.context.running.state == "stopping"
            self.stop.disable(tr("Stopping as soon as possible.") if stopping else "")
        elif grid is not None:
            self.says.set(*self._result(grid))
        there = bool(grid and (grid.files or job.files))
        for button in (self.blind, self.export):
            button.disable(
                tr("A grid is being made.") if job.going else "" if there else tr("There is no picture yet.")
            )

    def _doing(self) -> str:
        job, grid = self.job, self.content
        if not job.total:
            return tr("Getting ready") + " \u2026"
        words = tr("Generating {done:,} of {total:,}", done=job.done, total=job.total)
        if job.cell is None or grid is None:
            return words
        place = (job.cell.column, job.cell.row, job.cell.tab)
        named = [
            named_value(grid.columns, place[0]),
            named_value(grid.rows, place[1]),
            named_value(grid.tabs, place[2]),
        ]
        return f"{words} \u00b7 {', '.join(filter(None, named))}"

    def _result(self, grid: ShownGrid) -> tuple[str, str]:
        job = self.job
        if job.failure:
            return job.failure.splitlines()[0], "error"
        if job.notes:
            return job.notes[-1].splitlines()[0], "changed"
        count = len({*grid.files, *job.files})
        if not count:
            return tr("Generate makes the pictures."), "text2"
        parts = [plural(count, "1 image", "{count:,} images")]
        if count < grid.count:
            parts[0] = tr("{count:,} of {all:,} images", count=count, all=grid.count)
        if job.seconds and job.drawn:
            parts.append(time_left(job.seconds))
        if self.bytes:
            parts.append(in_bytes(self.bytes))
        return ("\u2713 " if count == grid.count else "") + " \u00b7 ".join(parts), "text2"

    # Painting ---------------------------------------------------------------------------------------------------------

    def _paint(self, cell: SheetCell, row: int, column: int) -> None:
        place = (column, row, self.tab)
        base = self.content.base_of(place) if self._shows_base and self.content else None
        path = self.path(base or place)
        if path is None:
            making = self.job.cell
            here = making is not None and (making.column, making.row, making.tab) == place
            cell.image(None, f"{making.done} / {making.total}" if here and making else "")
            return
        cell.image(self.photo(path, cell.size, lambda _: self._arrived(row, column)))
        cell.plate(tr("kept") if self._kept(place) else "")

    def photo(self, path: Path, size: int, done: Callable[[Any], object]) -> Any:
        """A small picture, now or through `done`."""
        pictures = self.context.pictures
        return pictures.thumb(path, size, done) if size <= THUMBS else pictures.picture(path, (size, size), done)

    def _arrived(self, row: int, column: int) -> None:
        if self.winfo_exists():
            self.sheet.refresh(row, column)

    def _hold_base(self, held: bool) -> None:
        if self._release:
            self.after_cancel(self._release)
            self._release = ""
        if held:
            self._show_base(True)
        else:
            self._release = self.after(BASE_GOES_MS, lambda: self._show_base(False))

    def _show_base(self, base: bool) -> None:
        if not base:
            self._release = ""
        if base != self._shows_base:
            self._shows_base = base
            self.sheet.refresh()

    # Size -------------------------------------------------------------------------------------------------------------

    def _slid(self, size: float) -> None:
        self.sheet.resize(size)
        self.context.window_state.put("grid_size", round(size))

    def _sized(self, size: float) -> None:
        self.slider.set(size)
        self.context.window_state.put("grid_size", round(size))

    def destroy(self) -> None:
        if self._release:
            self.after_cancel(self._release)
        super().destroy()


def first_tab(grid: ShownGrid | None) -> int:
    """Of strengths the full one; else the first."""
    values = [value.value for value in grid.tabs.heads] if grid is not None and grid.tabs.kind == "strength" else []
    return values.index("1") if "1" in values else 0


def _measured(axis: Axis) -> bool:
    return any(value.forgotten is not None for value in axis.heads)


def _corner(axis: Axis) -> str:
    return tr(axis.title)


def head(value: Value, *, below: bool) -> Head:
    """What stands over a column, or before a row: of a step the forgotten number, where it was measured."""
    note = f"{value.forgotten:.2f}" if below and value.forgotten is not None else ""
    return Head(value.label, note, forgotten_role(value.forgotten), value.star)


def named_value(axis: Axis, index: int) -> str:
    """A value in a sentence: step 1,250; "cat face"; strength 0.8."""
    if axis.kind == "none":
        return ""
    label = axis.heads[index].label
    return f"\u201c{label}\u201d" if axis.kind in ("prompt", "replace") else f"{tr(axis.title)} {label}"
