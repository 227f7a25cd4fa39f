"""Which layers a preset means: the name of a group, or regular expressions over names, separated by commas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from modules.errors import UserError


def chosen(names: Iterable[str], layers: str, groups: Mapping[str, tuple[str, ...]], *, what: str) -> list[str]:
    """Those of `names` that `layers` picks, in their order; an expression may match anywhere in a name.

    Raises:
        UserError: an expression cannot be read, or nothing matches. `what` says what was looked for.
    """
    patterns = [_pattern(text, groups) for text in groups.get(layers.strip(), split(layers))]
    found = [name for name in names if any(pattern.search(name) for pattern in patterns)]
    if not found:
        raise UserError(
            f'method.layers: no {what} of this model matches "{layers}".',
            advice=f"Use one of {', '.join(groups)}, or regular expressions separated by commas.",
        )
    return found


def split(layers: str) -> tuple[str, ...]:
    """The expressions of a list; a comma inside an expression is written as [,]."""
    return tuple(part for text in re.split(r",(?!\])", layers) if (part := text.strip()))


def _pattern(text: str, groups: Mapping[str, tuple[str, ...]]) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UserError(
            f'method.layers: "{text}" is not a regular expression ({error}).',
            advice=f"Use one of {', '.join(groups)}, or mend the expression.",
        ) from None
