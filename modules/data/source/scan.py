"""From folders to an index: lists files, reads headers and captions, and names everything that is wrong at once.

1. List the files of each concept's folder, sorted the same way on every system.
2. Take what an earlier scan wrote of files that have not changed since (`memo`); read the others, in worker processes
   if they are many.
3. Refuse captions that cannot be read, put bad images aside, give each good one its bucket, and write the memo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from modules.data.balance import balanced
from modules.data.buckets import BucketTable, resolutions_of
from modules.data.index import SCHEMA, BadImage, Index
from modules.data.source.file_info import FileInfo, ReadJob
from modules.data.source.folders import Entry, Listing, list_folder
from modules.data.source.parallel_read import read_file_infos
from modules.data.source.scan_cache import ScanCache
from modules.data.text.captions import caption_texts_of
from modules.data.validation_split import with_held_out
from modules.errors import Problems, UserError, printable
from modules.preset.preset import Preset
from modules.system.bundled import resolve

MAX_LISTED = 20  # problems of one kind that are named one by one

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
    listings = _listed(preset, folders)
    entries, bad = _split([entry for listing in listings for entry in listing.entries])
    bad += [BadImage(path, why) for listing in listings for path, why in listing.unreadable_images]
    known = ScanCache.read(memo) if memo else ScanCache()
    jobs = [_job(entry, known) for entry in entries]
    unknown = [number for number, job in enumerate(jobs) if job.image or job.captions]
    report(len(entries) - len(unknown), len(entries))

    def advance(done: int) -> None:
        report(len(entries) - len(unknown) + done, len(entries))

    new = read_file_infos([jobs[number] for number in unknown], preset.general.workers, advance, stop)
    for number, facts in zip(unknown, new, strict=False):  # shorter where it was stopped
        known.learn(entries[number], facts, jobs[number].captions)
    if memo and unknown:
        with suppress(OSError):  # a full disk: the next scan reads them once more; the cache waits for room and says so
            known.write(memo, entries, {folders[entry.concept] for entry in entries})
    left_out = set(unknown[len(new) :])
    here = [entry for n, entry in enumerate(entries) if n not in left_out]
    return _index(preset, folders, here, known, bad, _notes(listings))


def _split(entries: list[Entry]) -> tuple[list[Entry], list[BadImage]]:
    """Entries, and those whose names are bytes that are no text: they could be neither stored nor shown."""
    good: list[Entry] = []
    bad: list[BadImage] = []
    for entry in entries:
        shown = entry.inside.encode("utf-8", "replace").decode()
        if shown == entry.inside:
            good.append(entry)
        else:
            bad.append(BadImage(entry.path.parent / Path(shown).name, "its name is not valid UTF-8; rename it"))
    return good, bad


def _listed(preset: Preset, folders: list[Path]) -> list[Listing]:
    found: list[Listing] = []
    problems: list[UserError] = []
    enabled = [(number, concept) for number, concept in enumerate(preset.concepts) if concept.enabled]
    for number, concept in enabled:
        try:
            found.append(list_folder(number, concept, folders[number]))
            _refuse_unreadable_caption_files(found[-1])
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


def _job(entry: Entry, known: ScanCache) -> ReadJob:
    """What must still be read of an image and of its caption files."""
    image, captions = known.facts(entry)
    unread = tuple(text for text, said in zip(entry.captions, captions, strict=True) if said is None)
    return ReadJob("" if image else str(entry.path), unread)


def _refuse_unreadable_caption_files(listing: Listing) -> None:
    if listing.unreadable_captions:
        path, why = listing.unreadable_captions[0]
        more = (
            f" {len(listing.unreadable_captions) - 1} more are like it." if len(listing.unreadable_captions) > 1 else ""
        )
        raise UserError(
            f"{printable(path, line=True)} is named as a caption file, but {why}.{more}", advice="Move it away."
        )


def _notes(listings: list[Listing]) -> list[str]:
    """What lies in the folders and is not used."""
    lone = [path for listing in listings for path in listing.orphan_captions]
    if not lone:
        return []
    one, first = len(lone) == 1, printable(lone[0], line=True)
    return [
        f"{len(lone)} caption file{'' if one else 's'} belong{'s' if one else ''} to no image: {first}"
            f"{'.' if one else ', and others.'}"]  # fmt: skip


def _index(
    preset: Preset,
    folders: list[Path],
    entries: list[Entry],
    known: ScanCache,
    unread: list[BadImage],
    notes: list[str],
) -> Index:
    bucket_table = BucketTable(preset)
    facts = [known.facts(entry) for entry in entries]
    _refuse_unreadable_captions(facts)
    torn = [BadImage(e.path, f.image.reason) for e, f in zip(entries, facts, strict=True) if f.image and f.image.reason]
    _refuse_concepts_of_bad_images(preset, entries, facts)
    good = [(e, f.image, f.captions) for e, f in zip(entries, facts, strict=True) if f.image and not f.image.reason]
    widths = np.array([image.width for _, image, _ in good], dtype=np.int32)
    heights = np.array([image.height for _, image, _ in good], dtype=np.int32)
    lines = [[said.lines if said else [] for said in captions] for _, _, captions in good]
    columns = {
        "concept": [entry.concept for entry, _, _ in good],
        "path": [entry.inside for entry, _, _ in good],
        "width": widths,
        "height": heights,
        "bucket": np.zeros(len(good), dtype=np.int32),
        "image": np.arange(len(good), dtype=np.int32),
        "mask": [entry.mask if preset.concepts[entry.concept].masks == "file" else "" for entry, _, _ in good],
        "condition": [entry.condition for entry, _, _ in good],
        "lines": lines,
    }
    notes = [*notes, *_missing_caption_notes(preset, [entry for entry, _, _ in good], lines)]
    table = _per_resolution(pa.table(columns, schema=SCHEMA), preset, bucket_table)
    images = np.bincount([entry.concept for entry, _, _ in good], minlength=len(preset.concepts))
    concepts = balanced(preset.concepts, images.tolist()) if preset.prior.balance else preset.concepts
    index = Index(table, concepts, folders, bucket_table.all, bad=[*unread, *torn], notes=notes)
    return with_held_out(index, preset.validation)


def _missing_caption_notes(preset: Preset, entries: list[Entry], lines: list[list[list[str]]]) -> Iterator[str]:
    """Say how many images lack a caption, or one of several files that are used together."""
    bare = total = 0
    missing, among = Counter[tuple[int, str]](), Counter[int]()
    for entry, files in zip(entries, lines, strict=True):
        concept = preset.concepts[entry.concept]
        total += bool(concept.caption_files)
        among[entry.concept] += 1
        if all(files):
            continue
        bare += not any(files) and not any(caption_texts_of(concept, entry.inside, files))
        if concept.several != "first" and len(concept.caption_sources) > 1:
            silent = [source.ending for source, said in zip(concept.caption_files, files, strict=True) if not said]
            missing.update((entry.concept, ending) for ending in dict.fromkeys(silent))
    if bare:
        yield f"{bare} of {total} images have no caption."
    for (number, ending), times in missing.items():
        name = preset.concepts[number].name or resolve(preset.concepts[number].path).name
        yield f'The concept "{name}": {times} of {among[number]} images have nothing in a {ending} file.'


def _per_resolution(table: pa.Table, preset: Preset, bucket_table: BucketTable) -> pa.Table:
    """A row for each image becomes one for each of its resolutions, with its bucket. An image's stay together."""
    widths, heights, concepts = (table.column(name).to_numpy() for name in ("width", "height", "concept"))
    rows: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
    buckets: list[np.ndarray] = [np.empty(0, dtype=np.int32)]
    for number in np.unique(concepts):
        own = np.flatnonzero(concepts == number)
        wanted = resolutions_of(preset, preset.concepts[number])
        numbers = [bucket_table.numbers_for(widths[own], heights[own], resolution) for resolution in wanted]
        rows.append(np.repeat(own, len(wanted)))
        buckets.append(np.stack(numbers, axis=1).ravel())
    taken = np.concatenate(rows)
    order = np.argsort(taken, kind="stable")
    found = table.take(pa.array(taken[order]))
    place, numbers = SCHEMA.get_field_index("bucket"), pa.array(np.concatenate(buckets)[order])
    return found.set_column(place, SCHEMA.field("bucket"), numbers)


def _refuse_unreadable_captions(facts: Iterable[FileInfo]) -> None:
    problems = list(dict.fromkeys(said.problem for f in facts for said in f.captions if said and said.problem))
    if not problems:
        return
    more = len(problems) - MAX_LISTED
    listed = problems[:MAX_LISTED] + ([f"... and {more} more"] if more > 0 else [])
    one = len(problems) == 1
    raise Problems(f"{len(problems)} caption file{'' if one else 's'} cannot be read:", listed)


def _refuse_concepts_of_bad_images(preset: Preset, entries: list[Entry], facts: list[FileInfo]) -> None:
    reasons: dict[int, list[str]] = {}
    for entry, fact in zip(entries, facts, strict=True):
        reasons.setdefault(entry.concept, []).append(fact.image.reason if fact.image else "")
    for number, found in reasons.items():
        if all(found):
            first = next(entry for entry in entries if entry.concept == number)
            raise UserError(
                f"None of the {len(found)} images in {resolve(preset.concepts[number].path)} can be used. "
                f"The first is {printable(first.path.name, line=True)}: {found[0]}.",
                advice="Copy the images again, or choose another folder.",
            )
