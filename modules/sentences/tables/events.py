"""What a job tells on its way, and nothing ends because of it: its stages, notes, and why a run waits."""

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    # Stages
    "stage.starting-engine": ("Starting the engine", ""),
    "stage.opening-model": ("Opening the model", ""),
    "stage.scanning-images": ("Scanning the images", ""),
    "stage.loading-model": ("Loading the model", ""),
    "stage.reading-images": ("Reading images", ""),
    "stage.encoding-images": ("Encoding images", ""),
    "stage.checking-images": ("Checking images", ""),
    "stage.encoding-captions": ("Encoding captions", ""),
    "stage.reading-masks": ("Reading masks", ""),
    "stage.caching-predictions": ("Caching the base model's predictions", ""),
    "stage.asking-base": ("Asking the base model what it knows", ""),
    "stage.retention": ("Measuring what was learnt and forgotten", ""),
    "stage.class-images": ("Generating class images", ""),
    "stage.samples": ("Making samples", ""),
    "stage.reading-prompts": ("Reading prompts", ""),
    "stage.backup": ("Writing a backup", ""),
    "stage.saving-model": ("Saving the model", ""),
    "stage.validation": ("Validating", ""),
    "stage.making-images": ("Making images", ""),
    "stage.grid": ("Drawing the grid", ""),
    "stage.scoring": ("Scoring images", ""),
    "stage.masks": ("Making masks", ""),
    "stage.tagging": ("Tagging images", ""),
    "stage.captioning": ("Writing sentences", ""),
    "stage.reading-references": ("Reading reference images", ""),
    "stage.preparing-images": ("Preparing images", ""),
    "stage.extracting": ("Comparing the models", ""),
    "stage.resizing": ("Resizing", ""),
    "stage.joining": ("Joining", ""),
    "stage.merging": ("Merging", ""),
    "stage.writing-model": ("Writing the model", ""),
    "stage.check-paths": ("Checking folders", ""),
    "stage.check-arithmetic": ("Counting steps", ""),
    "stage.check-captions": ("Reading captions", ""),
    "stage.check-images": ("Reading image files", ""),
    "stage.check-precision": ("Checking precision", ""),
    "stage.check-idle": ("Checking unused settings", ""),
    "stage.check-validation": ("Checking validation", ""),
    "stage.check-memory": ("Estimating memory", ""),
    "stage.check-costs": ("Estimating time and disk", ""),
    "stage.measuring-steps": ("Measuring a few steps", ""),
    "stage.counting-tokens": ("Counting tokens", ""),
    "stage.reading-weights": ("Reading the weights", ""),
    "stage.fitting-memory": ("Finding settings that fit", ""),
    "stage.connecting": ("Connecting to the other machine", ""),
    "stage.sending": ("Sending files (MB)", ""),
    "stage.bringing": ("Bringing what was made", ""),
    # The engine
    "engine.busy": ("A job is already running: wait until it ends, or stop it.", ""),
    "engine.closing": ("The engine is shutting down and starts no more jobs.", ""),
    "engine.other-version": (
        "A job of another version of Seachange goes on without its window (process {pid}).",
        "This window cannot show it: its run is under Live run, among the earlier runs. To end it, end that process: "
        "it makes a backup first.",
    ),
    "engine.not-understood": ("Not understood: {error}", ""),
    # The model
    "hub.downloading": ("Downloading {size:bytes} of {name} from Hugging Face.", ""),
    "model.predicts": ("{model}: the model predicts {what}.", ""),
    "model.predicts:zero-snr": ("{model}: the model predicts {what}, down to pure noise (zero terminal SNR).", ""),
    "model.asked-otherwise": ("{model} says that it predicts {own}; here it is asked for {asked}.",
        "If that is to change it: its first samples are noise, and it takes a long run of all its layers."),
    "model.distilled": (
        "{model} has fewer blocks than {kind}, as SSD-1B, Segmind Vega and other distilled models have: its layers "
        "were read from its tensors.", ""),
    "model.yaml-says-v": ("{config} says that {model} predicts v.", ""),
    "model.sd2-guessed": (
        "{model} does not tell whether it predicts epsilon or v. By its name it was taken for one of SD 2's {size} "
        "models: {prediction}.",
        "If samples are noise, set the prediction by hand."),
    "predicts.epsilon": ("the noise (epsilon)", ""),
    "predicts.v": ("the velocity (v)", ""),
    "predicts.flow": ("the direction from image to noise (flow)", ""),
    # Images and captions
    "image.left-out": ("{file} is left out: {reason}.", ""),
    "captions.orphans": ("{count:1 caption file belongs|# caption files belong} to no image: {first}.", ""),
    "captions.orphans:several": ("{count:,} caption files belong to no image: {first}, and others.", ""),
    "images.kohya-latents": (
        "{count:1 file of latents by kohya (.npz) is|# files of latents by kohya (.npz) are} not used, as they do not "
        "say which VAE made them. The images are encoded anew.", ""),
    "images.other-kinds": ("Images of kinds that are not read are left out: {kinds:list}.", ""),
    "captions.none": ("{count:,} of {total:1 image has|# images have} no caption.", ""),
    "captions.none-in-file": (
        'The concept "{concept}": {count:,} of {total:1 image has|# images have} nothing in a {ending} file.', ""),
    "cache.damaged": ("The cache in {folder} has damaged records, or was deleted.",
        "They are encoded again as they come up, which keeps the VAE or the text encoders in memory."),
    "cache.trimmed": ("{freed:bytes} of the cache were deleted, unused for longest. It takes {taken:bytes} now.",
        ""),
    "cache.over-limit": ("The cache takes {taken:bytes}, more than its limit of {limit:bytes}: the rest is needed.",
        "Raise {general.cache_limit}, or choose another folder for the cache."),
    "cache.aside": ("{file} was damaged. It is now {aside}, and what it held is read once more.", ""),
    "class-images.made": ("{count:1 class image was|# class images were} generated in {folder}.", ""),
    # What is trained
    "compile.blocks": ("{count:1 block|# blocks} of the denoiser will be compiled: the first steps take longer.", ""),
    "compile.does-not-work": ("The compiler does not work here, so the run goes on without: {why}", ""),
    "training.part": ("Training {part}: {count:1 parameter|# parameters}, at learning rate {rate:g}.", ""),
    "training.part:of": (
        "Training {part}: {count:1 parameter|# parameters} ({share:percent} of {whole:,}), at learning rate "
        "{rate:g}.", ""),
    "adapter.continued": ("{known:1 layer continues|# layers continue} from {file}; {new:1 is|# are} new.", ""),
    "training-adapter.used": ("{file} (strength {strength:g}) lies under the model while it is trained. It is in no "
        "sample and in no file.", ""),
    "training-adapter.partly": ("{used} of {count:# layer|# layers} in {file} are used; the others are no layers of "
        "the denoiser, or cannot be read here ({names}).", ""),
    "adapter.left-out": ("{file} also holds what cannot be read here and is left out: {names}.", ""),
    "adapter.lost-layers": (
        "{count:1 layer is|# layers are} in {file} and not trained here; the new file will not have them ({names}).",
        "Train the same parts and layers to keep them."),
    "prior.class": (
        "Prior preservation: {count:1 class image is|# class images are} trained on too, with weight {weight:g}.", ""),
    "prior.prior": (
        "Prior preservation: {count:1 image is|# images are} trained towards the base model's own predictions, with "
        "weight {weight:g}.", ""),
    "ema.half": ("Moving average (EMA): half of it comes from the last {count:1 step|# steps}.", ""),
    "ema.none": ("Moving average (EMA): it hardly differs from the last weights.", ""),
    "validation.images": (
        "Validation: {count:1 image that is|# images that are} not trained on, each measured with different noise "
        "{times:once|# times}.", ""),
    "validation.images:held-out": (
        "Validation: {count:1 image that is|# images that are} not trained on (held out), each measured with different "
        "noise {times:once|# times}.", ""),
    # Learnt and forgotten
    "retention.measured": (
        "What is learnt and forgotten is measured, at {points} points of {count:1 prompt|# prompts} that the base "
        "model knows.", ""),
    "retention.too-short": (
        "What is learnt and forgotten is not measured: in {share:percent} of the time of {steps:1 step|# steps} there "
        "is no room for it.", ""),
    "retention.unprepared": ("What is forgotten cannot be measured: {why}", ""),
    "retention.no-effect": (
        "What is forgotten cannot be measured: the base model's answers do not change with the prompts that it is to "
        "know.", "Give others in {examine.prompts}."),
    "retention.none": ("What was learnt and forgotten was not measured at step {step}: {why} Training goes on.", ""),
    "retention.text": ("Step {step}: what the text encoders say has moved by {share:percent}.", ""),
    "retention.alarm": (
        "It forgets faster than it learns.", "Lower the learning rate, or add prior images."),
    "retention.never": (
        "No step of this run learnt more than it overwrote.", "Lower the learning rate, or add prior images."),
    "fix.half-rate": ("Half the learning rate: {rate:g}", ""),
    "fix.prior-images": ("Add {count} prior images", ""),
    # A run that is continued
    "backup.damaged": ("The backup of step {step} is damaged ({reason}) and is skipped.", ""),
    "resume.repeated": (
        "Continued from the backup of step {step}; {count:1 step since then is|# steps since then are} repeated (the "
        "log reached step {reached}).", ""),
    "resume.no-backup": ("This run has no backup yet: it starts again from the beginning, in the same folder.", ""),
    "resume.no-backup:reached": (
        "This run has no backup yet: it starts again from the beginning, in the same folder. It had reached step "
        "{reached}.", ""),
    "resume.done": ("This run has already done its {count:1 step|# steps}: only the model is written.",
        "Raise {training.steps} or {training.epochs} to go on."),
    # Steps
    "training.nothing-left": ('Nothing is left to train: every part has reached its "stop training after".', ""),
    "command.waits": ("{command} has to wait until this run has ended.", ""),
    "setting.now": ("{path} is now {value}.", ""),
    "step.skipped": ("Step {step} was skipped: {why} In the batch: {files}.", ""),
    "step.skipped:more": ("Step {step} was skipped: {why} In the batch: {files} and {more} more.", ""),
    "step.loss-nan": ("the loss is NaN.", ""),
    "step.loss-infinite": ("the loss is infinite.", ""),
    "step.gradient-nan": ("the gradient is NaN.", ""),
    "step.gradient-infinite": ("the gradient is infinite.", ""),
    "step.loss-spike": ("the loss, {value:.3g}, is more than {times:g} times its usual value.", ""),
    "step.gradient-spike": ("the gradient norm, {value:.3g}, is more than {times:g} times its usual value.", ""),
    "step.unlisted": ("Further skipped steps are not listed one by one.", ""),
    "rollback.skipped": ("{count} of the last {last} steps were skipped.", ""),
    "rollback.nan": ("The weights contain NaN.", ""),
    "rollback.to-backup": ("The run is rolled back to the backup of step {step}", ""),
    "rollback.to-start": ("There is no backup yet: the run is rolled back to its start", ""),
    "rollback.stays": ("There is no backup yet: the run stays at step {step}, with the last good weights", ""),
    "rollback.done": ("{why} {where}. New noise and timesteps are drawn from there.", ""),
    "rollback.done:lower": (
        "{why} {where}, and continues at {factor:g} times the learning rate. New noise and timesteps are drawn from "
        "there.", ""),
    "memory.split": (
        "Memory ran out at step {step} (batch of {count} at {size}): batches of this size are split into {parts} parts "
        "from here on.",
        "The result is the same; a step takes longer."),
    "vae.tiles": ("Memory ran out while an image was decoded: images are decoded in tiles from here on.", ""),
    "memory.spills": (
        "Steps take {times:.1f} times as long as before, and the card's memory is full ({memory}): the driver seems to "
        "use the computer's memory instead.",
        "Close other programs, set {training.gradient_checkpointing} to all or lower {training.batch_size}."),
    # Samples and validation
    "samples.reads-prompts": (
        "A new prompt: {count:the text encoder is|the # text encoders are} loaded again to read it. Large ones take a "
        "while.", ""),
    "samples.none": ("No sample at step {step}: {why} Training goes on.", ""),
    "samples.none:last": (
        "No sample at step {step}: {why} Training goes on. This is the third failure in a row: samples are still "
        "tried, but further failures are not reported.", ""),
    "samples.prompt": ('No sample of "{prompt}" at step {step}: {why}', ""),
    "samples.prompt:last": (
        'No sample of "{prompt}" at step {step}: {why} Further failures of this prompt are not reported.', ""),
    "memory.ran-out": ("memory ran out.", ""),
    "validation.none": ("No validation at step {step}: {why} Training goes on.", ""),
    "validation.no-better": ("Validation has not improved since step {step}, in {count:1 validation|# validations}.",
        ""),
    "validation.no-better:kept": (
        "Validation has not improved since step {step}, in {count:1 validation|# validations}; that model is "
        "{file}.", ""),
    "validation.ends": ("{reason} The run ends here.", ""),
    "validation.asks": ("{reason} Continue or stop?", ""),
    # Files
    "backup.nan": ("No backup at step {step}: the trained weights contain NaN.", ""),
    "model.nan": ("No model at step {step}: the trained weights contain NaN.", ""),
    "backup.not-deleted": ("An older backup in {folder} could not be deleted: {reason}.", ""),
    "log.lost": ("{count:1 line|# lines} of {file} could not be written ({reason}).", ""),
    "log.waits": ("The log in {folder} cannot be written ({reason}): it is kept in memory until it can.", ""),
    "log.written": ("The log in {folder} is written again; nothing was lost.", ""),
    "log.too-many": ("too many lines were waiting", ""),
    "log.no-tensorboard": ("TensorBoard is switched off for this run: {reason}.", "Training goes on."),
    "written.sample": ("a sample", ""),
    "written.backup": ("a backup", ""),
    "written.model": ("the model", ""),
    "written.ema": ("the moving average", ""),
    "written.best": ("the best model", ""),
    "written.cache": ("the cache", ""),
    "written.lock": ("a lock", ""),
    "written.preset": ("preset.json", ""),
    # Tools
    "sample.lora": ("{file} changes {count:1 layer|# layers}.", ""),
    "sample.lora:strength": ("{file} changes {count:1 layer|# layers}, at strength {strength:g}.", ""),
    "sample.embeddings": ("Prompts can hold {tokens}.", ""),
    "sample.not-drawn": ('"{prompt}" is not drawn: {why}', ""),
    "training-set.there": ("{count:1 image is|# images are} in {folder} already.", ""),
    "cache.filled": ("Everything is cached in {folder}.", ""),
    "extract.kept": ("{part}: the file holds {share:percent} of the change, in {layers:1 layer|# layers}.", ""),
    "extract.group": ("{part}, {group}: {share:percent} in {layers:1 layer|# layers}.", ""),
    "extract.group:rank": ("{part}, {group}: {share:percent} in {layers:1 layer|# layers}, rank {low}.", ""),
    "extract.group:ranks": ("{part}, {group}: {share:percent} in {layers:1 layer|# layers}, ranks {low} to {high}.",
        ""),
    "extract.worst": ("Least is held of {names:commas}.", ""),
    "extract.left-out": ("{part}: {share:percent} of the change is in {count:1 tensor|# tensors} that a LoRA has no "
        "place for (norms, biases, embeddings).", ""),
    "extract.unchanged": ("{part} has not changed.", ""),
    "extract.written": ("{layers:1 layer|# layers}, {size:bytes}.", ""),
    "merge.models": ("{title}, {count:1 model|# models}, {tensors:1 tensor|# tensors}.", ""),
    "merge.taken": ("{part} is that of {file}: the first model has none.", ""),
    "merge.parts": ("{file} has {count:1 tensor|# tensors} of {whole}; the others are those of {first}.", ""),
    "merge.marks": ("{first} predicts {one}, {file} {other}. The result is marked as {one}: such a merge seldom works.",
        ""),
    "merge.left-out": ("{parts:commas} of {file} {count:is|are} not written: a single file of this family holds none.",
        ""),
    "adapters.approximate": ("{file}: {count:1 layer|# layers} of {kinds} {count:becomes a LoRA|become LoRAs}, which "
        "is nearly the same.", ""),
    "resize.kept": ("Ranks {least} to {most}, {share:percent} of the change of a layer on average.", ""),
    "join.kept": ("Rank {rank}, {share:percent} of the change of a layer on average.", ""),
    "shift.whole": ("The whole model has moved by {share} of its norm ({norm:.3g}).", ""),
    "score.without-references": ("Left out, because there are no reference images: {scores:list}.",
        "Give a folder of them (reference)."),
    "score.without-references:why": ("Left out, because there are no reference images: {scores:list}. {why}",
        "Give a folder of them (reference)."),
    "score.without-prompts": ("Left out, because no image has a prompt: {scores:list}.", ""),
    "score.some-references": ("{count:,} of {total:,} reference images are used.",
        "A near-copy of another one is not found. references says how many are taken, 0 for all."),
    "onnx.on-cpu": ("The model runs on the CPU: the ONNX Runtime that is installed knows no graphics card.",
        "On an NVIDIA card it is faster with the package onnxruntime-gpu in the place of onnxruntime."),
    "mask.kept": ("{count:# image keeps its mask|# images keep their masks}.", ""),
    "mask.painted": ("{count:# mask stays as it is: it was|# masks stay as they are: they were} painted, changed "
        "since, or made by another program.", ""),
    "mask.nothing-to-do": ("There is no mask to make.", ""),
    "mask.written": ("{count:# mask|# masks} written.", ""),
    "mask.empty": (
        "Nothing was found in {count:# image, which gets no new mask|# images, which get no new mask}: {files:list}.",
        "Without a mask the whole image counts. Try a lower threshold or another model, or paint the mask."),
    "mask.full": ("The mask of {count:# image|# images} is white all over, as if there were none: {files:list}.",
        "Try a higher threshold or another model."),
    "score.cut": ("{count:1 prompt is|# prompts are} longer than the model reads; the end was not compared.", ""),
    "score.table": ("Mean over prompts, with the 95 % interval:", ""),
    "score.table:step": ("By step, the mean over prompts with its 95 % interval:", ""),
    "score.table:column": ("By column, the mean over prompts with its 95 % interval:", ""),
    "score.row": ("{label}: {numbers:list}; {images:1 image|# images}.", ""),
    "score.row:concept": ("{label}, prompts of the concept: {numbers:list}; {images:1 image|# images}.", ""),
    "score.row:known": ("{label}, prompts the base model knows: {numbers:list}; {images:1 image|# images}.", ""),
    "score.row:other": ("{label}, other prompts: {numbers:list}; {images:1 image|# images}.", ""),
    "score.row:all": ("{numbers:list}; {images:1 image|# images}.", ""),
    "shift.kind": ("{kind}: norm {norm:.3g}, most in {block}.", ""),
    "shift.kind:of": ("{kind}: {share}, most in {block} ({most}).", ""),
    "shift.step": ("Step {step}: {share}.", ""),
    "shift.most": ("Moved most: {names:commas}.", ""),
    "merge.lora": ("{file} changes {count:1 layer|# layers}, at strength {strength:g}.", ""),
    "convert.narrowed": ("{part}: {count:1 tensor|# tensors} of {held} {count:loses|lose} digits as {dtype}.", ""),
    "convert.replaced": ("{file} replaces {count:1 tensor|# tensors} of {component}.", ""),
}

