"""Files of adapters as other programs name them: written in one of their formats, read in any.

An update is spoken of by "part|module path", as a family lists it in `lora_names`. What is read is more than what is
trained: every linear layer and convolution of a model (`Family.layer_spellings`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from modules.errors import UserError
from modules.formats.adapter import AdapterTensors
from modules.formats.adapter_names import FileLayer, Spellings, in_file
from modules.formats.checkpoint import Link
from modules.formats.loha import LohaTensors
from modules.formats.lokr import LokrTensors
from modules.formats.lora import LoraTensors, peft_tensors
from modules.formats.oft import OftTensors
from modules.formats.tensors import cast, read_tensors
from modules.sentences.problem import Fix, Problem, problem
from modules.system.weights import Shape, first_names

KINDS: tuple[type[AdapterTensors], ...] = (LoraTensors, LohaTensors, LokrTensors, OftTensors)
# Every ending -> what it is called here: those of kohya and LyCORIS, of PEFT, and of diffusers long ago.
ENDINGS = {ending: ending for kind in KINDS for ending in kind.names.values()} | {
    "lora_A.weight": "lora_down.weight", "lora_B.weight": "lora_up.weight",
    "lora.down.weight": "lora_down.weight", "lora.up.weight": "lora_up.weight",
    "lora_linear_layer.down.weight": "lora_down.weight", "lora_linear_layer.up.weight": "lora_up.weight",
    "alpha": "alpha", "scalar": "scalar", "dora_scale": "dora_scale", "magnitude": "lora_magnitude_vector",
    "lora_magnitude_vector": "lora_magnitude_vector", "lora_magnitude_vector.weight": "lora_magnitude_vector",
}  # fmt: skip
ENDING = re.compile(rf"(.+?)\.({'|'.join(re.escape(ending) for ending in ENDINGS)})")
MAGNITUDES = ("dora_scale", "lora_magnitude_vector")
BESIDE = (*MAGNITUDES, "alpha", "scalar")  # what any kind may have


def kohya_tensors(updates: Mapping[str, AdapterTensors], dtype: torch.dtype) -> dict[str, Tensor]:
    """By the names of kohya and LyCORIS, with alpha (no dimensions) for each layer."""
    found: dict[str, Tensor] = {}
    for name, update in updates.items():
        found |= {f"{name}.{ending}": cast(tensor, dtype, name) for ending, tensor in update.entries().items()}
        found[f"{name}.alpha"] = torch.tensor(update.alpha, dtype=dtype)
    return found


def named_tensors(
    updates: Mapping[str, AdapterTensors], links: Mapping[str, Link], form: str, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The tensors of a file in a format, of updates by "part|module path"; `links`: the family's for that format."""
    named = in_file(updates, links)
    return kohya_tensors(named, dtype) if form == "kohya" else peft_tensors(named, dtype)


def is_adapter(names: Iterable[str]) -> bool:
    """Whether a file with tensors of these names holds updates of layers, and no weights."""
    return any(ENDING.fullmatch(_unwrapped_key(name)) for name in names)


def read_adapter(
    path: Path, spellings: Spellings, unread: list[str] | None = None, *, fixes: Sequence[Fix] = ()
) -> dict[str, AdapterTensors]:
    """The layers of a file by anyone's names, by "part|module path"; `spellings` are the family's.

    What lies fused in native names is taken apart; kinds for which that cannot be done count as unread.

    Embeddings that stand in the file too (`bundle_emb`) are left out. The names of what cannot be read go to `unread`;
    without such a list they are a reason to refuse the file. `fixes`: what the user may then change.

    Raises:
        UserError: damaged, no adapter, of a kind that is not known, or made for another architecture.
    """
    layers, others = _sorted_out(read_tensors(path), spellings)
    found: dict[str, AdapterTensors] = {}
    for place, keys in sorted(layers.items(), key=lambda item: isinstance(item[0], FileLayer)):
        update = _layer(str(place), {ending: tensor for ending, (_, tensor) in keys.items()}, path)
        parts = place.split(update) if isinstance(place, FileLayer) else {place: update}
        others += [] if parts else [key for key, _ in keys.values()]
        found = {**parts, **found}  # some files have the parts as well as the whole
    if not found:
        raise UserError("adapter.none", file=path.name, names=first_names(others))
    if others and unread is None:
        names = first_names(others)
        raise UserError("adapter.unread", file=path.name, count=len(others), names=names, fixes=fixes)
    if unread is not None:
        unread += others
    return found


def layer_count(names: Iterable[str]) -> int:
    """How many layers tensors of these names are of, whatever anyone calls them."""
    return len({match[1] for name in names if (match := ENDING.fullmatch(_unwrapped_key(name)))})


