"""Where a tensor stands in the net: its block by the names that people merge with, and what kind of layer it is of.

U-Nets         IN00 ... MID ... OUT00 ..., by the numbers of the original files, which is how most advice names them
transformers   00, 01, ..., counted through all stacks in the order in which they are run
both           BASE: embeddings of time and size, the ends of the net; TE: the text encoders; VAE
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from math import cos, pi

from modules.errors import UserError
from modules.families.parts import building
from modules.families.parts.pipeline import DiffusersFamily
from modules.formats.checkpoint import NoPlace, unet_path

BASE, TEXT, VAE = "BASE", "TE", "VAE"
STACKED = re.compile(r"(\w+)\.(\d+)\.")
RANGE = re.compile(r"([A-Z]*\d*)(?:-([A-Z]*\d+))?")

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

    def ratios(self, text: str) -> dict[str, float]:
        """Ratios as they are written: "IN00-IN05=0.2, MID=0.5, OUT08=0.9".

        Raises:
            UserError: that is no block of this model, or no number.
        """
        found: dict[str, float] = {}
        for entry in filter(None, re.split(r"[,;\s]+", text.strip())):
            place, _, number = entry.partition("=")
            try:
                ratio = float(number)
            except ValueError:
                raise UserError("blocks.number", "blocks", entry=entry) from None
            found |= dict.fromkeys(self._range(place.upper()), ratio)
        return found

    def _range(self, place: str) -> Iterator[str]:
        names, match = [BASE, TEXT, *self.names], RANGE.fullmatch(place)
        first, last = (match[1], match[2] or match[1]) if match else ("", "")
        if first not in names or last not in names or names.index(first) > names.index(last):
            raise UserError("blocks.none", "blocks", place=place, first=self.names[0], last=self.names[-1])
        yield from names[names.index(first) : names.index(last) + 1]


def kind_of(name: str) -> str:
    """The kind of layer that a tensor is of: a row of the picture of the net."""
    if name.endswith(".bias") and not name.endswith("embedding.bias"):
        return "norm, bias"
    return next((kind for kind, pattern in KINDS.items() if pattern.search(name)), OTHER)


# A curve gives for each place in the net (0: the first block, 1: the last) what the ratio is multiplied with.
CURVES = {
    "flat": lambda x: 1.0,
    "inputs more": lambda x: 1.0 + cos(pi * x),
    "outputs more": lambda x: 1.0 - cos(pi * x),
    "middle more": lambda x: 1.0 - cos(2 * pi * x),
    "ends more": lambda x: 1.0 + cos(2 * pi * x),
}  # fmt: skip


def on_curve(curve: str, ratio: float, names: tuple[str, ...]) -> dict[str, float]:
    """The ratio of each block on a curve around it, from 0 to 1."""
    last = max(1, len(names) - 1)
    return {name: min(1.0, max(0.0, ratio * CURVES[curve](place / last))) for place, name in enumerate(names)}
