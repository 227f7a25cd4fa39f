"""Figures of a run as people read them: time left, rate, loss, bytes."""

from __future__ import annotations

from modules.messages import Phase, Progress

DRAWING = ("Making samples", "Making images")


def clock(seconds: float) -> str:
    """1:28:31, or 0:42."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, last = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{last:02}" if hours else f"{minutes}:{last:02}"


def rate(steps_per_second: float) -> str:
    """1.92 it/s, or 3.4 s/it where a step takes longer than a second."""
    if steps_per_second <= 0:
        return ""
    return f"{steps_per_second:.2f} it/s" if steps_per_second >= 1 else f"{1 / steps_per_second:.1f} s/it"


def loss(value: float) -> str:
    return f"loss {value:.4f}" if value else ""


def gigabytes(size: float) -> str:
    return f"{size / 2**30:.0f} GB"


def progress_text(progress: Progress) -> str:
    """Epoch 4 of 20, step 1,840 of 12,040."""
    epoch = min(progress.epoch + 1, progress.epochs)  # it counts those that are done
    return f"epoch {epoch:,} of {progress.epochs:,}, step {progress.step:,} of {progress.steps:,}"


def phase_text(phase: Phase) -> str:
    """Reading images: 12 of 400. Making samples: 45 %, for it counts steps, which read like images."""
    if phase.total and phase.title in DRAWING:
        return f"{phase.title}: {100 * phase.done // phase.total} %"
    return f"{phase.title}: {phase.done:,} of {phase.total:,}" if phase.total else f"{phase.title} \u2026"


TIMES = "\u00d7"


DAY = 86_400.0


def ago(seconds: float) -> str:
    """ "just now", "5 minutes ago", "yesterday", "12 days ago"."""
    for limit, size, name in ((60, 1, ""), (3600, 60, "minute"), (DAY, 3600, "hour")):
        if seconds < limit:
            count = int(seconds // size)
            return "just now" if not name else f"{count} {name}{'' if count == 1 else 's'} ago"
    days = int(seconds // DAY)
    return "yesterday" if days == 1 else f"{days} days ago"
