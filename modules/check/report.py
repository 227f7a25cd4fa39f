"""Everything that can be known of a run before it is started: the rooms of the check, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from modules.check import arithmetic, buckets, captions, costs, idle, images, memory, paths, precision, validation
from modules.check.arithmetic import Plan
from modules.check.phrases import counted
from modules.check.start import Tell, finding_of, opened, settings_findings
from modules.check.subject import Subject
from modules.errors import Problems, UserError
from modules.messages import Answer, Event, Finding, Note, Phase, Severity
from modules.preset.rules import judged
from modules.trainer.control import Control
from modules.trainer.workspace import anchored

Room = Callable[[Subject], Iterator[Finding]]

# A room is a function: it looks at the subject and yields what it finds. A new one is a file and a row here. It says
# nothing where it cannot know: without a family, without an index.
ROOMS: dict[str, Room] = {
    "paths": paths.findings,
    "arithmetic": arithmetic.findings,
    "captions": captions.findings,
    "images": images.findings,
    "precision": precision.findings,
    "idle": idle.findings,
    "validation": validation.findings,
    "memory": memory.findings,
    "costs": costs.findings,
}
TITLES = {
    "paths": "Looking at the folders",
    "arithmetic": "Counting steps",
    "captions": "Reading the captions",
    "images": "Looking into the images",
    "precision": "Weighing the precision",
    "idle": "Looking for what does nothing",
    "validation": "Looking at what is measured",
    "memory": "Estimating the memory",
    "costs": "Estimating time and disk",
}


class Tally:
    """Passes everything on, and counts what was found."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.found: Counter[Severity] = Counter()

    def tell(self, event: Event) -> None:
        if isinstance(event, Finding):
            self.found[event.severity] += 1
        self._tell(event)


def check(
    values: Mapping[str, Any], tell: Tell, control: Control, *, probe: bool = False, start: bool = False
) -> Answer:
    """Find everything that would go wrong, and tell each thing as it is found: a summary in words.

    `probe` measures a few real steps; `start` leaves out what costs time and is plainly no matter.

    Raises:
        Interrupted: the user wants no more of it.
    """
    tally = Tally(tell)
    try:
        preset = anchored(judged(dict(values)))
    except Problems as error:
        for finding in settings_findings(error.problems):
            tally.tell(finding)
        return Answer("check", f"{_counts(tally)} The rest is looked at when these settings are mended.")
    subject = replace(opened(preset, tally.tell, control), probe=probe, start=start)
    for name in ROOMS:
        control.check()
        tally.tell(Phase(TITLES[name]))
        for finding in _looked(name, subject, tally):
            control.check()
            tally.tell(finding)
    return Answer("check", "\n".join([_counts(tally), *_summary(subject)]))


def _shapes(subject: Subject) -> Iterator[Finding]:
    """The part of the images' room that decodes none."""
    if subject.index is not None:
        yield from buckets.findings(subject, subject.index)


# What looks at nothing large: a run asks it too, so that who never opens the check is told.
QUICK: tuple[Room, ...] = (captions.findings, arithmetic.findings, idle.findings, precision.findings, _shapes)


def warnings(subject: Subject) -> Iterator[Note]:
    """What a run says of itself before it loads anything: what the quick rooms find that will hurt."""
    for room in QUICK:
        for finding in room(subject):
            if finding.severity != "know":
                yield Note(f"{finding.title} {finding.text}".strip(), "warning")


def _looked(name: str, subject: Subject, tally: Tally) -> Iterator[Finding]:
    """What a room finds. What keeps it from looking is a finding as well, if it is the first that stops the run."""
    try:
        yield from ROOMS[name](subject)
    except UserError as error:
        if not tally.found["stop"]:
            yield finding_of(error, f"{name}.cannot-look", "", [])


def _counts(tally: Tally) -> str:
    """ "2 will keep it from starting, 3 will hurt, 4 are worth knowing." """
    number = tally.found
    said = [f"{number['stop']:,} will keep it from starting"] if number["stop"] else ["The preset can start"]
    if number["hurt"]:
        said.append(f"{number['hurt']:,} will hurt")
    if number["know"]:
        said.append(f"{number['know']:,} {'is' if number['know'] == 1 else 'are'} worth knowing")
    return f"{', '.join(said)}."


def _summary(subject: Subject) -> list[str]:
    preset, family, index = subject.preset, subject.family, subject.index
    parts = ", ".join(preset.trained_parts()) or "new words only"
    lines = [f"{preset.card.title}, {type(preset.method).__doc__}. Trained: {parts}."]
    if family is not None:
        lines[0] += f" The model was made for {family.resolution} pixels and predicts {family.noising.said}."
    if index is not None:
        buckets = Counter(index.buckets[number] for number in index.bucket_numbers.tolist())
        shapes = ", ".join(f"{width}x{height}: {count}" for (height, width), count in buckets.most_common(12))
        more = ", ..." if len(buckets) > 12 else ""
        lines.append(f"{counted(index.images, 'image')} in {counted(len(buckets), 'bucket')} ({shapes}{more}).")
        lines.append(Plan.of(preset, index).sentence)
    return lines
