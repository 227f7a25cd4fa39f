"""Which layers a preset trains: names of sets and regular expressions over names, separated by commas. No torch.

The methods train what these functions pick, and the check counts it: both ask here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from modules.errors import UserError
from modules.preset.adapter_sizes import Shape, is_wide
from modules.preset.sections.method import Adapter, Full, LayerGroup
from modules.preset.text.layer_names import LayerPattern, expressions
from modules.preset.text.patterns import PatternError
from modules.sentences.problem import Problem, problem

Sets = Mapping[str, tuple[str, ...]]  # the family's sets of layers, as regular expressions
Owned = dict[str, LayerGroup | None]  # by layer or weight, the first of the preset's layer groups that holds it


def trained_weights(names: Iterable[str], settings: Full, sets: Sets) -> Owned:
    """The denoiser's weights that a full fine-tune trains.

    Raises:
        UserError: there are none, or an expression cannot be read.
    """
    return _switched_on(select_layers(names, settings.layers, sets), settings, sets)


def adapted_layers(shapes: Mapping[str, Shape], settings: Adapter, sets: Sets) -> Owned:
    """The denoiser's layers that get an update, in the order of `shapes`, which are those of their weights.

    Raises:
        UserError: there are none, or an expression cannot be read.
    """
    picked = with_convolutions(shapes, settings, set(select_layers(shapes, settings.layers, sets)))
    return _switched_on([name for name in shapes if name in picked], settings, sets)


def _switched_on(names: Iterable[str], settings: Full | Adapter, sets: Sets) -> Owned:
    """Those that no layer group leaves out."""
    own = assign_groups(names, settings.groups, sets)
    trained = {name: group for name, group in own.items() if group is None or group.train}
    if not trained:
        raise UserError("layers.all-off", "method.groups", layers=settings.layers)
    return trained


def with_convolutions(shapes: Mapping[str, Shape], settings: Adapter, picked: set[str]) -> set[str]:
    """What `method.conv` makes of the layers that `method.layers` picks.

    Raises:
        UserError: they are all convolutions, and it is off.
    """
    wide = {name for name, shape in shapes.items() if is_wide(shape)}
    if settings.conv:
        # LoCon's set, as kohya's: all that stands in a block with a convolution, its 1x1 shortcut and its time
        # embedding too. A pattern that names layers of such blocks itself ("up") keeps its say.
        blocks = {name.rpartition(".")[0] for name in wide}
        inside = {name for name in shapes if name.rpartition(".")[0] in blocks}
        return picked | (inside if not picked & wide else set())
    if not picked - wide:
        raise UserError("layers.only-convolutions", "method.layers", "method.conv", layers=settings.layers)
    return picked - wide


def select_layers(names: Iterable[str], layers: str, groups: Sets) -> list[str]:
    """Those of `names` that `layers` picks, in their order; an expression may match anywhere in a name.

    Raises:
        UserError: an expression cannot be read, or nothing matches.
    """
    patterns = [_compiled(text, groups) for text in expressions(layers, groups)]
    found = [name for name in names if any(pattern.matches(name) for pattern in patterns)]
    if not found:
        raise UserError("layers.no-match", "method.layers", layers=layers, names=_choices(groups))
    return found


def assign_groups(names: Iterable[str], own: Sequence[LayerGroup], groups: Sets) -> dict[str, LayerGroup | None]:
    """For each name the first of the preset's own groups that holds it, or None.

    Raises:
        UserError: an expression cannot be read.
    """
    patterns = [(group, [_compiled(text, groups) for text in expressions(group.layers, groups)]) for group in own]
    return {
        name: next((group for group, ways in patterns if any(way.matches(name) for way in ways)), None)
        for name in names
    }


def _choices(groups: Sets) -> Problem:
    """The names that a person may want; of the many numbered blocks one stands for all."""
    plain = [name for name in groups if not re.fullmatch(r"(input|middle|output) \d+(\.\d)?", name)]
    return problem("layers.and-blocks" if len(plain) < len(groups) else "names.all", names=plain)


def _compiled(text: str, groups: Sets) -> LayerPattern:
    try:
        return LayerPattern(text)
    except PatternError as error:
        raise UserError(
            "layers.wrong", "method.layers", reason=error.problem(text[:60]), names=_choices(groups)
        ) from None
