"""Colours by role, fonts by role, one scale, and one bus that repaints every widget of the kit.

There is one window in a process, so there is one theme: `theme`. Widgets ask it for colours and sizes when they paint,
and it calls their `paint` again after `theme.set("light")` or `theme.zoom(125)`.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import font as tkfont
from typing import Literal

Mode = Literal["dark", "light"]

ROLES: dict[str, tuple[str, str]] = {  # role: (dark, light). Every text role is at 4.5:1 or more on card and window.
    "window": ("#13151A", "#EEF1F6"),
    "panel": ("#191C23", "#FFFFFF"),
    "card": ("#1F232B", "#FFFFFF"),
    "raised": ("#272C36", "#F2F5F9"),
    "input": ("#15181E", "#FFFFFF"),
    "hairline": ("#2D333F", "#DCE1EA"),
    "border": ("#6B7486", "#8A94A5"),
    "selection": ("#24335A", "#E0E9FF"),
    "text": ("#E7EAF0", "#161B25"),
    "text2": ("#A1A9B8", "#4C5666"),
    "text3": ("#8C95A6", "#626C7B"),
    "accent": ("#5B8CFF", "#2C60E4"),
    "button": ("#3B6FEB", "#2C60E4"),
    "on_button": ("#FFFFFF", "#FFFFFF"),
    "changed": ("#E3A93C", "#8F5E00"),
    "error": ("#F0686F", "#C8343D"),
    "danger": ("#D03E47", "#C8343D"),
    "good": ("#3DB88B", "#157552"),
    "button_hover": ("#3363DC", "#2453CB"),
    "danger_hover": ("#B9343D", "#B02C35"),
    "hover": ("#323947", "#E4E9F1"),
    "error_soft": ("#3A2226", "#FEF0F0"),
    "changed_soft": ("#352C1B", "#FBF0D9"),
    "good_soft": ("#1A3029", "#E0F4EB"),
    "track": ("#6B7486", "#8A94A5"),
    "navigation": ("#191C23", "#F9FAFD"),
}

# Okabe and Ito's colours, lightened or darkened to 3:1 on the card: told apart with every kind of colour blindness.
CURVES: tuple[tuple[str, str], ...] = (
    ("#5B8CFF", "#2C60E4"),
    ("#E69F00", "#9A6A00"),
    ("#2FBF93", "#00795A"),
    ("#F07CC0", "#B0427F"),
    ("#56B4E9", "#1F7AAE"),
    ("#E8734A", "#C24A12"),
)

FONTS: dict[str, tuple[int, str]] = {  # role: (pixels at 100 %, weight)
    "small": (12, "normal"),
    "small_bold": (12, "bold"),
    "body": (13, "normal"),
    "bold": (13, "bold"),
    "section": (15, "bold"),
    "title": (21, "bold"),
    "mono": (12, "normal"),
}

ZOOM = (80, 175)


def within(percent: int) -> int:
    """A text size that can be had."""
    return min(max(percent, ZOOM[0]), ZOOM[1])


class Theme:
    """What the kit looks like now. `painted` holds path and `paint` of every living widget."""

    def __init__(self) -> None:
        self.mode: Mode = "dark"
        self.percent = 100
        self.density = 1.0  # pixels of this screen per pixel of a 96-dpi screen
        self.painted: dict[int, tuple[str, Callable[[], None]]] = {}
        self._asleep: dict[str, set[int]] = {}  # by path of what nobody sees: which widgets in it are to be painted
        self._fonts: dict[str, tkfont.Font] = {}
        self._listeners: list[Callable[[], None]] = []
        self._lengths: dict[tuple[str, str], int] = {}

    def attach(self, root: tk.Tk, family: str, mono: str, density: float) -> None:
        """Make the shared fonts. Called once, by the window, before any widget exists."""
        self.density = max(1.0, density)
        for role, (size, weight) in FONTS.items():
            face = mono if role == "mono" else family
            bold: Literal["normal", "bold"] = "bold" if weight == "bold" else "normal"
            self._fonts[role] = tkfont.Font(root, family=face, size=-self.text_px(size), weight=bold)

    @property
    def scale(self) -> float:
        return self.density * self.percent / 100

    def px(self, size: float) -> int:
        """`size` pixels of the 100 % drawing in pixels of this screen; what is not nothing is at least one pixel."""
        scaled = round(size * self.scale)
        return scaled or (size > 0) - (size < 0)

    def text_px(self, size: float) -> int:
        return max(8, round(size * self.scale))

    def colour(self, role: str) -> str:
        """The colour of a role, as #RRGGBB; a colour given as #RRGGBB is returned as it is."""
        return role if role.startswith("#") else ROLES[role][self.mode == "light"]

    def curve(self, index: int) -> str:
        return CURVES[index % len(CURVES)][self.mode == "light"]

    def font(self, role: str) -> tkfont.Font:
        return self._fonts[role]

    def measure(self, text: str, role: str) -> int:
        """Pixels that `text` is long; remembered, because asking Tk costs as much as drawing."""
        key = (text, role)
        if key not in self._lengths:
            if len(self._lengths) > 4000:
                self._lengths.clear()
            self._lengths[key] = self._fonts[role].measure(text)
        return self._lengths[key]

    def set(self, mode: Mode) -> None:
        """Repaint everything in `mode`."""
        if mode != self.mode:
            self.mode = mode
            self._repaint()

    def zoom(self, percent: int) -> None:
        """Text size in percent, kept within 80 to 175. Fonts and controls follow at once.

        Paddings are given when a widget is laid out: a page that should look as if built at this size is built anew.
        """
        percent = within(percent)
        if percent != self.percent:
            self.percent = percent
            self._lengths.clear()
            for role, font in self._fonts.items():
                font.configure(size=-self.text_px(FONTS[role][0]))
            self._repaint()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each change of colours or size; returns the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def sleep(self, widget: tk.Misc) -> None:
        """Nobody sees this widget and what is in it: it need not follow until it is woken."""
        self._asleep.setdefault(str(widget), set())

    def wake(self, widget: tk.Misc) -> None:
        """It is to be seen again: paint what has missed a change."""
        for key in self._asleep.pop(str(widget), ()):
            if key in self.painted:
                self.painted[key][1]()

    def _repaint(self) -> None:
        asleep = {f"{path}.": missed for path, missed in self._asleep.items()}
        unseen = tuple(asleep)
        for key, (path, paint) in list(self.painted.items()):
            if f"{path}.".startswith(unseen):
                next(missed for above, missed in asleep.items() if f"{path}.".startswith(above)).add(key)
            else:
                paint()
        for listener in list(self._listeners):
            listener()


