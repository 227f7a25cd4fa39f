"""The family that a LoRA was made for, by the names of its layers in any program's spelling, and their widths."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

Inputs = Mapping[str, int]  # by bare name: how many inputs the layer has; 0 where it is not known
START = re.compile(
    r"^(lycoris_|lora_unet_|lora_transformer_|base_model_model_|transformer_(?!blocks)|diffusion_model_|unet_|model_"
    r"|net_)+"
)  # fmt: skip
TEXT = re.compile(r"^(base_model_model_)?(lora_te(\d?)_|lycoris_te(\d?)_|text_encoders?_?(\d?)_|lora_clip_|lora_t5_"
                  r"|lora_text_)")  # fmt: skip


def bare(layer: str) -> str:
    """A layer's name without what programs put in front, and with one sign between its parts."""
    return START.sub("", layer.replace(".", "_"))


def encoder_number(layer: str) -> int:
    """Which text encoder a layer is of, from 1; 0 for the denoiser's."""
    match = TEXT.match(layer.replace(".", "_"))
    if not match:
        return 0
    digits = next((each for each in match.groups()[2:] if each), "")
    return int(digits) if digits in ("1", "2", "3") else 1


def family_of_lora(inputs: Inputs, ratios: Collection[float], has_second_encoder: bool) -> str:
    """ "" where nothing tells."""
    names = list(inputs)

    def has(pattern: re.Pattern[str]) -> bool:
        return any(pattern.match(name) for name in names)

    if has(UNET):
        return _of_unet(inputs, has_second_encoder)
    for family, pattern, fits in SIGNS:
        if has(pattern) and fits(inputs, ratios):
            return family
    return ""


def _width(inputs: Inputs) -> int:
    """Of most layers."""
    sizes = [size for size in inputs.values() if size]
    return max(set(sizes), key=sizes.count, default=0)


def _of_unet(inputs: Inputs, has_second_encoder: bool) -> str:
    read = {size for name, size in inputs.items() if re.search(r"attn2_to_[kv]$", name) and size}
    if 2048 in read or has_second_encoder or any(DEEP.search(name) for name in inputs):
        return "sdxl"
    return "sd"


def _any(inputs: Inputs, ratios: Collection[float]) -> bool:
    return True


def _wide(*widths: int) -> Callable[[Inputs, Collection[float]], bool]:
    return lambda inputs, ratios: not any(inputs.values()) or _width(inputs) in widths


def _flux2(inputs: Inputs, ratios: Collection[float]) -> bool:
    return any(abs(ratio - 9) < 0.01 for ratio in ratios) or any(FLUX2.search(name) for name in inputs)


def _flux2_dev(inputs: Inputs, ratios: Collection[float]) -> bool:
    return _flux2(inputs, ratios) and _width(inputs) == 6144


UNET = re.compile(r"(down|up|mid|input|output|middle)_blocks?_")
DEEP = re.compile(r"transformer_blocks_[2-9]_")
FLUX2 = re.compile(r"attn_to_qkv_mlp_proj|ff_linear_in|ff_context_linear_in|single_stream_modulation")
FLUX = re.compile(r"(double_blocks|single_blocks|single_transformer_blocks)_\d")
JOINT = re.compile(r"transformer_blocks_\d+_(attn_(to_|add_)|ff_|norm1)")
# The most telling first. A pattern is held against the beginning of each name.
SIGNS: tuple[tuple[str, re.Pattern[str], Callable[[Inputs, Collection[float]], bool]], ...] = (
    ("krea2", re.compile(r"txtfusion_|text_fusion_|blocks_\d+_attn_(wq|wk|wv|wo|gate)$"
                         r"|transformer_blocks_\d+_attn_to_gate"), _any),
    ("anima", re.compile(r"llm_adapter_|blocks_\d+_(self|cross)_attn_(q|k|v|output)_proj$"), _any),
    ("anima", re.compile(r"transformer_blocks_\d+_attn2_to_"), _wide(2048)),
    ("zimage", re.compile(r"(layers|noise_refiner|context_refiner)_\d+_(attention|feed_forward)_"), _wide(3840)),
    ("qwen_image", re.compile(r"transformer_blocks_\d+_(img|txt)_(mlp|mod)_"), _any),
    ("sd3", re.compile(r"joint_blocks_\d"), _any),
    ("chroma", re.compile(r"distilled_guidance_layer_"), _any),  # without it a LoRA is named as one of FLUX.1
    ("flux2", FLUX, _flux2_dev),
    ("flux2_klein", FLUX, _flux2),
    ("flux1", FLUX, _any),
    ("sd3", JOINT, _wide(1536, 2432)),
    ("qwen_image", JOINT, _wide(3072)),
)  # fmt: skip
