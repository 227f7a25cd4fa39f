"""The meters of this machine: card and its memory where there is one, memory and processor everywhere."""

from __future__ import annotations

from typing import Any

from app.gui.kit import Frame, Meter, px
from app.gui.session.hardware import Reading
from modules.text import bytes_of, in_percent

LEAST = 130
NAMES = ("GPU", "VRAM", "RAM", "CPU")


class MachineMeters(Frame):
    """`refresh(reading)`. Without a card there are two meters and no empty places; `most` of them, if not all."""

    def __init__(self, master: Any, columns: int, *, most: int = len(NAMES)) -> None:
        super().__init__(master)
        self._columns, self._most = columns, most
        self.meters: dict[str, Meter] = {}
        self._arrange(NAMES[2:])

    def refresh(self, reading: Reading | None) -> None:
        if reading is None:
            return
        shown = dict([*readings(reading).items()][: self._most])
        if shown.keys() != self.meters.keys():
            self._arrange(tuple(shown))
        for name, (share, words) in shown.items():
            self.meters[name].set(share, words)

    def _arrange(self, names: tuple[str, ...]) -> None:
        self.clear()
        self.meters = {}
        for column in range(self._columns):
            used = column < len(names)
            self.columnconfigure(column, weight=used, uniform="meters" if used else "", minsize=px(LEAST) * used)
        for index, name in enumerate(names):
            row, column = divmod(index, self._columns)
            meter = Meter(self, name, warns=name not in ("GPU", "CPU"))
            left = px(20) if column else 0
            meter.grid(row=row, column=column, sticky="ew", padx=(left, 0), pady=(px(12) if row else 0, 0))
            self.meters[name] = meter


def readings(reading: Reading) -> dict[str, tuple[float, str]]:
    """Share and words of each meter."""
    shown: dict[str, tuple[float, str]] = {}
    if card := reading.card:
        warmth = f"  {card.temperature} °C" if card.temperature else ""
        shown["GPU"] = card.busy / 100, f"{in_percent(card.busy / 100)}{warmth}"
        shown["VRAM"] = memory(card.memory, card.memory_total)
    shown["RAM"] = memory(reading.memory, reading.memory_total)
    shown["CPU"] = reading.cpu / 100, in_percent(reading.cpu / 100)
    return shown


def memory(used: int, total: int) -> tuple[float, str]:
    return used / max(total, 1), bytes_of(used, total)
