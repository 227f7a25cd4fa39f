"""The training methods: what is added to or changed in the model."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When


class Full(Section):
    """Full fine-tune"""

    kind: Literal["full"] = "full"
    layers: str = Setting("all", "Layers", widget="layers")
    """Which layers of the denoiser are trained: a group ("all", "attention", "blocks", ...) or regular expressions over
    the names of its weights, separated by commas. The others stay as they are and cost no memory for training."""


class Lora(Section):
    """LoRA"""

    kind: Literal["lora"] = "lora"
    rank: int = Setting(16, "Rank", ge=1, le=1024)
    """Width of the low-rank update. Doubling it doubles the size of the saved file. Usual: 8 to 64."""
    alpha: float = Setting(16.0, "Alpha", gt=0, le=4096)
    """The update is scaled by alpha / rank. Usual: the rank, or half of it; or 1 with a higher learning rate."""
    dropout: float = Setting(0.0, "Dropout", ge=0, lt=1, level="expert")
    """Share of the rank that is silenced for an image at each step."""
    layers: str = Setting("attention-mlp", "Layers", widget="layers")
    """Which layers of the denoiser get a LoRA: a group ("attention", "attention-mlp", "all", ...) or regular
    expressions over module names, separated by commas."""
    conv: bool = Setting(False, "Also convolutions")
    """Adapts convolutions too (LoCon). Learns textures and styles better; the file is larger."""
    conv_rank: int = Setting(
        0, "Rank of convolutions", ge=0, le=1024, level="expert", zero="as above", when=When("method.conv", (True,))
    )
    """0: the rank above."""
    conv_alpha: float = Setting(
        0.0,
        "Alpha of convolutions",
        ge=0,
        le=4096,
        level="expert",
        zero="in proportion",
        when=When("method.conv", (True,)),
    )
    """0: in the same proportion as above."""
    dora: bool = Setting(False, "DoRA", level="expert")
    """Learns length and direction of each weight apart (arXiv:2402.09353). Closer to a full fine-tune, slower."""


class Word(Section):
    """New word"""

    token: str = Setting("<new>", "Word", min_length=1, max_length=100)
    """The word that will stand for the concept in captions and prompts. Letters, digits and < > - _ only."""
    vectors: int = Setting(4, "Vectors", ge=1, le=75)
    """How many tokens the word takes up. More hold more detail. Usual: 1 to 8."""
    start: str = Setting("", "Start word")
    """Words that come closest to the concept, to start from: "cat", "oil painting". Empty: starts near the average
    word."""


class Embedding(Section):
    """Embedding (textual inversion)"""

    kind: Literal["embedding"] = "embedding"
    words: tuple[Word, ...] = Setting((Word(),), "Words", min_length=1, max_length=100)
    """The words to learn. Each is saved to a file of its own."""
    keep_norm: bool = Setting(True, "Keep usual length", level="expert")
    """Holds the new vectors at the average length of the model's own words, which keeps them from shouting others
    down."""


AnyMethod = Full | Lora | Embedding
