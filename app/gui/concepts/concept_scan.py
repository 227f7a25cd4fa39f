"""A concept scanned again and again while its settings change: what filters change needs no second look at files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.gui.draft.problem_labels import WORDS
from app.gui.session.worker import Report, Stop
from modules.data.index import Index
from modules.data.scan.concept_table import ConceptTable
from modules.data.scan.facts import fact_names
from modules.data.scan.scan import concept_tables, index_from
from modules.data.source.kinds import source_of
from modules.data.source.source import Listing, Source
from modules.language import plural
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept
from modules.preset.sections.concepts.filters import FilterSettings
from modules.sentences.problem import Problem, problem


@dataclass(frozen=True, slots=True)
class Scan:
    """An index, and the listing from before it was made: one that differs from it says that files were changed."""

    source: Source
    listing: Listing
    index: Index


@dataclass(frozen=True, slots=True)
class _Read:
    """What the files said, before filters. `made_of`: what else would have them say something else."""

    made_of: tuple[object, ...]
    source: Source
    listing: Listing
    tables: dict[int, ConceptTable]
    notes: Sequence[Problem]


class ConceptScanner:
    """Scans the `number`-th concept of a preset, alone and switched on."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._read: _Read | None = None

    def forget(self) -> None:
        """Files have changed: read them anew."""
        self._read = None

    def scan(self, preset: Preset, report: Report, stop: Stop) -> Scan:
        """The images that are left by the filters.

        Raises:
            UserError: as `modules.data.scan.scan.scan`.
        """
        concepts = [
            concept.model_copy(update={"enabled": here == self._number}) for here, concept in enumerate(preset.concepts)
        ]
        alone, made_of = preset.model_copy(update={"concepts": tuple(concepts)}), read_by(concepts[self._number])
        read = self._read
        if read is None or read.made_of != made_of:
            source = source_of(concepts[self._number], self._number)
            listing = source.listing()
            tables, notes = concept_tables(alone, None, report, stop)
            read = _Read(made_of, source, listing, tables, notes)
            self._read = None if stop() else read
        return Scan(read.source, read.listing, index_from(alone, read.tables, read.notes))


def read_by(concept: Concept) -> tuple[object, ...]:
    """What is read of a concept's files depends on this alone."""
    return (
        concept.path, concept.subfolders, concept.caption_files, concept.caption_table, concept.masks,
        fact_names(concept),
    )  # fmt: skip


def filters_of(concept: Concept) -> list[object]:
    """All that decides which images are taken."""
    return [getattr(concept, name) for name in (*FilterSettings.model_fields, "tag_separator")]


def left_out_in_words(index: Index, number: int) -> str:
    """ " · 12 left out: 10 by rating, 2 too small"; nothing where no filter leaves anything out."""
    remarks = index.remarks.get(number)
    if remarks is None or not remarks.left_out:
        return ""
    why = ", ".join(_reasons(remarks.left_out))
    count = sum(count for _, count in remarks.left_out)
    return plural(count, " · 1 left out: {why}", " · {count:,} left out: {why}", why=why)


def _reasons(left_out: Sequence[tuple[str, int]]) -> Iterator[str]:
    return (WORDS.what(problem(f"left-out.{setting}", count=count)) for setting, count in left_out)
