"""Tags of a caption: taken apart, grown, dropped, shuffled, limited, rewritten and put together, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modules.data.text.random_choice import Name, RandomChoice
from modules.data.text.word_changes import with_case
from modules.preset.sections.concept import Concept
from modules.preset.text.tag_patterns import matcher


@dataclass(frozen=True)
class Tags:
    """The tags of a caption: those that stay in front, those that may move or drop, those that stay at the end."""

    first: list[str]
    loose: list[str]
    last: list[str]


def with_tag_settings(text: str, concept: Concept, choice: RandomChoice, *names: Name) -> str:
    """A list of tags as one showing sees it; word for word as it is written where nothing is to be done with it."""
    signs = [sign for sign in (concept.keep_separator, concept.group_separator) if sign]
    if not _changed(concept) and not any(sign in text for sign in signs):
        return text
    tags = tags_of(text, concept)
    if concept.unique_tags:
        tags = _without_repeats(tags)
    loose = tags.loose
    loose = loose[: choice.ramp(min(concept.tag_warmup_from, len(loose)), len(loose), concept.tag_warmup)]
    loose = _after_dropout(loose, concept, choice, *names)
    if concept.shuffle_tags:
        loose = [loose[i] for i in choice.permutation(len(loose), "tag", *names)]
    if concept.most_tags:
        loose = loose[: max(0, concept.most_tags - len(tags.first) - len(tags.last))]
    whole = [_group(tag, concept) for tag in (*tags.first, *loose, *tags.last)]
    return joined([with_case(tag, concept, choice, *names, i) for i, tag in enumerate(whole)], concept)


def _changed(concept: Concept) -> bool:
    return (
        concept.shuffle_tags
        or concept.unique_tags
        or concept.tag_dropout > 0
        or concept.most_tags > 0
        or concept.tag_warmup > 0
        or concept.capitals != "as_is"
    )


def tags_of(text: str, concept: Concept) -> Tags:
    """A caption's tags, by the sign that keeps some if it holds one, else by number."""
    sign = concept.keep_separator
    parts = text.split(sign) if sign else [text]
    if len(parts) == 1:
        tags = split_tags(text, concept.tag_separator)
        return Tags(tags[: concept.keep_tags], tags[concept.keep_tags :], [])
    first, loose, *last = [split_tags(part, concept.tag_separator) for part in parts]
    return Tags(first, loose, [tag for part in last for tag in part])


def every_tag(text: str, concept: Concept) -> list[str]:
    """All tags of a caption, each of a group by itself."""
    tags, sign = tags_of(text, concept), concept.group_separator
    whole = (*tags.first, *tags.loose, *tags.last)
    return [tag.strip() for group in whole for tag in (group.split(sign) if sign else [group]) if tag.strip()]


def split_tags(text: str, separator: str) -> list[str]:
    """What stands between separators, but for those inside brackets, where brackets are closed as they are opened."""
    parts = text.split(separator)
    if "(" in text or "[" in text:
        parts = _unbroken(parts, separator) or parts
    return [part.strip() for part in parts if part.strip()]


def _unbroken(parts: Sequence[str], separator: str) -> list[str]:
    """Parts with those put together again that a bracket spans; nothing where brackets do not match."""
    found: list[list[str]] = []
    depth = 0
    for part in parts:
        if depth:
            found[-1].append(part)
        else:
            found.append([part])
        plain = part.replace("\\\\", "").replace("\\(", "").replace("\\)", "").replace("\\[", "").replace("\\]", "")
        for sign in plain:
            depth += (sign in "([") - (sign in ")]")
            if depth < 0:
                return []
    return [] if depth else [separator.join(each) for each in found]


def joined(tags: Sequence[str], concept: Concept) -> str:
    """Tags with their separator between, and a space behind it."""
    separator = concept.tag_separator
    return (separator if separator.endswith((" ", "\n")) else f"{separator} ").join(tag for tag in tags if tag)


def _group(tag: str, concept: Concept) -> str:
    sign = concept.group_separator
    return joined([part.strip() for part in tag.split(sign)], concept) if sign and sign in tag else tag


def _without_repeats(tags: Tags) -> Tags:
    seen: set[str] = set()

    def new(tag: str) -> bool:
        known = tag.casefold() in seen
        seen.add(tag.casefold())
        return not known

    first, last = [tag for tag in tags.first if new(tag)], [tag for tag in tags.last if new(tag)]
    return Tags(first, [tag for tag in tags.loose if new(tag)], last)


def _after_dropout(loose: list[str], concept: Concept, choice: RandomChoice, *names: Name) -> list[str]:
    """The tags that are not dropped."""
    share, kind = concept.tag_dropout, concept.tag_dropout_kind
    if not share:
        return loose
    together = kind == "all" and choice.happens(share, "tags dropped", *names)
    listed = matcher(concept.tag_list, patterns=concept.tag_list_patterns)

    def dropped(place: int, tag: str) -> bool:
        if concept.tag_list_use != "none" and listed(tag) != (concept.tag_list_use == "only"):
            return False
        if kind == "all":
            return together
        own = share * (place + 1) / len(loose) if kind == "weighted" else share
        return choice.happens(own, "tag dropped", *names, place)

    return [tag for place, tag in enumerate(loose) if not dropped(place, tag)]
