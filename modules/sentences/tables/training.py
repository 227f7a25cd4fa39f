"""A run under way: what ends it, and what would help."""

SENTENCES: dict[str, tuple[str, str]] = {
    "memory.step": (
        "Memory ran out at step {step}, even with one image of {size} at a time.",
        "{ways} Other programs may hold memory too: close them.",
    ),
    "memory.update": (
        "Memory ran out in the update of step {step}: there is no room for the optimizer's state.",
        "{ways} Other programs may hold memory too: close them.",
    ),
    "memory.ways": ("What helps, cheapest first: {ways:list}.", ""),
    "memory.way": ("{what} ({settings})", ""),
    "rollback.too-many": (
        "{why}{times}: the run ends. No final model is written; the backups stay.",
        "Lower {training.learning_rate} (it is {rate:g}; take a tenth), keep {training.clip_gradients} at 1 and "
        "{model.vae_dtype} at fp32, and check the images named above; then continue with --resume, or start a new run.",
    ),
    "rollback.bad-steps": ("Of the last {last} steps, {steps:list} were skipped", ""),
    "rollback.nan-weights": ("The trained weights contain NaN", ""),
    "rollback.backup-stays": (
        "{backup} is newer than the backup that the run was rolled back to, and could not be deleted ({reason}).",
        "",
    ),
    "rollback.times": (", after {count:one rollback|# rollbacks}", ""),
    "fix.tenth-of-rate": ("A tenth of the learning rate: {rate:g}", ""),
}
