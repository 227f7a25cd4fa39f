"""Modules from configs, without weights; and weights into modules, tensor by tensor.

diffusers' and transformers' own loaders hold a model twice, or keep file pages resident. Here a module is made on the
"meta" device, where tensors have shapes but no memory, and each tensor is read, converted, laid out and put in place
before the next is read: the peak is the module and its largest tensor.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]

from modules.catalog import ComponentSpec
from modules.errors import UserError
from modules.families.parts.block_streaming import block_path, stream_blocks
from modules.families.parts.config_check import build_from_config, without_loading_keys
from modules.families.parts.importing import without_bitsandbytes
from modules.formats.checkpoint import Link, Renamed
from modules.placement.holding import AS_THEY_ARE, Holding, Packing
from modules.sentences.problem import problem
from modules.system.devices import is_card
from modules.system.weights import Weights, brief, first_names

Config = Mapping[str, Any]
TABLES_IN_FILES = ("SD3Transformer2DModel",)  # that compute nothing else: its positions would take some GB on the way


def empty_component(spec: ComponentSpec, config: Config) -> nn.Module:
    """A component without weights: its parameters, and what files hold beside them, are on the meta device.

    What it computes for itself (tables of positions, say) is real. Made once for all who ask: not to be changed.
    """
    return _empty_component(spec, json.dumps(dict(config), sort_keys=True, default=str))


@lru_cache(maxsize=16)
def _empty_component(spec: ComponentSpec, config_json: str) -> nn.Module:
    config: Config = json.loads(config_json)
    module, _, name = spec.class_path.partition(":")
    with without_bitsandbytes():
        kind: Any = getattr(import_module(module), name)
    config = read_part(spec, without_loading_keys(config))
    if hasattr(kind, "config_class"):  # transformers
        return _on_meta(lambda: kind(_without_dropout(kind.config_class.from_dict(config))), spec.folder)
    return _on_meta(lambda: kind.from_config(config), spec.folder, tables=name not in TABLES_IN_FILES)


def tensor_shapes(spec: ComponentSpec, config: Config) -> tuple[Mapping[str, tuple[int, ...]], frozenset[str]]:
    """What files hold of a component, by its names there; and the other names of tensors that stand in two places."""
    return _tensor_shapes(spec, json.dumps(dict(config), sort_keys=True, default=str))


@lru_cache(maxsize=64)
def _tensor_shapes(spec: ComponentSpec, config: str) -> tuple[Mapping[str, tuple[int, ...]], frozenset[str]]:
    module = empty_component(spec, json.loads(config))
    shapes = {file_name(name, module): tuple(tensor.shape) for name, tensor in saved_tensors(module).items()}
    return shapes, frozenset(file_name(name, module) for names in _places(module).values() for name in names)


def read_part(spec: ComponentSpec, config: Config) -> dict[str, Any]:
    """The config of what is run: of a model that also sees or speaks, the one that reads, and no layer beyond those."""
    config = dict(config.get("text_config", config) if spec.kind == "llm" else config)
    if spec.blocks_read and (blocks := config.get("num_hidden_layers")):
        config["num_hidden_layers"] = (
            min(blocks, spec.blocks_read) if spec.blocks_read > 0 else blocks + spec.blocks_read
        )
        if "layer_types" in config:
            config["layer_types"] = config["layer_types"][: config["num_hidden_layers"]]
    return config


def _without_dropout(config: Any) -> Any:
    """A T5 would drop a tenth of what it says while it is trained, by chance that nobody can draw again."""
    for name, value in vars(config).items():
        if "dropout" in name and isinstance(value, float):
            setattr(config, name, 0.0)
    return config


# Of torch.nn.init, for which transformers puts functions of the same names, and of tensors
FILLS = {"uniform_", "normal_", "trunc_normal_", "kaiming_uniform_", "constant_", "fill_", "ones_", "zeros_", "zero_"}


class _ParametersOnMeta(TorchFunctionMode):
    """Layers make their parameters with `torch.empty`; tables are computed, by anything else.

    `torch.device("meta")` would take the numbers from the tables too, and nothing brings those back that are no
    persistent buffers. To fill what has no memory would take torch longer than all else.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.empty and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": "meta"}
        if getattr(func, "__name__", "") in FILLS and (filled := args[0] if args else kwargs["tensor"]).is_meta:
            return filled
        return func(*args, **kwargs)


