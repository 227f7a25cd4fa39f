"""Which layers of a U-Net and of CLIP a LoRA can listen to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import nn

# As in kohya's LoCon: the ends of the U-Net and the embedding of time are left alone, and so is CLIP's projection.
LORA_TARGETS = re.compile(r"(down_blocks|mid_block|up_blocks)\..*|(text_model\.)?encoder\.layers\..*")


def lora_targets(module: nn.Module) -> Iterator[str]:
    """Paths of the linear and convolution layers that a LoRA can listen to, in the module's order."""
    for path, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and LORA_TARGETS.fullmatch(path):
            yield path
