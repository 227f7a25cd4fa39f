"""Settings that contradict one another, and what a run lacks: what is wrong, and the ways out."""

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    # What is missing
    "preset.no-model": ("No base model is chosen.", "Give a file, a folder or a Hugging Face name."),
    "preset.no-concepts": ("There are no images to train on.", "Give a folder: --concept FOLDER."),
    "preset.concepts-disabled": ("All concepts are switched off.", "Switch one of them on."),
    "preset.no-folder": ("No folder is chosen.", "Choose one, or switch the concept off."),
    "preset.no-tokens": ("{method.kind} embedding trains new tokens, and there are none.",
        "Add one, such as {words.0.token} <new>."),
    "preset.no-training-images": ("All concepts are of the kind {kinds:or}: there are no images to train on.",
        "Set the kind of one of them to train."),
    # Precision
    "rules.fp16-and-bf16": ("{model.dtype} fp16 and {training.weights} bf16 cannot be combined.",
        "Set {training.weights} to fp32, or {model.dtype} to bf16."),
    "rules.fp32-and-bf16": (
        "{model.dtype} fp32 and {training.weights} bf16 cannot be combined in a full fine-tune: trained and frozen "
        "layers would not work together.",
        "Set {model.dtype} to bf16, or {training.weights} to fp32."),
    # What is trained
    "rules.embedding-trains-encoder": (
        "{path} is on, but {method.kind} embedding trains a new token for an unchanged text encoder.",
        "Switch {path} off, or choose {method.kind} lora or full."),
    "rules.no-such-encoder": ("{path} is on, but {model.family} {family} has no such text encoder.", "Switch it off."),
    "rules.frozen-encoder": ("{path} is on, but {model.family} {family} keeps this text encoder as it is.",
        "Switch it off."),
    "rules.nothing-trained": ("{training.denoiser.train} and the text encoders are all off: nothing would be trained.",
        "Switch {training.denoiser.train} on."),
    # Objective
    "rules.epsilon-zero-snr": (
        "{objective.zero_terminal_snr} on needs v-prediction, but {objective.prediction} is epsilon, which says "
        "nothing about the image at pure noise.",
        "Set one of them to auto, or {objective.prediction} to v_prediction."),
    "rules.always-flow": ("Models of {model.family} {family} are rectified flows and cannot learn {prediction}.",
        "Set {path} to auto."),
    "rules.flow-zero-snr": (
        "{objective.zero_terminal_snr} on is for v-prediction, but {objective.prediction} is flow, which always ends "
        "in pure noise.",
        "Set {objective.zero_terminal_snr} to auto."),
    "rules.no-loss": ("All kinds of loss have weight 0: nothing would be learned.", "Set {objective.loss.mse} to 1."),
    "rules.timestep-range": ("{objective.times.lower} {lower:g} is not below {objective.times.upper} {upper:g}.",
        "Set {objective.times.lower} to 0, or {objective.times.upper} to 1."),
    "rules.patience-without-validation": (
        "{validation.patience} {patience} counts validations, but {validation.every} is never.",
        'Set {validation.every} to "1 epoch", or {validation.patience} to 0.'),
    # Optimizer, learning rate, schedule
    "rules.schedule-free-schedule": (
        "{optimizer.kind} {optimizer} replaces a learning rate schedule, but {schedule.kind} is {schedule}.",
        "Set {schedule.kind} to constant (a warm-up is fine), or choose another optimizer."),
    "rules.schedule-free-bf16": (
        "{optimizer.kind} {optimizer} averages the weights, for which bf16 is too coarse, but {training.weights} is "
        "bf16.",
        "Set {training.weights} to fp32, or choose another optimizer."),
    "rules.schedule-free-ema": ("{training.ema} is on, but {optimizer.kind} {optimizer} has an average of its own.",
        "Switch {training.ema} off, or choose another optimizer."),
    "rules.schedule-free-max-norm": (
        "{method.max_norm} changes weights behind the back of {optimizer.kind} {optimizer}, which averages them.",
        "Set {method.max_norm} to 0, or choose another optimizer."),
    "rules.schedule-free-token-norm": (
        "{path} changes weights behind the back of {optimizer.kind} {optimizer}, which averages them.",
        "Switch {path} off, or choose another optimizer."),
    "rules.rate-free-low": (
        "{optimizer.kind} {optimizer} finds the learning rate by itself and multiplies it by {training.learning_rate}, "
        "which is {rate:g}: next to nothing would be learned.",
        "Set {training.learning_rate} to 1, or choose another optimizer."),
    "rules.rate-free-several": (
        "{optimizer.kind} {optimizer} finds one learning rate for everything, but what is trained has several "
        "({rates:list}).",
        "Set the learning rate of each component to 0, or choose another optimizer."),
    "rules.rate-free-scaled": (
        "{training.scale_rate} {scale} is for a given learning rate, but {optimizer.kind} {optimizer} finds its own.",
        "Set {training.scale_rate} to none, or choose another optimizer."),
    "rules.rate-free-lora-plus": (
        "{method.rate_ratio} {ratio:g} gives some weights their own learning rate, but {optimizer.kind} {optimizer} "
        "finds one for all.",
        "Set {method.rate_ratio} to 1, or choose another optimizer."),
    "rules.rate-too-high": (
        "{training.learning_rate} {rate:g} destroys a model within a few steps with {optimizer.kind} {optimizer}.",
        "Set it near 1e-4, or choose {optimizer.kind} prodigy."),
    "rules.matrices-and-tokens": (
        "{optimizer.kind} {optimizer} updates whole matrices, but a new token is only a few vectors.",
        "Choose another optimizer, such as adamw, or remove the tokens."),
    "rules.paged-on-cpu": (
        "{optimizer.kind} {optimizer} moves its state between a graphics card and main memory, but {general.device} is "
        "cpu.",
        "Choose another optimizer, such as adamw8bit, or train on a card."),
    "rules.offload-trained": (
        "{model.offload} is for weights that are not trained, but {method.kind} full trains the denoiser's.",
        "Set {model.offload} to auto or none, or train an adapter such as a LoRA."),
    "rules.gradients-of-adapters": (
        "{training.gradients} main_memory is for full fine-tunes, but {method.kind} is {method}, with few gradients.",
        "Set {training.gradients} to auto or card."),
    "rules.gradients-on-cpu": (
        "{training.gradients} main_memory moves gradients off a graphics card, but {general.device} is cpu.",
        "Set {training.gradients} to auto or card, or train on a card."),
    "rules.offload-on-cpu": (
        "{model.offload} moves blocks between a graphics card and main memory, but {general.device} is cpu.",
        "Set {model.offload} to auto or none, or train on a card."),
    "rules.int8-products": (
        "{model.int8_products} is for weights in int8, but {model.quantization} is {how}.",
        "Set {model.quantization} to int8, or {model.int8_products} to off."),
    "rules.int8-products-on-cpu": (
        "{model.int8_products} is for graphics cards, but {general.device} is cpu.",
        "Set {model.int8_products} to off, or train on a card."),
    "rules.quantized-trained": (
        "{model.quantization} {how} is for weights that are not trained, but {method.kind} full trains the denoiser's.",
        "Set {model.quantization} to auto or off, or train an adapter such as a LoRA."),
    "rules.variant": ("{model.variant} {variant} is none of {type}.", "Set it to auto, or to one of {known:list}."),
    # Adapters
    "rules.lora-format": ("{output.lora_format} {form} is none of the formats that programs read for {type}.",
        "Set {output.lora_format} to auto."),
    "rules.adapter-format": ("{output.lora_format} {form} has no names for {method.kind} {method}.",
        "Set {output.lora_format} to auto, or choose {method.kind} lora."),
    "rules.dora-axis": ("{output.lora_format} {form} has no names for a DoRA with {method.dora_axis} {axis}.",
        "Set {output.lora_format} to auto, or to diffusers with {method.dora_axis} outputs."),
    "rules.rank-without-file": (
        "{method.rank_from_file} takes the ranks of a file, but {method.start_from} names none.",
        "Give a file, or switch {method.rank_from_file} off."),
    "rules.oft-alpha": ("{path} scales an update, but {method.kind} oft has no scale.", "Set it to 0."),
    # Sizes
    "rules.not-a-multiple": ("{size} is not a multiple of {step}, as image sizes must be.",
        "Set it to {lower} or {upper}."),
    "rules.max-side": (
        "{training.max_side} {max_side} is shorter than the resolution of {side} ({resolution:setting}): no image fits "
        "its area.",
        "Set {training.max_side} to 0 (twice the resolution), or lower the resolution."),
    "rules.min-side": ("{training.min_side} {min_side} is longer than the resolution of {side} ({resolution:setting}).",
        "Set {training.min_side} to 0, or raise the resolution."),
    "rules.bucket-step": (
        "{training.bucket_step} {bucket_step} is larger than the resolution of {side} ({resolution:setting}).",
        "Set {training.bucket_step} to 0, or to 64."),
    # Concepts
    "rules.flips": ("{path} mirrors every image, and {.flip} every other.", "Switch one of them off."),
    "rules.shares": (
        "{path} has {shares:# share|# shares}, but with {.more_captions} there are {sources:# caption source|# caption "
        "sources}.",
        "Give each source a share, or none."),
    "rules.class-images-without-prompt": (
        "{prior.made.count} {count} asks for class images, but {prior.made.prompts} is empty.",
        'Write what to generate, such as "a photo of a dog", or set {prior.made.count} to 0.'),
    # New tokens
    "rules.no-new-tokens": ("Models of {model.family} {family} cannot learn new tokens.",
        "Leave {path} empty, and choose {method.kind} lora or full."),
    "rules.token-twice": ('"{token}" is there {count} times.', "Give each token a name of its own."),
    "rules.token-space": ('"{token}" contains a space, so captions could not name it.', "Write it as one word."),
    "rules.token-is-component": ('"{token}" is the name of a component of the model.', "Give the token another name."),
    "rules.token-starts": ('{path} and {.start} both say what "{token}" starts from.', "Leave one of them empty."),
    "rules.token-unused": ('{path} is off, and {.file} names no file: "{token}" would have no meaning.',
        "Give a file, or switch {path} on."),
    # Samples
    "rules.guidance-range": ("{path} {start:g} is not below {.guidance_end} {end:g}: no step would be guided.",
        "Set {path} to 0, or {.guidance_end} to 1."),
    "rules.cfg-plus-plus-sampler": ("{path} is on, but it is not made for the steps of {.sampler} {sampler}.",
        "Set {.sampler} to {samplers:or}, or switch {path} off."),
    "rules.cfg-plus-plus-guidance": (
        "{path} is on, but {.guidance} {guidance:g} is a strength for plain CFG: the image would be overexposed.",
        "Set {.guidance} to 0.6, or switch {path} off."),
    "rules.mask-without-image": ("{path} is given, but there is no {.image} that it could belong to.",
        "Give one, or leave out the mask."),
    # Where the result goes
    "rules.output-is-a-folder": ("{file}: the result is a folder, not a file.", "Leave out the {suffix}."),
    "rules.output-is-a-file": ("{file}: the result is a single file.", "Let its name end with .safetensors."),
}
