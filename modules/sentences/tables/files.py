"""Files that are read: of models, runs and data, most of them made by strangers."""

SENTENCES: dict[str, tuple[str, str]] = {
    "read.folder": ("{file} is a folder, not a file.", "Put the file in its place."),
    "read.not-a-file": ("{file} is not a file, but a pipe or a device.", "Put the file in its place."),
    "read.too-large": (
        "{file} has {size:bytes}: no file of its kind is larger than {most:bytes}.",
        "Was another file meant?",
    ),
    # Of weights
    "weights.index-damaged": ("{file} is damaged: it does not list tensors.", "Download it again."),
    "weights.not-finite": (
        "{tensor} holds NaN or infinite numbers as {dtype}, and is not written.",
        "If the model is whole, its numbers are too large for {dtype}: write fp32 or bf16.",
    ),
    "weights.incomplete": ("{file} is damaged or incomplete.", "Download it again."),
    "tensors.not-safetensors": ("{file} is not a .safetensors file.", "Convert it into one first."),
    "embedding.not-finite": ("{file} is no embedding that can be used: it holds NaN.", "Get the file again."),
    "lora.leaves-folder": (
        "<lora:{name}> leads out of the folder for LoRA files.",
        "Write the name of a file in sampling.lora_folder, or of one in a folder inside it.",
    ),
    # Of models
    "model.file-missing": ("{file} is missing.", "The model's folder is incomplete: download it again."),
    "model.file-damaged": ("{file} is damaged.", "Download it again."),
    "model.no-token": ("The tokenizer in {tokenizer} lacks {token}.", "Download the model again."),
    "model.token-beyond-table": (
        "The tokenizer in {tokenizer} has the token {token:,}, and its text encoder knows only {rows:,}.",
        "They are of different models: download the model again.",
    ),
}
