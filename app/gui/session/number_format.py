"""Figures of a run as the window writes them; units come from modules.text."""

from __future__ import annotations

from modules.event_text import stage_title
from modules.language import tr
from modules.messages import Stage
from modules.text import percent_done

COUNTED_IN_STEPS = ("stage.samples", "stage.making-images")


def loss(value: float) -> str:
    return tr("loss {value:.4f}", value=value) if value else ""


def stage_text(stage: Stage) -> str:
    """Reading images: 12 of 400. Making samples: 45 %, for it counts steps, which read like images."""
    title = stage_title(stage)
    if not stage.total:
        return f"{title} \u2026"
    if stage.code in COUNTED_IN_STEPS:
        return f"{title}: {percent_done(stage.done, stage.total)}"
    return tr("{title}: {done:,} of {total:,}", title=title, done=stage.done, total=stage.total)


TIMES = "\u00d7"
