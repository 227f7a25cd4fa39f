"""A curve between 0 and 1 in both directions, and points on it that can be added, dragged and removed."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Any, Literal

from app.gui.kit.base.events import events
from app.gui.kit.base.theme import Painted, px, surface_of, theme

EDGE = 8  # pixels around the field, so that points at its edge can be seen and taken
WORDS = 18  # pixels for the words under the field
NUMBERS = 24  # pixels for the numbers left of it
HEIGHTS = (("1", 0.0), ("0.5", 0.5), ("0", 1.0))
REACH = 9  # pixels from a point within which it is taken
STEP = 0.01
Point = tuple[float, float]


class LinePlot(Painted, tk.Canvas):
    """Draws a line. With `edit`, points stand on it: click adds one, dragging moves it, a double click removes it.

    Keys: Left and Right choose a point, Up and Down move it, with Control also Left and Right; Insert adds one after
    it, Delete removes it. There is always one point left.

    Args:
        ends: what lies at the left and at the right.
        on_change: called with the points once a person has changed them, when the button is let go.
        follow: the line of points while one is dragged.
        told: words for a place on the line, shown where the pointer is.
    """

    def __init__(
        self,
        master: tk.Misc,
        ends: tuple[str, str],
        *,
        on_change: Callable[[list[Point]], object] | None = None,
        follow: Callable[[list[Point]], Sequence[Point]] | None = None,
        read_out: Callable[[float, float], str] | None = None,
        height: float = 110,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=0, width=px(160), height=px(height + WORDS))
        self.surface = surface_of(master)
        self._ends, self._height = ends, height
        self._on_change, self._follow, self._read_out = on_change, follow, read_out
        self._line: Sequence[Point] = ()
        self.points: list[Point] = []
        self.chosen, self._dragged = -1, False
        self._listen()
        self.follow_theme()

    def show(self, line: Sequence[Point], points: Sequence[Point] = ()) -> None:
        """Draw this line; with points, they can be edited."""
        self._line, self.points = list(line), list(points)
        self.chosen = min(self.chosen, len(self.points) - 1)
        self.configure(takefocus=1 if self.points else 0, cursor="crosshair" if self.points else "")
        self._draw()

    def ends(self, left: str, right: str) -> None:
        """Other words under the field."""
        self._ends = (left, right)
        self._draw()

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, highlightbackground=behind, height=px(self._height + WORDS))
        self._ring(False)
        self._draw()

    # Places -----------------------------------------------------------------------------------------------------------

    @property
    def _field(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the field."""
        edge = px(EDGE)
        left = edge + px(NUMBERS)
        return left, edge, max(self.winfo_width() - edge, left + 1), px(self._height) - edge

    def place(self, point: Point) -> tuple[float, float]:
        """Where a point lies on the canvas, in pixels."""
        left, top, right, bottom = self._field
        return left + point[0] * (right - left), bottom - point[1] * (bottom - top)

    def _point(self, x: float, y: float) -> Point:
        left, top, right, bottom = self._field
        return _between((x - left) / (right - left)), _between((bottom - y) / (bottom - top))

    def _near(self, x: float, y: float) -> int:
        """The number of the point at this place of the canvas; -1 if there is none."""
        far = [max(abs(x - at[0]), abs(y - at[1])) for at in map(self.place, self.points)]
        nearest = min(range(len(far)), key=far.__getitem__, default=-1)
        return nearest if nearest >= 0 and far[nearest] <= px(REACH) else -1

    # Changing ---------------------------------------------------------------------------------------------------------

    def add(self, point: Point) -> None:
        """Put a point in, in its order, and choose it."""
        if all(abs(point[0] - x) >= STEP / 2 for x, _ in self.points):
            self.points = sorted([*self.points, point])
            self.chosen = self.points.index(point)

    def put(self, point: Point) -> None:
        """Put the chosen point there, between its neighbours."""
        low = self.points[self.chosen - 1][0] + STEP if self.chosen > 0 else 0.0
        high = self.points[self.chosen + 1][0] - STEP if self.chosen + 1 < len(self.points) else 1.0
        self.points[self.chosen] = (min(max(point[0], low), max(low, high)), _between(point[1]))

    def remove(self) -> None:
        """Take the chosen point away; not the last one."""
        if self.chosen >= 0 and len(self.points) > 1:
            del self.points[self.chosen]
            self.chosen = min(self.chosen, len(self.points) - 1)

    def _listen(self) -> None:
        self.bind("<Configure>", lambda _: self._draw())
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<ButtonRelease-1>", lambda _: self._release())
        self.bind("<Double-Button-1>", self._double)
        self.bind("<Motion>", lambda event: self._hover(event.x))
        self.bind("<Leave>", lambda _: self.delete("told"))
        for key in ("Left", "Right", "Up", "Down", "Control-Left", "Control-Right", "Insert", "Delete", "BackSpace"):
            self.bind(f"<{key}>", lambda _, key=key: self._key(key))
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))

    def _press(self, event: tk.Event[Any]) -> None:
        if not self.points:
            return
        self.focus_set()
        self.chosen = self._near(event.x, event.y)
        if self.chosen < 0:
            self.add(self._point(event.x, event.y))
            self._dragged = True
        self._redraw()

    def _drag(self, event: tk.Event[Any]) -> None:
        if self.points and self.chosen >= 0:
            self.put(self._point(event.x, event.y))
            self._dragged = True
            self._redraw()

    def _release(self) -> None:
        if self._dragged:
            self._dragged = False
            self._report()

    def _double(self, event: tk.Event[Any]) -> None:
        if (number := self._near(event.x, event.y)) >= 0:
            self.chosen, self._dragged = number, False
            self.remove()
            self.chosen = -1
            self._report()

    def _key(self, key: str) -> str | None:
        if not self.points:
            return None
        if self.chosen < 0 or key in ("Left", "Right"):
            self.chosen = (self.chosen + (-1 if key == "Left" else 1)) % len(self.points)
            self._draw()
            return "break"
        x, y = self.points[self.chosen]
        if key in ("Delete", "BackSpace"):
            self.remove()
        elif key == "Insert":
            after = self.points[self.chosen + 1] if self.chosen + 1 < len(self.points) else (1.0, y)
            self.add(((x + after[0]) / 2, (y + after[1]) / 2))
        else:
            by = {"Up": (0, STEP), "Down": (0, -STEP), "Control-Left": (-STEP, 0), "Control-Right": (STEP, 0)}[key]
            self.put((x + by[0], y + by[1]))
        self._report()
        return "break"

    def _report(self) -> None:
        self._redraw()
        if self._on_change is not None:
            self._on_change(list(self.points))

    # Drawing ----------------------------------------------------------------------------------------------------------

    def _redraw(self) -> None:
        if self._follow is not None:
            self._line = list(self._follow(list(self.points)))
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        left, top, right, bottom = self._field
        for y in (top, (top + bottom) // 2):
            self.create_line(left, y, right, y, fill=theme.colour("hairline"))
        self.create_line(left, bottom, right, bottom, fill=theme.colour("border"))
        for text, down in HEIGHTS:
            y = round(top + down * (bottom - top))
            colour = theme.colour("text3")
            self.create_text(left - px(6), y, anchor="e", text=text, font=theme.font("small"), fill=colour)
        if len(self._line) > 1:
            places = [value for point in self._line for value in self.place(point)]
            self.create_line(*places, fill=theme.colour("accent"), width=px(2))
        radius = px(4)
        for number, point in enumerate(self.points):
            x, y = self.place(point)
            fill = theme.colour("accent" if number == self.chosen else self.surface)
            self.create_oval(
                x - radius, y - radius, x + radius, y + radius, fill=fill, outline=theme.colour("accent"), width=px(2)
            )
        self._write(left, "nw", self._ends[0])
        self._write(right, "ne", self._ends[1])

    def _hover(self, x: float) -> None:
        """Say how high the line is under the pointer."""
        self.delete("told")
        at = self._point(x, 0)[0]
        if self._read_out is None or not self._line:
            return
        height = min(self._line, key=lambda point: abs(point[0] - at))[1]
        left, _, right, _ = self._field
        self._write((left + right) // 2, "n", self._read_out(at, height), role="text", tags="told")

    def _write(
        self, x: int, anchor: Literal["n", "ne", "nw"], text: str, *, role: str = "text2", tags: str = ""
    ) -> None:
        """A line of words under the field."""
        y = self._field[3] + px(EDGE)
        fill = theme.colour(role)
        self.create_text(x, y, anchor=anchor, text=text, font=theme.font("small"), fill=fill, tags=tags)

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on else self.surface))


def _between(value: float) -> float:
    """Within 0 and 1, in hundredths: what a hand can aim at."""
    return min(max(round(value / STEP) * STEP, 0.0), 1.0)
