"""The training methods: what is added to or changed in the model."""

from __future__ import annotations

from typing import Literal

from modules.preset.adapters import Loha, Lokr, Lora, Oft
from modules.preset.layer_groups import LayerGroup
from modules.preset.setting import Section, Setting


class Full(Section):
    """Full fine-tune"""

    kind: Literal["full"] = "full"
    layers: str = Setting("all", "Layers", widget="layers")
    """Which layers of the denoiser are trained: names of sets and blocks ("all", "attention", "mid", "input 4"), and
    regular expressions over the names of its weights, separated by commas. The others stay as they are and cost no
    memory for training. Usual: all, or a set that fits your card."""
    groups: tuple[LayerGroup, ...] = Setting((), "Layer groups", max_length=100, level="expert")
    """Layers with a learning rate of their own, or left out. Where several groups hold a layer, the first counts. For
    one who knows which blocks hold what; most leave it empty."""


class Embedding(Section):
    """Embedding (textual inversion)"""

    kind: Literal["embedding"] = "embedding"


AnyMethod = Full | Lora | Loha | Lokr | Oft | Embedding
