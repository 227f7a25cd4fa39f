"""The tags of captions: the most common, those that stand in one caption only, and those written in two ways."""

from __future__ import annotations

from collections.abc import Iterator

from modules.check.captions.texts import Captions
from modules.check.wording import counted, share, short
from modules.messages import Finding

ENOUGH = 10  # images below which a count of tags says nothing
TOP = 10
NAMED = 20


def findings(texts: Captions) -> Iterator[Finding]:
    """Yield what there is to say; nothing where captions are sentences."""
    if not texts.tags or len(texts.said) < ENOUGH:
        return
    yield _common(texts)
    yield from _single(texts)
    yield from _variants(texts)


def _common(texts: Captions) -> Finding:
    (tag, times), *_ = texts.tags.most_common(1)
    captions = sum(count for (_, line), count in texts.times.items() if line)
    return Finding(
        "captions.tags",
        "know",
        f'The most common of {counted(len(texts.tags), "tag")} is "{short(tag)}": it stands in '
        f"{share(times, captions, 'captions')}.",
        "What nearly every image shows goes to the tags that nearly every caption has. A tag for something that is "
        "to be changed later (clothes, a background) should not stand in all of them.",
        setting="concepts",
        bars=[(short(tag, 30), count) for tag, count in texts.tags.most_common(TOP)],
        unit="captions",
    )


def _single(texts: Captions) -> Iterator[Finding]:
    single = sorted(tag for tag, times in texts.tags.items() if times == 1)
    if single:
        yield Finding(
            "captions.rare-tags",
            "know",
            f"{share(len(single), len(texts.tags), 'tags')} stand in one caption only.",
            "From one image hardly a tag is learnt. Look whether some of them are misspelt, or other words for a "
            "common tag.",
            setting="concepts",
            items=[short(tag) for tag in single[:NAMED]],
        )


def _variants(texts: Captions) -> Iterator[Finding]:
    ways: dict[str, list[str]] = {}
    for tag in texts.tags:
        ways.setdefault("".join(letter for letter in tag.casefold() if letter not in " _-"), []).append(tag)
    several = [sorted(tags, key=lambda tag: -texts.tags[tag]) for tags in ways.values() if len(tags) > 1]
    if several:
        several.sort(key=lambda tags: -texts.tags[tags[0]])
        yield Finding(
            "captions.variants",
            "know",
            f"{counted(len(several), 'tag is', 'tags are')} written in more than one way.",
            "Spaces, underscores and hyphens make other tags for the encoder, and each way is learnt from fewer "
            "images. Capitals make no difference to it. Choose one way.",
            setting="concepts",
            items=[" / ".join(f"{tag} ({texts.tags[tag]})" for tag in tags) for tags in several[:NAMED]],
        )
