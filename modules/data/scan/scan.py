"""From sources to an index: lists images, reads headers and captions, and names everything that is wrong at once.

1. List the images of each concept's source, sorted the same way on every system.
2. Take what an earlier scan read of files that have not changed since (`scan_cache`); read the others, in worker
   processes if they are many.
3. Put images aside that cannot be read, or whose caption cannot; give each good one its bucket, and keep what was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from modules.data.balance import balanced
from modules.data.buckets import BucketTable, resolutions_of
from modules.data.index import SCHEMA, BadImage, Index
from modules.data.scan.scan_cache import completed, forget_gone, job_of, keep, known_infos
from modules.data.source.file_info import FileInfo
from modules.data.source.folders import in_kinds
from modules.data.source.kinds import source_of
from modules.data.source.parallel_read import read_file_infos
from modules.data.source.source import CaptionFile, DataFile, Entry, Listing, Remarks, Source
from modules.data.text.captions import caption_texts_of
from modules.data.validation_split import with_held_out
from modules.errors import Problems, UserError
from modules.preset.preset import Preset
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
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

    def fault(self, unreadable: Mapping[str, Problem]) -> BadImage | None:
        """Why it cannot be trained on. `unreadable`: caption files that are none, and why."""
        place = str(self.entry.file)
        if self.info.image and self.info.image.reason:
            return BadImage(place, self.info.image.reason)
        for text, info in zip(self.entry.captions, self.info.captions, strict=True):
            if not isinstance(text, CaptionFile):
                continue
            why = info.problem if info else None
            if unreadable and str(text.file) in unreadable:
                why = problem("caption.not-readable", reason=unreadable[str(text.file)])
            if why:
                name = printable(text.file.name, line=True)
                return BadImage(place, problem("reason.caption", file=name, reason=why), str(text.file))
        return None

    @property
    def legacy_captions(self) -> list[DataFile]:
        """Those of its captions that were read as Windows-1252."""
        pairs = zip(self.entry.captions, self.info.captions, strict=True)
        return [text.file for text, info in pairs if isinstance(text, CaptionFile) and info and info.legacy]


def scan(preset: Preset, *, cache: Path | None, report: Report, stop: Stop) -> Index:
    """All images of the enabled concepts. `cache`: the folder whose read cache makes the next scan fast.

    `report` gets (done, total). When `stop` says so, what was read is kept, and the index holds only that.

    Raises:
        UserError: no concept, a source that is missing or has no images, or nothing but bad ones.
    """
    sources = [source_of(concept, number) for number, concept in enumerate(preset.concepts)]
    listings = _listed(preset, sources)
    found, bad = _named_in_text(listings)
    bad += [BadImage(place, why) for listing in listings.values() for place, why in listing.unreadable_images]
    with ReadCache(cache) as known:
        images = _read(found, known, preset.general.workers, report, stop)
        notes = [*_notes(listings.values()), *([known.note] if known.note else [])]
    unreadable = dict(each for listing in listings.values() for each in listing.unreadable_captions)
    good, faults = _sorted_out(sources, images, unreadable)
    remarks = {number: _remarks(listing, number, good) for number, listing in listings.items()}
    return _index(preset, sources, good, [*bad, *faults], notes, remarks)


def _listed(preset: Preset, sources: list[Source]) -> dict[int, Listing]:
    """What the source of each enabled concept holds, by the number of the concept."""
    found: dict[int, Listing] = {}
    problems: list[UserError] = []
    enabled = [number for number, concept in enumerate(preset.concepts) if concept.enabled]
    for number in enabled:
        try:
            found[number] = sources[number].listing()
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
                bad.append(BadImage(place, Problem("reason.name")))
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


def _notes(listings: Iterable[Listing]) -> Iterator[Problem]:
    """What lies beside the images and is not used."""
    lone = [place for listing in listings for place in listing.orphan_captions]
    if lone:
        code = "captions.orphans:several" if len(lone) > 1 else "captions.orphans"
        yield problem(code, count=len(lone), first=printable(lone[0], line=True))
    if latents := sum(listing.remarks.kohya_latents for listing in listings):
        yield problem("images.kohya-latents", count=latents)
    others = Counter[str]()
    for listing in listings:
        others.update(dict(listing.remarks.not_taken))
    if others:
        yield problem("images.other-kinds", kinds=in_kinds(others.most_common()))


def _sorted_out(
    sources: list[Source], images: list[Image], unreadable: Mapping[str, Problem]
) -> tuple[list[Image], list[BadImage]]:
    """The images that can be trained on, and what is wrong with the others.

    Raises:
        UserError: a concept has no good one.
    """
    faults = [image.fault(unreadable) for image in images]
    for number in {image.concept for image in images}:
        own = [fault for image, fault in zip(images, faults, strict=True) if image.concept == number]
        if all(own) and own[0]:
            code = "concept.no-caption-usable" if own[0].caption else "concept.none-usable"
            raise UserError(code, place=sources[number].place, file=own[0].name, reason=own[0].reason)
    good = [image for image, fault in zip(images, faults, strict=True) if fault is None]
    return good, [fault for fault in faults if fault]


def _remarks(listing: Listing, number: int, images: list[Image]) -> Remarks:
    legacy = {file: None for image in images if image.concept == number for file in image.legacy_captions}
    return replace(listing.remarks, legacy_captions=tuple(legacy))


def _index(
    preset: Preset,
    sources: list[Source],
    good: list[Image],
    bad: list[BadImage],
    notes: list[Problem],
    remarks: Mapping[int, Remarks],
) -> Index:
    bucket_table = BucketTable(preset)
    table = _table(preset, good)
    notes = [*notes, *_missing_caption_notes(preset, sources, good)]
    table = _per_resolution(table, preset, bucket_table)
    counts = np.bincount([image.concept for image in good], minlength=len(preset.concepts))
    concepts = balanced(preset.concepts, counts.tolist()) if preset.prior.balance else preset.concepts
    index = Index(table, concepts, sources, bucket_table.all, bad=bad, notes=notes, remarks=remarks)
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
