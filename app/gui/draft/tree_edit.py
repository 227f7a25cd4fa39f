"""Values that are never changed in place: a new tree shares everything with the old one but the path that changed.

So a state of the whole form is one reference, undo keeps hundreds of them, and what differs is found at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from modules.preset.paths import Values


def replaced(values: Values, path: str, value: Any) -> Values:
    """The same tree with another value at `path`; only what lies on the way is copied.

    Raises:
        KeyError: the path leads beyond the end of a list, or through something that has no inside.
    """
    return cast("Values", _replaced(values, path.split("."), value, path))


def without(values: Values, path: str) -> Values:
    """The same tree without what is at `path`."""
    above, _, name = path.rpartition(".")
    inside = values
    for step in above.split(".") if above else []:
        inside = cast("Any", inside)[int(step) if isinstance(inside, list) else step]
    kept = {key: value for key, value in inside.items() if key != name}
    return replaced(values, above, kept) if above else kept


def _replaced(inside: Any, names: list[str], value: Any, path: str) -> Any:
    if not names:
        return value
    name, *rest = names
    if isinstance(inside, dict):
        held = cast("Values", inside)
        return {**held, name: _replaced(held.get(name, {} if rest else None), rest, value, path)}
    if isinstance(inside, list) and name.isdecimal() and int(name) < len(cast("list[Any]", inside)):
        entries = list(cast("list[Any]", inside))
        entries[int(name)] = _replaced(entries[int(name)], rest, value, path)
        return entries
    raise KeyError(path)


def differing_paths(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The paths of the values that differ; a list of another length counts as one."""
    if old is new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("Values", old), cast("Values", new)
        for name in dict.fromkeys([*before, *after]):
            yield from differing_paths(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif isinstance(old, list) and isinstance(new, list) and len(cast("Any", old)) == len(cast("Any", new)):
        for number, pair in enumerate(zip(cast("Any", old), cast("Any", new), strict=True)):
            yield from differing_paths(*pair, f"{path}.{number}")
    elif old != new or isinstance(old, bool) is not isinstance(new, bool):
        yield path
