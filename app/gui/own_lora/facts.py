"""What the card says of the user's own folders: images, captions, what is worth a warning. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.gui.captions.files import Caption, read_captions
from app.gui.captions.token_count import known_words
from app.gui.concepts.card import title_of
from app.gui.concepts.dataset_scan import Statistics, statistics
from app.gui.draft.problem_labels import WORDS
from app.gui.session.worker import Report, Stop
from modules.data.source.kinds import source_of
from modules.data.source.source import DataFile
from modules.data.text.captions import has_trigger
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.paths import Values
from modules.preset.preset import Preset
from modules.system.bundled import is_bundled

FEW = 5
SHOWN = 12  # pictures in a row


@dataclass(frozen=True)
class FolderFacts:
    """Of one concept. `problem` is a sentence where its folder cannot be used."""

    number: int  # of the concept
    title: str
    found: Statistics | None
    files: tuple[DataFile, ...] = ()
    captions: tuple[Caption, ...] = ()
    problem: str = ""


def own_concepts(concepts: Sequence[Values]) -> list[int]:
    """The numbers of the concepts that are trained and are the user's own."""
    return [
        number
        for number, concept in enumerate(concepts)
        if concept["enabled"]
        and concept["kind"] == "train"
        and concept["path"]
        and not is_bundled(str(concept["path"]))
    ]


def facts_of(preset: Preset, numbers: Sequence[int], report: Report, stop: Stop) -> list[FolderFacts]:
    """Look into these folders. Takes a while."""
    return [_facts(preset, number, report, stop) for number in numbers if not stop()]


def _facts(preset: Preset, number: int, report: Report, stop: Stop) -> FolderFacts:
    concept = preset.concepts[number]
    title = title_of(concept.model_dump(mode="json"))
    try:
        found = statistics(preset, number, report, stop)
        entries = source_of(concept, number).listing().entries[:SHOWN]
        captions = [
            caption
            for caption in read_captions([concept.model_copy(update={"enabled": True})], report, stop)
            if not caption.problem
        ]
    except (UserError, OSError) as error:
        problem = error.text(WORDS) if isinstance(error, UserError) else str(error)
        return FolderFacts(number, title, None, problem=problem)
    return FolderFacts(number, title, found, tuple(entry.file for entry in entries), tuple(captions))


def summary_of(facts: FolderFacts) -> str:
    """ "16 images, all usable"."""
    found = facts.found
    if found is None:
        return facts.problem
    images = plural(found.images, "1 image", "{count:,} images")
    if found.bad:
        reason = WORDS.what(found.bad[0].reason)
        left = plural(len(found.bad), "1 left out: {reason}", "{count:,} left out: {reason}", reason=reason)
        return f"{images}, {left}"
    return tr("{images}, all usable", images=images)


def warnings_of(facts: FolderFacts) -> list[str]:
    """What is worth a look, each in a few words."""
    found = facts.found
    if found is None:
        return []
    said: list[str] = []
    if found.images < FEW:
        said.append(tr("Few images: 10 to 30 are better"))
    if found.missing and facts.captions:
        said.append(plural(found.missing, "1 without a caption", "{count:,} without a caption"))
    if found.enlarged:
        said.append(plural(found.enlarged, "1 is smaller than needed", "{count:,} are smaller than needed"))
    if equal := sum(len(group) - 1 for group in found.duplicates):
        said.append(plural(equal, "1 duplicate", "{count:,} duplicates"))
    return said


def without_trigger(captions: Sequence[Caption], trigger: str) -> list[int]:
    """The places of the captions in which the word is missing, in one of their lines or in all."""
    return [
        place
        for place, caption in enumerate(captions)
        if caption.missing or not all(has_trigger(line, trigger) for line in caption.lines)
    ]


def trigger_warning(trigger: str, family: str, source: str) -> str:
    """What speaks against this word; "" if nothing does."""
    words = trigger.split()
    known = known_words(words, family, "" if is_bundled(source) else source)  # that one is for the tutorial alone
    if not words or len(known) < len(words):
        return ""
    return tr(
        "The model knows “{trigger}” already: what is learned mixes with it. A made-up word, such as “ohwx”, is free.",
        trigger=trigger,
    )
