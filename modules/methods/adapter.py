"""Train small layers beside frozen ones: LoRA and DoRA, on linear layers and convolutions."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from modules.errors import UserError
from modules.families.family import Family
from modules.formats.hashes import with_hashes
from modules.formats.lora import diffusers_tensors, kohya_tensors
from modules.formats.tensors import write_tensors
from modules.methods.adapter_layers import Update
from modules.methods.layers import chosen
from modules.methods.method import Export, Group, Method
from modules.preset.method import Lora
from modules.preset.preset import Preset
from modules.system.devices import DTYPES, sent
from modules.system.seeds import seed_of


class Adapter(Method):
    """An `Update` for every layer that the preset picks: attaching changes nothing until the first step."""

    def __init__(self, family: Family, preset: Preset) -> None:
        super().__init__(family, preset)
        assert isinstance(preset.method, Lora)
        self.settings: Lora = preset.method
        self._parts = tuple(preset.trained_parts())
        self.updates: dict[str, Update] = {}  # by "part|module path"
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
        wide = {name for name in names if _is_wide(module.get_submodule(name))}
        picked = set(chosen(names, self.settings.layers, self.family.layer_groups, what="layer"))
        if self.settings.conv:
            # LoCon's set, as kohya's: all that stands in a block with a convolution, its 1x1 shortcut and its time
            # embedding too. A pattern that names layers of such blocks itself ("up") keeps its say.
            blocks = {name.rpartition(".")[0] for name in wide}
            inside = {name for name in names if name.rpartition(".")[0] in blocks}
            picked |= inside if not picked & wide else set()
        else:
            picked -= wide
        if not picked:
            raise UserError(
                f'method.layers: "{self.settings.layers}" matches nothing but convolutions, and method.conv is off.',
                advice="Turn method.conv on, or pick other layers.",
            )
        return [name for name in names if name in picked]

    def _update(self, name: str, layer: nn.Module) -> Update:
        assert isinstance(layer, nn.Linear | nn.Conv2d)
        rank, alpha = self._size(layer)
        shape = (rank, *layer.weight.shape[1:])
        # Drawn on the CPU, in fp32, from an address: every machine starts from the same numbers.
        generator = torch.Generator().manual_seed(seed_of(self.preset.general.seed, "lora", name))
        bound = 1 / math.sqrt(math.prod(shape[1:]))  # kaiming_uniform_ with a = sqrt(5), as peft and kohya start
        down = torch.rand(shape, generator=generator) * (2 * bound) - bound
        up = torch.zeros(layer.weight.shape[0], rank, *[1] * (layer.weight.dim() - 2))
        device, dtype = layer.weight.device, DTYPES[self.preset.training.weights]
        return Update(layer, down.to(device, dtype), up.to(device, dtype), alpha, dora=self.settings.dora)

    def _size(self, layer: nn.Module) -> tuple[int, float]:
        """Rank and alpha. The convolutions' own count for kernels wider than 1x1, as in kohya's files."""
        settings = self.settings
        if not _is_wide(layer):
            return settings.rank, settings.alpha
        rank = settings.conv_rank or settings.rank
        return rank, settings.conv_alpha or settings.alpha * rank / settings.rank

    # Training
    def groups(self) -> list[Group]:
        return self._groups

    def _grouped(self) -> list[Group]:
        found: list[Group] = []
        for part in self._parts:
            settings = getattr(self.preset.training, part)
            parameters = {
                f"{name}|{which}": parameter
                for name, update in self.updates.items()
                if name.startswith(f"{part}|")
                for which, parameter in update.parameters().items()
            }
            rate = settings.learning_rate or self.preset.training.learning_rate
            found.append(Group(part, parameters, rate, settings.stop_after))
        return found

    @property
    def touched_parts(self) -> set[str]:
        return set(self._parts)

    def prepare(self, addresses: Sequence[int]) -> None:
        """Draw dropout: for each image which ranks of which layer are silent, in one draw for all layers."""
        if not self.settings.dropout:
            return
        ranks = [update.rank for update in self.updates.values()]
        drawn = [
            torch.rand(sum(ranks), generator=torch.Generator().manual_seed(seed_of(address, "dropout")))
            for address in addresses
        ]
        kept = (torch.stack(drawn) >= self.settings.dropout).float() / (1 - self.settings.dropout)
        first = next(iter(self.updates.values()))
        masks = sent(kept, first.down.device).split(ranks, dim=1)
        for update, mask_BR in zip(self.updates.values(), masks, strict=True):
            update.mask_BR = mask_BR

    def after_step(self) -> None:
        for update in self.updates.values():
            update.mask_BR = None

    def notes(self) -> Iterator[str]:
        yield from super().notes()
        if self.settings.dora and self.preset.output.lora_format == "kohya":
            yield (
                "A DoRA with kohya's names is read by ComfyUI and Forge, where it may draw a little differently than "
                "in the samples here; diffusers would read it without its DoRA: for diffusers set output.lora_format "
                'to "diffusers".'
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
        loras = {name: update.lora() for name, update in self.updates.items()}
        dtype = DTYPES[self.preset.output.dtype]
        if self.preset.output.lora_format == "kohya":
            tensors = kohya_tensors({names[name]: lora for name, lora in loras.items()}, dtype)
        else:
            tensors = diffusers_tensors(loras, dtype)
        path = self.exports(target)[0].path
        write_tensors(path, tensors, with_hashes(tensors, metadata))
        yield path


def _is_wide(layer: nn.Module) -> bool:
    """A convolution that sees its neighbours; a 1x1 convolution is a linear layer in all but its shape."""
    return isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1)