# Files that change while a run uses them: what happened to one, what is done about it; and of several, at the end
WATCHED = {
    "image-gone": ("was deleted", "what was encoded of it is used"),
    "image": ("was changed", "what was encoded of it before is used until the run ends"),
    "image-live": ("was changed", "it is used as it is now"),
    "caption-gone": ("was deleted", "what it said when the run began is used"),
    "caption": ("was changed", "what it said when the run began is used"),
    "caption-new": ("is new", "the run goes on without it"),
    "lost": ("cannot be read any more", "another image takes its place"),
}
SUMMED = {
    "image-gone": ("images were deleted", "what was encoded of them is used"),
    "image": ("images were changed", "what was encoded of them before was used"),
    "image-live": ("images were changed", "they were used as they were when they came up"),
    "caption-gone": ("caption files were deleted", "what they said when the run began was used"),
    "caption": ("caption files were changed", "what they said when the run began was used"),
    "caption-new": ("caption files are new", "the run went on without them"),
    "lost": ("images could not be read any more", "other images took their places"),
}
SENTENCES.update(
    {
        f"watch.{kind}": (
            f"{{file}} {what} while the run is on: {used}. Others like it are counted, and listed at the end.",
            "",
        )
        for kind, (what, used) in WATCHED.items()
    }
)
SENTENCES.update(
    {
        f"watched.{kind}": (f"{{count:,}} {what} while the run was on: {used}.", "")
        for kind, (what, used) in SUMMED.items()
    }
)
