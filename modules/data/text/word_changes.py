"""Changes to the words of a caption: rules, underscores, capitals."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from modules.data.text.random_choice import Name, RandomChoice
from modules.preset.sections.concept import Concept
from modules.preset.text.replacements import parse_replacements

EMOTICON_LENGTH = 3  # letters of a word whose underscore is a mouth: ^_^
_WORDS = re.compile(r"<[^<>\s]*>|[^\s,]+")
_PLACEHOLDER = re.compile(r"(<[^<>\s]*>)")  # a new word, which must be spelled as it was given


def with_replacements(text: str, concept: Concept) -> str:
    """The text after the concept's rules, which all look at the text as it was, and without underscores."""
    if concept.replacements:
        rules = parse_replacements(concept.replacements)
        text = _finder(concept.replacements).sub(lambda match: rules[match[0]], text)
    if concept.underscores:
        text = _WORDS.sub(_without_underscores, text)
    return text


@lru_cache(64)
def _finder(replacements: str) -> re.Pattern[str]:
    """Finds whole words of rules, the longest first."""
    words = sorted(parse_replacements(replacements), key=len, reverse=True)
    return re.compile(
        "|".join(f"{_edge(word[0])}{re.escape(word)}{_edge(word[-1], after=True)}" for word in words) or "$."
    )


def _edge(letter: str, *, after: bool = False) -> str:
    if not re.match(r"\w", letter):
        return ""
    return r"(?!\w)" if after else r"(?<!\w)"


def _without_underscores(match: re.Match[str]) -> str:
    word = match[0]
    return word if len(word) <= EMOTICON_LENGTH or word.startswith("<") else word.replace("_", " ")


# Capitals -------------------------------------------------------------------------------------------------------------

CASE_STYLES: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "title": lambda text: re.sub(r"[^\W_]+('\w+)?", lambda match: match[0][0].upper() + match[0][1:].lower(), text),
    "first": lambda text: text[:1].upper() + text[1:].lower(),
}
RANDOM_CASE = "random"  # each letter by itself


def with_case(text: str, concept: Concept, choice: RandomChoice, *names: Name) -> str:
    """The text in another way of writing, or as it is. Words in <...> stay as they are."""
    if concept.capitals == "as_is" or not text or not choice.happens(concept.capitals_share, "capitals", *names):
        return text
    kinds = [*CASE_STYLES, RANDOM_CASE] if concept.capitals == "any" else [concept.capitals]
    kind = kinds[choice.one_of([1.0] * len(kinds), "capitals kind", *names)]
    parts = _PLACEHOLDER.split(text)
    for place in range(0, len(parts), 2):
        parts[place] = (
            _random_case(parts[place], choice, *names, place)
            if kind == RANDOM_CASE
            else CASE_STYLES[kind](parts[place])
        )
    return "".join(parts)


def _random_case(text: str, choice: RandomChoice, *names: Name) -> str:
    letters = [
        letter.upper() if letter.isalpha() and choice.happens(0.5, "capital", *names, i) else letter.lower()
        for i, letter in enumerate(text)
    ]
    return "".join(letters)
