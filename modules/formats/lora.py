"""LoRA files as other programs name them: kohya's names and diffusers' names, written and read.

A LoRA is spoken of by "part|module path", as a family lists it in `lora_names`.

Shapes: I inputs, O outputs, R rank, k k the kernel of a convolution.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from modules.errors import UserError
from modules.formats.tensors import cast, read_tensors

DIFFUSERS_PARTS = {"denoiser": "unet", "text_encoder_1": "text_encoder", "text_encoder_2": "text_encoder_2"}


@dataclass(frozen=True)
class LoraTensors:
    """One adapted layer: weight + alpha / R * up @ down, for DoRA each row of that brought to length `dora_scale`."""

    down: Tensor  # (R, I) or (R, I, k, k)
    up: Tensor  # (O, R) or (O, R, 1, 1)
    alpha: float
    dora_scale: Tensor | None = None  # (O, 1) or (O, 1, 1, 1)

    @property
    def scale(self) -> float:
        return self.alpha / self.down.shape[0]


# DoRA in files. Three conventions meet:
# - LyCORIS, ComfyUI, Forge and OneTrainer call it `dora_scale`. (O, 1[, 1, 1]) says that rows, one for each output,
#   were brought to length, (1, I[, 1, 1]) columns. ComfyUI tells them apart by the first size and multiplies by
#   broadcasting, so a bare (O,) would spoil the weight. For rows, ComfyUI and Forge divide by the length of the
#   original row instead of the changed one (weight_decompose in comfy/weight_adapter/base.py): what they draw differs
#   from training by as much as the LoRA has changed those lengths. A file cannot please both; we follow the paper.
# - PEFT calls it `lora_magnitude_vector`: (O,) for linear layers, (1, O, 1, 1) for convolutions, always rows.
# - diffusers 0.42 leaves `dora_scale` out with a warning, and so draws something else; in its own names it takes DoRA,
#   with `.weight` at the end for U-Net and text encoders alike (without it transformers misses those of the latter).


def kohya_tensors(loras: Mapping[str, LoraTensors], dtype: torch.dtype) -> dict[str, Tensor]:
    """By kohya's names: lora_down.weight, lora_up.weight, alpha (no dimensions) and dora_scale for each layer."""
    found: dict[str, Tensor] = {}
    for name, lora in loras.items():
        found[f"{name}.lora_down.weight"] = cast(lora.down, dtype, name)
        found[f"{name}.lora_up.weight"] = cast(lora.up, dtype, name)
        found[f"{name}.alpha"] = torch.tensor(lora.alpha, dtype=dtype)
        if lora.dora_scale is not None:
            found[f"{name}.dora_scale"] = cast(lora.dora_scale, dtype, name)
    return found


def diffusers_tensors(loras: Mapping[str, LoraTensors], dtype: torch.dtype) -> dict[str, Tensor]:
    """By diffusers' names, which have no place for alpha: alpha / rank goes into lora_B."""
    found: dict[str, Tensor] = {}
    for name, lora in loras.items():
        key = diffusers_name(name)
        found[f"{key}.lora_A.weight"] = cast(lora.down, dtype, name)
        found[f"{key}.lora_B.weight"] = cast(lora.up.float() * lora.scale, dtype, name)
        if lora.dora_scale is not None:
            flat = lora.dora_scale.flatten()
            shaped = flat if lora.down.dim() == 2 else flat[None, :, None, None]
            found[f"{key}.lora_magnitude_vector.weight"] = cast(shaped, dtype, name)
    return found


def diffusers_name(name: str) -> str:
    """ "denoiser|mid_block..." -> "unet.mid_block...". Text encoders have `text_model.` in every name, once."""
    part, _, path = name.partition("|")
    if part.startswith("text_encoder") and not path.startswith("text_model."):
        path = f"text_model.{path}"
    return f"{DIFFUSERS_PARTS[part]}.{path}"


ENDINGS = {
    "lora_down.weight": "down",
    "lora_A.weight": "down",
    "lora_up.weight": "up",
    "lora_B.weight": "up",
    "alpha": "alpha",
    "dora_scale": "dora_scale",
    "lora_magnitude_vector": "dora_scale",
    "lora_magnitude_vector.weight": "dora_scale",
}
ENDING = re.compile(rf"(.+)\.({'|'.join(re.escape(ending) for ending in ENDINGS)})")


