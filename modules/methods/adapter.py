"""Train small layers beside frozen ones: every kind of adapter, on linear layers and convolutions."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]

from modules.errors import UserError
from modules.families.family import Family
from modules.formats.adapter import AdapterTensors
from modules.formats.adapter_files import kohya_tensors, read_adapter
from modules.formats.hashes import with_hashes
from modules.formats.lora import LoraTensors, diffusers_tensors
from modules.formats.tensors import write_tensors
from modules.methods.adapter_layers import LoraUpdate
from modules.methods.layers import chosen, sorted_out
from modules.methods.loha_update import LohaUpdate
from modules.methods.lokr_update import LokrUpdate
from modules.methods.method import Export, Group, Method
from modules.methods.oft_update import OftUpdate
from modules.methods.update import Update, check_start, is_wide
from modules.preset.adapters import Adapter as Settings
from modules.preset.layer_groups import LayerGroup
from modules.preset.preset import Preset
from modules.system.devices import DTYPES, sent
from modules.system.seeds import seed_of
from modules.system.weights import some

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
        self._own: dict[str, LayerGroup | None] = {}  # by "part|module path", as all that follows
        self._given = self._file_to_start_from()
        self.updates: dict[str, Update] = {}
        for part in self._parts:
            module = family.part(part)
            for path in self._paths(part, module):
                self.updates[f"{part}|{path}"] = self._update(f"{part}|{path}", module.get_submodule(path))
            module.train()  # dropout and gradient checkpointing ask for it
        for update in self.updates.values():
            update.attach()
        self._groups = self._grouped()

    # What is adapted
    def _paths(self, part: str, module: nn.Module) -> list[str]:
        """Module paths of a part that get an update, in the model's order."""
        names = [name.partition("|")[2] for name in self.family.lora_names() if name.startswith(f"{part}|")]
        if part != "denoiser":
            return names
        own = sorted_out(names, self.settings.groups, self.family.layer_groups)
        self._own = {f"{part}|{name}": group for name, group in own.items()}
        left = {name for name, group in own.items() if group is None or group.train}
        picked = self._picked(names, module) & left
        if not picked:
            raise UserError(
                f'method.layers: "{self.settings.layers}" picks only layers that method.groups leaves out.',
                advice="Switch train on for one of the groups, or pick other layers.",
            )
        return [name for name in names if name in picked]

    def _picked(self, names: list[str], module: nn.Module) -> set[str]:
        """What `method.layers` and `method.conv` pick."""
        wide = {name for name in names if is_wide(module.get_submodule(name))}
        picked = set(chosen(names, self.settings.layers, self.family.layer_groups, what="layer"))
        if self.settings.conv:
            # LoCon's set, as kohya's: all that stands in a block with a convolution, its 1x1 shortcut and its time
            # embedding too. A pattern that names layers of such blocks itself ("up") keeps its say.
            blocks = {name.rpartition(".")[0] for name in wide}
            inside = {name for name in names if name.rpartition(".")[0] in blocks}
            return picked | (inside if not picked & wide else set())
        if not picked - wide:
            raise UserError(
                f'method.layers: "{self.settings.layers}" matches nothing but convolutions, and method.conv is off.',
                advice="Turn method.conv on, or pick other layers.",
            )
        return picked - wide

    def _update(self, name: str, layer: nn.Module) -> Update:
        assert isinstance(layer, nn.Linear | nn.Conv2d)
        kind = UPDATES[self._kind]
        # Drawn on the CPU, in fp32, from an address: every machine starts from the same numbers.
        chance = torch.Generator().manual_seed(seed_of(self.preset.general.seed, self._kind, name))
        tensors = kind.begun(layer, self.settings, self._own.get(name), chance)
        if (given := self._given.get(name)) is not None:
            check_start(given, tensors, layer, name, any_size=self.settings.rank_from_file)
            tensors = given if self.settings.rank_from_file else given.with_alpha(tensors.alpha)
        return kind(layer, tensors, self.settings, DTYPES[self.preset.training.weights])

    def _file_to_start_from(self) -> dict[str, AdapterTensors]:
        """The updates of `method.start_from`, or none."""
        if not self.settings.start_from:
            return {}
        with _disable_current_modes():  # the check attaches methods where tensors have no numbers; a file's have
            return read_adapter(Path(self.settings.start_from).expanduser(), self.family.lora_names())

    # Training
    def groups(self) -> list[Group]:
        return self._groups

    def _grouped(self) -> list[Group]:
        """For each part its parameters; apart, those with a learning rate of their own (layer groups, LoRA+)."""
        found: list[Group] = []
        for part in self._parts:
            settings = getattr(self.preset.training, part)
            rate = settings.learning_rate or self.preset.training.learning_rate
            sorts: dict[str, tuple[float, dict[str, nn.Parameter]]] = {}
            for name, update in self.updates.items():
                if name.startswith(f"{part}|"):
                    self._sort_in(sorts, part, name, update, rate)
            when = (settings.stop_after, settings.start_after)
            found += [Group(label, held, rate, *when, part) for label, (rate, held) in sorts.items()]
        return found

    def _sort_in(
        self, sorts: dict[str, tuple[float, dict[str, nn.Parameter]]], part: str, name: str, update: Update, rate: float
    ) -> None:
        own, times = self._own.get(name), update.rates()
        for which, parameter in update.parameters().items():
            label, factor = part, times.get(which, 1.0)
            if own is not None and own.learning_rate:
                label, rate = f"{part}: {own.layers}", own.learning_rate
            if factor != 1:
                label = f"{label} (LoRA+)"
            sorts.setdefault(label, (rate * factor, {}))[1][f"{name}|{which}"] = parameter

    @property
    def touched_parts(self) -> set[str]:
        return set(self._parts)

    def prepare(self, addresses: Sequence[int]) -> None:
        """Draw the dropouts: for each image, what of which layer is silent; in one draw for all layers."""
        updates = [*self.updates.values()]
        ranks = self._kept(addresses, "dropout", self.settings.rank_dropout, [update.width for update in updates])
        layers = self._kept(addresses, "layer dropout", self.settings.module_dropout, [1] * len(updates))
        share = 1 / (1 - self.settings.rank_dropout)
        for update, kept_BX, kept_B1 in zip(updates, ranks, layers, strict=True):
            update.silence(None if kept_BX is None else kept_BX * share, kept_B1)
        scattering = {name: update for name, update in self.updates.items() if update.scatters}
        if scattering:
            seeds = [[seed_of(address, "numbers", name) for address in addresses] for name in scattering]
            for update, seeds_B in zip(scattering.values(), sent(torch.tensor(seeds), self._device), strict=True):
                update.scatter(seeds_B)

    def _kept(
        self, addresses: Sequence[int], what: str, dropped: float, widths: list[int]
    ) -> Sequence[Tensor] | Sequence[None]:
        """For each layer (B, width): 1, or 0 for a share of `dropped`. None for all, where nothing is dropped."""
        if not dropped:
            return [None] * len(widths)
        drawn = [
            torch.rand(sum(widths), generator=torch.Generator().manual_seed(seed_of(address, what)))
            for address in addresses
        ]
        return sent((torch.stack(drawn) >= dropped).float(), self._device).split(widths, dim=1)

    @property
    def _device(self) -> torch.device:
        return next(iter(self.updates.values())).layer.weight.device

    def after_step(self, bad: Tensor | None = None) -> None:
        for update in self.updates.values():
            update.silence(None, None)
            # What rests stays as it is, bit for bit: a limit that is reached would round it anew at each step.
            if any(parameter.requires_grad for parameter in update.parameters().values()):
                update.limit(bad)

    def notes(self) -> Iterator[str]:
        yield from super().notes()
        if self._given:
            yield from self._story_of_the_file()
        if self.preset.output.lora_format == "kohya" and any(u.magnitude_O is not None for u in self.updates.values()):
            yield (
                "A DoRA with kohya's names is read by ComfyUI and Forge, where it may draw a little differently than "
                "in the samples here; diffusers would read it without its DoRA: for diffusers set output.lora_format "
                'to "diffusers".'
            )

    def _story_of_the_file(self) -> Iterator[str]:
        file = Path(self.settings.start_from).name
        known, fresh = self._given.keys() & self.updates.keys(), self.updates.keys() - self._given.keys()
        yield f"{len(known)} layers go on from {file}; {len(fresh)} start anew."
        if lost := self._given.keys() - self.updates.keys():
            yield (
                f"{len(lost)} layers of {file} are not trained here and will not be in the new file "
                f"({some(sorted(lost))}). Train the same parts and layers to keep them."
            )

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
        names = self.family.lora_names()
        held = {name: update.tensors() for name, update in self.updates.items()}
        dtype = DTYPES[self.preset.output.dtype]
        if self.preset.output.lora_format == "diffusers":
            tensors = diffusers_tensors({n: lora for n, lora in held.items() if isinstance(lora, LoraTensors)}, dtype)
        else:
            tensors = kohya_tensors({names[name]: update for name, update in held.items()}, dtype) | self.bundled()
        path = self.exports(target)[0].path
        write_tensors(path, tensors, with_hashes(tensors, metadata))
        yield path
