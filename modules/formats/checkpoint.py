"""What tensors are called in single-file checkpoints (the LDM and SGM layout), and how they lie there.

Each of our names (those of diffusers folders, with `text_model.` once in front of a text encoder's) has one `Link`. The
same links read and write, so the two cannot disagree.

    ours, of the U-Net                          theirs, after "model.diffusion_model."     (L: layers per block)
    down_blocks.i.resnets.j / attentions.j      input_blocks.{1 + i(L+1) + j}.0 / .1
    down_blocks.i.downsamplers.0.conv           input_blocks.{(i+1)(L+1)}.0.op
    mid_block.resnets.0, attentions.0, .1       middle_block.0, .1, .2
    up_blocks.i.resnets.j / attentions.j        output_blocks.{i(L+1) + j}.0 / .1
    up_blocks.i.upsamplers.0.conv               output_blocks.{i(L+1) + L}.{1, or 2 after an attention}.conv
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor

from modules.system.weights import PlannedTensor, Shape, Weights


class NoPlace(Exception):
    """A tensor or module that a single file has no name for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class Link:
    """Where a tensor of ours lies in the file.

    `conv`: a linear layer kept as a 1x1 convolution. `turned`: transposed. `swapped`: with its halves in the other
    order. `flat`: a matrix of `sizes` as one row of numbers. `slice`: the one at `place` of several that lie fused
    along the first side (query, key, value), of these `sizes` there or in these proportions.
    """

    theirs: str
    form: Literal["same", "conv", "turned", "swapped", "flat", "slice"] = "same"
    place: int = 0
    sizes: tuple[int, ...] = ()

    def behind(self, prefix: str) -> Link:
        return replace(self, theirs=prefix + self.theirs)

    def shape(self, theirs: Shape) -> Shape:
        """Our shape of a tensor that has this shape in the file."""
        match self.form:
            case "conv" if theirs[2:] == (1, 1):
                return theirs[:2]
            case "turned":
                return theirs[::-1]
            case "flat" if prod(theirs) == prod(self.sizes):
                return self.sizes
            case "slice":
                first, end = self.rows(theirs[0])
                return (end - first, *theirs[1:])
            case _:
                return theirs

    def read(self, theirs: Tensor) -> Tensor:
        """Our tensor from the file's."""
        match self.form:
            case "conv" if theirs.shape[2:] == (1, 1):
                return theirs[:, :, 0, 0]
            case "turned":
                return theirs.T.contiguous()
            case "swapped":
                return torch.cat(theirs.chunk(2)[::-1])
            case "flat":
                return theirs.reshape(self.shape(tuple(theirs.shape)))
            case "slice":
                first, end = self.rows(theirs.shape[0])
                return theirs[first:end].clone()
            case _:
                return theirs

    def write(self, ours: Tensor) -> Tensor:
        """The file's tensor from ours; slices are joined by `planned`."""
        match self.form:
            case "conv":
                return ours[:, :, None, None]
            case "turned":
                return ours.T.contiguous()
            case "swapped":
                return torch.cat(ours.chunk(2)[::-1])
            case "flat":
                return ours.flatten()
            case _:
                return ours

    def divides(self, count: int) -> bool:
        """Whether so many rows, or blocks of rows, of the file's come apart where this begins and ends."""
        if self.form == "slice":
            return all(count * sum(self.sizes[:place]) % sum(self.sizes) == 0 for place in (self.place, self.place + 1))
        return self.form != "swapped" or count % 2 == 0

    def rows(self, count: int) -> tuple[int, int]:
        """Where a slice begins and ends among so many rows."""
        before, whole = sum(self.sizes[: self.place]), sum(self.sizes)
        return count * before // whole, count * (before + self.sizes[self.place]) // whole


class Renamed(Weights):
    """A file seen under our names; tensors that no link leads to are left out."""

    def __init__(self, weights: Weights, links: Mapping[str, Link]) -> None:
        self._weights = weights
        self._links = {ours: link for ours, link in links.items() if link.theirs in weights.shapes}
        self.metadata = weights.metadata
        self.shapes = {ours: link.shape(weights.shapes[link.theirs]) for ours, link in self._links.items()}

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        link = self._links[name]
        if link.form == "slice":  # of a fused tensor only what is wanted is read and unpacked
            return self._weights.rows(link.theirs, *link.rows(self._weights.shapes[link.theirs][0]))
        return link.read(self._weights.read(link.theirs, scratch))

    def dtype(self, name: str) -> torch.dtype:
        return self._weights.dtype(self._links[name].theirs)

    def packed(self, name: str) -> Tensor | None:
        return self._weights.packed(self._links[name].theirs)

    def fp8(self, name: str, rows: tuple[int, int] | None = None) -> tuple[Tensor, Tensor | None] | None:
        link = self._links[name]
        if link.form == "slice" and rows is None:
            return self._weights.fp8(link.theirs, link.rows(self._weights.shapes[link.theirs][0]))
        return self._weights.fp8(link.theirs, rows) if link.form == "same" else None

    @property
    def files(self):
        return self._weights.files


