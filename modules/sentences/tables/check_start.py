"""The check before a run: what keeps it from starting, its memory, and the labels of fixes."""

AS_SAID = ("{problem:headline}", "{problem:advice}")  # the sentences of the problem that was found

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    "settings": AS_SAID,
    "output.taken": AS_SAID,
    "device.missing": AS_SAID,
    "model.cannot-open": AS_SAID,
    "model.guessed": AS_SAID,
    "images.cannot-read": AS_SAID,
    "samples.cannot-draw": AS_SAID,
    "layers.none": AS_SAID,
    "start.cannot-use": AS_SAID,
    "words.spelling": AS_SAID,
    "paths.cannot-look": AS_SAID,
    "arithmetic.cannot-look": AS_SAID,
    "captions.cannot-look": AS_SAID,
    "images.cannot-look": AS_SAID,
    "precision.cannot-look": AS_SAID,
    "idle.cannot-look": AS_SAID,
    "validation.cannot-look": AS_SAID,
    "memory.cannot-look": AS_SAID,
    "costs.cannot-look": AS_SAID,
    # Files of adapters
    "adapter.none": ("{file} holds no LoRA for this model ({names}).",
        "Choose a LoRA, LoHa, LoKr or OFT that was made for a model of the same type."),
    "adapter.unread": ("{file} also holds {count:# tensor|# tensors} that cannot be read here ({names}).",
        "It was made for another type of model, or holds a relative of LoRA that is not supported (whole weights, "
        "norms, biases, GLoRA, BOFT). Switch skip_unread on to use the rest."),
    "fix.skip-unread": ("Leave out what cannot be read", ""),
    "fix.no-zero-snr": ("Train without zero terminal SNR", ""),
    "fix.device-auto": ("Use what this machine has", ""),
    "fix.sampler": ("Sample with {sampler}", ""),
    "fix.usual-layers": ("Train the usual layers", ""),
    "words.known": ('The model knows the word "{token}" already.',
        "Choose a word that does not exist, such as {other}, and write it into the captions."),
    "words.lost": ("No caption holds the token {token}: it could not be learned.",
        "Put it into the captions, or in front of all of them."),
    "fix.prefix": ("Put {token} before every caption", ""),
    # Memory
    "memory.peak:card": ("The run will take about {needed:bytes}; the card has {limit:bytes}.",
        "The peak is at the stage {stage}. The desktop and other programs need some of the card too, and PyTorch keeps "
        "a few per cent in reserve."),
    "memory.peak:cpu": ("The run will take about {needed:bytes}; of this computer's memory {limit:bytes} are free.",
        "The peak is at the stage {stage}. It is main memory, because the run is on the CPU; runs that were measured "
        "took up to 9 % more or less."),
    "memory.main": ("{stage} will take about {needed:bytes} of main memory; {limit:bytes} are free.",
        "Close other programs, or save in a smaller precision."),
    "fix.memory-all": ("All that helps, until it fits: {after:bytes} instead of {before:bytes}", ""),
    "fix.memory": ("{what}: {after:bytes} instead of {before:bytes}", ""),
    "fix.gradient-checkpointing": ("Gradient checkpointing", ""),
    "fix.smaller-batches": ("Batches of {size}, {times} a step", ""),
    "fix.ema-on-cpu": ("EMA in main memory", ""),
    "fix.quantize": ("The denoiser in int8", ""),
    "fix.frozen-bf16": ("Precision bf16 for what is not trained", ""),
    "fix.8-bit": ("The 8-bit optimizer", ""),
    "fix.trained-bf16": ("Trained weights in bf16", ""),
    "fix.adafactor": ("The optimizer Adafactor", ""),
    "fix.without-ema": ("No EMA", ""),
    "fix.smaller-images": ("Images of {side} pixels", ""),
    "fix.smaller-samples": ("Samples of 512 pixels", ""),
}
