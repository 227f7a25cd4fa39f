"""The kinds of sources: one more is a class that keeps to `Source`, and a row here."""

from __future__ import annotations

from collections.abc import Callable

from modules.data.source.folders import FolderSource
from modules.data.source.source import Source
from modules.preset.sections.concept import Concept
from modules.system.bundled import resolve


def _folder(concept: Concept, number: int) -> Source:
    return FolderSource(resolve(concept.path), concept, number)


# Each gives a source, or None where a concept's path is not of its kind. A folder takes whatever is left, and says what
# is wrong with it when it is listed.
KINDS: list[Callable[[Concept, int], Source | None]] = [_folder]


def source_of(concept: Concept, number: int = 0) -> Source:
    """The source of a concept, which is the preset's `number`-th. It is not opened yet.

    Raises:
        UserError: it names something bundled that there is not.
    """
    return next(source for kind in KINDS if (source := kind(concept, number)) is not None)
