"""Search over all settings: what a person means comes first. Reads the schema, never widgets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from app.gui.draft.labels import ARROW, breadcrumb
from modules.catalog import most_text_encoders
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import all_settings

WORD = re.compile(r"[a-z0-9]+")

# How well a word of the query is met; the sum over its words, weighted, is the rank.
LABEL_IS, LABEL_WORD, LABEL_START, PLACE_WORD, PLACE_START, LABEL_INSIDE, HELP_WORD, HELP_START = range(100, 20, -10)


@dataclass(frozen=True, slots=True)
class Hit:
    """A setting; of those that several methods or optimizers have, the first stands for all (`problems.setting_at`)."""

    setting: SettingInfo
    breadcrumb: str  # without numbers of entries: "Concepts > Random flip"
    rank: int


@dataclass(frozen=True, slots=True)
class _Card:
    setting: SettingInfo
    breadcrumb: str
    label: str
    label_words: frozenset[str]
    place_words: frozenset[str]
    help_words: frozenset[str]


def search(query: str, at_most: int = 40) -> list[Hit]:
    """The settings that every word of the query is found in, best first; in the order of the pages where equal."""
    words = WORD.findall(query.lower())
    if not words:
        return []
    whole = " ".join(words)
    hits: list[Hit] = []
    for card in _cards():
        ranks = [_rank(word, card) for word in words]
        if all(ranks):
            exact = 1000 * (card.label == whole) + 300 * card.label.startswith(whole) + 200 * (whole in card.label)
            hits.append(Hit(card.setting, card.breadcrumb, exact + sum(ranks) // len(ranks)))
    best: dict[str, Hit] = {}
    for hit in sorted(hits, key=lambda hit: -hit.rank):
        best.setdefault(hit.setting.path, hit)
    return list(best.values())[:at_most]


def _rank(word: str, card: _Card) -> int:
    """How well a word is met; 0 where it is not. A letter or two only count at the start of a word."""
    if word == card.label:
        return LABEL_IS
    for words, found, begun in (
        (card.label_words, LABEL_WORD, LABEL_START),
        (card.place_words, PLACE_WORD, PLACE_START),
        (card.help_words, HELP_WORD, HELP_START if len(word) > 2 else 0),
    ):
        if word in words:
            return found
        if begun and any(other.startswith(word) for other in words):
            return begun
    return LABEL_INSIDE if len(word) > 2 and word in card.label else 0


def _cards() -> tuple[_Card, ...]:
    return _cards_of(most_text_encoders())


@cache
def _cards_of(encoders: int) -> tuple[_Card, ...]:
    """`encoders`: text encoders that there are settings for."""
    return tuple(_card(setting) for setting in all_settings())


def _card(setting: SettingInfo) -> _Card:
    choices = " ".join(str(choice) for choice in setting.choices)
    place = f"{setting.path} {setting.section} {choices}".lower()
    words = breadcrumb(setting.path).split(ARROW)
    return _Card(
        setting,
        ARROW.join([words[0], *words[2:]] if ".0." in setting.path else words),
        " ".join(WORD.findall(setting.label.lower())),
        frozenset(WORD.findall(setting.label.lower())),
        frozenset(WORD.findall(place.replace("_", " "))),
        frozenset(WORD.findall(f"{setting.help} {setting.unit}".lower())),
    )
