"""Figures of a run as the window writes them; units come from modules.text."""

from __future__ import annotations

from datetime import datetime, timedelta

from modules.event_text import stage_title
from modules.language import tr
from modules.messages import Stage
from modules.text import HOUR, MINUTE, percent_done

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
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


def clock(seconds: float) -> str:
    """10:17, or 2:05:00."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def coarse(seconds: float) -> str:
    """As exact as an estimate is: "45 s", "27 min", "2 h 40 min"."""
    if seconds < 1.5 * MINUTE:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / MINUTE)
    if minutes < HOUR / MINUTE:
        return tr("{minutes} min", minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    return tr("{hours} h {minutes:02} min", hours=hours, minutes=minutes) if minutes else tr("{hours} h", hours=hours)


def done_at(seconds: float, now: datetime | None = None) -> str:
    """At which time of day it will be done; with the day if that is not today, and its date if it is a week away."""
    now = now or datetime.now().astimezone()
    end = now + timedelta(seconds=seconds)
    days = (end.date() - now.date()).days
    if days >= len(WEEKDAYS):
        return tr("done {time}", time=f"{end:%Y-%m-%d}")
    day = f"{tr(WEEKDAYS[end.weekday()])} " if days else ""  # not strftime's: its words are of the system's language
    return tr("done {time}", time=f"{day}{end:%H:%M}")


TIMES = "\u00d7"
