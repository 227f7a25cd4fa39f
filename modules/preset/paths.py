"""Dotted paths into nested values: "training.batch_size", "concepts.0.path"."""

from __future__ import annotations

from typing import Any, cast

Values = dict[str, Any]
MAX_DIGITS = 10  # of the number of an entry; Python reads no number of thousands of digits


def get(values: Values, path: str) -> Any:
    """The value at `path`, or None where there is none."""
    found: Any = values
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else _child(found, name)  # asked thousands of times a key
    return found


def put(values: Values, path: str, value: Any) -> None:
    """Set the value at `path`, making the sections on the way. A number names an entry of a list; the next one is new.

    Raises:
        KeyError: an entry of a list beyond its end, or a path through something that has no inside.
    """
    *sections, name = path.split(".")
    here: Any = values
    for section, following in zip(sections, [*sections, name][1:], strict=True):
        there = _child(here, section)
        if there is None:
            there = cast("Any", [] if following.isdecimal() else {})
            _set(here, section, there, path)
        here = there
    _set(here, name, value, path)


def _child(inside: Any, name: str) -> Any:
    if isinstance(inside, dict):
        return cast("Values", inside).get(name)
    if isinstance(inside, list | tuple) and name.isdecimal() and len(name) < MAX_DIGITS:
        entries = cast("list[Any]", inside)
        return entries[int(name)] if int(name) < len(entries) else None
    return None


def _set(inside: Any, name: str, value: Any, path: str) -> None:
    if isinstance(inside, dict):
        cast("Values", inside)[name] = value
        return
    entries = cast("list[Any]", inside) if isinstance(inside, list) and name.isdecimal() else None
    if entries is None or len(name) >= MAX_DIGITS or int(name) > len(entries):
        raise KeyError(path)
    entries[int(name) : int(name) + 1] = [value]
