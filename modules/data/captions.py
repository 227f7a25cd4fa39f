"""From what stands beside an image to the caption of one showing. Chance is addressed, so nothing is kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations
from math import factorial
from pathlib import PurePosixPath

from modules.preset.concepts import Concept
from modules.system.seeds import seed_of

Address = int | str


def alternatives_of(concept: Concept, path: str, lines: Sequence[str]) -> tuple[str, ...]:
    """The captions an image may get: `lines` of its caption file, its name, or what the concept says. At least one."""
    if concept.captions == "file":
        found = tuple(lines)
    elif concept.captions == "filename":
        found = (caption_of_name(path),)
    elif concept.captions == "prompt":
        found = tuple(without_empty_lines(concept.prompt))
    else:
        found = ()
    return found or ("",)


def without_empty_lines(text: str) -> list[str]:
    """Lines that say something, without space around them. An empty line is no alternative."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def caption_of_name(path: str) -> str:
    """What a file's name says: "a_red_robot (12).png" says "a red robot". A name of digits alone says nothing."""
    words = PurePosixPath(path).stem.replace("_", " ")
    words = re.sub(r"[\s\-]*(\(\d+\)|\d+)\s*$", "", words)
    return " ".join(words.split())


def caption_for(alternatives: Sequence[str], concept: Concept, *address: Address) -> str:
    """The caption of the showing at `address`: dropped (""), or an alternative, shuffled, between prefix and suffix."""
    if chance(*address, "dropout") < concept.caption_dropout:
        return ""  # exactly empty: it teaches what the model says to no caption, which a prefix would spoil
    text = alternatives[seed_of(*address, "alternative") % len(alternatives)]
    if concept.shuffle_tags:
        kept, loose = tags_of(text, concept)
        order = sorted(range(len(loose)), key=lambda i: seed_of(*address, "tag", i))
        text = joined([*kept, *(loose[i] for i in order)], concept)
    return f"{concept.prefix}{text}{concept.suffix}"


def possible_captions(alternatives: Sequence[str], concept: Concept, limit: int = 64) -> list[str] | None:
    """Every caption that `caption_for` can give, each once; None where there are more than `limit`."""
    found: dict[str, None] = {"": None} if concept.caption_dropout > 0 else {}
    for text in alternatives if concept.caption_dropout < 1 else ():
        ways = orders_of(text, concept, limit)
        if ways is None:
            return None
        found.update((f"{concept.prefix}{way}{concept.suffix}", None) for way in ways)
        if len(found) > limit:
            return None
    return list(found)


def orders_of(text: str, concept: Concept, limit: int) -> list[str] | None:
    """A caption in every order its tags may take; None where there are more than `limit`."""
    if not concept.shuffle_tags:
        return [text]
    kept, loose = tags_of(text, concept)
    if len(loose) > 20 or factorial(len(loose)) > limit:
        return None
    return [joined([*kept, *order], concept) for order in permutations(loose)]


def tags_of(text: str, concept: Concept) -> tuple[list[str], list[str]]:
    """The tags that stay in front, and those that are shuffled."""
    tags = [tag.strip() for tag in text.split(concept.tag_separator) if tag.strip()]
    return tags[: concept.keep_tags], tags[concept.keep_tags :]


def joined(tags: Sequence[str], concept: Concept) -> str:
    separator = concept.tag_separator
    return (separator if separator.endswith((" ", "\n")) else f"{separator} ").join(tags)


def chance(*address: Address) -> float:
    """A number in [0, 1) for an address."""
    return (seed_of(*address) >> 10) / 2**53
