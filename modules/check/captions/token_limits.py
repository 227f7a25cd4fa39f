"""How long captions are for each text encoder, what is cut from them, and what is never seen for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from modules.check.captions.texts import Captions
from modules.check.context import CheckContext
from modules.check.wording import part_of
from modules.data.text.token_cache import TokenCache
from modules.data.text.tokenizer import whole_word_pattern
from modules.families import Family
from modules.messages import Bar, Finding
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix
from modules.system.read_cache import ReadCache

TOKENIZED_AT_ONCE = 1000  # captions that are counted between two looks at the user's wishes
MAX_CHUNKS = 64  # that model.max_chunks allows
BARS = 12
BARS_IN_A_CHUNK = 3
ONE_TOKEN = "a"  # one token in every byte pair encoding

Lengths = dict[str, list[int]]  # of the chunks of each caption


@dataclass(frozen=True)
class EncoderGroup:
    """Text encoders that cut captions alike, and the captions as they hear them."""

    encoders: tuple[str, ...]
    chunk_size: int
    lengths: Lengths
    times: Counter[str]  # images that each caption stands beside

    @property
    def name(self) -> Problem:
        """What they are called, as a part of a sentence."""
        numbers = [encoder.rpartition("_")[2] for encoder in self.encoders]
        return problem("encoders", count=len(numbers), numbers=numbers)


def findings(context: CheckContext, texts: Captions) -> Iterator[Finding]:
    """Yield for each encoder what is too long for it."""
    if context.family is None:
        return
    family, placeholders = context.family, _with_token_placeholders(context)
    heard = Counter[str]()
    for caption, times in texts.whole.items():
        heard[placeholders(caption)] += times
    for encoders in _encoder_groups(family):
        lengths = _lengths(context, encoders[0], list(heard))
        group = EncoderGroup(encoders, family.chunk_size(encoders[0]), lengths, heard)
        yield from _too_long(group, family, texts)


def _too_long(group: EncoderGroup, family: Family, texts: Captions) -> Iterator[Finding]:
    most, total = family.max_chunks, group.times.total()
    long = sum(group.times[caption] for caption, chunks in group.lengths.items() if len(chunks) > 1)
    cut = sum(group.times[caption] for caption, chunks in group.lengths.items() if len(chunks) > most)
    if not long:
        return
    needed = max(len(chunks) for chunks in group.lengths.values())
    values: dict[str, Any] = {
        "encoders": group.name,
        "chunk": group.chunk_size,
        "needed": needed,
        "longest": max(sum(chunks) for chunks in group.lengths.values()),
    }
    path, bars = "model.max_chunks", _bars(group)
    if not cut:
        yield Finding("captions.long", "info", path, {**part_of(long, total), **values}, bars=bars, unit="captions")
        return
    lost, items = _lost(group, family, texts, most)
    helps = needed <= MAX_CHUNKS and family.card.uses("model.max_chunks")
    yield Finding(
        "captions.cut" if helps else "captions.cut:too-long",
        "warning",
        path,
        {**part_of(cut, total), **values, "most": most, "lost": lost},
        [fix("fix.max-chunks", {path: needed}, chunks=needed)] if helps else [],
        bars=bars,
        unit="captions",
        items=items,
    )


def tokens_read(chunks: list[int], most: int, chunk_size: int) -> int:
    """How many tokens of a caption are read in at most so many chunks."""
    return sum(chunks[: most - 1]) + min(chunk_size, sum(chunks[most - 1 :]))


def _bars(group: EncoderGroup) -> list[Bar]:
    """A histogram of tokens whose steps fall on the ends of chunks."""
    longest = max(sum(chunks) for chunks in group.lengths.values())
    step = max(1, group.chunk_size // BARS_IN_A_CHUNK)
    while longest > BARS * step:
        step = group.chunk_size if step < group.chunk_size else step * 2
    counts = Counter[int]()
    for caption, chunks in group.lengths.items():
        counts[max(0, sum(chunks) - 1) // step] += group.times[caption]
    ends = [problem("bar.tokens", first=n * step + 1, last=(n + 1) * step) for n in range(max(counts) + 1)]
    return [(end, counts[n]) for n, end in enumerate(ends)]


# What is lost ---------------------------------------------------------------------------------------------------------


def _lost(group: EncoderGroup, family: Family, texts: Captions, most: int) -> tuple[Problem, list[str]]:
    """How much is never read, and which tags these are most often."""
    cut = {caption: chunks for caption, chunks in group.lengths.items() if len(chunks) > most}
    if not texts.tags:
        whole = sum(sum(chunks) * group.times[caption] for caption, chunks in group.lengths.items())
        unread = sum((sum(c) - tokens_read(c, most, group.chunk_size)) * group.times[text] for text, c in cut.items())
        return problem("lost.tokens", **part_of(unread, whole)), []
    count = _counter(family, group.encoders[0])
    gone = Counter[str]()
    for caption, chunks in cut.items():
        for tag in _unseen_tags(caption, tokens_read(chunks, most, group.chunk_size), sum(chunks), count):
            gone[tag] += group.times[caption]
    every = sum(sum(map(bool, map(str.strip, text.split(",")))) * times for text, times in group.times.items())
    items = [f"{tag} ({times:,})" for tag, times in gone.most_common(20)]
    return problem("lost.tags", **part_of(gone.total(), every)), items


def _unseen_tags(caption: str, read: int, total: int, count: Callable[[str], int]) -> list[str]:
    """The tags whose first token lies behind the last one that is read."""
    *before, last = caption.split(",")
    parts = [f"{part}," for part in before] + [last]
    starts = [0, *accumulate(count(part) for part in parts)]
    if starts[-1] != total:  # parts that are not read apart: ",(" is one sign
        starts = [count("".join(parts[:n])) for n in range(len(parts) + 1)]
    return [tag for part, start in zip(parts, starts, strict=False) if start >= read and (tag := part.strip(" ,\n"))]


def _counter(family: Family, encoder: str) -> Callable[[str], int]:
    @cache
    def count(text: str) -> int:
        return len(family.token_ids(encoder, text))

    return count


# Counting -------------------------------------------------------------------------------------------------------------


def _encoder_groups(family: Family) -> list[tuple[str, ...]]:
    """The encoders in groups that cut every caption alike: SDXL's two read in the same way."""
    groups: dict[str, list[str]] = {}
    for encoder in family.text_encoders:
        groups.setdefault(family.tokenizer_key(encoder), []).append(encoder)
    return [tuple(group) for group in groups.values()]


