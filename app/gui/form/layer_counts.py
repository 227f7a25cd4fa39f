"""How much of the model a choice of layers is: weights, their share, and the memory of training them. No widgets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import prod

from app.gui.form.layer_tree import LayerTree, bits
from modules.catalog import FAMILIES
from modules.catalog.shapes import shapes_of, variant_of
from modules.language import tr
from modules.preset.adapter_sizes import is_wide, parameter_count
from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter, Full, LayerGroup
from modules.text import in_bytes

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
Settings = Full | Adapter


@dataclass(frozen=True)
class Layers:
    """The layers that a method can train in a model."""

    title: str  # of the architecture that is counted: "Stable Diffusion XL"
    exact: bool  # whether it is known to be the model's
    tree: LayerTree
    shapes: tuple[tuple[int, ...], ...]  # of the weight of each of the tree's names
    whole: int  # weights of the whole denoiser

    @property
    def counted(self) -> str:
        """Which model the numbers are of."""
        words = tr("Counted for {model}.", model=tr(self.title))
        return words if self.exact else tr("{words} Your model may differ a little.", words=words)


@dataclass(frozen=True)
class Share:
    """What a choice comes to."""

    picked: int  # weights that are changed by the training
    whole: int
    trained: int  # numbers that are trained: the weights themselves, or those of their adapters
    memory: tuple[tuple[str, float], ...]  # bytes by what for

    @property
    def percent(self) -> float:
        return 100 * self.picked / max(1, self.whole)


def layers_of(preset: Preset) -> Layers:
    """For a preset whose method trains layers of the model; none for a family whose layers are not listed."""
    card, method = preset.card, preset.method
    variant, exact = variant_of(card, preset.model.source)
    adapters = isinstance(method, Adapter)
    adapted = card.component("denoiser").adapted_layers.pattern if adapters else ""
    kind = variant.kind if variant else ""
    names, shapes = _trainable(kind, adapted, adapters and method.conv)
    title = variant.title if variant else card.title
    return Layers(title, exact, _tree(preset.model.family, names), shapes, _whole(kind))


def share_of(layers: Layers, preset: Preset, ticked: int, *, alone: bool = False) -> Share:
    """The weights of these layers, and what training them takes.

    `alone`: just these; else without the layers that a layer group leaves out, and with what `conv` brings.
    """
    method, training = preset.method, preset.training
    assert isinstance(method, Settings)
    own = {} if alone else _owners(layers.tree, method.groups)
    every = ticked if alone else ticked | beside(layers, method, ticked)
    shapes, picked, trained = layers.shapes, 0, 0
    for place in bits(every):
        group = own.get(place)
        if group is None or group.train:
            picked += prod(shapes[place])
            trained += (
                parameter_count(shapes[place], method, group) if isinstance(method, Adapter) else prod(shapes[place])
            )
    width = BYTES[training.weights]
    each = (("weights", width), ("gradients", width), ("optimizer", preset.optimizer.state_bytes))
    return Share(picked, layers.whole, trained, tuple((name, trained * size) for name, size in each))


def beside(layers: Layers, method: Settings, ticked: int) -> int:
    """Layers that an adapter's convolutions bring with them, though the text does not name them; as a selection."""
    return _with_convolutions(layers, ticked) & ~ticked if isinstance(method, Adapter) and method.conv else 0


def _with_convolutions(layers: Layers, ticked: int) -> int:
    """As the engine has it: all that stands in a block with a convolution, unless convolutions are named themselves."""
    wide = [place for place, shape in enumerate(layers.shapes) if is_wide(shape)]
    if any(ticked >> place & 1 for place in wide):
        return ticked
    names = layers.tree.names
    blocks = {names[place].rpartition(".")[0] for place in wide}
    return ticked | sum(1 << place for place, name in enumerate(names) if name.rpartition(".")[0] in blocks)


def _owners(tree: LayerTree, groups: tuple[LayerGroup, ...]) -> dict[int, LayerGroup]:
    """By the place of a layer, the first group that holds it."""
    own: dict[int, LayerGroup] = {}
    for group in groups:
        held, _ = tree.read(group.layers)
        for place in bits(held):
            own.setdefault(place, group)
    return own


@cache
def _shapes(kind: str) -> Mapping[str, tuple[int, ...]]:
    return shapes_of(kind) if kind else {}


@cache
def _whole(kind: str) -> int:
    return sum(prod(shape) for shape in _shapes(kind).values())


@cache
def _trainable(kind: str, adapted: str, conv: bool) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Names and shapes: of all weights, or of the modules that an adapter can listen to."""
    found = _shapes(kind)
    if adapted:
        found = {
            name.removesuffix(".weight"): shape
            for name, shape in found.items()
            if re.fullmatch(rf"(?:{adapted})\.weight", name) and len(shape) in (2, 4) and (conv or not is_wide(shape))
        }
    return tuple(found), tuple(found.values())


@cache
def _tree(family: str, names: tuple[str, ...]) -> LayerTree:
    return LayerTree(names, FAMILIES[family].layer_sets)


# In words -------------------------------------------------------------------------------------------------------------


def told_in_short(preset: Preset, text: str, *, alone: bool) -> tuple[str, bool]:
    """What stands under the setting, and whether it is a complaint. `alone`: it is that of a layer group."""
    if not isinstance(preset.method, Settings):
        return "", False
    layers = layers_of(preset)
    if not layers.whole:
        return "", False
    ticked, wrong = layers.tree.read(text)
    if wrong:
        return wrong, True
    share, whole = (
        share_of(layers, preset, ticked, alone=alone),
        tr("the {component}", component=tr(preset.card.component("denoiser").title)),
    )
    if alone:
        return tr("{percent:.1f} % of {whole}", percent=share.percent, whole=whole), False
    words = "{percent:.1f} % of {whole} trained, in {memory}"
    if isinstance(preset.method, Adapter):
        words = "{percent:.1f} % of {whole} adapted, in {memory}"
    return tr(words, percent=share.percent, whole=whole, memory=memory_text(share)), False


def weights_in_words(share: Share) -> str:
    """1,827,058,244 of 2,567,463,684 weights (71.2 %)"""
    return tr(
        "{picked:,} of {whole:,} weights ({percent:.1f} %)",
        picked=share.picked,
        whole=share.whole,
        percent=share.percent,
    )


def memory_in_words(share: Share) -> str:
    """Training takes 27.2 GB: weights 6.8, gradients 6.8, optimizer 13.6."""
    parts = ", ".join(f"{tr(name)} {in_bytes(size)}" for name, size in share.memory)
    return tr("Training them takes {memory}: {parts}.", memory=memory_text(share), parts=parts)


def memory_text(share: Share) -> str:
    return in_bytes(sum(size for _, size in share.memory))


def short(number: float) -> str:
    """16.4 M"""
    return f"{number / 1e6:,.1f} M" if number >= 1e5 else f"{number:,.0f}"
