"""Curves by step: values faint, their mean strong, marks below, read-out under the pointer, zoom by dragging."""

from __future__ import annotations

import math
import tkinter as tk
from collections.abc import Callable, Mapping
from typing import Any

from app.gui.kit.base.events import events
from app.gui.kit.base.theme import Painted, mixed, px, surface_of, theme
from app.gui.kit.charts.axis import Axis, number
from app.gui.kit.charts.curve import Curve
from app.gui.kit.charts.marks import NEAR, ChartMark, Kind, MarkKeys, draw_lane, draw_legend, draw_line, draw_read_out
from modules.language import tr
from modules.trend import smoothing_width

DASHES: tuple[tuple[int, ...], ...] = ((), (7, 4), (2, 3), (10, 3, 2, 3))
LEAST_DRAG = 6
LANE, LEGEND, NUMBERS = 18, 22, 22  # pixels below the chart


class Chart(Painted, tk.Canvas):
    """A chart. `series` makes a curve; give it values with `curve.add` and call `redraw`, which draws when idle.

    Dragging zooms into a part, the wheel zooms at the pointer, a double click or 0 shows all; with the keyboard + - and
    arrows; Tab goes on to the marks that can be clicked. A chart that is not `full` (the small one of the pane) has no
    numbers and no zoom. Values begin at 0 unless the axis is logarithmic or told otherwise.

    Args:
        on_mark: called with the values of the marks that were clicked, and where on the chart.
        from_zero: whether the axis of the values begins at 0.
    """

    def __init__(
        self,
        master: tk.Misc,
        *,
        empty: str = "",
        full: bool = True,
        width: float = 284,
        height: float = 90,
        on_mark: Callable[[list[Any], int, int], object] | None = None,
        from_zero: bool = True,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=full, width=px(width), height=px(height))
        self.surface = surface_of(master)
        self._empty, self._full, self._size = empty or tr("The loss appears here."), full, (width, height)
        self.curves: list[Curve] = []
        self.marks: list[ChartMark] = []
        self.kinds: Mapping[Kind, str] = {}  # what marks are called in the legend
        self.legend_end = 0  # pixels from the left edge that the legend takes
        self._log, self._on_mark, self._from_zero = False, on_mark, from_zero
        self._chosen = False  # whether the keyboard is at a mark
        self._keys = MarkKeys(self, self._mark_places, self._choose, self._pick) if on_mark else None
        self._view: tuple[float, float] | None = None
        self._pending = ""
        self._drag_from: int | None = None
        self._pointer: int | None = None
        self._x = Axis(0, 1, 0, 1)
        self._y = self._y2 = Axis(0, 1, 1, 0)
        self._listen()
        self.follow_theme()

    def _listen(self) -> None:
        self.bind("<Configure>", lambda _: self.redraw())
        self.bind("<Map>", lambda _: self.redraw())
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))
        self.bind("<Motion>", lambda event: self._hover(event.x, event.y))
        self.bind("<Leave>", lambda _: self._hover(None))
        if not self._full:
            return
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", lambda event: self._hover(event.x))
        self.bind("<ButtonRelease-1>", self._release)
        self.bind("<Double-Button-1>", lambda _: self.view())
        for keys, factor in (
            (("<plus>", "<equal>", "<KP_Add>", "<Up>"), 0.7),
            (("<minus>", "<KP_Subtract>", "<Down>"), 1 / 0.7),
        ):
            for key in keys:
                self.bind(key, lambda _, factor=factor: self._zoom((self._x.low + self._x.high) / 2, factor))
        for key, share in (("<Left>", -0.15), ("<Right>", 0.15)):
            self.bind(key, lambda _, share=share: self._shift(share))
        for key in ("<Key-0>", "<Escape>"):
            self.bind(key, lambda _: self.view())

    def series(self, name: str, *, second: bool = False, dots: bool = False) -> Curve:
        """A new curve, its values faint behind their mean; one with `dots` is drawn as it is.

        `second` gives it the axis at the right, as it is.
        """
        curve = Curve(name, width=0 if second or dots else smoothing_width(0), second=second, dots=dots)
        self.curves.append(curve)
        return curve

    def clear(self) -> None:
        """No curves."""
        self.curves.clear()
        self.marks = []
        self._view = None
        self.redraw()

    def log(self, on: bool) -> None:
        """A logarithmic axis for the values."""
        self._log = on
        self.redraw()

    def view(self, first: float | None = None, last: float | None = None) -> None:
        """Show the steps from `first` to `last`; without them all, and those to come."""
        self._view = None if first is None or last is None or last <= first else (first, last)
        self.redraw()

    @property
    def zoomed(self) -> bool:
        return self._view is not None

    def place_of(self, x: float) -> tuple[int, int]:
        """Where the mark of this step lies on the canvas."""
        return round(self._x.at(x)), round(self._y.start) + px(LANE) // 2

    def redraw(self) -> None:
        """Draw when the window is idle; a hundred calls draw once. Out of view nothing is drawn."""
        if not self._pending:
            self._pending = self.after_idle(self._draw)

    def wheel(self, steps: float, sideways: bool) -> bool:
        if not self._full:
            return False  # the page scrolls
        if sideways:
            self._shift(0.1 * steps)
        else:
            self._zoom(self._x.value(self.winfo_pointerx() - self.winfo_rootx()), 1.25**steps)
        return True

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, highlightbackground=behind, width=px(self._size[0]), height=px(self._size[1]))
        self.redraw()

    def _draw(self) -> None:
        self._pending = ""
        if not self.winfo_viewable():
            return
        self.delete("all")
        wide, high = self.winfo_width(), self.winfo_height()
        drawn = [curve for curve in self.curves if curve.visible and len(curve)]
        if not drawn:
            self.create_text(
                wide // 2, high // 2, width=wide - px(20), justify="center", text=self._empty,
                fill=theme.colour("text3"), font=theme.font("small"),
            )  # fmt: skip
            return
        self._set_axes(drawn, wide, high)
        if self._full:
            self._draw_lines()
        for curve in drawn:
            self._draw_curve(curve)
        if self._full:
            self._draw_numbers()
            self._draw_legend(drawn)
        self._draw_marks()
        self._draw_pointer()
        if self._keys:
            self._keys.configure(takefocus=bool(self._mark_places()))
            self._keys.place(x=self._x.start, y=self._y.start)

    def _set_axes(self, drawn: list[Curve], wide: int, high: int) -> None:
        first = min(curve.xs[0] for curve in drawn)
        last = max(curve.xs[-1] for curve in drawn)
        if self._view is not None:
            first, last = self._view
        elif last <= first:
            first, last = first - 0.5, last + 0.5
        elif self._full:
            first, last = self._rounded(min(first, 0), last, wide)
        edge = px(4)
        top, bottom = (px(8), high - self._below(drawn)) if self._full else (edge, high - edge)
        self._x = Axis(first, last, 0, 1)
        self._y = self._value_axis([curve for curve in drawn if not curve.second], bottom, top, self._log)
        self._y2 = self._value_axis([curve for curve in drawn if curve.second], bottom, top, False)
        self._x = Axis(first, last, *self._sides(wide, any(curve.second for curve in drawn)))

    def _rounded(self, first: float, last: float, wide: int) -> tuple[float, float]:
        """To the next number that is written: there is room for what comes."""
        ticks = Axis(first, last, 0, 1).ticks(max(2, wide // px(120)))
        step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
        return first, math.ceil(last / step - 1e-9) * step

    def _sides(self, wide: int, second: bool) -> tuple[float, float]:
        """Where the field begins and ends: numbers stand beside it."""
        if not self._full:
            return px(4), wide - px(4)
        left, right = (
            max((theme.measure(number(value), "small") for value in axis), default=0) + px(12)
            for axis in (self._value_ticks(), self._y2.ticks(3) if second else [])
        )
        return left, max(wide - (right if second else px(12)), left + 1)

    def _below(self, drawn: list[Curve]) -> int:
        """Pixels under the field."""
        lane = any(mark.kind != "line" for mark in self.marks)
        return px(NUMBERS) + lane * px(LANE) + (len(drawn) + len(self.kinds) > 1) * px(LEGEND)

    def _value_axis(self, drawn: list[Curve], bottom: float, top: float, log: bool) -> Axis:
        limits = [curve.limits(self._x.low, self._x.high) for curve in drawn]
        low, high = min((pair[0] for pair in limits), default=0.0), max((pair[1] for pair in limits), default=1.0)
        if not (math.isfinite(low) and math.isfinite(high)):
            low, high = 0.0, 1.0
        if log:
            high = max(high, 1e-11)
            low = max(low, high * 1e-8)
            return Axis(low * 0.95, high * 1.05, bottom, top, log=True)
        high = min(high, max((curve.usual_high(self._x.low, self._x.high) for curve in drawn), default=high))
        low = min(low, 0.0) if self._from_zero else low - ((high - low) * 0.06 or 0.05 * abs(low))
        return Axis(low, high + ((high - low) * 0.06 or 0.5), bottom, top)

    def _draw_lines(self) -> None:
        for value in self._value_ticks():
            y = self._y.at(value)
            self.create_line(self._x.start, y, self._x.stop, y, fill=theme.colour("hairline"))

    def _draw_numbers(self) -> None:
        """After the curves: zoomed lines run past the edges and are covered first."""
        behind, grey, font = theme.colour(self.surface), theme.colour("text3"), theme.font("small")
        left, right, bottom = self._x.start, self._x.stop, self._y.start
        for first, last in ((0, left), (right + 1, self.winfo_width())) if self._view is not None else ():
            self.create_rectangle(first, 0, last, bottom + px(3), fill=behind, width=0)
        for value in self._value_ticks():
            self.create_text(left - px(8), self._y.at(value), anchor="e", text=number(value), fill=grey, font=font)
        if any(curve.second and curve.visible and len(curve) for curve in self.curves):
            for value in self._y2.ticks(3):
                self.create_text(
                    right + px(8), self._y2.at(value), anchor="w", text=number(value), fill=grey, font=font
                )
        below = bottom + self._lane_height + px(12)
        for value in (ticks := self._x.ticks(max(2, int((right - left) / px(120))))):
            text = tr("{count} steps", count=number(value)) if value == ticks[-1] else number(value)
            reach = font.measure(text) // 2  # the last number stays on the chart
            at = min(self._x.at(value), self.winfo_width() - reach - px(2))
            self.create_text(at, below, text=text, fill=grey, font=font)

    @property
    def _lane_height(self) -> int:
        return px(LANE) if any(mark.kind != "line" for mark in self.marks) else 0

    def _value_ticks(self) -> list[float]:
        found = self._y.ticks(max(2, int((self._y.start - self._y.stop) / px(44))))
        while len(found) > 1 and abs(self._y.at(found[0]) - self._y.at(found[1])) < px(18):
            found = found[::2]  # in a low window the numbers would lie on one another
        return found

    def _draw_marks(self) -> None:
        shown = [mark for mark in self.marks if self._x.low <= mark.x <= self._x.high]
        for mark in shown:
            if mark.kind == "line":
                draw_line(self, self._x.at(mark.x), self._y, mark.label if self._full else "", self._x.stop)
        if self._full:
            draw_lane(self, shown, self._x, self._y.start + px(LANE) // 2 + px(2))

    def _dash(self, curve: Curve) -> tuple[int, ...]:
        """Two lines without dots differ by more than their colour."""
        return () if curve.dots else DASHES[self.curves.index(curve) % len(DASHES)]

    def _draw_curve(self, curve: Curve) -> None:
        colour, axis = theme.curve(self.curves.index(curve)), self._y2 if curve.second else self._y
        width = int(self._x.stop - self._x.start)
        x_at, top = self._x.at, min(self._y.stop, self._y2.stop)
        if curve.faint:
            raw: list[float] = []
            for x, least, greatest in curve.columns(self._x.low, self._x.high, width):
                high, low = max(axis.at(greatest), top), max(axis.at(least), top)
                raw += [x_at(x), high] if least == greatest else [x_at(x), high, x_at(x), low]
            if len(raw) >= 4:
                self.create_line(*raw, fill=mixed(theme.colour(self.surface), colour, 0.42), width=1)
        points = curve.points(self._x.low, self._x.high, max(width // 2, 2))
        line = [part for x, y in points if math.isfinite(y) for part in (x_at(x), max(axis.at(y), top))]
        if len(line) >= 4:
            self.create_line(*line, fill=colour, width=px(2), dash=self._dash(curve) or ())
        if len(line) == 2 or (curve.dots and len(line) <= width // px(4)):
            reach = px(3)
            for x, y in zip(line[::2], line[1::2], strict=True):
                self.create_oval(x - reach, y - reach, x + reach, y + reach, fill=colour, width=0)

    def _draw_legend(self, drawn: list[Curve]) -> None:
        lines = [(theme.curve(self.curves.index(curve)), self._dash(curve), curve.name) for curve in drawn]
        there = {mark.kind for mark in self.marks}
        kinds: dict[Kind, str] = {kind: words for kind, words in self.kinds.items() if kind in there}
        if len(lines) + len(kinds) > 1:
            self.legend_end = draw_legend(self, lines, kinds, self.winfo_height() - px(LEGEND) // 2 - px(2))

    def _hover(self, x: int | None, y: int | None = None) -> None:
        self._pointer = x
        if self._on_mark is not None and y is not None:
            self.configure(cursor="hand2" if x is not None and self._clickable(x, y) else "")
        self.delete("pointer")
        self._draw_pointer()

    def _draw_pointer(self) -> None:
        """The line under the pointer and what the curves read there."""
        x = self._pointer
        drawn = [curve for curve in self.curves if curve.visible and len(curve)]
        if x is None or not drawn or not self._x.start <= x <= self._x.stop:
            return
        if self._drag_from is not None and abs(x - self._drag_from) > LEAST_DRAG:
            left, right = sorted((x, self._drag_from))
            self.create_rectangle(
                left,
                self._y.stop,
                right,
                self._y.start,
                fill=theme.colour("accent"),
                stipple="gray25",
                width=0,
                tags="pointer",
            )
        if self._chosen:
            middle, reach = self._y.start + px(LANE) // 2 + px(2), px(9)
            box = x - reach, middle - reach, x + reach, middle + reach
            self.create_oval(*box, outline=theme.colour("accent"), width=px(2), tags="pointer")
        step = drawn[0].xs[drawn[0].nearest(self._x.value(x))]
        at = self._x.at(step)
        self.create_line(at, self._y.stop, at, self._y.start, fill=theme.colour("text3"), tags="pointer")
        draw_read_out(self, at, self._y.stop + px(6), self._read_out(drawn, step), self.winfo_width())

    def _near(self, x: float) -> list[ChartMark]:
        return [mark for mark in self.marks if abs(self._x.at(mark.x) - x) <= px(NEAR)]

    def _mark_places(self) -> list[float]:
        """The steps in view at which something can be clicked."""
        low, high = self._x.low, self._x.high
        return sorted({mark.x for mark in self.marks if mark.value is not None and low <= mark.x <= high})

    def _choose(self, place: float | None) -> None:
        self._chosen = place is not None
        self._hover(None if place is None else round(self._x.at(place)))

    def _pick(self, place: float) -> None:
        x, y = self.place_of(place)
        if self._on_mark is not None:
            self._on_mark(self._clickable(x, y), x, y)

    def _clickable(self, x: float, y: float) -> list[Any]:
        """What the marks in the lane under a place stand for."""
        below = self._y.start <= y <= self._y.start + self._lane_height
        return [mark.value for mark in self._near(x) if mark.value is not None and below]

    def _read_out(self, drawn: list[Curve], step: float) -> str:
        """What the curves say at a step."""
        at = [(curve, curve.nearest(step)) for curve in drawn]
        if not self._full:
            return f"{step:,.0f}: {number(drawn[0].mean(at[0][1]))}"
        lines = [mark.words for mark in self._near(self._x.at(step)) if mark.words]
        lines.append(tr("step {step:,.0f}", step=step))
        for curve, index in at:
            mean = tr("   mean {value}", value=number(curve.mean(index))) if curve.faint else ""
            lines.append(f"{curve.name} {number(curve.raw[index])}{mean}{curve.notes.get(curve.xs[index], '')}")
        return "\n".join(lines)

    def _press(self, event: tk.Event[Any]) -> None:
        self.focus_set()
        self._drag_from = event.x

    def _release(self, event: tk.Event[Any]) -> None:
        start, self._drag_from = self._drag_from, None
        if start is not None and abs(event.x - start) > LEAST_DRAG:
            low, high = sorted(
                (min(max(start, self._x.start), self._x.stop), min(max(event.x, self._x.start), self._x.stop))
            )
            self.view(self._x.value(low), self._x.value(high))
        elif self._on_mark is not None and (values := self._clickable(event.x, event.y)):
            self._on_mark(values, event.x, event.y)
        else:
            self._hover(event.x)

    def _whole(self) -> tuple[float, float]:
        drawn = [curve for curve in self.curves if len(curve)]
        return min((c.xs[0] for c in drawn), default=0.0), max((c.xs[-1] for c in drawn), default=1.0)

    def _zoom(self, around: float, factor: float) -> str:
        low, high = self._whole()
        first = max(around - (around - self._x.low) * factor, low)
        last = min(around + (self._x.high - around) * factor, high)
        if last - first >= (high - low) * 0.999:
            self.view()
        elif last - first > 2:
            self.view(first, last)
        return "break"

    def _shift(self, share: float) -> str:
        if self._view is not None:
            low, high = self._whole()
            by = share * (self._view[1] - self._view[0])
            by = min(max(by, low - self._view[0]), high - self._view[1])
            self.view(self._view[0] + by, self._view[1] + by)
        return "break"

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on else self.surface))
