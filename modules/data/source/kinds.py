"""The kinds of sources: one more is a class that keeps to `Source`, and a row here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from modules.data.source.folders import FolderSource
from modules.data.source.lists import list_at
from modules.data.source.parquet_images import parquet_at
from modules.data.source.source import Source
from modules.data.source.tables.caption_table import with_table
from modules.data.source.tars import tars_at
from modules.preset.sections.concept import Concept
from modules.system.bundled import resolve

# Each gives a source, or None where the path is not of its kind. A folder takes whatever is left, and says what is
# wrong with it when it is listed.
KINDS: list[Callable[[Path, Concept, int], Source | None]] = [tars_at, parquet_at, list_at, FolderSource]


def source_of(concept: Concept, number: int = 0) -> Source:
    """The source of a concept, which is the preset's `number`-th. It is not opened yet.

    Raises:
        UserError: it names something bundled that there is not.
    """
    path = resolve(concept.path)
    kinds = KINDS if concept.path.strip() else [FolderSource]  # which says that none is chosen
    found = next(source for kind in kinds if (source := kind(path, concept, number)) is not None)
    return with_table(found, concept)
