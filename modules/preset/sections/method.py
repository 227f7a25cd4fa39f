"""The training methods: what is added to or changed in the model.

One more kind of adapter is one class here, and its update in modules/methods.
"""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When

MAX_LAYERS_LENGTH = 20_000  # letters: each expression is held against every layer


class LayerGroup(Section):
    """Layer group"""

    layers: str = Setting("mid", "Layers", widget="layers", min_length=1, max_length=MAX_LAYERS_LENGTH)
    """Which layers these settings are for: names of sets and blocks ("mid", "attention", "input 4"), and regular
    expressions, separated by commas. Where several groups hold a layer, the first counts."""
    train: bool = Setting(True, "Train")
    """Off: these layers stay as they are, though the method would train them."""
    learning_rate: float = Setting(0.0, "Learning rate", ge=0, le=10, zero="as above")
    """For these layers alone. 0: that of their part."""
    rank: int = Setting(0, "Rank", ge=0, le=1024, level="expert", zero="as above")
    """For adapters: the width of the update of these layers. 0: the method's rank."""
    alpha: float = Setting(0.0, "Alpha", ge=0, le=4096, level="expert", zero="in proportion")
    """For adapters: its scale. 0: in the same proportion to the rank as the method's."""


CONV = When("method.conv", (True,))


class Sized(Section):
    """Adapter"""

    rank: int = Setting(
        16, "Rank", ge=1, le=1024, aliases="network_dim, lora_rank, lora_rank_dim, lokr_dim, linear, dimension"
    )
    """Width of the low-rank update. Doubling it doubles the size of the saved file. Usual: 8 to 64; for LoHa, which
    reaches the square of it, 4 to 16."""
    alpha: float = Setting(16.0, "Alpha", gt=0, le=4096, aliases="network_alpha, lora_alpha, linear_alpha")
    """The update is scaled by alpha / rank. Usual: the rank, or half of it; or 1 with a higher learning rate."""


class Adapter(Section):
    """Adapter"""

    layers: str = Setting(
        "attention-mlp", "Adapted layers", widget="layers", max_length=MAX_LAYERS_LENGTH,
        aliases="layer_filter, layer_filter_preset, layer_filter_regex, target_modules, lora_target, lora_layers, "
        "unet_lora_target_modules, only_if_contains, ignore_if_contains, exclude_patterns, include_patterns, freeze "
        "layers, train_blocks, freeze blocks, train only some layers",
    )  # fmt: skip
    """Which layers of the denoiser are adapted: names of sets and blocks ("attention", "attention-mlp", "all",
    "input 4"), and regular expressions over module names, separated by commas. Usual: attention-mlp."""
    conv: bool = Setting(False, "Convolutions (LoCon)", aliases="LoCon, conv layers")
    """Adapts convolutions too (LoCon). Learns textures and styles better; the file is larger."""
    groups: tuple[LayerGroup, ...] = Setting(
        (), "Layer groups", max_length=100, level="expert",
        aliases="block_lr, block_dims, block_alphas, block_weights, layer-wise learning rate, down_lr_weight, "
        "mid_lr_weight, up_lr_weight, network_reg_dims, network_reg_lrs",
    )  # fmt: skip
    """Layers with a rank, alpha or learning rate of their own, or left out. Where several groups hold a layer, the
    first counts. For one who knows which blocks hold what; most leave it empty."""
    rank_dropout: float = Setting(0.0, "Rank dropout", ge=0, lt=1, level="expert")
    """Share of the update that is set to zero for an image at each step: of the ranks for a LoRA, of the outputs for
    other kinds. Helps against overfitting on few images. Usual: 0 or 0.1."""
    module_dropout: float = Setting(0.0, "Module dropout", ge=0, lt=1, level="expert")
    """Share of the adapted layers whose update is set to zero for an image at each step, so that no layer relies on
    another. Usual: 0 or 0.1."""
    start_from: str = Setting(
        "", "Continue from file", widget="file", scope="machine", level="expert",
        aliases="network_weights, lora_model_name, pretrained_lora_path, init_lora, initial_lora, init_from_existing, "
        "resume from LoRA",
    )  # fmt: skip
    """An adapter of the same kind to train further, made by any program: LoRA, LoHa, LoKr or OFT as .safetensors.
    Layers that it lacks start untrained. Empty: a new adapter."""
    rank_from_file: bool = Setting(False, "Rank from file", scope="machine", level="expert", aliases="dim_from_weights")
    """Takes rank and alpha of each layer from the file above. Off: a file of another rank is refused."""
    skip_unread: bool = Setting(False, "Skip unreadable tensors", scope="machine", level="expert")
    """Continues from what can be read of the file above, and names the rest in the log. Off: a file with tensors that
    cannot be read (norms, biases, other relatives of LoRA) is refused."""


