"""The language of the window: every sentence goes through `tr` or `plural`, and a locale is a table read from a file.

A template is an English sentence with named values. A locale's file says it in another language:

    {"language": "Deutsch", "plurals": "one",
     "sentences": {"Start training": "Training starten",
                   "{count:,} images": ["{count:,} Bild", "{count:,} Bilder"]}}

A counted sentence stands under its plural, with as many forms as the rule of its language has. What a file leaves out
stays English. This is the lowest floor, so that whatever makes a sentence can call it; only the window uses a locale:
logs and the command line stay English.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class LocaleError(Exception):
    """A file is no locale; says why."""


def _slavic(count: int, one: bool) -> int:
    few = 2 <= count % 10 <= 4 and not 12 <= count % 100 <= 14
    return 0 if one else 1 if few else 2


# rule: which form a number takes. The names stand in the files of locales.
PLURALS: dict[str, Callable[[int], int]] = {
    "none": lambda count: 0,  # Chinese, Japanese, Turkish
    "one": lambda count: int(count != 1),  # English, German, Spanish, Italian
    "up to one": lambda count: int(count > 1),  # French, Brazilian Portuguese
    "russian": lambda count: _slavic(count, count % 10 == 1 and count % 100 != 11),  # Ukrainian, Serbian
    "polish": lambda count: _slavic(count, count == 1),
}


@dataclass(frozen=True, eq=False)
class Locale:
    """Translations by English template: a sentence, or the forms of one that counts something."""

    language: str
    sentences: Mapping[str, str | Sequence[str]] = field(default_factory=dict[str, str | Sequence[str]])
    form_of: Callable[[int], int] = PLURALS["one"]


_ENGLISH = Locale("English")
_now = _ENGLISH


def use(locale: Locale | None) -> None:
    """What is said from here on is said in this language; None for English. What is on the screen stays as it is."""
    global _now  # noqa: PLW0603  one window, one language
    _now = locale or _ENGLISH


def cached(function: Callable[P, R]) -> Callable[P, R]:
    """`functools.cache` for what is made of sentences: each language has its own."""

    @cache
    def kept(_: Locale, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return lambda *args, **kwargs: kept(_now, *args, **kwargs)


def translated(template: str) -> str:
    """The template in the language of now, for whoever fills it in."""
    found = _now.sentences.get(template, template)
    return found if isinstance(found, str) else found[-1]


def tr(template: str, /, **values: object) -> str:
    """The sentence in the language of now, with its values: `tr("Load {name}?", name=name)`."""
    sentence = translated(template)
    return sentence.format_map(values) if values else sentence


def plural(count: int, one: str, other: str, /, **values: object) -> str:
    """The sentence for so many: `plural(n, "1 image", "{count:,} images")`. `count` is one of the values."""
    forms = _now.sentences.get(other)
    if forms is None:
        sentence = one if count == 1 else other
    elif isinstance(forms, str):
        sentence = forms
    else:
        sentence = forms[_now.form_of(count)]
    return sentence.format_map({"count": count, **values})


def load(path: Path) -> Locale:
    """The locale in a file.

    Raises:
        LocaleError: it cannot be read, is no locale, or a translation has values that its template has not.
    """
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        rule, sentences = PLURALS[data["plurals"]], cast("dict[str, str | list[str]]", data["sentences"])
        forms = len({rule(count) for count in range(200)})
        wrong = [template for template, text in sentences.items() if not _fits(template, text, forms)]
        locale = Locale(str(data["language"]), sentences, rule)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LocaleError(f"{path} is not a language file: {error!r}.") from error
    if wrong:
        needs = f"It needs the same values in braces, and {forms} forms if it counts."
        raise LocaleError(f"{path}: the translation of “{wrong[0]}” does not fit it. {needs}")
    return locale


def _fits(template: str, text: str | list[str], forms: int) -> bool:
    """Whether a translation can be filled in wherever its template can."""
    if isinstance(text, list) and len(text) != forms:
        return False
    each = [text] if isinstance(text, str) else text
    return all(_fields(one) <= _fields(template) for one in each)


def _fields(template: str) -> set[tuple[str, str, str]]:
    """Its values with how they are written; braces that are no field make a plain sentence.

    Words in a format, as in `{count:# image|# images}`, are the language's own.
    """
    try:
        found = [each[1:] for each in Formatter().parse(template) if each[1] is not None]
    except ValueError:
        return set()
    return {(name or "", "" if "|" in (spec or "") else spec or "", how or "") for name, spec, how in found}
