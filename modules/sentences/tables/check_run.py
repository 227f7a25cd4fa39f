"""The check before a run: its length, its learning rates, its precision, its folders, its time and disk."""

SENTENCES: dict[str, tuple[str, str]] = {
    # Components of a model, as parts of a sentence
    "component.denoiser": ("the denoiser", ""),
    "component.vae": ("the VAE", ""),
    "component.text_encoder": ("text encoder {number}", ""),
    "component.words": ("the new tokens", ""),
    # Steps
    "arithmetic.last-step": (
        "The last step of each epoch trains on {rest:# image|# images} instead of {per_step}.",
        "An epoch has {batches:# batch|# batches}, which accumulation {accumulation} does not divide. In a long epoch "
        "that does no harm.",
    ),
    "fix.accumulate": ("Accumulate {count:# batch|# batches}", ""),
    "arithmetic.showings": (
        "Each image is shown {times:,} times.",
        "With {method}, models begin to repeat images instead of learning from them at about {usual}. Watch the "
        "samples, save models on the way, or take fewer steps or more images.",
    ),
    "arithmetic.showings:concept": (
        "Each image of {concept} is shown {times:,} times.",
        "With {method}, models begin to repeat images instead of learning from them at about {usual}. Watch the "
        "samples, save models on the way, or take fewer steps or more images.",
    ),
    "fix.end-after": ("End after {steps:,} steps", ""),
    "arithmetic.short": (
        "The whole run shows {total:# image|# images}.",
        "Hardly anything is learned from fewer than {few}; usual is 1,000 to 5,000.",
    ),
    "fix.train-for": ("Train for {steps:,} steps", ""),
    "arithmetic.unseen": (
        "{part} of {whole:# image is|# images are} never shown ({share:percent}).",
        "{reason} Train longer, or remove them.",
    ),
    "arithmetic.unseen.early": (
        "An epoch has {epoch:# step|# steps}, and the run ends after {steps:,}.",
        "",
    ),
    "arithmetic.unseen.repeats": (
        "Repeats below 1, or a number of samples, leave images to later epochs, and the run ends before those.",
        "",
    ),
    "arithmetic.plan": (
        "{plan}",
        "On the way: {outputs:list}. Each image is shown {times:significant} times on average.",
    ),
    "plan": ("{steps:# step|# steps} in {epochs:# epoch|# epochs} of {epoch:# step|# steps}; {batch}.", ""),
    "plan.step": ("a step trains on {images:# image|# images}", ""),
    "plan.step-accumulated": (
        "a step trains on {images:# image|# images}, {at_once} at once, {accumulation} times",
        "",
    ),
    "outputs.samples": ("{count:# sample|# samples}", ""),
    "outputs.samples-every": ("samples every {every}", ""),
    "outputs.backups": ("{count:# backup|# backups}", ""),
    "outputs.backups-every": ("backups every {every}", ""),
    "outputs.models": ("{count:# model|# models}", ""),
    "outputs.models-every": ("models every {every}", ""),
    "outputs.validations": ("{count:# validation|# validations}", ""),
    "outputs.validations-every": ("validations every {every}", ""),
    "arithmetic.no-backups": (
        "No backup is made in {steps:,} steps.",
        "After a power cut the run would start from the beginning.",
    ),
    "arithmetic.no-backups:rare": (
        "No backup is made in {steps:,} steps: {backup.every} is {every}.",
        "After a power cut the run would start from the beginning.",
    ),
    "fix.back-up-often": ("Back up every 30 minutes", ""),
    "arithmetic.no-samples": (
        "No sample is made in {steps:,} steps: {reason}.",
        "Samples show when a run goes wrong, and when it is good enough to stop.",
    ),
    "no-samples.no-prompt": ("there is no prompt", ""),
    "no-samples.never": ("samples are switched off", ""),
    "no-samples.too-rare": ("they are made every {every}", ""),
    "fix.sample-caption": ("Sample the first image's caption", ""),
    "fix.sample-often": ("Sample every 100 steps", ""),
    # Learning rates
    "arithmetic.scaled-rate": (
        "The learning rate {rate:g} is scaled by {how}: times {factor:.4g}, {scaled:.4g}.",
        "The learning rates of components are scaled alike. Usual values are those of the scaled rate.",
    ),
    "scaled.batch": ("the batch size", ""),
    "scaled.accumulation": ("the accumulation", ""),
    "scaled.both": ("the batch size and the accumulation", ""),
    "scaled.root-batch": ("the square root of the batch size", ""),
    "scaled.root-accumulation": ("the square root of the accumulation", ""),
    "scaled.root-both": ("the square root of the batch size and the accumulation", ""),
    "arithmetic.clip": (
        "Gradients are not clipped, and the learning rate of {component} is {rate:g}.",
        "At a high learning rate a single odd image can derail the run. Clipping at 1 costs nothing.",
    ),
    "fix.clip": ("Clip gradients at 1", ""),
    "arithmetic.rate:high": (
        "The learning rate of {component}, {rate:.4g}, is {times:significant} times above the usual.",
        "Usual for {method} with {optimizer}{scale} is {low:g} to {high:g}. Weights are moved too far at each step, "
        "and the model breaks down.",
    ),
    "arithmetic.rate:low": (
        "The learning rate of {component}, {rate:.4g}, is {times:significant} times below the usual.",
        "Usual for {method} with {optimizer}{scale} is {low:g} to {high:g}. The run may end before anything is "
        "learned.",
    ),
    "rate.at-scale": (" at alpha / rank {scale:significant}", ""),
    "fix.set-to": ("Set it to {value:g}", ""),
    "arithmetic.text-rate": (
        "The learning rate of {components:list} is that of the denoiser, {rate:g}.",
        "A text encoder forgets sooner what words mean: usual is a third to a tenth of the denoiser's rate.",
    ),
    "arithmetic.warmup": (
        "The warm-up of {warm:# step|# steps} takes {share:percent} of the run of {steps:,}.",
        "Usual is 5 %.",
    ),
    "arithmetic.warmup:whole": (
        "The warm-up of {warm:# step|# steps} takes the whole run of {steps:,}.",
        "The learning rate never reaches its value.",
    ),
    "fix.warm-up": ("Warm up for 5 % of the run", ""),
    "arithmetic.ema": (
        "After {steps:# step|# steps} the EMA still consists of the initial weights to {share:percent}.",
        "Samples and the saved model are then mostly the model as it was. So short a run needs no EMA.",
    ),
    "fix.no-ema": ("Switch EMA off", ""),
    "arithmetic.ema:decay": (
        "The EMA decay of {decay:g} is not reached in {steps:# step|# steps}.",
        "It rises with the steps and ends at {reached:.3g}: the average then covers about {span:# step|# steps}, not "
        "{wanted:,}.",
    ),
    "arithmetic.stop-after:time": (
        "{path} is {end}, which never happens.",
        "Only steps and epochs count here, because the same run must end the same way on every machine.",
    ),
    "arithmetic.stop-after:end": (
        "{path} is step {step:,}, and the run has {steps:,}.",
        "The setting changes nothing.",
    ),
    "fix.train-to-the-end": ("Train it to the end", ""),
    "arithmetic.nothing-left": (
        "Nothing is left to train after step {step:,} of {steps:,}: the run ends there.",
        "Every component stops before the end of the run, and the learning rate schedule is cut off.",
    ),
    # Unused settings
    "idle.turns": (
        "Only one component is trained: nothing takes turns.",
        "Alternating is for runs that also train a text encoder.",
    ),
    "fix.no-turns": ("Train all the time", ""),
    "idle.rank": (
        "Rank and alpha of a layer group do nothing in a full fine-tune.",
        "They are for adapters. The learning rate of the group counts.",
    ),
    "idle.prior": (
        "Prior images are shown and count for nothing: {prior.weight} is 0.",
        "They cost the time of a step each, and preserve nothing.",
    ),
    "fix.prior-weight": ("Let them count as much as others", ""),
    "idle.start": (
        "{path} is {start}: training it never begins, because the run ends after {steps:,} steps.",
        "",
    ),
    "fix.train-from-the-start": ("Train it from the beginning", ""),
    # Programs that will not read the file as it was trained
    "readers.oft": (
        "Forge, InvokeAI and diffusers cannot read an OFT.",
        "ComfyUI and LyCORIS read it, LyCORIS only where it would choose the same block size (16 and 8 usually are).",
    ),
    "readers.diffusers-names": (
        "ComfyUI and Forge load only part of a LoRA with {output.lora_format} diffusers.",
        "They leave out the projections of every attention (about half of the layers), and DoRA, and say so only in "
        "their logs. It is for diffusers; kohya's names are read by all of them.",
    ),
    "fix.kohya-names": ("Use kohya's names", ""),
    "readers.dora-outputs": (
        "ComfyUI, Forge, A1111 and InvokeAI draw a DoRA with {method.dora_axis} outputs wrongly.",
        "LyCORIS draws it as trained. A DoRA of inputs is drawn as trained by ComfyUI and InvokeAI, too.",
    ),
    "fix.dora-inputs": ("Train magnitudes of inputs", ""),
    "readers.dora": (
        "diffusers reads a DoRA with kohya's names without its magnitudes.",
        "What it draws is not what was trained. For diffusers set {output.lora_format} to diffusers and "
        "{method.dora_axis} to outputs.",
    ),
    "readers.dora-kind": ("InvokeAI cannot read a {method} with DoRA.", "ComfyUI and LyCORIS read it."),
    # Validation
    "validation.off": (
        "{count:# image|# images} of the kind validation {count:is|are} not used.",
        "They are there to be measured on, and validation is switched off.",
    ),
    "fix.validation-on": ("Switch validation on", ""),
    "validation.nothing": (
        "There is no image to validate on: no concept has two.",
        "Add a concept of the kind validation, or switch validation off.",
    ),
    "fix.validation-off": ("Switch validation off", ""),
    "validation.few": (
        "Validation measures on {count:# image|# images} only.",
        "So few say little about others. More timesteps for each help a little, more images help more.",
    ),
    # Precision
    "precision.rounding": (
        "At learning rate {rate:g} plain bf16 would move {moved:percent} of the weights of {component}; stochastic "
        "rounding is on.",
        "A typical weight ({usual:.2g}) then moves in about 1 of {often:,} steps, by a whole notch, and on average "
        "exactly as far as it should: nothing is lost, but each weight is noisier. Weights in fp32 have no such noise "
        "and take twice the memory.",
    ),
    "fix.weights-fp32": ("Trained weights in fp32", ""),
    "precision.cpu_fp16": (
        "fp16 on a CPU is slow, and 65,504 is the largest number it can hold.",
        "fp32 is right for a CPU; bf16 saves the same memory and overflows as late as fp32.",
    ),
    "fix.compute-fp32": ("Compute in fp32", ""),
    "fix.compute-fp16": ("Compute in fp16", ""),
    "fix.compute-bf16": ("Compute in bf16", ""),
    "precision.old_card": (
        "bf16 needs a card of compute capability 8.0; this one has {version}.",
        "It is emulated and several times slower. fp16 is fast here; trained weights then stay in fp32, and their "
        "gradients are scaled so that none underflows.",
    ),
    "precision.fp16": (
        "fp16 holds no number above 65,504; this card (compute capability {version}) can do bf16.",
        "Steps whose gradients overflow in fp16 are skipped. bf16 is as fast and does not overflow.",
    ),
    "precision.slow": (
        "fp32 takes twice the memory of bf16 for 24 instead of 8 bits, which hardly show in the result.",
        "What is trained stays in fp32 in any case, as set in {training.weights}. bf16 is also much faster on this "
        "card.",
    ),
    "precision.vae:fp16": (
        "{family}'s own VAE exceeds fp16's largest number, 65,504: images turn black.",
        "NaN latents spoil the training; the VAE works a short time only, so fp32 costs little. There are VAEs made "
        "for fp16: {model.vae}.",
    ),
    "precision.vae:bf16": (
        "The VAE computes in bf16, whose numbers are off by up to 0.4 %.",
        "Fine detail of the images is learned a little coarser. Latents are encoded once and cached in fp32, so fp32 "
        "costs some time at the start and nothing after it.",
    ),
    "fix.vae-fp32": ("VAE in fp32", ""),
    "precision.small_tensors": (
        "{small:,} of {count:,} trained tensors are too small for the 8-bit optimizer.",
        "It keeps tensors below {limit:,} numbers in 32 bits, which is right for them. They are {share:percent} of all "
        "that is trained{rest}",
    ),
    "small-tensors.saves-nothing": (": 8 bits save next to nothing here.", ""),
    "small-tensors.saves": (", so 8 bits save memory all the same.", ""),
    "fix.plain-optimizer": ("The plain optimizer", ""),
    # Time and disk
    "costs.time:unknown": (
        "Nothing like this has been trained on this machine yet: how long it takes is not known.",
        "It shows a few steps after the start. To know it before, add --probe to the check: it loads the model and "
        "measures a few real steps.",
    ),
    "costs.time": (
        "About {whole:duration}: {steps:# step|# steps} of {step:duration}{energy}.",
        "{source} Reading and encoding the images comes first, and is cached for the next run.{samples}",
    ),
    "time.energy": (", and {kwh:significant} kWh for the graphics card", ""),
    "time.measured": ("As measured on this machine with these settings.", ""),
    "time.derived": (
        "Derived from a run on this machine with other batches or another resolution: only roughly.",
        "",
    ),
    "time.samples-unknown": (" How long the samples take is not known yet.", ""),
    "costs.disk": (
        "The run will write about {total:bytes}; {free:bytes} are free.",
        "Backups are counted as many as are kept, and one more while it is written.",
    ),
    "costs.disk:nearly-full": (
        "The run will write about {needed:bytes} to the disk with {folder}, where {free:bytes} are free.",
        "Hardly any space would be left, for this run and everything else on that disk.",
    ),
    "costs.disk:if-cached": (
        "The run will write about {needed:bytes} to the disk with {folder}, where {free:bytes} are free.",
        "It fits only if some of it was encoded before, which is not looked for here. Otherwise free some space first.",
    ),
    "costs.disk:full": (
        "The run needs about {needed:bytes} on the disk with {folder}, and {free:bytes} are free.",
        "The disk would be full before the end. Free some space, choose another folder, or write less.",
    ),
    "output.exists": ("{file} exists already.", "Choose another name, or add --overwrite."),
    "fix.one-backup": ("Keep one backup", ""),
    "fix.no-models-on-the-way": ("Save no models on the way", ""),
    "fix.one-backup-no-models": ("Keep one backup, and save no models on the way", ""),
    # Folders
    "folder.workspace": ("the workspace", ""),
    "folder.cache": ("the cache", ""),
    "folder.model": ("the finished model", ""),
    "folder.base": ("the base model", ""),
    "folder.concept": ('the images of "{name}"', ""),
    "paths.not-writable:full": (
        "The disk with {place} ({folder}) is full: {free:bytes} free.",
        "Free some space there, or choose another folder.",
    ),
    "paths.not-writable:link-loop": (
        "The path of {place} ({folder}) is a link that leads to itself.",
        "Delete the link, or choose another folder.",
    ),
    "paths.not-writable:read-only": (
        "The disk with {place} ({folder}) is read-only.",
        "Choose a folder on another disk.",
    ),
    "paths.not-writable:through-a-file": (
        "Nothing can be written to {place} ({folder}): {file} is a file.",
        "Choose another folder.",
    ),
    "paths.not-writable:broken-link": (
        "The path of {place} ({folder}) leads through a link to nowhere.",
        "Is a drive not connected? Or choose another folder.",
    ),
    "paths.not-writable": (
        "Nothing can be written to {place} ({folder}): {reason}.",
        "Choose another folder, or change its permissions.",
    ),
    "paths.workspace-inside-concept": (
        'The workspace is inside the concept "{concept}", which reads its subfolders.',
        "The samples of this run would be training images of the next one, and the model would learn from its own "
        "mistakes. Choose a workspace outside of {folder}, or do not include subfolders.",
    ),
    "fix.no-subfolders": ("Do not include subfolders", ""),
    "paths.concept-inside-run": (
        'The concept "{concept}" holds samples of an earlier run.',
        "A model that learns from its own images learns its own mistakes. If you want just that, copy the good ones to "
        "a folder of their own.",
    ),
    "paths.network:cache": (
        "On a network share: {places:list}.",
        "Every step reads the cache, and a share that is gone for a moment pauses the run. Put the cache on a disk of "
        "this machine.",
    ),
    "paths.network": (
        "On a network share: {places:list}.",
        "Reading and writing take longer there, and a share that is gone for a moment pauses the run.",
    ),
    "paths.synced": (
        "{program} copies {place} to the internet.",
        "Backups and caches are large and change all the time: that takes bandwidth and paid storage, and a file that "
        "is being copied may be locked. Choose a folder outside, or pause it while you train.",
    ),
    "paths.in-memory": (
        "In the machine's memory: {places:list}.",
        "What is there takes memory, and is gone when the machine restarts. Choose a folder on a real disk.",
    ),
    "paths.renamed": (
        'The folder of the run will be called "{name}".',
        'Not every system allows "{wanted}" as the name of a folder.',
    ),
    "paths.too-long": (
        "Files of this run would have paths of {length} characters; Windows allows {most}.",
        "Choose a workspace whose path is {over:# character|# characters} shorter, such as C:\\train, or a shorter "
        "name, or turn on long paths in Windows.",
    ),
    "paths.forbidden-name": (
        'Windows does not allow "{name}" as a name.',
        'Leave out < > : " | ? *, dots and spaces at the end, and names of devices such as CON or NUL.',
    ),
}
