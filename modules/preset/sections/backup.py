"""The tab "backup": to continue later, and models saved on the way."""

from __future__ import annotations

from modules.preset.setting import Section, Setting
from modules.preset.text.interval import IntervalText


class Backup(Section):
    """Backups"""

    every: IntervalText = Setting(
        "30 minutes", "Back up every", live=True, widget="interval",
        aliases="backup_after, save_state, checkpointing_steps, checkpoint_step_interval, checkpoint_every_n_minutes, "
        "resume, resume_from_checkpoint, continue_last_backup, autosave",
    )  # fmt: skip
    """A backup holds all that is needed to continue as if nothing had happened: "30 minutes", "500 steps", "never"."""
    keep: int = Setting(
        3, "Backups to keep", ge=1, le=1000, unit="backups",
        aliases="rolling_backup_count, checkpoints_total_limit, max_checkpoints, max_step_saves_to_keep, "
        "save_last_n_steps_state, save_last_n_epochs_state",
    )  # fmt: skip
    """Older backups are deleted once a newer one is whole."""
    at_end: bool = Setting(True, "Back up at the end", level="expert", aliases="save_state_on_train_end")
    """So that a finished run can be continued with more epochs. Stopping a run always makes a backup."""
    save_every: IntervalText = Setting(
        "never", "Save the model every", live=True, widget="interval", aliases="save_every_n_epochs, save_every_n_steps"
    )
    """Also write a model that can be used at once, on the way: "1 epoch", "1000 steps", "never"."""