def planned(ours: Mapping[str, PlannedTensor], links: Mapping[str, Link]) -> dict[str, PlannedTensor]:
    """Our tensors as they will lie in a file."""
    together: dict[str, list[tuple[Link, PlannedTensor]]] = {}
    for name, tensor in ours.items():
        together.setdefault(links[name].theirs, []).append((links[name], tensor))
    return {theirs: _joined(members) for theirs, members in together.items()}


def _joined(members: list[tuple[Link, PlannedTensor]]) -> PlannedTensor:
    members.sort(key=lambda member: member[0].place)
    link, first = members[0]
    if link.form == "slice":
        assert len(members) == len(link.sizes), f"{link.theirs} wants {len(link.sizes)} tensors"
        shape = (sum(tensor.shape[0] for _, tensor in members), *first.shape[1:])
        return PlannedTensor(shape, first.dtype, lambda: torch.cat([tensor.make() for _, tensor in members]))
    shape = tuple(link.write(torch.empty(first.shape, device="meta")).shape)
    return PlannedTensor(shape, first.dtype, lambda: link.write(first.make()))


# U-Net ----------------------------------------------------------------------------------------------------------------

RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
UNET_OUTER = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
IN_BLOCK = re.compile(
    r"(down_blocks|up_blocks|mid_block)\.(?:(\d+)\.)?(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)"
)
IN_BLOCK_OF_MID = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def unet_path(ours: str, config: Mapping[str, Any]) -> str:
    """The LDM path of a module (or a parameter) of the U-Net.

    Raises:
        NoPlace: it has none.
    """
    for end, theirs in UNET_OUTER.items():
        if ours == end or ours.startswith(f"{end}."):
            return theirs + ours[len(end) :]
    if match := IN_BLOCK_OF_MID.fullmatch(ours):
        kind, place, rest = match.groups()
        number = 1 if kind == "attentions" else 2 * int(place)
        return f"middle_block.{number}.{rest if kind == 'attentions' else _resnet(rest)}"
    match = IN_BLOCK.fullmatch(ours)
    if match is None:
        raise NoPlace(ours)
    side, block, kind, place, rest = match.groups()
    layers = int(config["layers_per_block"]) + 1
    first, letter = (1 + int(block) * layers, "input") if side == "down_blocks" else (int(block) * layers, "output")
    match kind:
        case "resnets":
            return f"{letter}_blocks.{first + int(place)}.0.{_resnet(rest)}"
        case "attentions":
            return f"{letter}_blocks.{first + int(place)}.1.{rest}"
        case "downsamplers":
            return f"input_blocks.{(int(block) + 1) * layers}.0.{rest.replace('conv', 'op', 1)}"
        case _:
            after = 2 if "Attn" in config["up_block_types"][int(block)] else 1
            return f"output_blocks.{first + layers - 1}.{after}.{rest}"


def _resnet(rest: str) -> str:
    module, _, leaf = rest.partition(".")
    return f"{RESNET[module]}.{leaf}" if leaf else RESNET[module]


def unet_links(
    names: Iterable[str], config: Mapping[str, Any], prefix: str = "model.diffusion_model."
) -> dict[str, Link]:
    return {name: Link(prefix + unet_path(name, config)) for name in names}


# VAE ------------------------------------------------------------------------------------------------------------------

# What diffusers called the attention's layers until 0.17.
OLD_VAE_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def old_vae_links(names: Iterable[str]) -> dict[str, Link]:
    """Our names for a VAE whose attention still has diffusers' first names (some of them as 1x1 convolutions)."""

    def link(name: str) -> Link:
        head, found, tail = name.partition(".mid_block.attentions.0.")
        layer, _, leaf = tail.rpartition(".")
        if not found or layer not in OLD_VAE_ATTENTION.values():
            return Link(name)
        old = next(old for old, new in OLD_VAE_ATTENTION.items() if new == layer)
        return Link(f"{head}{found}{old}.{leaf}", "conv" if leaf == "weight" else "same")

    return {name: link(name) for name in names}


# Text encoders --------------------------------------------------------------------------------------------------------

OPEN_CLIP: dict[str, str] = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
}
OPEN_CLIP_LAYER = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip
FUSED = {"self_attn.q_proj": 0, "self_attn.k_proj": 1, "self_attn.v_proj": 2}
LAYER = re.compile(r"text_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


def clip_links(names: Iterable[str], prefix: str) -> dict[str, Link]:
    """OpenAI's CLIP: the names of transformers, behind a prefix."""
    return {name: Link(prefix + name) for name in names}


def open_clip_links(names: Iterable[str], prefix: str) -> dict[str, Link]:
    """OpenCLIP, the text encoder of SD 2 and the second one of SDXL."""

    def link(name: str) -> Link:
        if name == "text_projection.weight":
            return Link(f"{prefix}text_projection", "turned")
        if name in OPEN_CLIP:
            return Link(prefix + OPEN_CLIP[name])
        match = LAYER.fullmatch(name)
        if match is None:
            raise NoPlace(name)
        number, layer, leaf = match.groups()
        block = f"{prefix}transformer.resblocks.{number}"
        if layer in FUSED:
            return Link(f"{block}.attn.in_proj_{leaf}", "slice", FUSED[layer], (1, 1, 1))
        return Link(f"{block}.{OPEN_CLIP_LAYER[layer]}.{leaf}")

    return {name: link(name) for name in names}
