"""From sources to an index: lists images, reads headers and captions, and names everything that is wrong at once.

1. List the images of each concept's source, sorted the same way on every system.
2. Take what an earlier scan read of files that have not changed since (`scan_cache`); read the others, in worker
   processes if they are many.
3. Refuse captions that cannot be read, put bad images aside, give each good one its bucket, and keep what was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from modules.data.balance import balanced
from modules.data.buckets import BucketTable, resolutions_of
from modules.data.index import SCHEMA, BadImage, Index
from modules.data.scan.scan_cache import completed, forget_gone, job_of, keep, known_infos
from modules.data.source.file_info import FileInfo
from modules.data.source.kinds import source_of
from modules.data.source.parallel_read import read_file_infos
from modules.data.source.source import Entry, Listing, Source
from modules.data.text.captions import caption_texts_of
from modules.data.validation_split import with_held_out
from modules.errors import Problems, UserError
from modules.preset.preset import Preset
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, as_it_is, problem
from modules.system.read_cache import ReadCache

Report = Callable[[int, int], None]
Stop = Callable[[], bool]


class Image(NamedTuple):
    """An image of a concept, and what is known of it."""

    concept: int
    entry: Entry
    info: FileInfo

    @property
    def lines(self) -> list[list[str]]:
        """Of each caption file, in their order."""
        return [info.lines if info else [] for info in self.info.captions]

    @property
    def reason(self) -> str:
        """Why it cannot be used; empty of a good one."""
        return self.info.image.reason if self.info.image else ""


def scan(preset: Preset, *, cache: Path | None, report: Report, stop: Stop) -> Index:
    """All images of the enabled concepts. `cache`: the folder whose read cache makes the next scan fast.

    `report` gets (done, total). When `stop` says so, what was read is kept, and the index holds only that.

    Raises:
        UserError: no concept, a source that is missing or has no images, or nothing but bad ones.
        Problems: captions that cannot be read.
    """
    sources = [source_of(concept, number) for number, concept in enumerate(preset.concepts)]
    listings = _listed(preset, sources)
    found, bad = _named_in_text(listings)
    bad += [BadImage(place, why) for listing in listings.values() for place, why in listing.unreadable_images]
    with ReadCache(cache) as known:
        images = _read(found, known, preset.general.workers, report, stop)
        notes = [*_notes(listings.values()), *([known.note] if known.note else [])]
    return _index(preset, sources, images, bad, notes)


def _listed(preset: Preset, sources: list[Source]) -> dict[int, Listing]:
    """What the source of each enabled concept holds, by the number of the concept."""
    found: dict[int, Listing] = {}
    problems: list[UserError] = []
    enabled = [number for number, concept in enumerate(preset.concepts) if concept.enabled]
    for number in enabled:
        try:
            found[number] = sources[number].listing()
            _refuse_unreadable_caption_files(found[number])
        except UserError as error:
            problems.append(error)
    if len(problems) > 1:
        raise Problems(Problem("concepts.unreadable"), [each for error in problems for each in error.report])
    if problems:
        raise problems[0]
    if not enabled:
        raise UserError("concepts.all-off" if sources else "concepts.none")
    return found


def _named_in_text(listings: Mapping[int, Listing]) -> tuple[list[tuple[int, Entry]], list[BadImage]]:
    """(concept, entry) of all images, and those whose names are bytes that are no text: they could not be stored."""
    good: list[tuple[int, Entry]] = []
    bad: list[BadImage] = []
    for number, listing in listings.items():
        for entry in listing.entries:
            key = entry.file.key
            if key.encode("utf-8", "replace").decode() == key:
                good.append((number, entry))
            else:
                place = str(entry.file).encode("utf-8", "replace").decode()
                bad.append(BadImage(place, "its name is not valid UTF-8; rename it"))
    return good, bad


def _read(found: list[tuple[int, Entry]], cache: ReadCache, workers: int, report: Report, stop: Stop) -> list[Image]:
    """What is known of each image, or read now; without those that were not reached when `stop` said so."""
    entries = [entry for _, entry in found]
    infos = known_infos(cache, entries)
    jobs = [job_of(entry, info) for entry, info in zip(entries, infos, strict=True)]
    unknown = [place for place, job in enumerate(jobs) if job.image or job.captions]
    report(len(entries) - len(unknown), len(entries))

    def advance(done: int) -> None:
        report(len(entries) - len(unknown) + done, len(entries))

    new = read_file_infos([jobs[place] for place in unknown], workers, advance, stop)
    done = unknown[: len(new)]
    for place, info in zip(done, new, strict=True):
        infos[place] = completed(infos[place], info)
    if done:
        keep(cache, [entries[place] for place in done], [jobs[place] for place in done], new)
        forget_gone(cache, entries)
    left_out = set(unknown[len(new) :])
    return [
        Image(number, entry, info)
        for place, ((number, entry), info) in enumerate(zip(found, infos, strict=True))
        if place not in left_out
    ]


def _refuse_unreadable_caption_files(listing: Listing) -> None:
    if listing.unreadable_captions:
        place, why = listing.unreadable_captions[0]
        count = len(listing.unreadable_captions) - 1
        more = [problem("captions.more", count=count)] if count else []
        raise UserError("captions.not-text", file=place, reason=why, more=more)


def _notes(listings: Iterable[Listing]) -> list[Problem]:
    """What lies beside the images and is not used."""
    lone = [place for listing in listings for place in listing.orphan_captions]
    code = "captions.orphans:several" if len(lone) > 1 else "captions.orphans"
    return [problem(code, count=len(lone), first=printable(lone[0], line=True))] if lone else []


def _index(
    preset: Preset, sources: list[Source], images: list[Image], unread: list[BadImage], notes: list[Problem]
) -> Index:
    bucket_table = BucketTable(preset)
    _refuse_unreadable_captions(image.info for image in images)
    torn = [BadImage(str(image.entry.file), image.reason) for image in images if image.reason]
    _refuse_concepts_of_bad_images(sources, images)
    good = [image for image in images if not image.reason]
    table = _table(preset, good)
    notes = [*notes, *_missing_caption_notes(preset, sources, good)]
    table = _per_resolution(table, preset, bucket_table)
    counts = np.bincount([image.concept for image in good], minlength=len(preset.concepts))
    concepts = balanced(preset.concepts, counts.tolist()) if preset.prior.balance else preset.concepts
    index = Index(table, concepts, sources, bucket_table.all, bad=[*unread, *torn], notes=notes)
    return with_held_out(index, preset.validation)


def _table(preset: Preset, images: list[Image]) -> pa.Table:
    """One row an image, in no bucket yet."""
    sizes = [image.info.image[:2] if image.info.image else (0, 0) for image in images]
    columns = {
        "concept": [image.concept for image in images],
        "path": [image.entry.file.key for image in images],
        "width": [width for width, _ in sizes],
        "height": [height for _, height in sizes],
        "bucket": np.zeros(len(images), dtype=np.int32),
        "image": np.arange(len(images), dtype=np.int32),
        "mask": [image.entry.mask if preset.concepts[image.concept].masks == "file" else "" for image in images],
        "condition": [image.entry.condition for image in images],
        "lines": [image.lines for image in images],
    }
    return pa.table(columns, schema=SCHEMA)


def _missing_caption_notes(preset: Preset, sources: list[Source], images: list[Image]) -> Iterator[Problem]:
    """Say how many images lack a caption, or one of several files that are used together."""
    bare = total = 0
    missing, among = Counter[tuple[int, str]](), Counter[int]()
    for image in images:
        concept, lines = preset.concepts[image.concept], image.lines
        total += bool(concept.caption_files)
        among[image.concept] += 1
        if all(lines):
            continue
        bare += not any(lines) and not any(caption_texts_of(concept, image.entry.file.key, lines))
        if concept.several != "first" and len(concept.caption_sources) > 1:
            silent = [source.ending for source, said in zip(concept.caption_files, lines, strict=True) if not said]
            missing.update((image.concept, ending) for ending in dict.fromkeys(silent))
    if bare:
        yield problem("captions.none", count=bare, total=total)
    for (number, ending), times in missing.items():
        name = preset.concepts[number].name or sources[number].title
        values: dict[str, Any] = {"concept": name, "count": times, "total": among[number], "ending": ending}
        yield problem("captions.none-in-file", **values)


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


def _refuse_unreadable_captions(infos: Iterable[FileInfo]) -> None:
    captions = [caption for info in infos for caption in info.captions if caption]
    problems = list(dict.fromkeys(caption.problem for caption in captions if caption.problem))
    if not problems:
        return
    raise Problems(problem("captions.unreadable", count=len(problems)), [as_it_is(text) for text in problems])


def _refuse_concepts_of_bad_images(sources: list[Source], images: list[Image]) -> None:
    by_concept: dict[int, list[Image]] = {}
    for image in images:
        by_concept.setdefault(image.concept, []).append(image)
    for number, own in by_concept.items():
        if all(image.reason for image in own):
            place, first = sources[number].place, own[0]
            raise UserError(
                "concept.none-usable", count=len(own), place=place, file=first.entry.file.name, reason=first.reason
            )
