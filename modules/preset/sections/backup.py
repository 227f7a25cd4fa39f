"""The tab "backup": to continue later, and models saved on the way."""

from __future__ import annotations

from modules.preset.setting import Section, Setting
from modules.preset.text.interval import IntervalText


class Backup(Section):
    """Backups"""

    every: IntervalText = Setting("30 minutes", "Back up every", live=True, widget="interval")
    """A backup holds all that is needed to continue as if nothing had happened: "30 minutes", "500 steps", "never"."""
    keep: int = Setting(3, "Keep", ge=1, le=1000, unit="backups")
    """Older backups are deleted once a newer one is whole."""
    at_end: bool = Setting(True, "Back up at the end", level="expert")
    """Allows to continue a finished run with more epochs. Stopping a run always makes a backup."""
    save_every: IntervalText = Setting("never", "Save the model every", live=True, widget="interval")
    """Also write a model that can be used at once, on the way: "1 epoch", "1000 steps", "never"."""
