"""The lines of a popup, drawn on a canvas: only what is visible has items."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.kit.base.icons import icon
from app.gui.kit.base.scroll_bar import SlimBar
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from modules.language import tr

LINE = 32
MEASURED = 200


@dataclass(frozen=True)
class Option:
    """One line: what it stands for, its words, grey words at the right, and a reason if it cannot be chosen."""

    value: Any
    label: str
    note: str = ""
    reason: str = ""
    group: str = ""
    words: str = ""  # found by the search too
    image: str = ""  # an icon before the label


class OptionList(Painted, tk.Canvas):
    """Options with one marked; `on_pick` gets the value of a chosen one. Groups get a heading when they begin."""

    def __init__(
        self,
        master: tk.Misc,
        options: Sequence[Option],
        on_pick: Callable[[Any], object],
        *,
        current: Any = None,
        lines: int = 9,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=1, height=1, width=1)
        self.surface = surface_of(master)
        self._all, self._on_pick, self._lines, self._current = list(options), on_pick, lines, current
        self._rows: list[Option | str] = []
        self.marked = -1
        self._first = 0
        self._bar = SlimBar(self, self._jump_to)
        self.bind("<Configure>", lambda _: self._draw())
        self.bind("<Motion>", lambda event: self._point(event.y))
        self.bind("<ButtonRelease-1>", self._clicked)
        self._fill(self._all)
        self.configure(height=px(LINE) * min(max(len(self._rows), 1), lines) + 1)
        self.follow_theme()

    @property
    def shown(self) -> list[Option]:
        """The options left by the search."""
        return [row for row in self._rows if isinstance(row, Option)]

    @property
    def wanted(self) -> int:
        """Pixels in which no line is cut. Of very many the first are asked."""
        notes = (max(theme.measure(each.reason or each.note, "small"), px(44)) for each in self._all[:MEASURED])
        labels = (theme.measure(each.label, "body") for each in self._all[:MEASURED])
        drawn = px(26) if any(each.image for each in self._all[:MEASURED]) else 0
        return max((one + two for one, two in zip(labels, notes, strict=True)), default=0) + px(60) + drawn

    def narrow(self, text: str) -> None:
        """Keep the options in whose name every word of `text` is found; where there are none, in anything they say."""
        wanted = text.casefold().split()

        def found(said: Callable[[Option], str]) -> list[Option]:
            return [option for option in self._all if all(word in said(option).casefold() for word in wanted)]

        named = found(lambda option: f"{option.label} {option.group}")
        self._fill(named or found(lambda option: f"{option.label} {option.note} {option.group} {option.words}"))
        self._draw()

    def step(self, steps: int) -> None:
        """Mark another option, that many lines up or down, stopping at the ends."""
        able = [index for index, row in enumerate(self._rows) if isinstance(row, Option)]
        if able:
            at = able.index(self.marked) if self.marked in able else -1
            self.marked = able[min(max(at + steps, 0), len(able) - 1)]
            self._show_marked()

    def jump(self, letter: str) -> None:
        """Mark the next option that begins with `letter`."""
        if not letter or not letter.isprintable():
            return
        order = [*range(self.marked + 1, len(self._rows)), *range(self.marked + 1)]
        for index in order:
            row = self._rows[index]
            if isinstance(row, Option) and row.label.casefold().startswith(letter.casefold()):
                self.marked = index
                self._show_marked()
                return

    def pick_marked(self) -> None:
        row = self._rows[self.marked] if 0 <= self.marked < len(self._rows) else None
        if isinstance(row, Option) and not row.reason:
            self._on_pick(row.value)

    def wheel(self, steps: float, sideways: bool) -> None:
        if not sideways:
            self._jump_to((self._first + round(steps * 2)) / max(len(self._rows), 1))

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface))
        self._draw()

    def _fill(self, options: Sequence[Option]) -> None:
        self._rows, group = [], ""
        for option in options:
            if option.group != group:
                group = option.group
                self._rows.append(group)
            self._rows.append(option)
        current = [i for i, row in enumerate(self._rows) if isinstance(row, Option) and row.value == self._current]
        able = [i for i, row in enumerate(self._rows) if isinstance(row, Option)]
        self.marked = (current or able or [-1])[0]
        self._first = max(0, min(self.marked - self._lines // 2, len(self._rows) - self._lines))

    def _show_marked(self) -> None:
        fits = self._fits()
        if self.marked < self._first:
            self._first = self.marked
        elif self.marked >= self._first + fits:
            self._first = self.marked - fits + 1
        self._draw()

    def _fits(self) -> int:
        return max(1, self.winfo_height() // px(LINE)) if self.winfo_height() > 1 else self._lines

    def _jump_to(self, share: float) -> None:
        self._first = max(0, min(round(share * len(self._rows)), len(self._rows) - self._fits()))
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        wide, line, fits = self.winfo_width(), px(LINE), self._fits()
        if not self._rows:
            self.create_text(
                px(10),
                line // 2,
                anchor="w",
                text=tr("Nothing found"),
                fill=theme.colour("text3"),
                font=theme.font("body"),
            )
        for place, row in enumerate(self._rows[self._first : self._first + fits + 1]):
            self._draw_row(row, self._first + place, place * line, wide)
        if len(self._rows) > fits:
            self._bar.place(relx=1.0, x=0, y=0, anchor="ne", relheight=1.0)
            self._bar.set(self._first / len(self._rows), min(1.0, (self._first + fits) / len(self._rows)))
        else:
            self._bar.place_forget()

    def _draw_row(self, row: Option | str, index: int, top: int, wide: int) -> None:
        line = px(LINE)
        middle = top + line // 2
        if isinstance(row, str):
            self.create_text(
                px(10), middle + px(3), anchor="w", text=row, fill=theme.colour("text3"), font=theme.font("small_bold")
            )
            return
        if index == self.marked:
            self.create_rectangle(0, top, wide, top + line, fill=theme.colour("selection"), width=0)
        grey = bool(row.reason)
        note = row.reason or (tr("current") if row.value == self._current and not row.note else row.note)
        right = wide - px(12)
        if note:
            item = self.create_text(
                right, middle, anchor="e", text=note, fill=theme.colour("text3"), font=theme.font("small")
            )
            right = self.bbox(item)[0] - px(10)
        left, role = px(10), "text3" if grey else "text"
        if row.image:
            self.create_image(left, middle, anchor="w", image=icon(row.image, role, 16))
            left += px(26)
        label = fitting(row.label, right - left, "body")
        self.create_text(left, middle, anchor="w", text=label, fill=theme.colour(role), font=theme.font("body"))

    def _at(self, y: int) -> int:
        return self._first + y // px(LINE)

    def _point(self, y: int) -> None:
        index = self._at(y)
        if 0 <= index < len(self._rows) and index != self.marked and isinstance(self._rows[index], Option):
            self.marked = index
            self._draw()

    def _clicked(self, event: tk.Event[Any]) -> None:
        if 0 <= self._at(event.y) < len(self._rows):
            self.marked = self._at(event.y)
            self.pick_marked()


def labelled(labels: Mapping[str, str]) -> list[Option]:
    """Options with the labels of a table, in the language of now: {"on": "Switched on"}."""
    return [Option(value, tr(label)) for value, label in labels.items()]


def fitting(text: str, width: int, font: str) -> str:
    """`text`, cut with "…" so that it fits into `width` pixels."""
    if theme.measure(text, font) <= width:
        return text
    measure = theme.font(font).measure
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[:middle] + "…") <= width else (low, middle - 1)
    return text[:low] + "…" if low else ""
