"""The left card: what the grid is made of, how many pictures that are, and the button that makes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from app.gui.examine.axis_editor import AxisEditor, Link
from app.gui.examine.same_for_all import SameForAll
from app.gui.grids.grid_draft import SIDES, VALUES, ShownGrid, Side
from app.gui.kit import Button, Card, Divider, Frame, Label, LinkButton, ScrollArea, px
from modules.grids.axes import Axis
from modules.grids.settings import Settings
from modules.language import plural, tr
from modules.preset.paths import Values
from modules.text import time_left

WIDTH = 306
TIMES = " \u00d7 "


class GridForm(Card):
    """`values` are the settings of the tool; `on_change` is called when a person has changed them."""

    def __init__(
        self,
        master: Any,
        *,
        on_change: Callable[[], object],
        on_generate: Callable[[], object],
        on_open: Callable[[], object],
        on_run: Callable[[Any], object],
        on_prompts: Callable[[str], object],
    ) -> None:
        super().__init__(master, tr("Grid"), action=tr("Open saved"), on_action=on_open)
        self.values: Values = Settings().model_dump(mode="json")
        self._on_change, self._on_prompts = on_change, on_prompts
        self._grid: ShownGrid | None = None
        self.body.pack_configure(pady=0)
        self._bottom(on_generate)
        area = ScrollArea(self.body)
        area.pack(fill="both", expand=True)
        inside = self.inside = Frame(area.body)
        inside.pack(fill="x", padx=(0, px(4)))
        self.axes: dict[Side, AxisEditor] = {}
        for side in SIDES:
            self._axis(inside, side)
        self.run = LinkButton(inside, "", lambda: on_run(self.run), role="text2")
        Divider(inside).pack(fill="x", pady=px(12))
        self.same = SameForAll(inside, self._same_changed)
        self.same.pack(fill="x", pady=(0, px(8)))

    def _axis(self, master: Frame, side: Side) -> None:
        self.axes[side] = AxisEditor(
            master, side,
            on_kind=lambda kind: self._put({side: kind, VALUES[side]: self._first_of(kind)}),
            on_values=lambda values: self._put({VALUES[side]: values}),
            run=lambda: self.run_folder,
            tell=self.tell,
        )  # fmt: skip
        self.axes[side].pack(fill="x", pady=(0 if side == "columns" else px(10), 0))

    def _bottom(self, on_generate: Callable[[], object]) -> None:
        line = Frame(self.body)
        line.pack(side="bottom", fill="x", pady=(px(6), px(12)))
        self.generate = Button(line, tr("Generate"), on_generate, kind="primary", image="play", hint="Ctrl+Return")
        self.generate.pack(side="right", anchor="s")
        self.count = Label(line, "", font="small", role="text2")
        self.count.pack(fill="x")
        second = Frame(line)
        second.pack(fill="x")
        self.reused = Label(second, "", font="small", role="text2")
        self.reused.pack(side="left")
        self.time = Label(second, "", font="small_bold", role="text2")
        self.time.pack(side="left")
        self.wrong = Label(self.body, "", font="small", role="error", wrap=True)

    # What is so -------------------------------------------------------------------------------------------------------

    @property
    def run_folder(self) -> Path | None:
        return Path(str(self.values["run"])) if self.values["run"] else None

    @property
    def kinds(self) -> dict[Side, str]:
        return {side: str(self.values[side]) for side in SIDES}

    def show(self, values: Values) -> None:
        """Other settings, without telling anyone."""
        self.values = {**Settings().model_dump(mode="json"), **values}
        self._grid = None
        self.refresh()

    def found(self, grid: ShownGrid) -> None:
        """What the settings came to."""
        self._grid = grid
        for side in SIDES:
            if (axis := grid.axis(side)).kind != "none":
                self.values[VALUES[side]] = [head.value for head in axis.heads]
        self.tell("")
        self.refresh()

    def refresh(self) -> None:
        kinds = self.kinds
        for side, editor in self.axes.items():
            taken = [kind for other, kind in kinds.items() if other != side and kind != "none"]
            axis: Axis | None = self._grid.axis(side) if self._grid else None
            values = cast("list[str]", self.values[VALUES[side]])
            editor.show(kinds[side], values, axis, taken, self._links(kinds[side]))
        self._show_run(kinds)
        self.same.show(self.values, set(kinds.values()), self._grid)
        self._show_count()

    def _links(self, kind: str) -> list[Link]:
        if kind != "prompt":
            return []
        words = {"dataset": tr("From dataset"), "known": tr("Known to the base"), "file": tr("File")}
        return [(label, lambda source=source: self._on_prompts(source)) for source, label in words.items()]

    def _show_run(self, kinds: dict[Side, str]) -> None:
        """Under the axis of steps, or at the end."""
        sides: list[Side] = [side for side, kind in kinds.items() if kind in ("step", "run")]
        side = sides[0] if sides else "tabs"
        name = self.run_folder.name if self.run_folder else tr("Choose a run")
        what = (
            tr("{run} \u00b7 saved models and backups", run=name) if kinds[side] == "step" and self.run_folder else name
        )
        self.run.set(what)
        self.run.pack(anchor="w", pady=(px(3), 0), after=self.axes[side])

    def _show_count(self) -> None:
        grid = self._grid
        if grid is None:
            for label in (self.count, self.reused, self.time):
                label.set("")
            return
        sizes = [len(grid.axis(side).heads) for side in SIDES if grid.axis(side).kind != "none"] or [1]
        product = TIMES.join(map(str, sizes))
        images = plural(grid.count, "1 image", "{count:,} images")
        self.count.set(f"{product} = {images}" if len(sizes) > 1 else images)
        missing = grid.count - grid.reused
        about = tr("about {time}", time=time_left(grid.seconds)) if missing and grid.seconds else ""
        self.reused.set(tr("{count:,} reused", count=grid.reused) + (", " if about else "") if grid.reused else "")
        self.time.set(about)

    def tell(self, sentence: str) -> None:
        """What is wrong with the settings; "" for nothing."""
        self.wrong.set(sentence)
        if sentence:
            self.wrong.pack(side="bottom", fill="x", pady=(px(6), 0))
        else:
            self.wrong.pack_forget()

    def disable(self, reason: str) -> None:
        """The axes stay as they are while a grid is being made."""
        for editor in self.axes.values():
            editor.chips.disable(reason)
            editor.choice.disable(reason)
        self.same.disable(reason)

    # What a person does -----------------------------------------------------------------------------------------------

    def add_prompts(self, prompts: list[str]) -> None:
        """More values for the axis that has prompts."""
        side: Side | None = next((side for side, kind in self.kinds.items() if kind == "prompt"), None)
        if side is not None:
            there = cast("list[str]", self.values[VALUES[side]])
            self._put({VALUES[side]: [*there, *(text for text in prompts if text not in there)]})

    def _first_of(self, kind: str) -> list[str]:
        """What an axis begins with, where there are no usual values."""
        if kind == "run" and self.values["run"]:
            return [str(self.values["run"])]
        return ["512x512", "768x768"] if kind == "size" else []

    def _same_changed(self, changes: Values) -> None:
        self._put(changes, typed=True)

    def _put(self, changes: Values, *, typed: bool = False) -> None:
        self.values |= changes
        if not typed:
            self._grid = None
            self.refresh()
        self._on_change()
