"""Sets of a U-Net's layers that have a name: what the form offers and `method.layers` understands. No torch.

A set is a row: its title for the form, and regular expressions over our names of modules and weights, each of which
means the same to `search` and to `fullmatch`. The blocks of a U-Net are also known by their number in the original
files ("input 4", "output 0.1"), which is how most advice on the net names them:

    ours (L: layers per block, here 2)          theirs
    down_blocks.i.resnets.j / attentions.j      input {1 + i(L+1) + j}, its .0 / .1
    down_blocks.i.downsamplers                  input {(i+1)(L+1)}
    mid_block.resnets.0, attentions.0, .1       middle 0, 1, 2
    up_blocks.i.resnets.j / attentions.j        output {i(L+1) + j}, its .0 / .1
    up_blocks.i.upsamplers                      part of output {i(L+1) + L}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class LayerSet:
    """Layers under one name."""

    title: str
    patterns: tuple[str, ...]
    note: str = ""


def _all_but(*starts: str) -> tuple[str, ...]:
    """Everything that begins with none of these."""
    return (rf"^(?!{'|'.join(starts)}).*",)


def unet_blocks(levels: int) -> dict[str, LayerSet]:
    """Each block of a U-Net by its number in the original files, and its resnet (.0) and transformer (.1) apart."""
    found: dict[str, LayerSet] = {
        "time": LayerSet("Embeddings of time and size", (r"(time_embedding|add_embedding)\..*",)),
        "input 0": LayerSet("Input 0 (first convolution)", (r"conv_in\..*",)),
        "output end": LayerSet("Last convolution", (r"(conv_norm_out|conv_out)\..*",)),
        "middle 0": LayerSet("Middle 0 (resnet)", (r"mid_block\.resnets\.0\..*",)),
        "middle 1": LayerSet("Middle 1 (transformer)", (r"mid_block\.attentions\.0\..*",)),
        "middle 2": LayerSet("Middle 2 (resnet)", (r"mid_block\.resnets\.1\..*",)),
    }
    for level in range(levels):
        for place in range(2):
            found |= _block("Input", f"down_blocks\\.{level}", 1 + 3 * level + place, place)
        if level < levels - 1:
            number = 3 * (level + 1)
            found[f"input {number}"] = LayerSet(
                f"Input {number} (smaller)", (rf"down_blocks\.{level}\.downsamplers\..*",)
            )
        for place in range(3):
            last = place == 2 and level < levels - 1
            found |= _block("Output", f"up_blocks\\.{level}", 3 * level + place, place, larger=last)
    return found


def _block(side: str, where: str, number: int, place: int, *, larger: bool = False) -> dict[str, LayerSet]:
    name = f"{side.lower()} {number}"
    resnet, transformer = rf"{where}\.resnets\.{place}\..*", rf"{where}\.attentions\.{place}\..*"
    also = (rf"{where}\.upsamplers\..*",) if larger else ()
    return {
        name: LayerSet(f"{side} {number}", (resnet, transformer, *also)),
        f"{name}.0": LayerSet(f"{side} {number} (resnet)", (resnet,)),
        f"{name}.1": LayerSet(f"{side} {number} (transformer)", (transformer,)),
    }


UNET_SETS: dict[str, LayerSet] = {
    "all": LayerSet("All layers", (r".*",)),
    "attention-mlp": LayerSet(
        "Attention and MLP", (r".*\.attentions\.\d+\.(transformer_blocks\.|proj_in|proj_out).*",)
    ),
    "attention": LayerSet("Attention", (r".*\.attn[12]\.to_.*",)),
    "cross-attention": LayerSet("Cross-attention (text)", (r".*\.attn2\.to_.*",)),
    "self-attention": LayerSet("Self-attention (image)", (r".*\.attn1\.to_.*",)),
    "resnets": LayerSet("ResNets", (r".*\.resnets\..*",)),
    "down": LayerSet("Down blocks", (r"down_blocks\..*",)),
    "mid": LayerSet("Middle block", (r"mid_block\..*",)),
    "up": LayerSet("Up blocks", (r"up_blocks\..*",)),
}
UNET_ATTENTION = ".attn1"
UNET_GROUPS = {"mid": "mid_block", "down": "down_blocks", "up": "up_blocks", "all": ""}
# Found by one who fine-tuned SDXL on 12.4 million images until 24 GB sufficed: the outer resnets, the resizers and two
# of the deep transformers stay as they are.
_SET_71 = (
    r"down_blocks\.0\.", r"down_blocks\.1\.downsamplers", r"down_blocks\.2\.attentions\.1",
    r"up_blocks\.0\.attentions\.0", r"up_blocks\.[01]\.upsamplers", r"up_blocks\.2\.",
)  # fmt: skip
_SET_68 = (*_SET_71, r"mid_block\.resnets")
_SET_63 = (
    *_SET_68, r"down_blocks\.1\.resnets", r"down_blocks\.2\.resnets\.1", r"up_blocks\.0\.resnets\.0",
    r"up_blocks\.1\.resnets",
)  # fmt: skip
INNER = LayerSet(
    "Inner blocks",
    _all_but("conv_", r"down_blocks\.0\.", r"up_blocks\.3\."),
    "All but the outermost blocks: what is shown, less how it is painted.",
)
SDXL_SETS = {
    "71 %": LayerSet(
        "71 % of the U-Net", _all_but(*_SET_71), "Fits a full fine-tune with both text encoders into 24 GB."
    ),
    "68 %": LayerSet("68 % of the U-Net", _all_but(*_SET_68), "As 71 %, without the resnets of the middle."),
    "63 %": LayerSet("63 % of the U-Net", _all_but(*_SET_63), "As 68 %, without most resnets of the inner blocks."),
}


def dit_sets(
    *,
    main: str,
    attention: str,
    mlp: str,
    blocks: Mapping[str, int],
    also: Mapping[str, tuple[str, tuple[str, ...]]] | None = None,
) -> dict[str, LayerSet]:
    """Sets of a transformer's layers.

    Args:
        main: how the paths of the blocks begin that do the work.
        attention, mlp: how the paths of those layers go on within a block.
        blocks: how many blocks each list of them has, by its path.
        also: others, by name: a title and patterns.
    """
    inside = rf"^({main})\d+\."
    found = {
        "all": LayerSet("All layers", (r".*",)),
        "blocks": LayerSet("All main blocks", (rf"{inside}.*",)),
        "attention-mlp": LayerSet("Attention and MLP", (rf"{inside}({attention}|{mlp}).*",)),
        "attention": LayerSet("Attention", (rf"{inside}({attention}).*",)),
        "mlp": LayerSet("MLP", (rf"{inside}({mlp}).*",)),
    }
    found |= {name: LayerSet(title, patterns) for name, (title, patterns) in (also or {}).items()}
    for path, count in blocks.items():
        word = path.replace("_", " ").removesuffix("s")
        for number in range(count):
            found[f"{word} {number}"] = LayerSet(f"{word.capitalize()} {number}", (rf"^{path}\.{number}\..*",))
    return found