def fitting_count(tensors: Mapping[str, Tensor], spellings: Spellings, shapes: Mapping[str, Shape]) -> tuple[int, int]:
    """How many layers of a file fit a model, and how many it has by name. The tensors may be on the meta device.

    Args:
        shapes: of the model's weights, by "part|module path".
    """
    fitting, layers = 0, _sorted_out(tensors, spellings)[0]
    for place, keys in layers.items():
        update = _update({ending: tensor for ending, (_, tensor) in keys.items()})
        shape = place.shape(shapes) if isinstance(place, FileLayer) else shapes[place]
        fitting += update is not None and not update.invalid_reason() and update.fits(shape)
    return fitting, len(layers)


def _sorted_out(
    tensors: Mapping[str, Tensor], spellings: Spellings
) -> tuple[dict[str | FileLayer, dict[str, tuple[str, Tensor]]], list[str]]:
    """The keys and tensors of each layer by their endings, and the keys of what belongs to none."""
    layers: dict[str | FileLayer, dict[str, tuple[str, Tensor]]] = {}
    others: list[str] = []
    for key, tensor in tensors.items():
        match = ENDING.fullmatch(_unwrapped_key(key))
        if match and match[1] in spellings and not (match[2] == "oft_blocks" and tensor.dim() == 4):  # that is BOFT
            layers.setdefault(spellings[match[1]], {})[ENDINGS[match[2]]] = key, tensor
        elif not key.startswith("bundle_emb."):
            others.append(key)
    if others:  # an alpha whose update is among them says nothing
        layers = {name: found for name, found in layers.items() if not found.keys() <= {*BESIDE}}
    return layers, others


def left_out(file: Path, unread: Sequence[str]) -> Problem:
    """What of a file could not be read."""
    return problem("adapter.left-out", file=file.name, names=first_names(unread))


def check_kind(update: AdapterTensors, kind: str, name: str) -> None:
    """Find out whether an update is of a kind.

    Raises:
        UserError: it is of another.
    """
    if update.title.lower() != kind:
        raise UserError("adapter.other-kind", "method.start_from", title=update.title, layer=name, kind=kind)


def _unwrapped_key(key: str) -> str:
    """A name without what programs wrap around it; diffusers had attention's LoRA inside of a "processor" once."""
    key = re.sub(r"\.processor\.to_out_lora\.", ".to_out.0.lora.", key)
    key = re.sub(r"\.processor\.(to_[qkv])_lora\.", r".\1.lora.", key)
    key = re.sub(r"(\.processor\.(?:qkv|proj)_lora[12]?)\.(down|up)\.weight$", r"\1.lora.\2.weight", key)  # XLabs'
    return re.sub(r"^(base_model\.model\.|lycoris_)", "", key).replace(".default.", ".")


def _layer(name: str, found: dict[str, Tensor], path: Path) -> AdapterTensors:
    """The update of a layer, of the kind that its tensors' endings say."""
    if (update := _update(found)) is None:
        names = first_names(ending for ending in found if ending not in BESIDE)
        raise UserError("adapter.mixed-kinds", file=path.name, layer=name, names=names)
    if invalid_reason := update.invalid_reason():
        raise UserError("adapter.incomplete", file=path.name, layer=name, reason=invalid_reason)
    beside = (found[name] for name in (*MAGNITUDES, "scalar") if name in found)
    for tensor in (*update.values.values(), *beside):
        if not tensor.numel():
            raise UserError("adapter.empty", file=path.name, title=update.title, layer=name)
        if not bool(tensor.isfinite().all()):
            raise UserError("adapter.nan", file=path.name, layer=name)
    if (scalar := found.get("scalar")) is not None:  # LyCORIS's, of an update in proportion to one of its tensors
        first = update.zero_init
        update = replace(update, values={**update.values, first: update.values[first] * scalar})
    return replace(update, alpha=_alpha(update, found, name, path), dora_scale=_magnitude(found, update))


def _update(found: Mapping[str, Tensor]) -> AdapterTensors | None:
    """The kind that tensors are of by their endings, with an alpha of 1; None: of none, or of several."""
    tensors = {ending: tensor for ending, tensor in found.items() if ending not in BESIDE}
    kind = next((kind for kind in KINDS if tensors.keys() <= set(kind.names.values())), None)
    return kind and kind({name: tensors[end] for name, end in kind.names.items() if end in tensors}, 1.0)


def _alpha(update: AdapterTensors, found: Mapping[str, Tensor], name: str, path: Path) -> float:
    alpha = found.get("alpha")
    if alpha is None:
        return 0.0 if isinstance(update, OftTensors) else float(update.rank)
    if alpha.numel() != 1 or not bool(alpha.isfinite().all()):
        raise UserError("adapter.alpha", file=path.name, layer=name)
    return float(alpha)


def _magnitude(found: Mapping[str, Tensor], update: AdapterTensors) -> Tensor | None:
    """DoRA's lengths, (O, 1[, 1, 1]) of rows or (1, I[, 1, 1]) of columns, from any of the spellings."""
    if (scale := found.get("dora_scale")) is not None and scale.dim() > 1:
        return scale
    if scale is None:
        scale = found.get("lora_magnitude_vector")
    if scale is None:
        return None
    dims = next(iter(update.values.values())).dim()
    return scale.reshape(-1, *[1] * (dims - 1))  # rows, always
