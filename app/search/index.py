"""Every setting by the words and names that lead to it: read once from the schema, then only looked up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.gui.draft.choice_labels import choice_label
from app.search.words import squeezed, stem, stems_of, words_of
from modules.catalog import most_text_encoders
from modules.language import cached
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import all_settings

# How well a word of the query is met, by where the setting has it; a word that is only begun counts less.
IN_LABEL, IN_ALIAS, IN_PATH, IN_CHOICE, IN_HELP = 100, 90, 80, 70, 40
BEGUN = 12
# What is added where all of the query is a name of the setting, or stands in one as it is.
IS_LABEL, IS_ALIAS, IS_PATH, IS_CHOICE, IS_SECTION, PART_OF_LABEL, PART_OF_ALIAS = 1000, 950, 850, 290, 180, 200, 150

Ranks = dict[int, int]  # of settings, by their number in the index


@dataclass
class Index:
    """`words` and `names` lead from a stem, or from a whole name squeezed, to the settings that have it."""

    settings: list[SettingInfo] = field(default_factory=list[SettingInfo])
    words: dict[str, Ranks] = field(default_factory=dict[str, Ranks])
    names: dict[str, Ranks] = field(default_factory=dict[str, Ranks])
    phrases: list[tuple[tuple[int, str], ...]] = field(default_factory=list[tuple[tuple[int, str], ...]])
    _sorted_words: list[str] = field(default_factory=list[str])
    _sorted_names: list[str] = field(default_factory=list[str])

    def add(self, setting: SettingInfo) -> None:
        number = len(self.settings)
        self.settings.append(setting)
        choices = [text for choice in setting.choices for text in (str(choice), choice_label(setting.path, choice))]
        sources: tuple[tuple[int, int, Sequence[str]], ...] = (
            (IN_LABEL, IS_LABEL, (setting.label,)),
            (IN_ALIAS, IS_ALIAS, setting.aliases),
            (IN_PATH, IS_PATH, _endings(setting.path)),
            (IN_PATH, IS_SECTION, (setting.section,) if "." in setting.path else ()),
            (IN_CHOICE, IS_CHOICE, choices),
            (IN_HELP, 0, (setting.help, setting.unit)),
        )
        for in_it, is_it, texts in sources:
            for text in texts:
                for word in words_of(text):
                    _raise(self.words.setdefault(stem(word), {}), number, in_it)
                if is_it:
                    _raise(self.names.setdefault(squeezed(text), {}), number, is_it)
        phrases = [(PART_OF_LABEL, stems_of(setting.label))]
        phrases += [(PART_OF_ALIAS, stems_of(alias)) for alias in setting.aliases]
        self.phrases.append(tuple(phrases))

    def close(self) -> None:
        self._sorted_words, self._sorted_names = sorted(self.words), sorted(self.names)

    def with_word(self, word: str) -> Ranks:
        """The settings that have the word, or one that begins with it. A letter or two are not looked for in help."""
        found: Ranks = dict(self.words.get(stem(word), {}))
        least = IN_HELP if len(word) > 2 else IN_CHOICE
        for start in {word, stem(word)}:
            for other in _beginning_with(start, self._sorted_words):
                for number, rank in self.words[other].items():
                    if rank >= least:
                        _raise(found, number, rank - BEGUN)
        return found

    def with_name(self, name: str) -> Ranks:
        """The settings that are called so."""
        return self.names.get(squeezed(name), {})

    def with_name_begun(self, name: str) -> Ranks:
        """The settings with a name that begins so: for names that are written in one, "minsnr"."""
        found: Ranks = {}
        for other in _beginning_with(squeezed(name), self._sorted_names):
            for number, rank in self.names[other].items():
                _raise(found, number, rank // 2)
        return found

    def phrase(self, number: int, stems: str) -> int:
        """What it adds that the query stands in a name of the setting as it is; twice as much if it is all of it."""
        found = (rank * (2 if stems == phrase else 1) for rank, phrase in self.phrases[number] if stems in phrase)
        return max(found, default=0)


def index() -> Index:
    """Of all settings. Those that several optimizers or methods have alike are in it once."""
    return _index(most_text_encoders())


@cached
def _index(encoders: int) -> Index:
    """`encoders`: text encoders that there are settings for."""
    found, seen = Index(), set[tuple[str, str, str]]()
    for setting in all_settings():
        key = (setting.path, setting.label, setting.help)
        if key not in seen:
            seen.add(key)
            found.add(setting)
    found.close()
    return found


def _endings(path: str) -> list[str]:
    """ "training.ema_decay" and "ema_decay": a path is known by its end, and without the numbers of entries."""
    names = [name for name in path.split(".") if not name.isdecimal()]
    return [".".join(names[start:]) for start in range(len(names))]


def _raise(ranks: Ranks, number: int, rank: int) -> None:
    if rank > ranks.get(number, 0):
        ranks[number] = rank


def _beginning_with(start: str, names: list[str]) -> Iterator[str]:
    for place in range(bisect_left(names, start), len(names)):
        if not names[place].startswith(start):
            return
        yield names[place]
