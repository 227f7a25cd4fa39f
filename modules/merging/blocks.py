"""Where a tensor stands in the net: its block, by the names in `block_ratios`, and what kind of layer it is of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from modules.families.parts import building
from modules.families.parts.pipeline import DiffusersFamily
from modules.formats.checkpoint import NoPlace, unet_path
from modules.merging.block_ratios import BASE, TEXT, VAE

STACKED = re.compile(r"(?!\w*embed)(\w+)\.(\d+)\.")  # an embedder of several layers is no stack of blocks

KINDS = {  # of layers, by their names here, in the order in which they are shown
    "self-attn q k v": re.compile(
        r"(attn1?|attention)\.(to_[qkv]|to_qkv|qkv|q_proj|k_proj|v_proj)\.|self_attn\.[qkv]_proj\."
    ),
    "self-attn out": re.compile(r"(attn1?|attention)\.to_out\.|self_attn\.(out|o)_proj\."),
    "cross-attn q": re.compile(r"attn2\.to_q\."),
    "cross-attn k v": re.compile(r"attn2\.to_[kv]\.|attn\.add_[qkv]_proj\."),
    "cross-attn out": re.compile(r"attn2\.to_out\.|attn\.to_add_out\."),
    "feed-forward": re.compile(
        r"(ff|ff_context|mlp|feed_forward|img_mlp|txt_mlp)\.|proj_mlp\.|single_\w+\.\d+\.proj_out\."
    ),
    "convolution": re.compile(r"conv\w*\.|proj_in\.|proj_out\."),
    "norm, bias": re.compile(r"norm\w*\.|adaLN\w*\.|modulation\w*\.|img_mod\.|txt_mod\."),
    "time embedding": re.compile(r"(time|add|label)\w*(emb|proj)\w*\."),
    "embedding": re.compile(r"embed\w*\.|position\w*\."),
}
OTHER = "other"
GROUPS = ("attention", "feed-forward", "convolutions", "others")


class Blocks:
    """The blocks of a model's net."""

    def __init__(self, family: DiffusersFamily) -> None:
        self._family = family
        self._config = family.source.configs["denoiser"]
        self._is_unet = family.card.component("denoiser").kind == "unet"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Those of the denoiser in the order in which they are run, without BASE."""
        found = dict.fromkeys(map(self._denoiser_block, building.saved_tensors(self._family.empty("denoiser"))))
        found.pop(BASE, None)
        return tuple(sorted(found, key=lambda name: ("IMO".find(name[0]), name)) if self._is_unet else found)

    @cached_property
    def _starts(self) -> Mapping[str, int]:
        """The number at which the count of each stack of a transformer begins."""
        sizes: dict[str, int] = {}
        for name in building.saved_tensors(self._family.empty("denoiser")):
            if match := STACKED.match(name):
                sizes[match[1]] = max(sizes.get(match[1], 0), int(match[2]) + 1)
        return {stack: sum([*sizes.values()][:place]) for place, stack in enumerate(sizes)}

    def of(self, component: str, name: str) -> str:
        """The block of a tensor, by its name in the module or in a folder's file."""
        if component == "denoiser":
            return self._denoiser_block(name)
        return VAE if component == "vae" else TEXT

    def _denoiser_block(self, name: str) -> str:
        if not self._is_unet:
            match = STACKED.match(name)
            return f"{self._starts[match[1]] + int(match[2]):02}" if match and match[1] in self._starts else BASE
        try:
            side, _, rest = unet_path(name, self._config).partition(".")
        except NoPlace:
            return BASE
        if side == "middle_block":
            return "MID"
        starts = {"input_blocks": "IN", "output_blocks": "OUT"}
        return f"{starts[side]}{int(rest.partition('.')[0]):02}" if side in starts else BASE


def kind_of(name: str) -> str:
    """The kind of layer that a tensor is of: a row of the picture of the net."""
    if name.endswith(".bias") and not name.endswith("embedding.bias"):
        return "norm, bias"
    return next((kind for kind, pattern in KINDS.items() if pattern.search(name)), OTHER)


def group_of(name: str) -> str:
    """The same, coarser: one of GROUPS."""
    kind = kind_of(name)
    if "attn" in kind:
        return "attention"
    return "convolutions" if kind == "convolution" else kind if kind in GROUPS else "others"
