"""Figures of a run as the window writes them; units come from modules.text."""

from __future__ import annotations

from modules.messages import Phase

DRAWING = ("Making samples", "Making images")


def loss(value: float) -> str:
    return f"loss {value:.4f}" if value else ""


def phase_text(phase: Phase) -> str:
    """Reading images: 12 of 400. Making samples: 45 %, for it counts steps, which read like images."""
    if phase.total and phase.title in DRAWING:
        return f"{phase.title}: {100 * phase.done // phase.total} %"
    return f"{phase.title}: {phase.done:,} of {phase.total:,}" if phase.total else f"{phase.title} \u2026"


TIMES = "\u00d7"