class LowRank(Adapter, Sized):
    """Adapter"""

    conv_rank: int = Setting(
        0, "Convolution rank", ge=0, le=1024, level="expert", zero="as above", when=CONV, aliases="conv_dim, locon dim"
    )
    """0: the rank above."""
    conv_alpha: float = Setting(
        0.0, "Convolution alpha", ge=0, le=4096, level="expert", zero="in proportion", when=CONV
    )
    """0: in the same proportion as above."""
    rate_ratio: float = Setting(
        1.0, "LoRA+ ratio", ge=0.01, le=1000, level="expert", aliases="LoRA+, loraplus_lr_ratio, loraplus_unet_lr_ratio"
    )
    """LoRA+ (arXiv:2402.12354): the matrix that starts at zero ("up") learns this many times faster. 1: both learn
    alike. Usual: 4 to 16, with half the learning rate."""
    max_norm: float = Setting(
        0.0, "Maximum weight norm", ge=0, le=1e6, level="expert", zero="no limit",
        aliases="scale_weight_norms, max norm regularization",
    )  # fmt: skip
    """After each step the update of a layer is scaled down to this norm, if it is longer. Keeps a file from drowning
    out others when several are mixed. Usual: 1. kohya calls it scale weight norms."""
    dora: bool = Setting(
        False, "DoRA (weight decomposition)", level="expert",
        aliases="use_dora, dora_wd, weight_decompose, lora_decompose",
    )  # fmt: skip
    """Learns magnitude and direction of each weight separately (arXiv:2402.09353). Closer to a full fine-tune, slower.
    """
    dora_axis: Literal["inputs", "outputs"] = Setting(
        "inputs", "DoRA magnitudes", level="expert",
        labels={"inputs": "Of inputs (columns)", "outputs": "Of outputs (rows)"}, when=When("method.dora", (True,)),
        aliases="wd_on_output, wd_on_out, lora_decompose_output_axis, decompose_output_axis",
    )  # fmt: skip
    """The side of a weight that has the magnitudes. ComfyUI and InvokeAI draw a DoRA of inputs as it was trained, and
    one of outputs wrongly. diffusers, PEFT and the paper have outputs: needed for files with diffusers' names."""


class Lora(LowRank):
    """LoRA"""

    kind: Literal["lora"] = "lora"
    dropout: float = Setting(
        0.0, "Dropout", ge=0, lt=1, level="expert",
        aliases="network_dropout, lora_dropout, neuron dropout, dropout_probability",
    )  # fmt: skip
    """Share of the values between down and up that is set to zero, for each pixel and token separately. Usual: 0 or
    0.1; rank dropout and module dropout are stronger."""


class Tucker(LowRank):
    """Adapter"""

    tucker: bool = Setting(
        False, "Tucker decomposition", level="expert", when=CONV, aliases="use_tucker, use_cp, lokr_use_tucker"
    )
    """Splits the kernels of convolutions too: far smaller files, a little less detail."""


class Loha(Tucker):
    """LoHa"""

    kind: Literal["loha"] = "loha"


class Lokr(Tucker):
    """LoKr"""

    kind: Literal["lokr"] = "lokr"
    factor: int = Setting(
        0, "Factor", ge=0, le=1024, zero="near the root", aliases="lokr_factor, lokr_decompose_factor, decompose_factor"
    )
    """Each layer is split into a small matrix of about this many rows and a large one. Small factors learn more and
    make larger files. 0: near the root of its size, the smallest file. Usual: 4 to 16."""
    full_matrix: bool = Setting(False, "Full matrix", level="expert", aliases="lokr_full_matrix, lokr_full_rank")
    """Keeps both matrices whole instead of splitting the large one by rank; rank and alpha then mean nothing. With a
    factor of 4 to 8 much like a full fine-tune in a smaller file."""
    decompose_both: bool = Setting(
        False, "Decompose both", level="expert", when=When("method.full_matrix", (False,)),
        aliases="lokr_decompose_both",
    )  # fmt: skip
    """Splits the small matrix by rank too, where it is larger than that. Even smaller files."""


class Oft(Adapter):
    """OFT"""

    kind: Literal["oft"] = "oft"
    block_size: int = Setting(16, "Block size", ge=2, le=1024, aliases="oft_block_size")
    """Each layer's outputs are turned in blocks of about this many, and lengths and angles inside a block stay. Larger
    blocks learn more, with a larger file. Usual: 8 to 32. ComfyUI and LyCORIS read the file; Forge, InvokeAI and
    diffusers do not."""
    constraint: float = Setting(0.0, "Constraint", ge=0, le=100, level="expert", zero="none", aliases="constrain, COFT")
    """Limits how far each layer may turn: to this times the number of its outputs. Usual: 0, or 0.0001 to 0.01 to stay
    near the base model."""


ADAPTERS: dict[str, type[Adapter]] = {"lora": Lora, "loha": Loha, "lokr": Lokr, "oft": Oft}


class Full(Section):
    """Full fine-tune"""

    kind: Literal["full"] = "full"
    layers: str = Setting(
        "all", "Trained layers", widget="layers", max_length=MAX_LAYERS_LENGTH,
        aliases="layer_filter, layer_filter_preset, layer_filter_regex, target_modules, lora_target, lora_layers, "
        "unet_lora_target_modules, only_if_contains, ignore_if_contains, exclude_patterns, include_patterns, freeze "
        "layers, train_blocks, freeze blocks, train only some layers",
    )  # fmt: skip
    """Which layers of the denoiser are trained: names of sets and blocks ("all", "attention", "mid", "input 4"), and
    regular expressions over the names of its weights, separated by commas. The others stay as they are and cost no
    memory for training. Usual: all, or a set that fits your card."""
    groups: tuple[LayerGroup, ...] = Setting(
        (), "Layer groups", max_length=100, level="expert",
        aliases="block_lr, block_dims, block_alphas, block_weights, layer-wise learning rate, down_lr_weight, "
        "mid_lr_weight, up_lr_weight, network_reg_dims, network_reg_lrs",
    )  # fmt: skip
    """Layers with a learning rate of their own, or left out. Where several groups hold a layer, the first counts. For
    one who knows which blocks hold what; most leave it empty."""


class Embedding(Section):
    """Embedding (textual inversion)"""

    kind: Literal["embedding"] = "embedding"


AnyMethod = Full | Lora | Loha | Lokr | Oft | Embedding