def _on_meta(make: Callable[[], Any], what: str, *, tables: bool = True) -> nn.Module:
    with nullcontext() if tables else torch.device("meta"), _ParametersOnMeta():
        module: nn.Module = build_from_config(make, what)
    places = _places(module)
    for name, tensor in saved_tensors(module).items():
        if not tensor.is_meta:  # a parameter that is made of random numbers or of ones
            _set_tensor(module, places.get(name, [name]), tensor.detach().to("meta"))
    return module.eval().requires_grad_(False)


def emptied(empty: nn.Module) -> nn.Module:
    """A copy to be filled: it has tables of its own, and the tensors of the empty one until others take their place."""
    tables: dict[int, Any] = {id(buffer): buffer.clone() for buffer in empty.buffers()}
    tensors = tables | {id(tensor): tensor for tensor in saved_tensors(empty).values()}
    with _disable_current_modes():  # `FakeTensorMode` copies no tensor that is a plain attribute
        return _copied(empty, tensors)


def _copied(thing: Any, known: dict[int, Any]) -> Any:
    """As `deepcopy`, which takes twice as long for modules: each has a dozen dictionaries, most of them empty."""
    if id(thing) in known:
        return known[id(thing)]
    if not isinstance(thing, nn.Module) and type(thing) not in (dict, OrderedDict):
        return thing if isinstance(thing, bool | int | str) else deepcopy(thing, known)
    kind: Any = type(thing)
    known[id(thing)] = twin = kind.__new__(kind)
    inside, copied = (vars(thing), vars(twin)) if isinstance(thing, nn.Module) else (thing, twin)
    copied.update((name, _copied(value, known)) for name, value in inside.items())
    return twin


def saved_tensors(module: nn.Module) -> dict[str, Tensor]:
    """What a file holds of a module, by its names here: parameters, and buffers that are not computed."""
    parameters: dict[str, Tensor] = dict(module.named_parameters())
    kept = module.state_dict(keep_vars=True).keys()
    return parameters | {name: buffer for name, buffer in module.named_buffers() if name in kept}


def file_name(name: str, module: nn.Module) -> str:
    """What a tensor of a module is called in files.

    In transformers 5 a CLIPTextModel has no `text_model.` in its names; every file has it, once.
    """
    return f"text_model.{name}" if type(module).__name__ == "CLIPTextModel" else name


def text_model_once(path: str) -> str:
    """A path in a CLIP of either class, as files have it."""
    return path if path.startswith("text_model.") else f"text_model.{path}"


def text_links(weights: Weights) -> dict[str, Link]:
    """Names of a text encoder's file, whether or not it was written with `text_model.` in front."""
    bare = not any(name.startswith("text_model.") for name in weights.shapes)
    return {
        (name if name.startswith(("text_model.", "text_projection.")) or not bare else f"text_model.{name}"): Link(name)
        for name in weights.shapes
    }


# Of a language model's file: layers that are not run, what would speak and what would see.
NOT_RUN = re.compile(r"(layers\.\d+|lm_head|visual)\.")


def llm_links(weights: Weights, run: Collection[str]) -> dict[str, Link]:
    """Names of a language model's file, whatever model it is a part of. `run`: the tensors of what is run."""
    tables = [name for name in weights.shapes if f".{name}".endswith(".embed_tokens.weight")]
    start = min(tables, key=len, default="").removesuffix("embed_tokens.weight")
    inside = {name.removeprefix(start): Link(name) for name in weights.shapes if name.startswith(start)}
    return {name: link for name, link in inside.items() if name in run or not NOT_RUN.match(name)}


def load_weights(
    module: nn.Module, weights: Weights, *, device: torch.device, dtype: torch.dtype, where: str,
    streamed: bool = False, holding: Holding = AS_THEY_ARE,
) -> nn.Module:  # fmt: skip
    """Give an empty module its weights.

    Args:
        weights: under the names of files.
        holding: how the weights of its blocks are held; they are packed one by one as they are read.
        streamed: its blocks are read each time they are run, and stay empty in between.
        where: what to call them in messages.

    Raises:
        UserError: tensors are missing, too many, or of another shape.
    """
    wanted = {file_name(name, module): (name, tensor) for name, tensor in saved_tensors(module).items()}
    shapes = {file: tuple(tensor.shape) for file, (_, tensor) in wanted.items()}
    places = _places(module)
    check_fit(shapes, weights, where, also=[file_name(name, module) for names in places.values() for name in names])
    filling = Filling(module, weights, device, dtype, where, _packings(module, dtype, holding))
    blocks = {block_path(name) for name, _ in wanted.values()} - {""} if streamed else set[str]()
    filling.fill({file: about for file, about in wanted.items() if block_path(about[0]) not in blocks}, places)
    _move_tables(module, device)
    holding.finish(module, device)
    if blocks:
        empties = {path: saved_tensors(module.get_submodule(path)) for path in blocks}

        def fill(path: str) -> None:
            filling.fill({file: about for file, about in wanted.items() if block_path(about[0]) == path})

        def empty(path: str) -> None:
            for name, tensor in empties[path].items():
                _set_tensor(module, [f"{path}.{name}"], tensor)

        stream_blocks(module, blocks, fill, empty)
    return module


