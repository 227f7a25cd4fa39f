"""Modules from configs, without weights; and weights into modules, tensor by tensor.

diffusers' and transformers' own loaders hold a model twice, or keep file pages resident. Here a module is made on the
"meta" device, where tensors have shapes but no memory, and each tensor is read, converted, laid out and put in place
before the next is read: the peak is the module and its largest tensor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from modules.errors import UserError
from modules.families.parts.configs import build_from_config
from modules.formats.checkpoint import Link, Renamed
from modules.system.weights import Weights, first_names

Config = Mapping[str, Any]


def empty_unet(config: Config) -> nn.Module:
    with without_bitsandbytes():
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel  # noqa: PLC0415

    return _on_meta(lambda: UNet2DConditionModel.from_config(_without_private_keys(config)), "unet")


def empty_vae(config: Config) -> nn.Module:
    with without_bitsandbytes():
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL  # noqa: PLC0415

    return _on_meta(lambda: AutoencoderKL.from_config(_without_private_keys(config)), "vae")


def empty_text_encoder(config: Config, *, projected: bool) -> nn.Module:
    """CLIP's text side; `projected` adds the projection that gives SDXL its pooled vector."""
    with without_bitsandbytes():
        from transformers.models.clip.configuration_clip import CLIPTextConfig  # noqa: PLC0415
        from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection  # noqa: PLC0415

    kind = CLIPTextModelWithProjection if projected else CLIPTextModel
    return _on_meta(lambda: kind(CLIPTextConfig.from_dict(dict(config))), "text_encoder")


@contextmanager
def without_bitsandbytes() -> Generator[None]:
    """Import models without bitsandbytes, which diffusers and peft load for quantized models if it is installed.

    That costs 0.8 s and a message about kernels, and nothing here is quantized. Neither has a switch for it; a name
    that is None in `sys.modules` is one that cannot be imported. What is imported already stays.
    """
    from diffusers.utils import import_utils  # noqa: PLC0415

    name = "bitsandbytes"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = cast("Any", None)
    import_utils._bitsandbytes_available = False  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    try:
        yield
    finally:
        del sys.modules[name]


def _without_private_keys(config: Config) -> dict[str, Any]:
    """A config without the notes that diffusers keeps for itself."""
    return {name: value for name, value in config.items() if not name.startswith("_")}


def _on_meta(make: Callable[[], Any], what: str) -> nn.Module:
    with torch.device("meta"):
        module: nn.Module = build_from_config(make, what)
    return module.eval().requires_grad_(False)


def file_name(name: str, module: nn.Module) -> str:
    """What a tensor of a module is called in files.

    In transformers 5 a CLIPTextModel has no `text_model.` in its names; every file has it, once.
    """
    bare_text = type(module).__name__ == "CLIPTextModel"
    return f"text_model.{name}" if bare_text else name


def text_links(weights: Weights) -> dict[str, Link]:
    """Names of a text encoder's file, whether or not it was written with `text_model.` in front."""
    bare = not any(name.startswith("text_model.") for name in weights.shapes)
    return {
        (name if name.startswith(("text_model.", "text_projection.")) or not bare else f"text_model.{name}"): Link(name)
        for name in weights.shapes
    }


def load_weights(
    module: nn.Module, weights: Weights, *, device: torch.device, dtype: torch.dtype, where: str
) -> nn.Module:
    """Give an empty module its weights.

    Args:
        weights: under the names of files.
        where: what to call them in messages.

    Raises:
        UserError: tensors are missing, too many, or of another shape.
    """
    wanted = {file_name(name, module): (name, tuple(p.shape)) for name, p in module.named_parameters()}
    check_fit({file: shape for file, (_, shape) in wanted.items()}, weights, where)
    largest = max(torch.Size(shape).numel() * weights.dtype(file).itemsize for file, (_, shape) in wanted.items())
    scratch = torch.empty(largest, dtype=torch.uint8)  # untouched pages cost nothing
    for file, (name, shape) in wanted.items():
        memory_format = _memory_format(module, shape)
        tensor = torch.empty(shape, dtype=dtype, device=device, memory_format=memory_format)
        contiguous = memory_format is torch.contiguous_format
        in_place = device.type == "cpu" and contiguous and weights.dtype(file) == dtype
        read = weights.read(file, tensor.reshape(-1).view(torch.uint8) if in_place else scratch)
        _set_parameter(
            module, name, tensor if read.data_ptr() == tensor.data_ptr() else tensor.copy_(read.reshape(shape))
        )
    _set_buffers(module, device)
    return module


