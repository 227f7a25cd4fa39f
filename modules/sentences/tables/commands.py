"""Tools and the command line."""

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    # Tools
    "tool.none": ('There is no tool "{name}".', "There are: {names:commas}."),
    "tool.no-parts-file": ("There is no file {file}.", "Give trained parts or a LoRA (.safetensors)."),
    "tool.no-part": ("{file} holds no part of this model.", "Give trained parts or a LoRA (.safetensors)."),
    "tool.file-name": ("{file} is not a name for a model file.", "Let it end with .safetensors."),
    "tool.folder-name": ("{file} is not a name for a folder.", "Leave out the {ending}."),
    "tool.folder-for-file": ("{file} is a folder, which a file cannot replace.",
        "Choose another name, or move it away."),
    "tool.file-for-folder": ("{file} is a file, which a folder cannot replace.",
        "Choose another name, or move it away."),
}