@dataclass(frozen=True)
class Filling:
    """Reads tensors of a file into their places in a module."""

    module: nn.Module
    weights: Weights
    device: torch.device
    dtype: torch.dtype
    where: str
    packings: Mapping[str, Packing]  # by the names of what is packed

    def fill(self, wanted: Mapping[str, tuple[str, Tensor]], places: Mapping[str, list[str]] | None = None) -> None:
        """Read some of them. `wanted`: by the name in the file, the name here and the empty tensor."""
        module, weights, places = self.module, self.weights, places or {}
        size = max((weights.dtype(file).itemsize * tensor.numel() for file, (_, tensor) in wanted.items()), default=0)
        scratch = torch.empty(size, dtype=torch.uint8)  # untouched pages cost nothing
        extremes: dict[str, Tensor] = {}
        for file, (name, empty) in wanted.items():
            if packing := self.packings.get(name):
                fp8 = weights.fp8(file) if packing.keeps_fp8 else None
                read, scale = fp8 or (weights.read(file, scratch), None)
                read = read.reshape(empty.shape).to(self.device)
                extremes[file] = _extremes(read, scale)
                _set_packed(module, name, packing, read, self.dtype, scale)
                continue
            shape, tensor = tuple(empty.shape), _allocated(module, name, empty, self.device, self.dtype)
            contiguous = _memory_format(module, shape) is torch.contiguous_format
            in_place = not is_card(self.device) and contiguous and weights.dtype(file) == tensor.dtype
            read = weights.read(file, tensor.reshape(-1).view(torch.uint8) if in_place else scratch)
            filled = tensor if read.data_ptr() == tensor.data_ptr() else tensor.copy_(read.reshape(shape))
            _set_tensor(module, places.get(name, [name]), filled)
            if filled.is_floating_point():
                extremes[file] = _extremes(filled)
        _check_finite(extremes, self.where, self.dtype)


def _extremes(tensor: Tensor, scale: Tensor | None = None) -> Tensor:
    """A number that is NaN or infinite if one of the tensor's is, or of its scale's."""
    found = torch.stack(tensor.float().aminmax() if tensor.itemsize == 1 else tensor.aminmax()).float().sum()
    return found if scale is None else found * _extremes(scale.to(found.device))


def _packings(module: nn.Module, dtype: torch.dtype, holding: Holding) -> dict[str, Packing]:
    return holding.packings(module, lambda name: dtype_of(module, name, dtype) is dtype)


def _set_packed(
    module: nn.Module, name: str, packing: Packing, weight: Tensor, dtype: torch.dtype, scale: Tensor | None = None
) -> None:
    weight = weight.to(memory_format=_memory_format(module, tuple(weight.shape)))
    packing.put(module.get_submodule(name.rpartition(".")[0]), weight, dtype, scale)


def _check_finite(extremes: Mapping[str, Tensor], where: str, dtype: torch.dtype) -> None:
    """Refuse weights that are NaN or infinite, or became so in this precision. One look at the device for all."""
    finite = torch.stack([*extremes.values()]).isfinite().tolist() if extremes else []
    if bad := [name for name, whole in zip(extremes, finite, strict=True) if not whole]:
        kind = str(dtype).removeprefix("torch.")
        raise UserError("model.not-finite", where=where, names=first_names(bad), count=len(bad), dtype=kind)


def meta_copy(
    module: nn.Module, *, device: torch.device, dtype: torch.dtype, holding: Holding = AS_THEY_ARE
) -> nn.Module:
    """Give an empty module tensors as `load_weights` would, whose numbers nobody may read: for `FakeTensorMode`."""
    places, packings = _places(module), _packings(module, dtype, holding)
    for name, empty in saved_tensors(module).items():
        room = _allocated(module, name, empty, device, dtype)
        if packing := packings.get(name):
            _set_packed(module, name, packing, room, dtype)
        else:
            _set_tensor(module, places.get(name, [name]), room)
    _move_tables(module, device)
    holding.finish(module, device)
    return module


