"""Fewer events that say the same, for whoever sends or shows many at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from modules.messages import Event, GridCell, Progress, Stage


def condense(events: Iterable[Event]) -> list[Event]:
    """The same in fewer messages: of neighbours, the newest progress wins, and no loss is dropped."""
    condensed: list[Event] = []
    for event in events:
        last = condensed[-1] if condensed else None
        if isinstance(event, Progress) and isinstance(last, Progress):
            condensed[-1] = replace(event, losses=[*last.losses, *event.losses])
        elif isinstance(event, Stage) and isinstance(last, Stage) and event.code == last.code:
            condensed[-1] = event
        elif isinstance(event, GridCell) and isinstance(last, GridCell) and not last.path:
            condensed[-1] = event  # further on, or done
        else:
            condensed.append(event)
    return condensed
