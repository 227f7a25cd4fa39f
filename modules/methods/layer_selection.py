"""Which layers a preset means: names of groups and regular expressions over names, separated by commas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from modules.errors import UserError
from modules.preset.sections.method import LayerGroup
from modules.preset.text.layer_names import LayerPattern, expressions
from modules.preset.text.patterns import PatternError
from modules.sentences.problem import Problem, problem


def select_layers(names: Iterable[str], layers: str, groups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Those of `names` that `layers` picks, in their order; an expression may match anywhere in a name.

    Raises:
        UserError: an expression cannot be read, or nothing matches.
    """
    patterns = [_compiled(text, groups) for text in expressions(layers, groups)]
    found = [name for name in names if any(pattern.matches(name) for pattern in patterns)]
    if not found:
        raise UserError("layers.no-match", "method.layers", layers=layers, names=_choices(groups))
    return found


def assign_groups(
    names: Iterable[str], own: Sequence[LayerGroup], groups: Mapping[str, tuple[str, ...]]
) -> dict[str, LayerGroup | None]:
    """For each name the first of the preset's own groups that holds it, or None.

    Raises:
        UserError: an expression cannot be read.
    """
    patterns = [(group, [_compiled(text, groups) for text in expressions(group.layers, groups)]) for group in own]
    return {
        name: next((group for group, ways in patterns if any(way.matches(name) for way in ways)), None)
        for name in names
    }


def _choices(groups: Mapping[str, tuple[str, ...]]) -> Problem:
    """The names that a person may want; of the many numbered blocks one stands for all."""
    plain = [name for name in groups if not re.fullmatch(r"(input|middle|output) \d+(\.\d)?", name)]
    return problem("layers.and-blocks" if len(plain) < len(groups) else "names.all", names=plain)


def _compiled(text: str, groups: Mapping[str, tuple[str, ...]]) -> LayerPattern:
    try:
        return LayerPattern(text)
    except PatternError as error:
        raise UserError(
            "layers.wrong", "method.layers", reason=error.problem(text[:60]), names=_choices(groups)
        ) from None
