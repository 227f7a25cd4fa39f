"""What is known of images besides captions: rating, score, split, weight.

They are read as captions are: a column of a list, a key of a JSON file beside the image. So every source has them, and
what was read once is remembered. Only those are read that a concept asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modules.preset.sections.concept import Concept
from modules.preset.text.caption_sources import CaptionSource
from modules.preset.text.filters import NUMBER

RATING, SPLIT = "rating", "split"
JSON = ".json"

Numbers = np.ndarray


class ConceptWithFacts(Concept):
    """A concept as a source is to list it: facts follow the captions."""

    @property
    def caption_files(self) -> tuple[CaptionSource, ...]:
        captions = super().caption_files
        return (*captions, *_fact_files(self, captions))


def with_facts(concept: Concept) -> Concept:
    """The concept as it is to be listed; itself where it asks for no facts."""
    return ConceptWithFacts.model_construct(**dict(concept)) if fact_names(concept) else concept


def fact_names(concept: Concept) -> tuple[str, ...]:
    """The columns that the filters and weights of a concept are in, each once."""
    wanted = {
        RATING: bool(concept.ratings.strip()),
        SPLIT: bool(concept.splits.strip()),
        concept.score_column: bool(concept.min_score),
        concept.weight_column: bool(concept.weight_column),
    }
    return tuple(name for name, asked in wanted.items() if asked)


def _fact_files(concept: Concept, captions: Sequence[CaptionSource]) -> Iterator[CaptionSource]:
    """The facts as sources of captions are named: in the JSON that has captions too, or in robot.json."""
    ending = next((source.ending for source in captions if source.ending.lower().endswith(JSON)), JSON)
    return (CaptionSource("file", ending, name) for name in fact_names(concept))


def facts_of(lines: pa.ChunkedArray, each: int, place: int) -> pa.Array:
    """The first line of each image's source number `place`, of `each`; null where there is none."""
    found = [pa.array([], pa.large_string())]
    for chunk in lines.chunks:
        inner = chunk.flatten()
        own = inner.take(pa.array(np.arange(place, len(inner), each)))
        starts = own.offsets.to_numpy()
        found.append(own.values.take(pa.array(starts[:-1], mask=np.diff(starts) == 0)))
    return pa.concat_arrays(found)


def numbers_of(facts: pa.Array) -> Numbers:
    """Facts as numbers; nan where one is missing, or no number."""
    coded = facts.dictionary_encode()  # few differ, mostly
    known, nothing = coded.dictionary, pa.scalar(None, facts.type)
    parsed = pc.call_function("if_else", [matching(known, f"^{NUMBER}$"), known, nothing]).cast(pa.float64())
    numbers = np.append(parsed.to_numpy(zero_copy_only=False), np.nan)
    return numbers[coded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)]


def matching(texts: pa.Array, pattern: str) -> pa.Array:
    """Of each text, whether a regular expression is found in it."""
    return pc.call_function("match_substring_regex", [texts], pc.MatchSubstringOptions(pattern))
