"""Figures of a run as the window writes them; units come from modules.text."""

from __future__ import annotations

from modules.language import tr
from modules.messages import Phase

DRAWING = ("Making samples", "Making images")


def loss(value: float) -> str:
    return tr("loss {value:.4f}", value=value) if value else ""


def phase_text(phase: Phase) -> str:
    """Reading images: 12 of 400. Making samples: 45 %, for it counts steps, which read like images."""
    title = tr(phase.title)
    if not phase.total:
        return f"{title} \u2026"
    if phase.title in DRAWING:
        return f"{title}: {100 * phase.done // phase.total} %"
    return tr("{title}: {done:,} of {total:,}", title=title, done=phase.done, total=phase.total)


TIMES = "\u00d7"
