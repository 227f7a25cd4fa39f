"""From folders to an index: lists files, reads headers and captions, and names everything that is wrong at once.

1. List the files of each concept's folder, sorted the same way on every system.
2. Take what an earlier scan wrote of files that have not changed since (`memo`); read the others, in worker processes
   if they are many.
3. Refuse captions that cannot be read, put bad images aside, give each good one its bucket, and write the memo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from modules.data.buckets import buckets_of, nearest_buckets
from modules.data.facts import NO_STAMP, Facts, Job
from modules.data.folders import Entry, entries_of
from modules.data.index import SCHEMA, Bad, Index
from modules.data.memo import Memo
from modules.data.reading import read_facts
from modules.errors import Problems, UserError
from modules.preset.concepts import Concept
from modules.preset.preset import Preset
from modules.system.bundled import resolve

MOST_NAMED = 20  # problems of one kind that are named one by one

Report = Callable[[int, int], None]
Stop = Callable[[], bool]


def scan(preset: Preset, *, memo: Path | None, report: Report, stop: Stop) -> Index:
    """All images of the enabled concepts. `memo` is a file that makes the next scan fast; `report` gets (done, total).

    When `stop` says so, what was read is kept in the memo, and the index holds only that.

    Raises:
        UserError: no concept, a folder that is missing or has no images, or nothing but bad ones.
        Problems: caption files that cannot be read.
    """
    folders = [resolve(concept.path) for concept in preset.concepts]
    entries, nameless = _split(_listed(preset, folders))
    known = Memo.read(memo) if memo else Memo()
    jobs = [_job(entry, known, preset.concepts[entry.concept]) for entry in entries]
    unknown = [number for number, job in enumerate(jobs) if job.image or job.caption]
    report(len(entries) - len(unknown), len(entries))

    def advance(done: int) -> None:
        report(len(entries) - len(unknown) + done, len(entries))

    new = read_facts([jobs[number] for number in unknown], preset.general.workers, advance, stop)
    for number, facts in zip(unknown, new, strict=False):  # shorter where it was stopped
        known.learn(entries[number], facts)
    if memo and unknown:
        known.write(memo, entries, {folders[entry.concept] for entry in entries})
    left_out = set(unknown[len(new) :])
    return _index(preset, folders, [entry for n, entry in enumerate(entries) if n not in left_out], known, nameless)


def _split(entries: list[Entry]) -> tuple[list[Entry], list[Bad]]:
    """Entries, and those whose names are bytes that are no text: they could be neither stored nor shown."""
    good: list[Entry] = []
    bad: list[Bad] = []
    for entry in entries:
        shown = entry.inside.encode("utf-8", "replace").decode()
        if shown == entry.inside:
            good.append(entry)
        else:
            bad.append(Bad(entry.path.parent / Path(shown).name, "its name is not valid UTF-8; rename it"))
    return good, bad


def _listed(preset: Preset, folders: list[Path]) -> list[Entry]:
    found: list[Entry] = []
    problems: list[UserError] = []
    enabled = [(number, concept) for number, concept in enumerate(preset.concepts) if concept.enabled]
    for number, concept in enabled:
        try:
            found += entries_of(number, concept, folders[number])
        except UserError as problem:
            problems.append(problem)
    if len(problems) > 1:
        raise Problems("Some concepts cannot be read:", [str(problem) for problem in problems])
    if problems:
        raise problems[0]
    if not enabled:
        raise UserError(
            "There are no images to train on: " + ("every concept is off." if folders else "there is no concept."),
            advice="Add a folder of images in the tab concepts, or name one with --concept FOLDER.",
        )
    return found


def _job(entry: Entry, known: Memo, concept: Concept) -> Job:
    """What must still be read of an image and of its caption file."""
    captioned = concept.captions == "file" and entry.caption_stamp != NO_STAMP
    image, caption = known.facts(entry)
    return Job("" if image else str(entry.path), str(entry.caption) if captioned and not caption else "")


def _index(preset: Preset, folders: list[Path], entries: list[Entry], known: Memo, nameless: list[Bad]) -> Index:
    shapes = buckets_of(preset)
    facts = [known.facts(entry) for entry in entries]
    _refuse_unreadable_captions(facts)
    torn = [Bad(e.path, f.image.reason) for e, f in zip(entries, facts, strict=True) if f.image and f.image.reason]
    _refuse_concepts_of_bad_images(preset, entries, facts)
    good = [(e, f.image, f.caption) for e, f in zip(entries, facts, strict=True) if f.image and not f.image.reason]
    widths = np.array([image.width for _, image, _ in good], dtype=np.int32)
    heights = np.array([image.height for _, image, _ in good], dtype=np.int32)
    by_file = [preset.concepts[entry.concept].captions == "file" for entry, _, _ in good]
    columns = {
        "concept": [entry.concept for entry, _, _ in good],
        "path": [entry.inside for entry, _, _ in good],
        "width": widths,
        "height": heights,
        "bucket": nearest_buckets(widths, heights, shapes),
        "lines": [c.lines if c and own else [] for (_, _, c), own in zip(good, by_file, strict=True)],
    }
    bare = sum(own and not (c and c.lines) for (_, _, c), own in zip(good, by_file, strict=True))
    notes = [f"{bare} of {sum(by_file)} images have no caption."] if bare else []
    table = pa.table(columns, schema=SCHEMA)
    return Index(table, preset.concepts, folders, shapes, bad=[*nameless, *torn], notes=notes)


def _refuse_unreadable_captions(facts: Iterable[Facts]) -> None:
    problems = list(dict.fromkeys(f.caption.problem for f in facts if f.caption and f.caption.problem))
    if not problems:
        return
    more = len(problems) - MOST_NAMED
    listed = problems[:MOST_NAMED] + ([f"... and {more} more"] if more > 0 else [])
    one = len(problems) == 1
    raise Problems(f"{len(problems)} caption file{'' if one else 's'} cannot be read:", listed)


def _refuse_concepts_of_bad_images(preset: Preset, entries: list[Entry], facts: list[Facts]) -> None:
    reasons: dict[int, list[str]] = {}
    for entry, fact in zip(entries, facts, strict=True):
        reasons.setdefault(entry.concept, []).append(fact.image.reason if fact.image else "")
    for number, found in reasons.items():
        if all(found):
            first = next(entry for entry in entries if entry.concept == number)
            raise UserError(
                f"None of the {len(found)} images in {resolve(preset.concepts[number].path)} can be used. "
                f"The first is {first.path.name}: {found[0]}.",
                advice="Copy the images again, or choose another folder.",
            )