def meta_copy(module: nn.Module, *, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Give an empty module tensors as `load_weights` would, whose numbers nobody may read: for `FakeTensorMode`."""
    for name, parameter in list(module.named_parameters()):
        memory_format = _memory_format(module, tuple(parameter.shape))
        _set_parameter(
            module, name, torch.empty(parameter.shape, dtype=dtype, device=device, memory_format=memory_format)
        )
    _set_buffers(module, device)
    return module


def check_fit(wanted: Mapping[str, tuple[int, ...]], weights: Weights, where: str) -> None:
    """Refuse a file that is not of this architecture, naming what does not fit."""
    missing = wanted.keys() - weights.shapes.keys()
    unexpected = {name for name in weights.shapes.keys() - wanted.keys() if not name.endswith("position_ids")}
    misshapen = {
        f"{name} is {_shape_text(weights.shapes[name])} instead of {_shape_text(shape)}"
        for name, shape in wanted.items()
        if name in weights.shapes and _without_unit_dims(weights.shapes[name]) != _without_unit_dims(shape)
    }
    for what, names in (
        ("lacks", missing),
        ("has what does not belong there:", unexpected),
        ("does not fit:", misshapen),
    ):
        if names:
            raise UserError(
                f"{where} {what} {first_names(names)}.",
                advice="It is of another kind of model, or damaged: check the model type, or download it again.",
            )


def check_present(wanted: Mapping[str, tuple[int, ...]], weights: Weights, where: str) -> None:
    """Refuse a file that lacks some of these tensors, or has them in another shape; what it has beside them may be."""
    held = {name: weights.shapes[name] for name in wanted if name in weights.shapes}
    wrong = [
        name
        for name, shape in wanted.items()
        if name not in held or _without_unit_dims(held[name]) != _without_unit_dims(shape)
    ]
    if wrong:
        raise UserError(
            f"{where} lacks {first_names(wrong)}, or has it in another shape.",
            advice="It is of another kind of model, or damaged: check the model type, or download it again.",
        )


def renamed(weights: Weights, links: Mapping[str, Link]) -> Weights:
    """The file under our names, if it does not have them already."""
    same = all(ours == link.theirs for ours, link in links.items()) and links.keys() >= weights.shapes.keys()
    return weights if same else Renamed(weights, links)


def _without_unit_dims(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A linear layer and its 1x1 convolution hold the same numbers: sides of 1 at the end do not count."""
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _shape_text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"


def _memory_format(module: nn.Module, shape: tuple[int, ...]) -> torch.memory_format:
    """Convolutions run up to a third faster on a CPU, and on cards with tensor cores, with channels last."""
    return torch.channels_last if len(shape) == 4 and not _is_text(module) else torch.contiguous_format


def _is_text(module: nn.Module) -> bool:
    return type(module).__name__.startswith("CLIPText")


def _set_parameter(module: nn.Module, name: str, tensor: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    module.get_submodule(path).register_parameter(leaf, nn.Parameter(tensor, requires_grad=False))


def _set_buffers(module: nn.Module, device: torch.device) -> None:
    """Buffers that files do not hold: CLIP's 0, 1, 2, ... of its positions, and nothing else that we know of."""
    for name, buffer in list(module.named_buffers()):
        assert name.endswith("position_ids"), f"{name} has no value"
        path, _, leaf = name.rpartition(".")
        module.get_submodule(path).register_buffer(
            leaf, torch.arange(buffer.shape[-1], device=device)[None], persistent=False
        )
