"""Train the weights of the model themselves: all of them, or the layers that the preset picks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modules.errors import UserError
from modules.families.family import Family
from modules.formats.tensors import cast, compare
from modules.methods.method import Export, Group, Method
from modules.preset.layer_selection import Owned, trained_weights
from modules.preset.preset import Preset
from modules.preset.sections.method import Full
from modules.system.devices import DTYPES, is_card


class FullFineTune(Method):
    """Parameters of the denoiser that `method.layers` picks, and all parameters of each text encoder that is trained.

    Trained weights are held in `training.weights`, whatever the precision of the rest. The VAE is never trained.
    """

    def __init__(self, family: Family, preset: Preset) -> None:
        super().__init__(family, preset)
        self._parts = tuple(preset.trained_parts())
        self._groups = [group for component in self._parts for group in self._param_groups(component)]

    def _param_groups(self, component: str) -> list[Group]:
        """A part's parameters; apart, those with a learning rate of their own (layer groups)."""
        module, settings = self.family.component(component), self.preset.training.component(component)
        method, names = self.preset.method, [name for name, _ in module.named_parameters()]
        assert isinstance(method, Full)
        own: Owned = dict.fromkeys(names)
        if component == "denoiser":
            own = trained_weights(names, method, self.family.layer_groups)
        dtype = DTYPES[self.preset.training.weights]
        picked = {name: module.get_parameter(name) for name in own}
        for parameter in picked.values():
            # What its class holds in fp32 beside a model in less stays so. One by one: the model is never held twice.
            kept = parameter.dtype == torch.float32 != self.family.options.dtype
            parameter.data = parameter.data.to(torch.float32 if kept else dtype)
            parameter.requires_grad_(True)
        _guard_group_norms(module)
        module.train()
        rate = settings.learning_rate or self.preset.training.learning_rate
        by_label: dict[str, tuple[float, dict[str, nn.Parameter]]] = {}
        for name, parameter in picked.items():
            group = own[name]
            apart = group is not None and bool(group.learning_rate)
            label, its = (f"{component}: {group.layers}", group.learning_rate) if group and apart else (component, rate)
            by_label.setdefault(label, (its, {}))[1][f"{component}|{name}"] = parameter
        when = (settings.stop_after, settings.start_after)
        return [Group(label, held, its, *when, component) for label, (its, held) in by_label.items()]

    def groups(self) -> list[Group]:
        return self._groups

    @property
    def modified_components(self) -> set[str]:
        return set(self._parts)

    # Files
    def exports(self, target: Path) -> list[Export]:
        if self.preset.saves_folder:
            return [Export(target.name, target)]
        path = target if target.suffix == ".safetensors" else target.with_name(f"{target.name}.safetensors")
        return [Export(path.name, path)]

    def export(self, target: Path, metadata: Mapping[str, str]) -> Iterator[Path]:
        output, path = self.preset.output, self.exports(target)[0].path
        dtype = DTYPES[output.dtype]
        self.family.save(
            path,
            single_file=not self.preset.saves_folder,
            dtype=dtype,
            parts=self._parts if output.parts == "trained" else self.family.component_names,
            metadata=metadata,
            # The family may hold a part in less precision than its source; what was trained goes in as it is.
            tensors=self._trained(),
            only_these=output.parts == "trained",
        )
        self._verify_file(path, dtype)
        yield path

    def _trained(self) -> dict[str, dict[str, Tensor]]:
        """What was trained, by part and name."""
        found: dict[str, dict[str, Tensor]] = {component: {} for component in self._parts}
        for label, parameter in self.parameters().items():
            component, _, name = label.partition("|")
            found[component][name] = parameter.detach()
        return found

    def _verify_file(self, path: Path, dtype: torch.dtype) -> None:
        """Compare every trained weight with the file, part after part.

        Raises:
            UserError: something differs or is not there.
        """
        missing = self._trained()
        for component, saved in self.family.components_in(path):
            if trained := missing.pop(component, None):
                written = {name: cast(tensor, dtype, name) for name, tensor in trained.items()}
                compare(written, {name: saved[name] for name in written if name in saved}, path)
        if missing:
            raise UserError("model.lacks-trained", file=path.name, parts=list(missing))


def _guard_group_norms(module: nn.Module) -> None:
    """Let every trained group norm hear something that asks for a gradient.

    On the CPU torch 2.13 crashes (no exception: the process ends) in the backward pass of a channels-last group norm
    whose weight is trained and whose input is not, which is the first one of "down", "mid", "up" and "resnets".
    """
    for norm in module.modules():
        trained = [p for p in norm.parameters(recurse=False) if p.requires_grad]
        if isinstance(norm, nn.GroupNorm) and trained and not is_card(trained[0].device):
            norm.register_forward_pre_hook(_require_grad)


def _require_grad(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    first = inputs[0]
    if first.requires_grad or not torch.is_grad_enabled():
        return inputs
    return (first.detach().requires_grad_(), *inputs[1:])
