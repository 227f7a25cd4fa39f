"""What adapters' files call layers: every spelling of any program, and layers that lie fused in native names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch

from modules.formats.adapter import AdapterTensors
from modules.formats.checkpoint import Link
from modules.formats.lora import LoraTensors
from modules.system.weights import Shape


@dataclass(frozen=True)
class FileLayer:
    """A layer of a file that is several of ours, or one of ours in another order: "part|module path" and its place."""

    parts: tuple[tuple[str, Link], ...]

    def __str__(self) -> str:
        return self.parts[0][1].theirs

    def shape(self, ours: Mapping[str, Shape]) -> Shape:
        """Of its weight, by the shapes of ours."""
        shapes = [ours[name] for name, _ in self.parts]
        return (sum(rows for rows, *_ in shapes), *shapes[0][1:])

    def split(self, update: AdapterTensors) -> dict[str, AdapterTensors]:
        """The update of each of ours that it changes; empty: one of its kind cannot be taken apart."""
        found = {name: part for name, link in self.parts if (part := update.part(link)) is not None}
        if len(found) < len(self.parts):
            return {}
        return {name: part for name, part in found.items() if part.rank} or found


Spellings = Mapping[str, str | FileLayer]  # a name in a file -> "part|module path"


def spellings_of(beginnings: Iterable[str], bodies: Iterable[str]) -> Iterator[str]:
    """Every way in which programs write a layer: what stands for its component, and its path, with dots or without."""
    for body in bodies:
        plain = body.replace(".", "_")
        for start in beginnings:
            yield from (f"{start}.{body}", f"{start}_{plain}") if start else (body, plain)


def native_spellings(
    component: str, layers: Mapping[str, Link], beginnings: Iterable[str]
) -> dict[str, str | FileLayer]:
    """The same of native names. `layers`: by the module's paths."""
    together: dict[str, list[tuple[str, Link]]] = {}
    for path, link in layers.items():
        together.setdefault(link.theirs, []).append((f"{component}|{path}", link))
    found: dict[str, str | FileLayer] = {}
    for theirs, parts in together.items():
        layer = parts[0][0] if parts[0][1].form == "same" else FileLayer(tuple(parts))
        found |= dict.fromkeys(spellings_of(beginnings, [theirs]), layer)
    return found


def in_file(updates: Mapping[str, AdapterTensors], links: Mapping[str, Link]) -> dict[str, AdapterTensors]:
    """Updates by their names in a file, each as its layer lies there; only LoRAs may lie otherwise than here."""
    together: dict[str, list[tuple[Link, AdapterTensors]]] = {}
    for name, update in updates.items():
        together.setdefault(links[name].theirs, []).append((links[name], update))
    return {theirs: _joined(members) for theirs, members in together.items()}


def _joined(members: list[tuple[Link, AdapterTensors]]) -> AdapterTensors:
    """Those that lie fused as one: block by block, of the sum of their ranks; what is missing changes nothing."""
    members.sort(key=lambda member: member[0].place)  # diffusers finds the blocks again where they lie in this order
    (link, first), loras = members[0], [lora for _, lora in members if isinstance(lora, LoraTensors)]
    if link.form == "same":
        return first
    assert len(loras) == len(members), f"{link.theirs} is no LoRA"
    if link.form == "swapped":
        return LoraTensors.of(loras[0].down, link.write(loras[0].up), first.alpha)
    down = torch.cat([lora.down.float() for lora in loras])
    up = down.new_zeros(sum(link.sizes), len(down))
    column = 0
    for (place, _), lora in zip(members, loras, strict=True):
        row = sum(place.sizes[: place.place])
        up[row : row + lora.up.shape[0], column : column + lora.rank] = lora.up.float() * lora.scale
        column += lora.rank
    return LoraTensors.of(down, up, float(len(down)))