def _allocated(module: nn.Module, name: str, empty: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Room for a tensor of the module, in the precision that it is held in."""
    layout = _memory_format(module, tuple(empty.shape))
    held = dtype_of(module, name, dtype) if empty.is_floating_point() else empty.dtype
    return torch.empty(empty.shape, dtype=held, device=device, memory_format=layout)


def dtype_of(module: nn.Module, name: str, dtype: torch.dtype) -> torch.dtype:
    """fp32 for what the module's class says fails in less, as diffusers and transformers load it."""
    if dtype == torch.float32:
        return dtype
    kept: set[str] = {*(getattr(module, "_keep_in_fp32_modules_strict", None) or ())}
    transformers = hasattr(module, "config_class")  # which asks for the others in fp16 alone
    if dtype == torch.float16 or not transformers:
        kept |= {*(getattr(module, "_keep_in_fp32_modules", None) or ())}
    return torch.float32 if any(f".{part}." in f".{name}." for part in kept) else dtype


def check_fit(
    wanted: Mapping[str, tuple[int, ...]], weights: Weights, where: str, *, also: Collection[str] = ()
) -> None:
    """Refuse a file that is not of this architecture, naming what does not fit. `also`: what may be there beside."""
    missing = wanted.keys() - weights.shapes.keys()
    unexpected = {name for name in weights.shapes.keys() - wanted.keys() - {*also} if not name.endswith("position_ids")}
    misshapen = [
        problem("weights.shape", tensor=brief(name), found=weights.shapes[name], wanted=shape)
        for name, shape in sorted(wanted.items())
        if name in weights.shapes and _without_unit_dims(weights.shapes[name]) != _without_unit_dims(shape)
    ]
    for code, names in (("weights.lack", missing), ("weights.surplus", unexpected)):
        if names:
            raise UserError(code, where=where, names=first_names(names))
    if misshapen:
        raise UserError("weights.misfit", where=where, names=misshapen[:3])


def check_present(wanted: Mapping[str, tuple[int, ...]], weights: Weights, where: str) -> None:
    """Refuse a file that lacks some of these tensors, or has them in another shape; what it has beside them may be."""
    held = {name: weights.shapes[name] for name in wanted if name in weights.shapes}
    wrong = [
        name
        for name, shape in wanted.items()
        if name not in held or _without_unit_dims(held[name]) != _without_unit_dims(shape)
    ]
    if wrong:
        raise UserError("weights.lack-some", where=where, names=first_names(wrong))


def renamed(weights: Weights, links: Mapping[str, Link]) -> Weights:
    """The file under our names, if it does not have them already."""
    same = all(ours == link.theirs for ours, link in links.items()) and links.keys() >= weights.shapes.keys()
    return weights if same else Renamed(weights, links)


def _without_unit_dims(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A linear layer and its 1x1 convolution hold the same numbers: sides of 1 at the end do not count."""
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _memory_format(module: nn.Module, shape: tuple[int, ...]) -> torch.memory_format:
    """Convolutions run up to a third faster on a CPU, and on cards with tensor cores, with channels last."""
    return torch.channels_last if len(shape) == 4 and not _is_text(module) else torch.contiguous_format


def _is_text(module: nn.Module) -> bool:
    return type(module).__name__.startswith("CLIPText")


def _places(module: nn.Module) -> dict[str, list[str]]:
    """Where each parameter stands: some modules have one in two places (tied weights)."""
    first: dict[int, str] = {}
    found: dict[str, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        found.setdefault(first.setdefault(id(parameter), name), []).append(name)
    return found


def _set_tensor(module: nn.Module, places: Sequence[str], tensor: Tensor) -> None:
    """Put a parameter or a buffer where the module has it."""
    parameter = nn.Parameter(tensor, requires_grad=False) if tensor.is_floating_point() else None
    for place in places:
        path, _, leaf = place.rpartition(".")
        owner = module.get_submodule(path)
        if parameter is not None and isinstance(getattr(owner, leaf, None), nn.Parameter):
            owner.register_parameter(leaf, parameter)
        else:
            owner.register_buffer(leaf, tensor)


def _move_tables(module: nn.Module, device: torch.device) -> None:
    """What the module has computed for itself goes where its weights are; files do not hold it."""
    kept = module.state_dict(keep_vars=True).keys()
    for name, buffer in list(module.named_buffers()):
        assert not buffer.is_meta, f"{name} has no value"
        if name not in kept:
            path, _, leaf = name.rpartition(".")
            module.get_submodule(path).register_buffer(leaf, buffer.to(device), persistent=False)
