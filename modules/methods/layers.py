"""Which layers a preset means: names of groups and regular expressions over names, separated by commas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from modules.errors import UserError
from modules.preset.layer_groups import LayerGroup
from modules.preset.layer_names import expressions, is_endless


def chosen(names: Iterable[str], layers: str, groups: Mapping[str, tuple[str, ...]], *, what: str) -> list[str]:
    """Those of `names` that `layers` picks, in their order; an expression may match anywhere in a name.

    Raises:
        UserError: an expression cannot be read, or nothing matches. `what` says what was looked for.
    """
    patterns = [_pattern(text, groups) for text in expressions(layers, groups)]
    found = [name for name in names if any(pattern.search(name) for pattern in patterns)]
    if not found:
        raise UserError(
            f'method.layers: no {what} of this model matches "{layers}".',
            advice=f"Use some of {_offered(groups)}, or regular expressions, separated by commas.",
        )
    return found


def sorted_out(
    names: Iterable[str], own: Sequence[LayerGroup], groups: Mapping[str, tuple[str, ...]]
) -> dict[str, LayerGroup | None]:
    """For each name the first of the preset's own groups that holds it, or None.

    Raises:
        UserError: an expression cannot be read.
    """
    patterns = [(group, [_pattern(text, groups) for text in expressions(group.layers, groups)]) for group in own]
    return {
        name: next((group for group, ways in patterns if any(way.search(name) for way in ways)), None) for name in names
    }


def _offered(groups: Mapping[str, tuple[str, ...]]) -> str:
    """The names that a person may want; of the many numbered blocks one stands for all."""
    plain = [name for name in groups if not re.fullmatch(r"(input|middle|output) \d+(\.\d)?", name)]
    return ", ".join([*plain, *(['blocks such as "input 4"'] if len(plain) < len(groups) else [])])


def _pattern(text: str, groups: Mapping[str, tuple[str, ...]]) -> re.Pattern[str]:
    if is_endless(text):
        raise UserError(
            f'method.layers: "{text[:60]}" repeats too much within itself, and could be searched for ever.',
            advice="Write it without a repeat inside a repeated group, and with at most four such as .* in it.",
        )
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise UserError(
            f'method.layers: "{text}" is not a regular expression ({error}).',
            advice=f"Use one of {_offered(groups)}, or mend the expression.",
        ) from None
