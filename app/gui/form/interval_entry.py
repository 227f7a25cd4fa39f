"""A length of time or a share: an amount and its unit. The whole may also be typed: "50 steps"."""

from __future__ import annotations

import re
from collections.abc import Callable

from app.gui.kit import Choice, Entry, Frame, Option, px
from modules.language import tr

ALONE = {"never": "Never", "auto": "Automatic", "none": "None", "all": "All"}  # what stands without an amount
UNITS = ("steps", "epochs", "minutes", "hours", "seconds", "never")
WARMUP_UNITS = ("steps", "%")
SHARE_UNITS = ("auto", "none", "all", "%")
USUAL = {"steps": "100", "epochs": "1", "minutes": "30", "hours": "1", "seconds": "60", "%": "5"}
WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+|%)")


class IntervalEntry(Frame):
    """`get` and `set` speak as the preset does: "50 steps", "never", "auto"; what is no such text stays as typed."""

    def __init__(
        self,
        master: Frame,
        text: str,
        units: tuple[str, ...],
        *,
        on_change: Callable[[str], object],
        on_done: Callable[[str], object],
    ) -> None:
        super().__init__(master)
        self._on_change, self._done = on_change, on_done
        self._unit = units[0]
        self._units = units
        self.reason = ""
        self.entry = Entry(self, on_change=lambda _: on_change(self.get()), on_done=lambda _: on_done(self.get()))
        self.inner = self.entry.inner
        options = [Option(unit, tr(ALONE.get(unit, unit))) for unit in units]
        self.choice = Choice(self, options, self._unit, self._chosen, width=98, fit=True)
        self.columnconfigure(0, weight=1)
        self.entry.grid(row=0, column=0, sticky="ew", padx=(0, px(6)))
        self.choice.grid(row=0, column=1, sticky="ew")
        self.set(text)

    def get(self) -> str:
        if self._unit in ALONE:
            return self._unit
        amount = self.entry.get().strip()
        return f"{amount} {self._unit}" if re.fullmatch(r"[\d.,+-]+", amount) else amount

    def set(self, text: str) -> None:
        """Put `text` in, without telling anyone."""
        found = WRITTEN.fullmatch(text.strip())
        unit = next((unit for unit in self._units if found and unit.rstrip("s") == found[2].rstrip("s")), "")
        if text in ALONE and text in self._units:
            self._show_unit(text)
        elif found and unit:
            self._show_unit(unit)
            self.entry.set(found[1])
        else:
            counted = next(unit for unit in self._units if unit not in ALONE)
            self._show_unit(counted if self._unit in ALONE else self._unit)
            self.entry.set(text)

    def invalid(self, wrong: bool) -> None:
        self.entry.invalid(wrong)

    def disable(self, reason: str) -> None:
        self.reason = reason
        self.entry.disable(reason)
        self.choice.disable(reason)

    def focus_set(self) -> None:
        (self.choice if self._unit in ALONE else self.entry).focus_set()

    def flush(self) -> None:
        self.entry.flush()

    def _show_unit(self, unit: str) -> None:
        self._unit = unit
        self.choice.set(unit)
        if unit in ALONE:
            self.entry.grid_remove()
            self.choice.grid(row=0, column=0, columnspan=2)
        else:
            self.entry.grid()
            self.choice.grid(row=0, column=1, columnspan=1)

    def _chosen(self, unit: str) -> None:
        if unit not in ALONE and not re.fullmatch(r"[\d.]+", self.entry.get().strip()):
            self.entry.set(USUAL[unit])
        self._show_unit(unit)
        self._on_change(self.get())
        self._done(self.get())