def _lengths(context: CheckContext, encoder: str, captions: list[str]) -> Lengths:
    """The chunks of every caption: from the read cache, or counted now and kept there."""
    family = context.family
    assert family is not None
    with ReadCache(Path(context.preset.general.cache)) as cache:
        counted_before = TokenCache(cache, family.tokenizer_key(encoder))
        found = counted_before.get(captions)
        new = [caption for caption in captions if caption not in found]
        for start in range(0, len(new), TOKENIZED_AT_ONCE):
            context.progress("stage.counting-tokens", start, len(new))
            part = new[start : start + TOKENIZED_AT_ONCE]
            lengths = {caption: family.chunk_lengths(encoder, caption) for caption in part}
            counted_before.put(lengths)
            found.update(lengths)
    return found


def _with_token_placeholders(context: CheckContext) -> Callable[[str], str]:
    """Captions with words in place of those that are to be learnt, as many as these will have tokens."""
    words = context.preset.words
    if not words:
        return lambda caption: caption
    vectors = {word.token.lower(): word.vectors for word in words}
    longest_first = sorted(vectors, key=len, reverse=True)
    pattern = re.compile("|".join(whole_word_pattern(word) for word in longest_first), re.IGNORECASE)
    return lambda caption: pattern.sub(lambda word: f" {f'{ONE_TOKEN} ' * vectors[word[0].lower()]}", caption)
