"""Which layers a preset means: names of groups and regular expressions over names, separated by commas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from modules.errors import UserError
from modules.preset.sections.method import LayerGroup
from modules.preset.text.layer_names import LayerPattern, expressions
from modules.preset.text.patterns import PatternError


def select_layers(names: Iterable[str], layers: str, groups: Mapping[str, tuple[str, ...]], *, what: str) -> list[str]:
    """Those of `names` that `layers` picks, in their order; an expression may match anywhere in a name.

    Raises:
        UserError: an expression cannot be read, or nothing matches. `what` says what was looked for.
    """
    patterns = [_compiled(text, groups) for text in expressions(layers, groups)]
    found = [name for name in names if any(pattern.matches(name) for pattern in patterns)]
    if not found:
        raise UserError(
            f'method.layers: no {what} of this model matches "{layers}".',
            advice=f"Use some of {_choices_text(groups)}, or regular expressions, separated by commas.",
        )
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


def _choices_text(groups: Mapping[str, tuple[str, ...]]) -> str:
    """The names that a person may want; of the many numbered blocks one stands for all."""
    plain = [name for name in groups if not re.fullmatch(r"(input|middle|output) \d+(\.\d)?", name)]
    return ", ".join([*plain, *(['blocks such as "input 4"'] if len(plain) < len(groups) else [])])


def _compiled(text: str, groups: Mapping[str, tuple[str, ...]]) -> LayerPattern:
    try:
        return LayerPattern(text)
    except PatternError as error:
        raise UserError(
            f'method.layers: "{text[:60]}" {error}.',
            advice=f"Use one of {_choices_text(groups)}, or mend the expression.",
        ) from None
