"""Curves by step: raw values faint, smoothed ones strong, read-out under the pointer, zoom by dragging."""

from __future__ import annotations

import math
import tkinter as tk
from typing import Any

from app.gui.kit.base.events import events
from app.gui.kit.base.theme import Painted, mixed, px, surface_of, theme
from app.gui.kit.charts.axis import Axis, number
from app.gui.kit.charts.curve import SMOOTH, Curve
from modules.language import tr

DASHES: tuple[tuple[int, ...], ...] = ((), (7, 4), (2, 3), (10, 3, 2, 3))
LEAST_DRAG = 6
NEAR = 6  # pixels from a mark


class Chart(Painted, tk.Canvas):
    """A chart. `series` makes a curve; give it values with `curve.add` and call `redraw`, which draws when idle.

    Dragging zooms into a part, the wheel zooms at the pointer, a double click or 0 shows all; with the keyboard + - and
    arrows. A chart that is not `full` (the small one of the pane) has no numbers and no zoom.
    """

    def __init__(
        self, master: tk.Misc, *, empty: str = "", full: bool = True, width: float = 284, height: float = 90
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=full, width=px(width), height=px(height))
        self.surface = surface_of(master)
        self._empty, self._full, self._size = empty or tr("The loss appears here."), full, (width, height)
        self.curves: list[Curve] = []
        self.marks: list[tuple[float, str]] = []  # dashed lines at these steps, and what the pointer reads near them
        self._log = False
        self._smooth = SMOOTH
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
        self.bind("<Motion>", lambda event: self._hover(event.x))
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

    def series(self, name: str, *, second: bool = False, exact: bool = False) -> Curve:
        """A new curve, its raw values faint behind it; `exact` ones are not smoothed, and have none.

        `second` gives it the axis at the right, unsmoothed.
        """
        exact = exact or second
        curve = Curve(name, faint=not exact, second=second, smooth=0.0 if exact else self._smooth)
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

    def smooth(self, weight: float) -> None:
        """0 not at all, 0.99 very much."""
        self._smooth = weight
        for curve in self.curves:
            if curve.smoothed:
                curve.smooth(weight)
        self.redraw()

    def view(self, first: float | None = None, last: float | None = None) -> None:
        """Show the steps from `first` to `last`; without them all, and those to come."""
        self._view = None if first is None or last is None or last <= first else (first, last)
        self.redraw()

    @property
    def zoomed(self) -> bool:
        return self._view is not None

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
        self._draw_marks()
        for curve in drawn:
            self._draw_curve(curve)
        if self._full:
            self._draw_numbers()
        if self._full and len(self.curves) > 1:
            self._draw_legend(drawn)
        self._draw_pointer()

    def _set_axes(self, drawn: list[Curve], wide: int, high: int) -> None:
        first = min(curve.xs[0] for curve in drawn)
        last = max(curve.xs[-1] for curve in drawn)
        if self._view is not None:
            first, last = self._view
        elif last <= first:
            first, last = first - 0.5, last + 0.5
        edge = px(4)
        left = px(52) if self._full else edge
        right = wide - (
            px(62) if self._full and any(curve.second for curve in drawn) else px(12) if self._full else edge
        )
        top, bottom = (px(26), high - px(24)) if self._full else (edge, high - edge)
        self._x = Axis(first, last, left, max(right, left + 1))
        self._y = self._value_axis([curve for curve in drawn if not curve.second], bottom, top, self._log)
        self._y2 = self._value_axis([curve for curve in drawn if curve.second], bottom, top, False)

    def _value_axis(self, drawn: list[Curve], bottom: float, top: float, log: bool) -> Axis:
        limits = [curve.limits(self._x.low, self._x.high) for curve in drawn]
        low, high = min((pair[0] for pair in limits), default=0.0), max((pair[1] for pair in limits), default=1.0)
        if not (math.isfinite(low) and math.isfinite(high)):
            low, high = 0.0, 1.0
        if log:
            high = max(high, 1e-11)
            low = max(low, high * 1e-8)
            return Axis(low * 0.95, high * 1.05, bottom, top, log=True)
        room = (high - low) * 0.06 or abs(high) * 0.05 or 0.5
        return Axis(low - room, high + room, bottom, top)

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
        for value in self._x.ticks(max(2, int((right - left) / px(120)))):
            text = number(value)
            reach = font.measure(text) // 2  # the last number stays on the chart
            at = min(self._x.at(value), self.winfo_width() - reach - px(2))
            self.create_text(at, bottom + px(14), text=text, fill=grey, font=font)

    def _value_ticks(self) -> list[float]:
        found = self._y.ticks(max(2, int((self._y.start - self._y.stop) / px(60))))
        while len(found) > 1 and abs(self._y.at(found[0]) - self._y.at(found[1])) < px(18):
            found = found[::2]  # in a low window the numbers would lie on one another
        return found

    def _draw_marks(self) -> None:
        for x, _ in self.marks:
            if self._x.low <= x <= self._x.high:
                at = self._x.at(x)
                self.create_line(at, self._y.stop, at, self._y.start, fill=theme.colour("changed"), dash=(4, 3))

    def _draw_curve(self, curve: Curve) -> None:
        index = self.curves.index(curve)
        colour = theme.curve(index)
        axis = self._y2 if curve.second else self._y
        width = int(self._x.stop - self._x.start)
        x_at, y_at = self._x.at, axis.at
        if curve.faint:
            raw: list[float] = []
            for x, least, greatest in curve.columns(self._x.low, self._x.high, width):
                raw += (
                    [x_at(x), y_at(greatest)] if least == greatest else [x_at(x), y_at(greatest), x_at(x), y_at(least)]
                )
            if len(raw) >= 4:
                self.create_line(*raw, fill=mixed(theme.colour(self.surface), colour, 0.42), width=1)
        line = [
            part
            for x, y in curve.points(self._x.low, self._x.high, max(width // 2, 2))
            if math.isfinite(y)
            for part in (x_at(x), y_at(y))
        ]
        if len(line) >= 4:
            self.create_line(*line, fill=colour, width=px(2), dash=DASHES[index % len(DASHES)] or ())
        elif line:
            reach = px(3)
            self.create_oval(line[0] - reach, line[1] - reach, line[0] + reach, line[1] + reach, fill=colour, width=0)

    def _draw_legend(self, drawn: list[Curve]) -> None:
        left, middle = self._x.start, px(12)
        for curve in drawn:
            index = self.curves.index(curve)
            dash = DASHES[index % len(DASHES)]
            self.create_line(left, middle, left + px(22), middle, fill=theme.curve(index), width=px(2), dash=dash or ())
            item = self.create_text(
                left + px(28), middle, anchor="w", text=curve.name, fill=theme.colour("text2"), font=theme.font("small")
            )
            left = self.bbox(item)[2] + px(18)

    def _hover(self, x: int | None) -> None:
        self._pointer = x
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
        step = drawn[0].xs[drawn[0].nearest(self._x.value(x))]
        at = self._x.at(step)
        self.create_line(at, self._y.stop, at, self._y.start, fill=theme.colour("text3"), tags="pointer")
        text = self._read_out(drawn, step)
        left_half = at < (self._x.start + self._x.stop) / 2
        item = self.create_text(
            at + px(12 if left_half else -12), self._y.stop + px(6), anchor="nw" if left_half else "ne", text=text,
            fill=theme.colour("text"), font=theme.font("small"), tags="pointer",
        )  # fmt: skip
        x0, y0, x1, y1 = self.bbox(item)
        box = (x0 - px(6), y0 - px(4), x1 + px(6), y1 + px(4))
        self.create_rectangle(*box, fill=theme.colour("raised"), outline=theme.colour("border"), tags="pointer")
        self.tag_raise(item)

    def _read_out(self, drawn: list[Curve], step: float) -> str:
        """What the curves say at a step."""
        at = [(curve, curve.nearest(step)) for curve in drawn]
        if not self._full:
            return f"{step:,.0f}: {number(drawn[0].soft[at[0][1]])}"
        near = abs(self._x.value(px(NEAR)) - self._x.value(0))
        lines = [words for x, words in self.marks if abs(x - step) <= near]
        lines.append(tr("step {step:,.0f}", step=step))
        for curve, index in at:
            soft = "" if not curve.smoothed else tr("   smoothed {value}", value=number(curve.soft[index]))
            lines.append(f"{curve.name} {number(curve.raw[index])}{soft}")
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
