"""Which of a concept's images are taken, and how much each counts: all rows at once, by what a scan has read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from modules.data.index import WEIGHT
from modules.data.scan.concept_table import ConceptTable
from modules.data.scan.facts import RATING, SPLIT, fact_names, facts_of, matching, numbers_of
from modules.preset.sections.concept import Concept
from modules.preset.text.filters import number_of, tags_of, words_of

Numbers = np.ndarray
MOST_WEIGHT = 10_000


def filtered(found: ConceptTable, concept: Concept) -> ConceptTable:
    """What is left of a concept, without its facts, and with its weights where it has a column of them."""
    facts = fact_names(concept)
    kept = np.ones(len(found), dtype=bool)
    out: list[tuple[str, int]] = []
    for setting, good in _filters(found.table, concept):
        if count := int((kept & ~good).sum()):
            out.append((setting, count))
        kept &= good
    table = found.table
    if facts or out:
        lines = _captions_of(table.column("lines"), len(concept.caption_files), len(facts), kept)
        place, weights = table.column_names.index("lines"), _weights(table, concept)[kept] if facts else np.empty(0)
        table = table.remove_column(place).filter(pa.array(kept)).add_column(place, "lines", lines)
        if concept.weight_column:
            table = table.append_column(WEIGHT, pa.array(weights.astype(np.float32)))
    return ConceptTable(table, found.bad, replace(found.remarks, left_out=tuple(out)), found.notes)


def _filters(table: pa.Table, concept: Concept) -> Iterator[tuple[str, Numbers]]:
    """Each filter's setting, and which rows it lets through."""
    tags = _Tags(table.column("lines"), concept)
    if groups := tags_of(concept.needs_tags):
        yield "needs_tags", np.logical_and.reduce([tags.rows_with(group) for group in groups])
    if without := [tag for group in tags_of(concept.without_tags) for tag in group]:
        yield "without_tags", ~tags.rows_with(without)
    for setting, name, is_wanted in (("ratings", RATING, _same_rating), ("splits", SPLIT, str.__eq__)):
        if wanted := words_of(getattr(concept, setting)):
            yield setting, _among(_facts(table, concept, name), wanted, is_wanted)
    if (least := number_of(concept.min_score)) is not None:
        yield "min_score", numbers_of(_facts(table, concept, concept.score_column)) >= least
    if concept.min_size:
        sides = [table.column(name).to_numpy() for name in ("width", "height")]
        yield "min_size", np.minimum(*sides) >= concept.min_size
    if concept.weight_column:
        yield "weight_column", _weights(table, concept) > 0


def _weights(table: pa.Table, concept: Concept) -> Numbers:
    """1 where there is none, or what is no number; no more than repeats may be."""
    if not concept.weight_column:
        return np.ones(len(table))
    found = numbers_of(_facts(table, concept, concept.weight_column))
    return np.where(np.isfinite(found), np.minimum(found, MOST_WEIGHT), 1.0)


def _facts(table: pa.Table, concept: Concept, name: str) -> pa.Array:
    names, captions = fact_names(concept), len(concept.caption_files)
    return facts_of(table.column("lines"), captions + len(names), captions + names.index(name))


def _among(facts: pa.Array, wanted: Sequence[str], is_wanted: Callable[[str, str], bool]) -> Numbers:
    """Which facts are wanted: few differ, so that each is asked once."""
    coded = facts.dictionary_encode()
    values = [value.strip().lower() for value in coded.dictionary.to_pylist()]
    good = np.array([any(is_wanted(value, word) for word in wanted) for value in values] + [False])
    return good[coded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)]


def _same_rating(value: str, word: str) -> bool:
    """Boorus say "g" or "general"."""
    return value == word or (1 in (len(value), len(word)) and value[:1] == word[:1])


def _captions_of(lines: pa.ChunkedArray, captions: int, facts: int, kept: Numbers) -> pa.ChunkedArray:
    """The captions of some rows, without facts. Each text is copied once: there may be gigabytes of them."""
    each, start, found = captions + facts, 0, [pa.array([], lines.type)]
    for chunk in lines.chunks:
        rows = np.flatnonzero(kept[start : start + len(chunk)])
        places = (rows[:, None] * each + np.arange(captions)).ravel()
        ends = pa.array(np.arange(len(rows) + 1) * captions, pa.int64())
        found.append(pa.LargeListArray.from_arrays(ends, chunk.flatten().take(pa.array(places))))
        start += len(chunk)
    return pa.chunked_array(found)


class _Tags:
    """The tags in the captions of every row."""

    def __init__(self, lines: pa.ChunkedArray, concept: Concept) -> None:
        self._lines, self._each = lines, len(concept.caption_files) + len(fact_names(concept))
        self._captions = len(concept.caption_files)
        separators = (concept.tag_separator, concept.keep_separator, concept.group_separator)
        self._between = "|".join(re.escape(separator) for separator in separators if separator)

    def rows_with(self, tags: Sequence[str]) -> Numbers:
        """Which rows have one of these tags."""
        any_of = "|".join(map(_pattern, tags))
        whole = rf"(?i)(^|{self._between})\s*({any_of})\s*($|{self._between})"
        return np.concatenate([np.empty(0, bool), *(self._rows_of(chunk, whole) for chunk in self._lines.chunks)])

    def _rows_of(self, chunk: pa.Array, pattern: str) -> Numbers:
        found = np.zeros(len(chunk), dtype=bool)
        if self._captions:
            inner = chunk.flatten()
            has = matching(inner.flatten(), pattern).to_numpy(zero_copy_only=False)
            places = np.repeat(np.arange(len(inner)), np.diff(inner.offsets.to_numpy()))[has]
            found[places[places % self._each < self._captions] // self._each] = True
        return found


def _pattern(tag: str) -> str:
    r"""A tag as a regular expression: with spaces or underscores, and with \( as boards write it, or without."""
    parts = re.split(r"([\s_]+|\\?[()])", tag)
    return "".join(_part(part) for part in parts)


def _part(part: str) -> str:
    if part[-1:] in ("(", ")"):
        return rf"\\?\{part[-1]}"
    return r"[ _]+" if part and not part.strip(" _\t") else re.escape(part)
