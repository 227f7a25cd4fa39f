"""The entries of a list (concepts, prompts, words): added, removed and moved, with where each came from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from modules.preset.paths import Values
from modules.preset.setting_info import SettingInfo


@dataclass(frozen=True, slots=True)
class Edit:
    """A new list; `origins` holds for each entry its old number, -1 for a new one; `place` is the one to look at."""

    entries: list[Values]
    origins: list[int]
    place: int


def default_entry(setting: SettingInfo) -> Values:
    """A new entry of the list that this setting is, with every default.

    Raises:
        KeyError: it is no list of entries.
    """
    if setting.entry is None:
        raise KeyError(setting.path)
    return setting.entry().model_dump(mode="json")


def inserted(entries: Sequence[Values], entry: Values, at: int | None) -> Edit:
    place = len(entries) if at is None else at
    order = [*range(place), -1, *range(place, len(entries))]
    return Edit([entry if number < 0 else entries[number] for number in order], order, place)


def removed(entries: Sequence[Values], numbers: Collection[int]) -> Edit:
    order = [number for number in range(len(entries)) if number not in numbers]
    place = min([*numbers, len(order) - 1]) if order else -1
    return Edit([entries[number] for number in order], order, place)


def moved(entries: Sequence[Values], number: int, to: int) -> Edit:
    order = [other for other in range(len(entries)) if other != number]
    order.insert(to, number)
    return Edit([entries[other] for other in order], order, order.index(number))


def renumbered(path: str, above: str, origins: Sequence[int]) -> str:
    """The path of the same entry after an edit of the list `above`; "" if the entry is gone."""
    if not path.startswith(f"{above}."):
        return path
    number, _, rest = path[len(above) + 1 :].partition(".")
    return f"{above}.{origins.index(int(number))}.{rest}" if int(number) in origins else ""
