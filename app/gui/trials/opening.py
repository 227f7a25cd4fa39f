"""The way to the dialog "Try values": imported when it is first opened."""

from __future__ import annotations

from app.gui.context import AppContext


def try_values(context: AppContext, path: str = "") -> None:
    """Open it; `path`: the setting to begin with."""
    from app.gui.trials.dialog import TryValues  # noqa: PLC0415  not needed to open the window

    TryValues(context, path)
