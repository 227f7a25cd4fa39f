"""A run under way: what ends it, and what would help."""

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    "memory.step": ("Memory ran out at step {step}, even with one image of {size} at a time.",
        "{ways} Other programs may hold memory too: close them."),
    "memory.update": ("Memory ran out in the update of step {step}: there is no room for the optimizer's state.",
        "{ways} Other programs may hold memory too: close them."),
    "memory.encoding": ("Memory ran out while an image of {size} was encoded.",
        "Set {model.vae_tiling} to on or lower {training.resolution}. Other programs may hold memory too: close them."),
    "memory.ways": ("What helps, cheapest first: {ways:list}.", ""),
    "memory.way": ("{what} ({settings})", ""),
    "rollback.too-many": ("{why}{times}: the run ends. No final model is written; the backups stay.",
        "Lower {training.learning_rate} (it is {rate:g}; take a tenth), keep {training.clip_gradients} at 1 and "
        "{model.vae_dtype} at fp32, and check the images named above; then continue with --resume, or start a new "
        "run."),
    "rollback.bad-steps": ("Of the last {last} steps, {steps:list} were skipped", ""),
    "rollback.nan-weights": ("The trained weights contain NaN", ""),
    "rollback.backup-stays": (
        "{backup} is newer than the backup that the run was rolled back to, and could not be deleted ({reason}).", ""),
    "rollback.times": (", after {count:one rollback|# rollbacks}", ""),
    "fix.tenth-of-rate": ("A tenth of the learning rate: {rate:g}", ""),
    # Samplers
    "sampler.flow": ("The sampler {sampler} does not work with this model, which is a rectified flow.",
        "Choose another sampler: {able:commas}."),
    "sampler.zero-snr": (
        "The sampler {sampler} does not work with this model, which starts from pure noise (zero SNR).",
        "Choose another sampler: {able:commas}."),
    "spacing.flow": (
        "The sampler {sampler} does not support the spacing {spacing} with a rectified flow, which has a spacing of "
        "its own.",
        "Set the spacing to default."),
    "spacing.distilled": (
        "The sampler {sampler} does not support the spacing {spacing}: its steps are those the model was distilled "
        "for.",
        "Set the spacing to default."),
    "spacing.other": ("The sampler {sampler} does not support the spacing {spacing}.",
        "Set the spacing to default, or choose DPM++ 2M."),
    "loss.nan": ("The loss of step {step} is NaN: the trained weights are lost.",
        "Lower {path} (a tenth of it), keep {training.clip_gradients} at 1, and keep {model.vae_dtype} at fp32; then "
        "start a new run, or continue from the last backup with --resume."),
    "weights.nan": ("The trained weights contain NaN: neither a model nor a backup is written.",
        "Continue from the last backup with --resume, with a lower {path}."),
    "validation.no-images": ("{path} is on, and there is no image to validate on: no concept has more than one.",
        "Add a concept of the kind validation, or turn {path} off."),
    "optimizer.paged": (
        "{path} {kind} pages its state between the graphics card and main memory, and this run has no graphics card.",
        "Choose {path} {other}, or train on a card."),
    "optimizer.refused": ("{path} {name} {why}.",
        "Check {path} and {optimizer.arguments}, or choose an optimizer from the list."),
    "optimizer.misuse": ("does not work here: {reason}", ""),
    "optimizer.not-installed": ("cannot be used: {library} is not installed", ""),
    "optimizer.none": ("is not an optimizer", ""),
    "optimizer.closure": ("needs a closure that computes the loss several times a step", ""),
    "optimizer.waits": ("waits for the graphics card at each weight of each step", ""),
    "optimizer.average": (
        "needs its average swapped in before the weights are used ({optimizer.kind} schedule_free_* do that)", ""),
    "cache.lost-prediction": ("The cache in {cache} has lost the base model's prediction for {file}.",
        "Continue from the last backup with --resume: missing predictions are computed again first."),
    # Samples
    "perturbation.no-attention": ("Models of the type {type} have no attention that is of the image alone.",
        'Set the perturbation to "none".'),
    "perturbation.no-layer": ('No self-attention of this model begins with "{wanted}".',
        "Set the attention layers to {groups:commas}, or to the beginning of a name such as {example}."),
    "prompt.no-image": ("The image {file} does not exist.", "Choose another one, or leave it out."),
    "training-adapter.not-there": (
        "The training adapter {file} does not exist.", "Choose another file, or turn it off."),
    "training-adapter.kind": ("{file} is a {title}; a training adapter is a plain LoRA.", "Choose another file."),
    "training-adapter.no-denoiser": ("{file} changes no layer of the denoiser.", "Choose another training adapter."),
    "prompt.no-lora-file": ("The LoRA {file} does not exist.", "Choose another one, or turn it off."),
    "prompt.no-lora-folder": ("<lora:{name}> names a file, and no folder for LoRA files is set.",
        "Set {sampling.lora_folder}, or leave the tag out."),
    "prompt.no-lora": ("There is no LoRA {name} in {folder}.", "Correct its name, or leave the tag out."),
}
