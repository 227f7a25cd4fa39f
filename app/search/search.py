"""Search over all settings by our names and those of other programs: what a person means comes first.

Reads the schema, never widgets: the window and `settings --find` both ask here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.search.index import IN_HELP, Ranks, index
from app.search.not_settings import note_on
from app.search.words import FILLERS, NAME, SHORT_FORMS, inner_words, stem, words_of
from modules.preset.setting_info import SettingInfo

SHORT_FORM = 5  # what a word loses that is met only by what it is short for
LEAST_NAME = 5  # letters of a name that is written in one


@dataclass(frozen=True, slots=True)
class Hit:
    """A setting; of those that several methods or optimizers have, the first stands for all (`validate.setting_at`)."""

    setting: SettingInfo
    rank: int


@dataclass(frozen=True, slots=True)
class Results:
    """What was found, best first.

    `note` says where that is done which is no setting here, or that it is not: a template of `modules.sentences`.
    """

    hits: list[Hit]
    note: str = ""


def find(query: str, at_most: int = 40) -> Results:
    """The settings that are meant, and what else there is to say."""
    note, hits = note_on(query), search(query, at_most)
    return Results([hit for hit in hits if hit.rank > IN_HELP] if note else hits, note)


def search(query: str, at_most: int = 40) -> list[Hit]:
    """The settings that are called so, or have every word of the query, best first."""
    names = [name for name in NAME.findall(query) if name.lower() not in FILLERS] or NAME.findall(query)
    if not names:
        return []
    ranks = _with_all(names)
    named = index().with_name(query) or index().with_name(" ".join(names))
    if not ranks and not named:
        return search(query.rpartition(".")[2], at_most) if "." in query.strip(".") else _begun(query, at_most)
    stems = f" {' '.join(stem(word) for name in names for word in words_of(name))} "
    found = {number: rank // len(names) + index().phrase(number, stems) for number, rank in ranks.items()}
    for number, rank in named.items():
        found[number] = found.get(number, 0) + rank
    return _best(found, at_most)


def _begun(query: str, at_most: int) -> list[Hit]:
    return _best(index().with_name_begun(query), at_most) if len(query.strip()) >= LEAST_NAME else []


def _best(found: Ranks, at_most: int) -> list[Hit]:
    """Each path once. Of two as good the basic one is meant, then the one that is not of an entry of a list."""
    settings = index().settings

    def order(number: int) -> tuple[int, bool, int, int]:
        setting = settings[number]
        return -found[number], setting.level == "expert", setting.path.count("."), number

    best: dict[str, Hit] = {}
    for number in sorted(found, key=order):
        best.setdefault(settings[number].path, Hit(settings[number], found[number]))
    return list(best.values())[:at_most]


def _with_all(names: Iterable[str]) -> Ranks:
    """The settings that have every one of these, with the sum of the ranks."""
    found: Ranks | None = None
    for name in names:
        ranks = _with(name)
        found = ranks if found is None else {one: found[one] + ranks[one] for one in found.keys() & ranks.keys()}
        if not found:
            break
    return found or {}


def _with(name: str) -> Ranks:
    """The settings that have a word, or what it is short for; a word that nothing has may be glued from several."""
    word = name.lower()
    found = index().with_word(word)
    for number, rank in _together(SHORT_FORMS.get(word, "").split()).items():
        found[number] = max(found.get(number, 0), rank - SHORT_FORM)
    parts = inner_words(name) if not found else []
    return _together([whole for part in parts for whole in SHORT_FORMS.get(part, part).split()]) if parts[1:] else found


def _together(words: Iterable[str]) -> Ranks:
    """The settings that have all of these words, which count as one."""
    found: Ranks | None = None
    for word in words:
        ranks = index().with_word(word)
        found = ranks if found is None else {one: min(found[one], ranks[one]) for one in found.keys() & ranks.keys()}
    return found or {}