theme = Theme()
px = theme.px


class Painted(tk.Misc):
    """Mixed in before a tk class: repainted by the theme; what it listens to and its timer end with it.

    `surface` is the role of what lies behind children of this widget.
    """

    surface: str = "window"
    _pending: str = ""  # a timer of its own
    _when_destroyed: tuple[Callable[[], object], ...] = ()

    def paint(self) -> None:
        """Give the widget the colours and sizes of now."""
        raise NotImplementedError

    def follow_theme(self) -> None:
        theme.painted[id(self)] = str(self), self.paint
        self.paint()

    def until_destroyed(self, *ends: Callable[[], object]) -> None:
        """Call these when the widget is destroyed: the ends of what it listens to."""
        self._when_destroyed += ends

    def destroy(self) -> None:
        theme.painted.pop(id(self), None)
        ends, self._when_destroyed = self._when_destroyed, ()
        for end in ends:
            end()
        if self._pending:
            self.after_cancel(self._pending)
            self._pending = ""
        super().destroy()


def surface_of(widget: tk.Misc | None) -> str:
    """The role of the colour behind a child of `widget`."""
    return getattr(widget, "surface", "window")


def mixed(first: str, second: str, share: float) -> str:
    """The colour `share` of the way from `first` to `second` (both #RRGGBB)."""
    one, two = rgb(first), rgb(second)
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in zip(one, two, strict=True))


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
