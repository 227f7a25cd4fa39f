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
    # Samplers
    "sampler.flow": (
        "The sampler {sampler} does not work with this model, which is a rectified flow.",
        "Choose another sampler: {able:commas}.",
    ),
    "sampler.zero-snr": (
        "The sampler {sampler} does not work with this model, which starts from pure noise (zero SNR).",
        "Choose another sampler: {able:commas}.",
    ),
    "spacing.flow": (
        "The sampler {sampler} does not support the spacing {spacing} with a rectified flow, which has a spacing of "
        "its own.",
        "Set the spacing to default.",
    ),
    "spacing.distilled": (
        "The sampler {sampler} does not support the spacing {spacing}: its steps are those the model was distilled "
        "for.",
        "Set the spacing to default.",
    ),
    "spacing.other": (
        "The sampler {sampler} does not support the spacing {spacing}.",
        "Set the spacing to default, or choose DPM++ 2M.",
    ),
}
