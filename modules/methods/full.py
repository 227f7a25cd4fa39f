"""Train the weights of the model themselves: all of them, or the layers that the preset picks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from modules.errors import UserError
from modules.families.family import Family
from modules.formats.tensors import cast, compare
from modules.methods.layers import chosen
from modules.methods.method import Export, Group, Method
from modules.preset.method import Full
from modules.preset.preset import Preset
from modules.system.devices import DTYPES


class FullFineTune(Method):
    """Parameters of the denoiser that `method.layers` picks, and all parameters of each text encoder that is trained.

    Trained weights are held in `training.weights`, whatever the precision of the rest. The VAE is never trained.
    """

    def __init__(self, family: Family, preset: Preset) -> None:
        super().__init__(family, preset)
        self._parts = tuple(preset.trained_parts())
        self._groups = [self._group(part) for part in self._parts]

    def _group(self, part: str) -> Group:
        module, settings = self.family.part(part), getattr(self.preset.training, part)
        names = [name for name, _ in module.named_parameters()]
        if part == "denoiser":
            assert isinstance(self.preset.method, Full)
            names = chosen(names, self.preset.method.layers, self.family.layer_groups, what="weight")
        dtype = DTYPES[self.preset.training.weights]
        picked = {name: module.get_parameter(name) for name in names}
        for parameter in picked.values():
            parameter.data = parameter.data.to(dtype)  # one by one: the model is never held twice
            parameter.requires_grad_(True)
        _guard_norms(module)
        module.train()
        rate = settings.learning_rate or self.preset.training.learning_rate
        return Group(part, {f"{part}|{name}": p for name, p in picked.items()}, rate, settings.stop_after)

    def groups(self) -> list[Group]:
        return self._groups

    @property
    def touched_parts(self) -> set[str]:
        return set(self._parts)

    # Files
    def exports(self, target: Path) -> list[Export]:
        if self.preset.output.model_format == "folder":
            return [Export(target.name, target)]
        path = target if target.suffix == ".safetensors" else target.with_name(f"{target.name}.safetensors")
        return [Export(path.name, path)]

    def export(self, target: Path, metadata: Mapping[str, str]) -> Iterator[Path]:
        output, path = self.preset.output, self.exports(target)[0].path
        dtype = DTYPES[output.dtype]
        self.family.save(
            path,
            single_file=output.model_format == "single_file",
            dtype=dtype,
            parts=self._parts if output.parts == "trained" else self.family.part_names,
            metadata=metadata,
            # The family may hold a part in less precision than its source; what was trained goes in as it is.
            tensors={g.name: {n.partition("|")[2]: p.detach() for n, p in g.parameters.items()} for g in self._groups},
        )
        self._read_back(path, dtype)
        yield path

    def _read_back(self, path: Path, dtype: torch.dtype) -> None:
        """Compare every trained weight with the file, part after part.

        Raises:
            UserError: something differs or is not there.
        """
        missing = {group.name: group for group in self._groups}
        for part, saved in self.family.parts_in(path):
            if group := missing.pop(part, None):
                names = {name: name.partition("|")[2] for name in group.parameters}
                written = {names[name]: cast(p, dtype, name) for name, p in group.parameters.items()}
                compare(written, {name: saved[name] for name in written if name in saved}, path)
        if missing:
            raise UserError(
                f"{path.name} lacks {', '.join(missing)}, which was trained.", advice="Save to another disk."
            )


def _guard_norms(module: nn.Module) -> None:
    """Let every trained group norm hear something that asks for a gradient.

    On the CPU torch 2.13 crashes (no exception: the process ends) in the backward pass of a channels-last group norm
    whose weight is trained and whose input is not, which is the first one of "down", "mid", "up" and "resnets".
    """
    for norm in module.modules():
        trained = [p for p in norm.parameters(recurse=False) if p.requires_grad]
        if isinstance(norm, nn.GroupNorm) and trained and trained[0].device.type == "cpu":
            norm.register_forward_pre_hook(_asking)


def _asking(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    first = inputs[0]
    if first.requires_grad or not torch.is_grad_enabled():
        return inputs
    return (first.detach().requires_grad_(), *inputs[1:])
