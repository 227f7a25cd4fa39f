"""Rules between the settings of a concept's captions."""

from __future__ import annotations

from collections.abc import Iterator

from modules.preset.caption_sources import shares_of
from modules.preset.preset import Preset
from modules.preset.tag_patterns import wrong_patterns


def shares(preset: Preset) -> Iterator[str]:
    """Shares that no source belongs to, or sources that have none."""
    for number, concept in enumerate(preset.concepts):
        given, sources = len(shares_of(concept.shares)), len(concept.caption_sources)
        if concept.enabled and concept.several == "pick" and given and given != sources:
            yield (
                f"concepts.{number}.shares names {given} shares, and concepts.{number}.more_captions makes {sources} "
                "sources with the first one. Give each source a share, or none."
            )


def patterns(preset: Preset) -> Iterator[str]:
    """Patterns of tags that are none, or could take for ever."""
    for number, concept in enumerate(preset.concepts):
        if concept.enabled and concept.tag_list_use != "none" and concept.tag_list_patterns:
            yield from (f"concepts.{number}.tag_list {why}." for why in wrong_patterns(concept.tag_list))


CAPTION_RULES = (shares, patterns)
