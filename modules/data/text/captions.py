"""From what stands beside an image to the caption of one showing. Chance is addressed, so nothing is kept.

1. Dropped? Then the caption is exactly empty: a prefix would spoil what it teaches of no caption.
2. Which sources: the first that says anything, one that is drawn, or all; and of each, one of its lines.
3. What each says: {a|b} is drawn, rules and underscores rewrite it, and if it is a list of tags, they are grown,
   dropped, shuffled, limited and written in other capitals (tags.py).
4. The sources are joined, the trigger word is put in front if it is not in there, prefix and suffix around.

The window shows what `caption_for` gives, training asks it, and the cache is filled with `possible_captions`, which
plays through the same code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, product
from pathlib import PurePosixPath

from modules.data.text.random_choice import FirstChoice, KeyedChoice, Name, RandomChoice, all_outcomes
from modules.data.text.tags import joined, with_tag_settings
from modules.data.text.wildcards import with_wildcards
from modules.data.text.word_changes import with_replacements
from modules.preset.sections.concept import Concept
from modules.preset.text.caption_sources import shares_of

CaptionTexts = tuple[tuple[str, ...], ...]  # what each source of an image's captions says: alternatives, or nothing
MOST_JOINED = 256  # ways of joining alternatives that are listed


def caption_texts_of(concept: Concept, inside: str, lines: Sequence[Sequence[str]]) -> CaptionTexts:
    """What each source of a concept says of an image.

    `inside` is its path in the concept's folder, `lines` those of its files in the order of `concept.caption_files`.
    """
    read = iter(lines)
    found: list[tuple[str, ...]] = []
    for source in concept.caption_sources:
        own = tuple(next(read, ())) if source.kind == "file" else CAPTION_KINDS[source.kind](concept, inside)
        if source.kind == "file" and concept.wrapped and len(own) > 1:
            own = (" ".join(own),)
        found.append(own if concept.several != "first" or not any(found) else ())
    return tuple(found)


def without_empty_lines(text: str) -> list[str]:
    """Lines that say something, without space around them. An empty line is no alternative."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def caption_of_name(path: str) -> str:
    """What a file's name says: "a_red_robot (12).png" says "a red robot". A name of digits alone says nothing."""
    words = PurePosixPath(path).stem.replace("_", " ")
    words = re.sub(r"[\s\-]*(\(\d+\)|\d+)\s*$", "", words)
    return " ".join(words.split())


def caption_of_folder(concept: Concept, inside: str) -> str:
    """What the folder of an image is called, without the number that other trainers write in front: "10_sks dog"."""
    within = PurePosixPath(inside).parent.name
    name = within or re.split(r"[\\/:]", concept.path.strip().rstrip("\\/"))[-1]
    return " ".join(re.sub(r"^\d+_", "", name).replace("_", " ").split())


def _lines_of(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


CAPTION_KINDS: dict[str, Callable[[Concept, str], tuple[str, ...]]] = {
    "filename": lambda _, inside: _lines_of(caption_of_name(inside)),
    "folder": lambda concept, inside: _lines_of(caption_of_folder(concept, inside)),
    "prompt": lambda concept, _: tuple(without_empty_lines(concept.prompt)),
}


# The caption of a showing ---------------------------------------------------------------------------------------------


def caption_for(caption_texts: CaptionTexts, concept: Concept, *rng_key: Name, epoch: int = 0, step: int = 0) -> str:
    """The caption of the showing at `rng_key`. `epoch` and `step`, counted from 0: where the run is."""
    return _composed(caption_texts, concept, KeyedChoice(rng_key, epoch, step))


def possible_captions(caption_texts: CaptionTexts, concept: Concept, limit: int = 64) -> list[str] | None:
    """Every caption that `caption_for` can give, each once.

    None where there are more than `limit`, or too many ways to them to be listed.
    """
    return all_outcomes(lambda choice: _composed(caption_texts, concept, choice), limit)


def plain_captions(caption_texts: CaptionTexts, concept: Concept) -> tuple[str, ...]:
    """The alternatives as they are written, one or joined, before anything is done with them.

    At least one; of very many ways to join them, the first.
    """
    present = [own for own in caption_texts if own]
    if concept.several == "join" and len(present) > 1:
        found = islice(map(_separator(concept).join, product(*present)), MOST_JOINED)
    else:
        found = (text for own in present for text in own)
    return tuple(found) or ("",)


def undrawn_caption(text: str, concept: Concept) -> str:
    """A plain caption as it is read where nothing is drawn: with all of its tags, and the first of all options."""
    return with_affixes(_source_text(0, (text,), concept, FirstChoice()), concept)


def with_affixes(text: str, concept: Concept) -> str:
    """A caption with what the concept puts around it."""
    trigger = concept.trigger.strip()
    if trigger and not has_trigger(f"{concept.prefix}{text}{concept.suffix}", trigger):
        text = joined([trigger, text], concept)
    return f"{concept.prefix}{text}{concept.suffix}"


def _composed(caption_texts: CaptionTexts, concept: Concept, choice: RandomChoice) -> str:
    if choice.happens(concept.caption_dropout, "dropout") or choice.epoch_is_nth(concept.dropout_epochs):
        return ""
    said = [
        _source_text(number, caption_texts[number], concept, choice)
        for number in _chosen_sources(caption_texts, concept, choice)
    ]
    return with_affixes(_separator(concept).join(text for text in said if text), concept)


def _chosen_sources(caption_texts: CaptionTexts, concept: Concept, choice: RandomChoice) -> Iterator[int]:
    """The numbers of the sources that speak."""
    present = [number for number, own in enumerate(caption_texts) if own]
    if concept.several == "join" or len(present) < 2:
        yield from present
        return
    shares = shares_of(concept.shares)
    weights = [shares[number] if number < len(shares) else 0.0 if shares else 1.0 for number in present]
    yield present[choice.one_of(weights, "source")]


def _source_text(number: int, own: Sequence[str], concept: Concept, choice: RandomChoice) -> str:
    """What a source says in this showing."""
    names = (number,) if number else ()
    text = own[choice.one_of([1.0] * len(own), "alternative", *names)] if len(own) > 1 else own[0]
    if concept.wildcards:
        text = with_wildcards(text, choice, "wildcard", *names)
    text = with_replacements(text, concept)
    return with_tag_settings(text, concept, choice, *names) if concept.has_tags(number) else text


def _separator(concept: Concept) -> str:
    return concept.join_with.replace("\\n", "\n")


def has_trigger(text: str, trigger: str) -> bool:
    """Whether the trigger word stands in a caption, in capitals or not."""
    return _finds(trigger.strip()).search(text) is not None


def without_trigger(text: str, trigger: str) -> str:
    """A caption without the trigger word, and without the comma that it leaves."""
    parts = [" ".join(part.split()) for part in _finds(trigger.strip()).sub("", text).split(",")]
    return ", ".join(part for part in parts if part)


@lru_cache(64)
def _finds(trigger: str) -> re.Pattern[str]:
    """The trigger word, not as a part of a longer one."""
    return re.compile(rf"(?<!\w){re.escape(trigger)}(?!\w)", re.IGNORECASE)