def read_lora(path: Path, names: Mapping[str, str]) -> dict[str, LoraTensors]:
    """The layers of a file in kohya's or diffusers' names, by "part|module path". `names`: the family's `lora_names`.

    Raises:
        UserError: damaged, no LoRA, of another kind, or made for another architecture.
    """
    known = _known_names(names)
    layers: dict[str, dict[str, Tensor]] = {}
    strange: list[str] = []
    for key, tensor in read_tensors(path).items():
        match = ENDING.fullmatch(key)
        if match is None or match[1] not in known:
            strange.append(key)
        else:
            layers.setdefault(known[match[1]], {})[ENDINGS[match[2]]] = tensor
    if not layers:
        raise UserError(
            f"{path.name} holds no LoRA for this model ({', '.join(strange[:3])}).",
            advice="Choose a LoRA that was made for a model of the same type.",
        )
    if strange:
        raise UserError(
            f"{path.name} also changes {len(strange)} things that this model lacks or that Seachange cannot read "
            f"({', '.join(strange[:3])}).",
            advice="It was made for another type of model, or is a LoHa, LoKr or another relative of LoRA.",
        )
    return {name: _layer(name, found, path) for name, found in layers.items()}


def _known_names(names: Mapping[str, str]) -> dict[str, str]:
    """Every spelling of a layer that is found in the wild -> "part|module path"."""
    known: dict[str, str] = {}
    for name, kohya in names.items():
        dotted = diffusers_name(name)
        known[dotted] = known[kohya] = name
        if name.startswith("denoiser|"):
            known[f"lora_unet_{dotted.partition('.')[2].replace('.', '_')}"] = name  # diffusers' body in kohya's dress
        known[re.sub("^lora_te_", "lora_te1_", kohya)] = name
    return known


def _layer(name: str, found: Mapping[str, Tensor], path: Path) -> LoraTensors:
    if "down" not in found or "up" not in found:
        raise UserError(
            f"{path.name} is not whole: {name} lacks its lora_down or lora_up.", advice="Get the file again."
        )
    down, up = found["down"], found["up"]
    if down.shape[0] != up.shape[1]:
        raise UserError(f"{path.name}: lora_down and lora_up of {name} do not fit together.", advice="Get it again.")
    alpha = float(found["alpha"]) if "alpha" in found else float(down.shape[0])
    return LoraTensors(down, up, alpha, _rows(found["dora_scale"], down, up, name) if "dora_scale" in found else None)


def _rows(scale: Tensor, down: Tensor, up: Tensor, name: str) -> Tensor:
    """Lengths of rows, (O, 1[, 1, 1]), from any of the spellings above."""
    by_row = scale.dim() == 1 or scale.shape[0] == up.shape[0] or (down.dim() == 4 and scale.shape[0] == 1)
    if scale.numel() != up.shape[0] or not by_row:
        raise UserError(
            f"The DoRA of {name} brings columns to length (inputs), and Seachange knows only rows (outputs).",
            advice="Use the file in the program that made it, or merge it into a model there.",
        )
    return scale.reshape(-1, *[1] * (down.dim() - 1))


def merged_weight(weight: Tensor, lora: LoraTensors, scale: float = 1.0) -> Tensor:
    """The weight of a layer with a LoRA in it, in the weight's own type; computed in fp32. `scale` 0 changes nothing.

    Raises:
        UserError: the LoRA does not fit the layer.
    """
    down, up = lora.down.float(), lora.up.float()
    if (up.shape[0], *down.shape[1:]) != tuple(weight.shape):
        raise UserError(
            f"The LoRA was made for a layer of {(up.shape[0], *down.shape[1:])}, this one is {tuple(weight.shape)}.",
            advice="Choose a LoRA that was made for a model of the same type.",
        )
    before = weight.float()
    after = before + lora.scale * (up.flatten(1) @ down.flatten(1)).view_as(before).to(before.device)
    if lora.dora_scale is not None:
        lengths = after.flatten(1).norm(dim=1).view(-1, *[1] * (after.dim() - 1))
        after = after * (lora.dora_scale.float() / lengths)
    return torch.lerp(before, after, scale).to(weight.dtype) if scale != 1 else after.to(weight.dtype)
