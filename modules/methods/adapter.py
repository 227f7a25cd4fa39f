"""Train small layers beside frozen ones: every kind of adapter, on linear layers and convolutions."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]

from modules.families.family import Family
from modules.families.parts.adapter_origin import reservations
from modules.formats.adapter import AdapterTensors
from modules.formats.adapter_files import named_tensors
from modules.formats.hashes import with_hashes
from modules.formats.lora import LoraTensors
from modules.formats.tensors import write_tensors
from modules.methods.loha_update import LohaUpdate
from modules.methods.lokr_update import LokrUpdate
from modules.methods.lora_update import LoraUpdate
from modules.methods.method import Export, Group, Method
from modules.methods.oft_update import OftUpdate
from modules.methods.update import Update, check_start, read_start_file
from modules.placement.layers import weight_of
from modules.preset.layer_selection import adapted_layers
from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter as Settings
from modules.preset.sections.method import LayerGroup
from modules.sentences.problem import Problem, problem
from modules.system.devices import DTYPES, copy_all, to_device
from modules.system.seeds import seed_of
from modules.system.weights import first_names

# One more kind is a class of settings in preset/adapters.py, one of tensors in formats, an update of its own, and rows.
UPDATES: dict[str, type[Update]] = {"lora": LoraUpdate, "loha": LohaUpdate, "lokr": LokrUpdate, "oft": OftUpdate}


class Adapter(Method):
    """An `Update` for every layer that the preset picks: attaching changes nothing until the first step."""

    has_original = True

    def __init__(self, family: Family, preset: Preset) -> None:
        super().__init__(family, preset)
        assert isinstance(preset.method, Settings)
        self.settings: Settings = preset.method
        self._kind, self._parts = preset.method.kind, tuple(preset.trained_parts())
        self._layer_groups: dict[str, LayerGroup | None] = {}  # by "part|module path", as all that follows
        self._unread: list[str] = []  # names in `method.start_from`
        self._start_tensors = self._read_start_file()
        self.updates: dict[str, Update] = {}
        for component in self._parts:
            module = family.component(component)
            for path in self._paths(component, module):
                self.updates[f"{component}|{path}"] = self._update(f"{component}|{path}", module.get_submodule(path))
            module.train()  # dropout and gradient checkpointing ask for it
        for update in self.updates.values():
            update.attach()
        self._groups = self._param_groups()

    # What is adapted
    def _paths(self, component: str, module: nn.Module) -> list[str]:
        """Module paths of a part that get an update, in the model's order."""
        names = [name.partition("|")[2] for name in self.family.lora_names() if name.startswith(f"{component}|")]
        if component != "denoiser":
            return names
        shapes = {name: tuple(weight_of(module.get_submodule(name)).shape) for name in names}
        own = adapted_layers(shapes, self.settings, self.family.layer_groups)
        self._layer_groups = {f"{component}|{name}": group for name, group in own.items()}
        return [*own]

    def _update(self, name: str, layer: nn.Module) -> Update:
        assert isinstance(layer, nn.Linear | nn.Conv2d)
        kind = UPDATES[self._kind]
        # Drawn on the CPU, in fp32, from an address: every machine starts from the same numbers.
        generator = torch.Generator().manual_seed(seed_of(self.preset.general.seed, self._kind, name))
        tensors = kind.initial_tensors(layer, self.settings, self._layer_groups.get(name), generator)
        if (given := self._start_tensors.get(name)) is not None:
            check_start(given, tensors, name, any_size=self.settings.rank_from_file)
            tensors = given if self.settings.rank_from_file else given.with_alpha(tensors.alpha)
        return kind(layer, tensors, self.settings, DTYPES[self.preset.training.weights])

    def _read_start_file(self) -> dict[str, AdapterTensors]:
        """The updates of `method.start_from`, or none."""
        if not self.settings.start_from:
            return {}
        with _disable_current_modes():  # the check attaches methods where tensors have no numbers; a file's have
            return read_start_file(self.family, self.settings, self._unread)

    # Training
    def groups(self) -> list[Group]:
        return self._groups

    def _param_groups(self) -> list[Group]:
        """For each part its parameters; apart, those with a learning rate of their own (layer groups, LoRA+)."""
        found: list[Group] = []
        for component in self._parts:
            settings = self.preset.training.component(component)
            rate = settings.learning_rate or self.preset.training.learning_rate
            by_label: dict[str, tuple[float, dict[str, nn.Parameter]]] = {}
            for name, update in self.updates.items():
                if name.startswith(f"{component}|"):
                    self._add_to_group(by_label, component, name, update, rate)
            when = (settings.stop_after, settings.start_after)
            found += [Group(label, held, rate, *when, component) for label, (rate, held) in by_label.items()]
        return found

    def _add_to_group(
        self,
        by_label: dict[str, tuple[float, dict[str, nn.Parameter]]],
        component: str,
        name: str,
        update: Update,
        rate: float,
    ) -> None:
        own, times = self._layer_groups.get(name), update.rates()
        for which, parameter in update.parameters().items():
            label, factor = component, times.get(which, 1.0)
            if own is not None and own.learning_rate:
                label, rate = f"{component}: {own.layers}", own.learning_rate
            if factor != 1:
                label = f"{label} (LoRA+)"
            by_label.setdefault(label, (rate * factor, {}))[1][f"{name}|{which}"] = parameter

    @property
    def modified_components(self) -> set[str]:
        return set(self._parts)

    def prepare(self, addresses: Sequence[int]) -> None:
        """Draw the dropouts: for each image, what of which layer is silent; in one draw for all layers."""
        self._lower()
        updates = [*self.updates.values()]
        ranks = self._dropout_masks(
            addresses, "dropout", self.settings.rank_dropout, [update.width for update in updates]
        )
        layers = self._dropout_masks(addresses, "layer dropout", self.settings.module_dropout, [1] * len(updates))
        share = 1 / (1 - self.settings.rank_dropout)
        for update, kept_BX, kept_B1 in zip(updates, ranks, layers, strict=True):
            update.set_dropout(None if kept_BX is None else kept_BX * share, kept_B1)
        scattering = {name: update for name, update in self.updates.items() if update.has_element_dropout}
        if scattering:
            seeds = [[seed_of(address, "numbers", name) for address in addresses] for name in scattering]
            for update, seeds_B in zip(scattering.values(), to_device(torch.tensor(seeds), self._device), strict=True):
                update.scatter(seeds_B)

    def _lower(self) -> None:
        """Cast what every pass of a batch needs in the model's precision: in one call, where each layer would twice.

        Only where gradients flow: samples and averages are made of other weights, behind the back of these copies.
        """
        dtype = self.family.options.dtype
        held = [
            (update, name, update.values[name].detach())
            for update in self.updates.values()
            for name in update.cast_values
            if update.values[name].dtype is not dtype and update.values[name].is_contiguous()
        ]
        if not held or not torch.is_grad_enabled():
            return
        values = [value for _, _, value in held]
        flat = torch.empty(sum(value.numel() for value in values), dtype=dtype, device=self._device)
        copies = [part.view(v.shape) for part, v in zip(flat.split([v.numel() for v in values]), values, strict=True)]
        copy_all(copies, values)
        for (update, name, _), copy in zip(held, copies, strict=True):
            update.lowered[name] = copy

    def _dropout_masks(
        self, addresses: Sequence[int], what: str, dropped: float, widths: list[int]
    ) -> Sequence[Tensor] | Sequence[None]:
        """For each layer (B, width): 1, or 0 for a share of `dropped`. None for all, where nothing is dropped."""
        if not dropped:
            return [None] * len(widths)
        drawn = [
            torch.rand(sum(widths), generator=torch.Generator().manual_seed(seed_of(address, what)))
            for address in addresses
        ]
        return to_device((torch.stack(drawn) >= dropped).float(), self._device).split(widths, dim=1)

    @property
    def _device(self) -> torch.device:
        return weight_of(next(iter(self.updates.values())).layer).device

    def after_step(self, bad: Tensor | None = None) -> None:
        for update in self.updates.values():
            update.set_dropout(None, None)
            update.lowered.clear()
            # What rests stays as it is, bit for bit: a limit that is reached would round it anew at each step.
            if any(parameter.requires_grad for parameter in update.parameters().values()):
                update.limit(bad)

    def notes(self) -> Iterator[Problem]:
        yield from super().notes()
        if self._start_tensors:
            yield from self._start_file_notes()

    def _start_file_notes(self) -> Iterator[Problem]:
        path = Path(self.settings.start_from).expanduser()
        file = path.name
        known, fresh = (
            self._start_tensors.keys() & self.updates.keys(),
            self.updates.keys() - self._start_tensors.keys(),
        )
        yield problem("adapter.continued", known=len(known), file=file, new=len(fresh))
        yield from reservations(self.family, path, self._unread)
        if lost := self._start_tensors.keys() - self.updates.keys():
            yield problem("adapter.lost-layers", count=len(lost), file=file, names=first_names(sorted(lost)))

    @contextmanager
    def at_strength(self, strength: float) -> Generator[None]:
        for update in self.updates.values():
            update.strength = strength
        try:
            yield
        finally:
            for update in self.updates.values():
                update.strength = 1.0

    @contextmanager
    def original(self) -> Generator[None]:
        """The model without its adapter, for a while."""
        for update in self.updates.values():
            update.detach()
        try:
            yield
        finally:
            for update in self.updates.values():
                update.attach()

    # Files
    def exports(self, target: Path) -> list[Export]:
        path = target if target.suffix == ".safetensors" else target.with_name(f"{target.name}.safetensors")
        return [Export(path.name, path)]

    def export(self, target: Path, metadata: Mapping[str, str]) -> Iterator[Path]:
        held = {name: update.tensors() for name, update in self.updates.items()}
        form, dtype = self.preset.lora_format, DTYPES[self.preset.output.dtype]
        plain = all(isinstance(update, LoraTensors) and update.dora_scale is None for update in held.values())
        tensors = named_tensors(held, self.family.adapter_links(form, fused=plain), form, dtype)
        tensors |= self.bundled() if form == "kohya" else {}
        path = self.exports(target)[0].path
        write_tensors(path, tensors, with_hashes(tensors, metadata))
        yield path
