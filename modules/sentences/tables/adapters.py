"""Files of LoRAs and embeddings, and what a method trains."""

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    # Files of LoRAs and their relatives
    "tensor.beyond-fp16": ("{tensor} holds numbers that fp16 cannot hold.",
        'Set {output.dtype} to "bf16" or "fp32"; weights so large often mean a learning rate too high.'),
    "file.written-wrong": ("{file} does not hold what was written into it: {names:commas} differ.",
        "The disk may be full or failing. Save to another disk; the backup of the run is as it was."),
    "file.not-there": ("There is no file {file}.", "Look for a typing error in its name."),
    "adapter.other-kind": ("{path}: the file holds a {title} for {layer}, and {method.kind} is {kind}.",
        "Set {method.kind} to the kind of the file, or choose another file."),
    "adapter.mixed-kinds": ("{file} holds what belongs to different kinds for {layer} ({names}).",
        "It is another relative of LoRA than LoHa, LoKr and OFT."),
    "adapter.incomplete": ("{file} is not whole: {layer} {reason}.", "Download it again."),
    "adapter.lacks": ("lacks its {names:or}", ""),
    "adapter.lacks-half": ("lacks its {name}, or one half of it", ""),
    "adapter.misfit": ("has matrices that do not fit together", ""),
    "adapter.not-square": ("has blocks that are not squares", ""),
    "adapter.empty": ("{file}: the {title} of {layer} has rank 0: it is empty.", "Download it again."),
    "adapter.nan": ("{file}: the weights of {layer} are not numbers (NaN or infinite).",
        "The training that made it went wrong: use an earlier file of it."),
    "adapter.alpha": ("{file}: the alpha of {layer} is not a number.", "Download it again."),
    "adapter.dora-size": ("The DoRA of the file has {count:# length|# lengths} for a layer of {shape:size}.",
        "Choose a file that was made for a model of the same type."),
    "adapter.layer-size": ("{file} was made for another model: its {title} for {layer} is {sizes:sizes}, and that "
        "layer is {shape:size}.", "Choose a file that was made for this model."),
    "adapter.other-model": ("{file} was made for {found}: of its {count:# layer|# layers} {theirs} fit that, and "
        "{ours} fit this model ({own}).", "Choose a file that was made for {own}, or another model."),
    "adapter.other-size": ("{file} was made for {found}, and this model is of another size.",
        "Choose a file that was made for this model, or another model."),
    "adapter.doubt": ("{file} says that it was made for {found}, and this model is {own}. Its layers fit, but it may "
        "not do here what it does there.", "Use a file that was made for {own}."),
    # Embeddings
    "embedding.other-model": ("{file} is not an embedding for this model (it holds {names}).",
        "Choose an embedding that was made for a model of the same type."),
    "embedding.shapes": ("{file} is not an embedding: its vectors have strange shapes.", "Get the file again."),
    # What a method trains
    "layers.all-off": ('{path}: all layers of "{layers}" are switched off, so nothing would be trained.',
        "Switch one of the groups on, or take it out."),
    "model.lacks-trained": ("{file} lacks {parts:commas}, which was trained.", "Save to another disk."),
    "layers.no-match": ('{path}: nothing in this model matches "{layers}".',
        "Use some of {names}, or regular expressions, separated by commas."),
    "layers.wrong": ("{path}: {reason:headline}", "Use one of {names}, or correct the expression."),
    "layers.and-blocks": ('{names:commas}, blocks such as "input 4"', ""),
    "layers.only-convolutions": ('{path}: "{layers}" matches nothing but convolutions, and {method.conv} is off.',
        "Turn {method.conv} on, or pick other layers."),
    "start-from.dora": ("The file to start from is a DoRA.", "Switch {path} on."),
    "start-from.rank": (
        "{path}: {layer} has rank {theirs} in the file and {own} here, or is split in another way ({parts:commas}).",
        "Switch {method.rank_from_file} on, or set here what the file was made with."),
    "start-from.part": ("{part}: {theirs} and {own}", ""),
    "start-from.tucker": ("The LoRA to start from splits kernels (Tucker), which can be used here, but not be trained.",
        "Merge it into the model with convert, and start a new run from that."),
    "embedding.width": ("{file} holds vectors of {found} numbers, and this model's have {own}.",
        "Choose an embedding that was made for a model of the same type."),
    "token.start-word": ('The start word "{start}" says nothing to the model.', ""),
    "start-from.dora-axis": (
        "{path}: the DoRA of the file has magnitudes of {other}, and {method.dora_axis} is {axis}.",
        "Set {method.dora_axis} to {other}."),
}
