"""How much of the model a choice of layers is, as the engine counts it: the answers, and their words. No widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.form.layer_tree import LayerTree, bits
from modules.catalog import FAMILIES
from modules.language import tr
from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter
from modules.sentences.problem import Problem
from modules.text import in_bytes, in_percent

LAYERS_PATH, GROUPS_PATH = "method.layers", "method.groups"
# Sections of the preset that an answer hangs on
ABOUT_LAYERS: Mapping[str, Any] = {
    "model": {"family", "source"}, "method": {"kind", "conv"}, "general": {"cache", "workspace"},
}  # fmt: skip
ABOUT_TRAINED: Mapping[str, Any] = {
    **ABOUT_LAYERS, "method": True, "training": True, "optimizer": True, "words": True,
}  # fmt: skip
PATIENCE_MS = 300  # how long numbers of before may stand while the next are counted
Values = dict[str, Any]


@dataclass(frozen=True)
class Layers:
    """The layers that a method can train in a model."""

    title: str  # of the model whose these are
    own: bool  # whether it is the preset's own
    tree: LayerTree
    sizes: tuple[int, ...]  # weights of each of the tree's names
    whole: int  # weights of the whole denoiser

    @property
    def counted(self) -> str:
        """Which model the numbers are of."""
        words = tr("Counted for {model}.", model=tr(self.title))
        return words if self.own else tr("{words} Your model may differ a little.", words=words)

    def weights(self, mask: int) -> int:
        """Of these layers."""
        return sum(self.sizes[place] for place in bits(mask))


NO_LAYERS = Layers("", False, LayerTree((), {}), (), 0)


def layers_of(context: AppContext) -> Layers | None:
    """For the draft's model and method; None while the engine has not answered, `NO_LAYERS` if it found none."""
    preset = context.draft.preset()
    found = context.queries.get("layers", preset.model_dump(mode="json", include=dict(ABOUT_LAYERS)))
    if not found:
        return None if found is None else NO_LAYERS
    tree = _tree(preset.model.family, tuple(found["names"]))
    return Layers(found["title"], found["own"], tree, tuple(found["sizes"]), found["whole"])


def trained_by(context: AppContext) -> Values | None:
    """What the draft trains, as `modules/check/trained/answers.py` has it; None while the engine has not answered."""
    preset = context.draft.preset()
    return context.queries.get("trained", preset.model_dump(mode="json", include=dict(ABOUT_TRAINED)))


@cache
def _tree(family: str, names: tuple[str, ...]) -> LayerTree:
    return LayerTree(names, FAMILIES[family].layer_sets)


# In words -------------------------------------------------------------------------------------------------------------


def in_short(preset: Preset, trained: Values, path: str) -> tuple[str, bool]:
    """What stands under the setting, and whether it is a complaint. `path`: of the setting."""
    if trained["problem"]:
        return WORDS.what(Problem(**trained["problem"])), True
    denoiser = trained["parts"].get("denoiser")
    if denoiser is None:
        return "", False
    title = tr("the {component}", component=tr(preset.card.component("denoiser").title))
    if path != LAYERS_PATH:
        number = int(path.split(".")[2])
        picked = trained["groups"][number] if number < len(trained["groups"]) else 0
        return tr("{percent} of {whole}", percent=in_percent(picked / denoiser["whole"], 1), whole=title), False
    words = "{percent} of {whole} trained, in {memory}"
    if isinstance(preset.method, Adapter):
        words = "{percent} of {whole} adapted, in {memory}"
    percent = in_percent(denoiser["picked"] / denoiser["whole"], 1)
    return tr(words, percent=percent, whole=title, memory=_memory_text(trained)), False


def weights_in_words(picked: int, whole: int) -> str:
    """1,827,058,244 of 2,567,463,684 weights (71.2 %)"""
    share = in_percent(picked / whole, 1)
    return tr("{picked:,} of {whole:,} weights ({percent})", picked=picked, whole=whole, percent=share)


def memory_in_words(trained: Values) -> str:
    """Training takes 27.2 GB: weights 6.8, gradients 6.8, optimizer 13.6."""
    parts = ", ".join(f"{tr(name)} {in_bytes(size)}" for name, size in trained["memory"].items())
    return tr("Training takes {memory}: {parts}.", memory=_memory_text(trained), parts=parts)


def _memory_text(trained: Values) -> str:
    return in_bytes(sum(trained["memory"].values()))


def short(number: float) -> str:
    """16.4 M"""
    return f"{number / 1e6:,.1f} M" if number >= 1e5 else f"{number:,.0f}"
