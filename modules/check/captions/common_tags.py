"""The tags of captions: the most common, those that stand in one caption only, and those written in two ways."""

from __future__ import annotations

from collections.abc import Iterator

from modules.check.captions.texts import Captions
from modules.check.wording import part_of, short
from modules.data.text.spellings import written_in_several_ways
from modules.messages import Finding

ENOUGH = 10  # images below which a count of tags says nothing
TOP = 10
NAMED = 20


def findings(texts: Captions) -> Iterator[Finding]:
    """Yield what there is to say; nothing where captions are sentences."""
    if not texts.tags or len(texts.images) < ENOUGH:
        return
    yield _common(texts)
    yield from _single(texts)
    yield from _variants(texts)


def _common(texts: Captions) -> Finding:
    (tag, times), *_ = texts.tags.most_common(1)
    captions = sum(count for (_, line), count in texts.times.items() if line)
    return Finding(
        "captions.tags",
        "info",
        "concepts",
        {**part_of(times, captions), "tags": len(texts.tags), "tag": short(tag)},
        bars=[(short(tag, 30), count) for tag, count in texts.tags.most_common(TOP)],
        unit="captions",
    )


def _single(texts: Captions) -> Iterator[Finding]:
    single = sorted(tag for tag, times in texts.tags.items() if times == 1)
    if single:
        items = [short(tag) for tag in single[:NAMED]]
        yield Finding("captions.rare-tags", "info", "concepts", part_of(len(single), len(texts.tags)), items=items)


def _variants(texts: Captions) -> Iterator[Finding]:
    several = written_in_several_ways(texts.tags)
    if several:
        items = [" / ".join(f"{tag} ({texts.tags[tag]})" for tag in tags) for tags in several[:NAMED]]
        yield Finding("captions.variants", "info", "concepts", {"count": len(several)}, items=items)
