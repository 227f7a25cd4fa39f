"""What the tensors of a LoRA tell of its method: kind, rank, alpha, convolutions, layers, trained parts."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from modules.exchange.weights.families import TEXT, UNET, bare, encoder_number, family_of_lora
from modules.preset.paths import Values
from modules.system.reading import open_file

ENDING = re.compile(
    r"(?P<layer>.+?)\.(?P<part>lora_(down|up|A|B|mid)(\.default)?\.weight|lora\.(down|up)\.weight"
    r"|lora_linear_layer\.(down|up)\.weight|hada_[wt]\d(_[ab])?|lokr_([wt]\d(_[ab])?)|oft_(blocks|diag|R)(\.weight)?"
    r"|alpha|dora_scale|lora_magnitude_vector(\.default)?(\.weight)?)"
)
DOWN = ("lora_down.weight", "lora_A.weight", "lora_A.default.weight", "lora.down.weight",
        "lora_linear_layer.down.weight", "hada_w1_b", "hada_w2_b")  # fmt: skip
UP = ("lora_up.weight", "lora_B.weight", "lora_B.default.weight", "lora.up.weight", "lora_linear_layer.up.weight")
KINDS = {"hada": "loha", "lokr": "lokr", "oft": "oft", "lora": "lora"}
NUMBERS = {"F32": ("<f", 4), "F16": ("<e", 2), "F64": ("<d", 8)}
ATTENTION = re.compile(r"attn|attention|qkv|to_[qkv]|add_[qkv]_proj")
MLP = re.compile(r"(^|_)(ff|mlp|feed_forward|img_mlp|txt_mlp|proj_mlp|linear1|linear2|proj_in|proj_out)(_|$)")
OUTSIDE = re.compile(r"^(img_in|txt_in|x_embedder|context_embedder|final_layer|proj_out|time|vector_in|guidance_in"
                     r"|last|first|norm_out|t_embedder|cap_embedder|all_)")  # fmt: skip
OTHER = re.compile(r"resnets|in_layers|out_layers|emb_layers|skip_connection|time_emb|conv_in|conv_out|_mod_|modulation"
                   r"|norm|samplers")  # fmt: skip


@dataclass
class LoraShape:
    """What was found."""

    kind: str = "lora"
    ranks: Counter[int] = field(default_factory=Counter[int])
    alphas: Counter[float] = field(default_factory=Counter[float])
    conv_ranks: Counter[int] = field(default_factory=Counter[int])
    dora: str = ""  # "inputs", "outputs"
    factor: int = 0
    full_matrix: bool = False
    layers: dict[str, int] = field(default_factory=dict[str, int])  # of the denoiser: inputs by bare name
    ratios: set[float] = field(default_factory=set[float])  # of outputs to inputs, in single blocks
    encoders: set[int] = field(default_factory=set[int])

    @property
    def rank(self) -> int:
        return self.ranks.most_common(1)[0][0] if self.ranks else 0

    @property
    def family(self) -> str:
        return family_of_lora(self.layers, self.ratios, 2 in self.encoders)

    def layer_set(self, *, flow: bool) -> str:
        """The smallest of the usual sets that holds them."""
        names = [name for name in self.layers if not (UNET.match(name) and name.endswith(("proj_in", "proj_out")))]
        if any(OTHER.search(name) or (flow and OUTSIDE.match(name)) for name in names):
            outside = any(OUTSIDE.match(name) for name in names)
            return "blocks" if flow and not outside else "all"
        if all(ATTENTION.search(name) and not MLP.search(name) for name in names):
            return "attention"
        return "attention-mlp" if all(ATTENTION.search(name) or MLP.search(name) for name in names) else "all"


def shape_of(header: Values, path: Path, start: int) -> LoraShape | None:
    """None where the file holds no updates of layers; `start`: where its tensors begin."""
    found: dict[str, dict[str, Any]] = {}
    for name, about in header.items():
        match = ENDING.fullmatch(name)
        if match and isinstance(about, dict):
            found.setdefault(match["layer"], {})[match["part"]] = about
    layers = {layer: parts for layer, parts in found.items() if any(part != "alpha" for part in parts)}
    if not layers:
        return None
    shape = LoraShape()
    for layer, parts in layers.items():
        _add(shape, layer, parts)
    shape.alphas = _alphas(layers.values(), path, start)
    return shape


def _dims(about: Any) -> list[int]:
    given = cast("Values", about).get("shape") if isinstance(about, dict) else None
    return [side for side in cast("list[Any]", given) if isinstance(side, int)] if isinstance(given, list) else []


def _add(shape: LoraShape, layer: str, parts: dict[str, Any]) -> None:
    first = next((part for part in parts if part != "alpha"), "lora")
    kind = next((kind for start, kind in KINDS.items() if first.startswith(start)), "lora")
    shape.kind = kind if kind != "lora" else shape.kind
    down = next((_dims(parts[name]) for name in DOWN if name in parts), [])
    up = next((_dims(parts[name]) for name in UP if name in parts), [])
    size = down[0] if down else 0
    if kind == "lokr":
        size = _add_lokr(shape, parts)
    elif kind == "oft":
        blocks = next((_dims(about) for part, about in parts.items() if part.startswith("oft")), [])
        size = blocks[-1] if len(blocks) > 1 else 0
    kernel = len(down) == 4 and max(down[2:]) > 1
    if size:
        (shape.conv_ranks if kernel else shape.ranks)[size] += 1
    _add_magnitude(shape, parts)
    _add_place(shape, layer, down, up, kernel)


def _add_lokr(shape: LoraShape, parts: dict[str, Any]) -> int:
    whole = _dims(parts.get("lokr_w1", {}))
    shape.factor = shape.factor or (whole[0] if whole else 0)
    small = _dims(parts.get("lokr_w2_b", parts.get("lokr_w1_b", {})))
    shape.full_matrix = shape.full_matrix or not small
    return small[0] if small else 0


def _add_magnitude(shape: LoraShape, parts: dict[str, Any]) -> None:
    sizes = next((_dims(about) for part, about in parts.items() if part == "dora_scale" or "magnitude" in part), [])
    if sizes:
        shape.dora = "inputs" if len(sizes) > 1 and sizes[0] == 1 and sizes[1] > 1 else "outputs"


def _add_place(shape: LoraShape, layer: str, down: list[int], up: list[int], kernel: bool) -> None:
    number = encoder_number(layer)
    if number or TEXT.match(layer.replace(".", "_")):
        shape.encoders.add(number or 1)
        return
    name, inputs = bare(layer), down[1] if len(down) > 1 else 0
    if not kernel:
        shape.layers[name] = inputs
    if up and inputs and re.search(r"single_blocks_\d+_linear1$", name):
        shape.ratios.add(up[0] / inputs)


def _alphas(layers: Iterable[dict[str, Any]], path: Path, start: int) -> Counter[float]:
    """The alphas that stand in the file: a number each."""
    found: Counter[float] = Counter()
    wanted = [each["alpha"] for each in layers if "alpha" in each][:200]
    with open_file(path) as file:
        for about in cast("list[Values]", wanted):
            offsets, kind = about.get("data_offsets"), str(about.get("dtype"))
            if not isinstance(offsets, list) or len(cast("list[Any]", offsets)) != 2:
                continue
            first = cast("list[Any]", offsets)[0]
            if not isinstance(first, int) or first < 0 or kind not in (*NUMBERS, "BF16"):
                continue
            file.seek(start + first)
            if (value := _number(file.read(8), kind)) is not None:
                found[value] += 1
    return found


def _number(data: bytes, kind: str) -> float | None:
    if kind == "BF16":
        data, kind = b"\0\0" + data[:2], "F32"
    form, size = NUMBERS[kind]
    if len(data) < size:
        return None
    value = float(struct.unpack(form, data[:size])[0])
    return value if 0 < value <= 4096 else None
