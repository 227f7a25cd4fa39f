"""LoRA (arXiv:2106.09685) in files.

Shapes: I inputs, O outputs, R rank, k k the kernel of a convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from modules.formats.adapter import AdapterTensors
from modules.formats.checkpoint import Link
from modules.formats.tensors import cast
from modules.sentences.problem import Problem, problem


@dataclass(frozen=True)
class LoraTensors(AdapterTensors):
    """weight + alpha / R * up @ down.

    down (R, I[, k, k]), up (O, R[, 1, 1]). `mid` (R, R, k, k), between them, is only read: LyCORIS's LoCon with Tucker.
    """

    title = "LoRA"
    names: ClassVar[Mapping[str, str]] = {
        "down": "lora_down.weight", "mid": "lora_mid.weight", "up": "lora_up.weight",
    }  # fmt: skip
    of_outputs = ("up",)

    @classmethod
    def of(cls, down: Tensor, up: Tensor, alpha: float, dora_scale: Tensor | None = None) -> LoraTensors:
        return cls({"down": down, "up": up}, alpha, dora_scale)

    @property
    def down(self) -> Tensor:
        return self.values["down"]

    @property
    def up(self) -> Tensor:
        return self.values["up"]

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def zero_init(self) -> str:
        return "up"

    def part(self, link: Link) -> AdapterTensors | None:
        """Without the ranks that belong to other parts: a LoRA of each part may lie fused, block by block."""
        found = super().part(link)
        if found is None or "mid" in self.values:
            return found
        down, up = found.values["down"], found.values["up"]
        used = up.flatten(2).any(dim=2).any(dim=0) if up.dim() > 2 else up.any(dim=0)
        return replace(found, values={"down": down[used], "up": up[:, used]}, alpha=self.scale * int(used.sum()))

    def invalid_reason(self) -> Problem | None:
        found = self.sizes()
        if not {"down", "up"} <= found.keys():
            return problem("adapter.lacks", names=["lora_down", "lora_up"])
        down, up, mid = found["down"], found["up"], found.get("mid")
        if len(down) < 2 or len(up) < 2 or down[0] != up[1] or (mid and (len(mid) != 4 or mid[:2] != (up[1], down[0]))):
            return Problem("adapter.misfit")
        return None

    def fits(self, shape: tuple[int, ...]) -> bool:
        found = self.sizes()
        if "mid" in found:
            return shape == (found["up"][0], found["down"][1], *found["mid"][2:])
        return shape == (found["up"][0], *found["down"][1:])

    def delta_weight(self, weight: Tensor) -> Tensor:
        down, up = self.down.float().flatten(1), self.up.float().flatten(1)
        if (mid := self.values.get("mid")) is not None:
            return self.scale * torch.einsum("abhw,oa,bi->oihw", mid.float(), up, down)
        return (self.scale * (up @ down)).reshape(weight.shape)


# DoRA in files. Three conventions meet:
# - LyCORIS, ComfyUI, Forge and OneTrainer call it `dora_scale`. (O, 1[, 1, 1]) says that rows, one for each output,
#   were brought to length, (1, I[, 1, 1]) columns. ComfyUI tells them apart by the first size and multiplies by
#   broadcasting, so a bare (O,) would spoil the weight. For rows, ComfyUI and Forge divide by the length of the
#   original row instead of the changed one (weight_decompose in comfy/weight_adapter/base.py): what they draw differs
#   from training by as much as the LoRA has changed those lengths. A file cannot please both; we follow the paper.
# - PEFT calls it `lora_magnitude_vector`: (O,) for linear layers, (1, O, 1, 1) for convolutions, always rows.
# - diffusers 0.42 leaves `dora_scale` out with a warning, and so draws something else; in its own names it takes DoRA,
#   with `.weight` at the end for U-Net and text encoders alike (without it transformers misses those of the latter).


def peft_tensors(updates: Mapping[str, AdapterTensors], dtype: torch.dtype) -> dict[str, Tensor]:
    """By PEFT's endings, which have no place for alpha: alpha / rank goes into lora_B."""
    found: dict[str, Tensor] = {}
    for key, lora in updates.items():
        assert isinstance(lora, LoraTensors), f"{key} is no LoRA"
        found[f"{key}.lora_A.weight"] = cast(lora.down, dtype, key)
        found[f"{key}.lora_B.weight"] = cast(lora.up.float() * lora.scale, dtype, key)
        if lora.dora_scale is not None:
            flat = lora.dora_scale.flatten()
            shaped = flat if lora.down.dim() == 2 else flat[None, :, None, None]
            found[f"{key}.lora_magnitude_vector.weight"] = cast(shaped, dtype, key)
    return found
