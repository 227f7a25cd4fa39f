"""Keys of a page that are letters: heard wherever on it the focus is, left to the window with Control or Alt."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

MODIFIED = 0x4 | (0x20000 if sys.platform == "win32" else 0x8)  # Control, Alt


def bind_keys(page: Any, acts: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Have the page and all that is on it hear these keys, before the window does."""
    tag = f"Keys{page.winfo_id()}"

    def bound(act: Callable[[], object], plain: bool) -> Callable[[Any], str | None]:
        def pressed(event: Any) -> str | None:
            if plain and int(event.state) & MODIFIED:
                return None
            act()
            return "break"

        return pressed

    for sequence, act in acts:
        page.bind_class(tag, sequence, bound(act, "Control" not in sequence))
    _hear(page, tag)


def _hear(widget: Any, tag: str) -> None:
    first, *rest = widget.bindtags()
    widget.bindtags((first, tag, *rest))
    for child in widget.winfo_children():
        _hear(child, tag)
