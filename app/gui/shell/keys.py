"""The keys of the window: one table, from which the help is written, too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from app.gui.kit import App

MODIFIER = "Command" if sys.platform == "darwin" else "Control"
ALT = "\u2325" if sys.platform == "darwin" else "Alt+"
SHOWN = "\u2318" if sys.platform == "darwin" else "Ctrl+"

# act: (sequences, how the help writes them, what it does)
KEYS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "pages": ((), f"{SHOWN}1 \u2026 9", "Go to a page"),
    "below": ((), f"{ALT}1 \u2026 9", "Go to a page below the line"),
    "tools": ((), f"{SHOWN}\u2191, {SHOWN}\u2193", "On the page Tools: the tool above or below"),
    "search": (("{M}-f", "{M}-F"), f"{SHOWN}F", "Search all settings"),
    "start": (("{M}-Return", "{M}-KP_Enter"), f"{SHOWN}Return", "Start or stop the training"),
    "queue": (("{M}-Shift-Return", "{M}-Shift-KP_Enter"), f"{SHOWN}Shift+Return", "Add the settings to the queue"),
    "undo": (("{M}-z",), f"{SHOWN}Z", "Undo"),
    "redo": (("{M}-Z", "{M}-Shift-z", "{M}-y"), f"{SHOWN}Shift+Z", "Redo"),
    "problem": (("F8",), "F8", "Go to the next problem"),
    "pane": (("{M}-p", "{M}-P"), f"{SHOWN}P", "Show or hide the live pane"),
    "theme": (("{M}-l", "{M}-L"), f"{SHOWN}L", "Dark or light"),
    "larger": (("{M}-plus", "{M}-equal", "{M}-KP_Add"), f"{SHOWN}+", "Larger text"),
    "smaller": (("{M}-minus", "{M}-KP_Subtract"), f"{SHOWN}\u2212", "Smaller text"),
    "usual": (("{M}-0", "{M}-KP_0"), f"{SHOWN}0", "Usual text size"),
    "save": (("{M}-s", "{M}-S"), f"{SHOWN}S", "Save as preset"),
    "open": (("{M}-o", "{M}-O"), f"{SHOWN}O", "Open a preset or project"),
    "help": (("Shift-F1",), "Shift+F1", "This help"),
    "escape": (("Escape",), "Escape", "Close, or take back typing"),
}


def bind_keys(
    app: App, actions: Mapping[str, Callable[[], object]], page: Callable[[int], object], below: Callable[[int], object]
) -> None:
    """Bind every act; a widget that handles a key itself and says "break" keeps it. Pages are counted from 0."""

    def pressed(act: Callable[[], object]) -> Callable[[Any], str]:
        def handler(_: Any) -> str:
            act()
            return "break"

        return handler

    for name, act in actions.items():
        for sequence in KEYS[name][0]:
            app.bind(f"<{sequence.replace('{M}', MODIFIER)}>", pressed(act))
    for number in range(1, 10):
        app.bind(f"<{MODIFIER}-Key-{number}>", pressed(lambda number=number: page(number - 1)))
        app.bind(f"<Alt-Key-{number}>", pressed(lambda number=number: below(number - 1)))
