"""What is the same for all pictures of a grid: no field for what is an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.grids.grid_draft import ShownGrid
from app.gui.kit import Choice, Entry, Frame, Label, Option, PathEntry, px
from modules.grids.settings import NO_SEED
from modules.grids.values import sampler_title
from modules.language import tr
from modules.preset.paths import Values
from modules.preset.sections.sampling import SAMPLERS

NUMBERS = {"seed": "Seed", "guidance": "Guidance", "steps": "Steps", "strength": "Strength", "size": "Size"}
AS_RUN = {"seed": NO_SEED, "guidance": 0, "steps": 0}
LABEL = 56
SPREADS = ("default", "karras")  # of the times, by which most people call a sampler


class SameForAll(Frame):
    """`on_change` gets the settings that a person has typed, as they stand in the fields."""

    def __init__(self, master: Any, on_change: Callable[[Values], object]) -> None:
        super().__init__(master)
        self._on_change = on_change
        Label(self, tr("Same for all"), font="bold").pack(fill="x", pady=(0, px(4)))
        self._prompt_row()
        numbers = Frame(self)
        numbers.pack(fill="x")
        numbers.columnconfigure((0, 1, 2), weight=1, uniform="fields")
        self.cells: dict[str, Frame] = {}
        self.entries: dict[str, Entry] = {}
        for name, label in NUMBERS.items():
            self.cells[name] = cell = Frame(numbers)
            Label(cell, tr(label), font="small", role="text2").pack(fill="x")
            self.entries[name] = entry = Entry(
                cell, width=60, placeholder=" ", on_change=lambda _, n=name: self._typed(n)
            )
            entry.pack(fill="x", pady=(px(2), 0))
        self._sampler_row()
        self._second_row()

    def _row(self, label: str) -> Frame:
        row = Frame(self)
        Label(row, tr(label), font="small", role="text2").pack(side="left")
        return row

    def _prompt_row(self) -> None:
        self.prompt_row = self._row("Prompt")
        self.prompt = Entry(self.prompt_row, placeholder=" ", on_change=lambda text: self._on_change({"prompt": text}))
        self.prompt.pack(side="left", fill="x", expand=True, padx=(px(8), 0))

    def _sampler_row(self) -> None:
        self.sampler_row = self._row("Sampler")
        self.sampler = Choice(self.sampler_row, self._samplers(""), "", lambda name: self._on_change({"sampler": name}))
        self.sampler.pack(side="left", fill="x", expand=True, padx=(px(8), 0))

    def _samplers(self, of_the_run: str) -> list[Option]:
        titles = [sampler_title({"sampler": name, "spacing": each}) for name in SAMPLERS for each in SPREADS]
        first = Option("", of_the_run or tr("As the run's samples"), tr("as the run's samples") if of_the_run else "")
        return [first, *(Option(title, title) for title in titles)]

    def _second_row(self) -> None:
        self.second_row = self._row("Merge with")
        self.second = PathEntry(self.second_row, what="model", on_change=lambda text: self._on_change({"second": text}))
        self.second.pack(side="left", fill="x", expand=True, padx=(px(8), 0))

    def show(self, values: Values, axes: set[str], grid: ShownGrid | None) -> None:
        """The settings; grey words in empty fields say what the run's samples have."""
        first = next(iter(grid.places.values()), None) if grid else None
        run: Values = first.prompt.model_dump(mode="json") if first else {}
        for name, entry in self.entries.items():
            if not entry.focused:
                entry.set(written(name, values))
            entry.placeholder("1" if name == "strength" else written(name, run) if run else "")
        if not self.prompt.focused:
            self.prompt.set(str(values["prompt"]))
        self.prompt.placeholder(str(run.get("prompt", "")))
        self.sampler.offer(self._samplers(sampler_title(run) if run else ""))
        self.sampler.set(values["sampler"])
        self.second.set(str(values["second"]))
        self._lay_out(axes)

    def _lay_out(self, axes: set[str]) -> None:
        shown = [name for name in NUMBERS if name not in axes]
        for name, cell in self.cells.items():
            if name in shown:
                row, column = divmod(shown.index(name), 3)
                cell.grid(row=row, column=column, sticky="ew", padx=(0 if not column else px(8), 0), pady=(0, px(6)))
            else:
                cell.grid_remove()
        for row, wanted in (
            (self.prompt_row, "prompt" not in axes), (self.sampler_row, "sampler" not in axes),
            (self.second_row, "ratio" in axes),
        ):  # fmt: skip
            row.pack_forget()
            if wanted:
                row.pack(fill="x", pady=(0, px(6)))

    def complain(self, path: str) -> None:
        """A red edge for the field of this setting; "" for none."""
        for name, entry in self.entries.items():
            entry.invalid(name == path or (name == "size" and path in ("width", "height")))

    def disable(self, reason: str) -> None:
        for control in (*self.entries.values(), self.prompt, self.sampler, self.second):
            if control.reason != reason:
                control.disable(reason)

    def _typed(self, name: str) -> None:
        self._on_change(read(name, self.entries[name].get().strip()))


def written(name: str, values: Values) -> str:
    """A setting as its field has it: empty is as the run's samples."""
    if name == "size":
        return f"{values['width']}x{values['height']}" if values["width"] else ""
    value = values[name]
    if name == "strength":
        return "" if value == 1 else f"{value}"
    return "" if value == AS_RUN[name] else f"{value:g}" if isinstance(value, float) else str(value)


def read(name: str, text: str) -> Values:
    """What stands in a field, as settings. What is no number is left as it is, for the schema to say."""
    if name == "size":
        wide, _, high = text.lower().replace("\u00d7", "x").partition("x")
        return {"width": _number(wide) if wide else 0, "height": _number(high or wide) if wide else 0}
    if not text:
        return {name: 1 if name == "strength" else AS_RUN[name]}
    return {name: _number(text)}


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text
