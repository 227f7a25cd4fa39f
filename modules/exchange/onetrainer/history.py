"""OneTrainer's settings of all its versions, in the words of today's: its migrations 0 to 10, by what is there.

A file says its version or it does not (built-in presets never do), so that each change is made where its old words
stand and its new ones do not.
"""

from __future__ import annotations

import re
from typing import Any, cast

from modules.preset.paths import Values

PARTS = r"unet|prior|transformer|text_encoder(?:_\d)?|vae|effnet_encoder|decoder(?:_text_encoder|_vqgan|_vqvae)?"
OLD_NAMES = {  # 1, 5, 6, 7
    "save_after": "save_every", "save_after_unit": "save_every_unit", "lora_layers": "layer_filter",
    "lora_layer_preset": "layer_filter_preset", "max_epochs": "epochs", "seed": "seed",
}  # fmt: skip


def current(values: Values) -> Values:
    """The same in today's words."""
    values = dict(values)
    _optimizer(values)
    _parts(values)
    for old, new in OLD_NAMES.items():
        if old in values and (old == new or new not in values):
            values[new] = values.pop(old)
    if "min_snr_gamma" in values and "loss_weight_fn" not in values:  # 2
        gamma = values.pop("min_snr_gamma")
        if gamma:
            values |= {"loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": gamma}
    _noising(values)
    _prior(values)
    return values


def _optimizer(values: Values) -> None:
    """0: flat fields become an object."""
    if not isinstance(values.get("optimizer"), str):
        return
    inside: Values = {"optimizer": values["optimizer"]}
    for name in [name for name in values if name.startswith("optimizer_") and name != "optimizer_defaults"]:
        inside[name.removeprefix("optimizer_")] = values.pop(name)
    if "weight_decay" in values:
        inside["weight_decay"] = values.pop("weight_decay")
    values["optimizer"] = inside


def _parts(values: Values) -> None:
    """1: train_unet, unet_learning_rate, unet_weight_dtype and their kin go into the part."""
    for name in list(values):
        if match := re.fullmatch(rf"train_({PARTS})", name):
            _put(values, match[1], "train", values.pop(name))
        elif match := re.fullmatch(rf"train_({PARTS})_epochs|({PARTS})_epochs", name):
            part = match[1] or match[2]
            _put(values, part, "stop_training_after", values.pop(name))
            _put(values, part, "stop_training_after_unit", "EPOCH")
        elif match := re.fullmatch(rf"({PARTS})_(learning_rate|weight_dtype|model_name)", name):
            _put(values, match[1], match[2], values.pop(name))


def _put(values: Values, part: str, name: str, value: Any) -> None:
    inside = values.setdefault(part, {})
    if isinstance(inside, dict):
        cast("Values", inside).setdefault(name, value)


def _noising(values: Values) -> None:
    """3: a weight of the noise once meant a sigmoid around the bias itself."""
    if "timestep_distribution" in values or not {"noising_weight", "noising_bias"} & set(values):
        return
    weight, bias = values.pop("noising_weight", 0.0), values.pop("noising_bias", 0.5)
    values["timestep_distribution"] = "UNIFORM"
    if weight:
        centre = bias - 0.5 if isinstance(bias, (int, float)) else 0.0
        values |= {"timestep_distribution": "SIGMOID", "noising_weight": weight, "noising_bias": centre}


def _prior(values: Values) -> None:
    """8: the denoiser of transformers was called prior."""
    cascade = str(values.get("model_type", "")).startswith(("WUERSTCHEN", "STABLE_CASCADE"))
    if "prior" in values and not cascade and "transformer" not in values:
        values["transformer"] = values.pop("prior")
