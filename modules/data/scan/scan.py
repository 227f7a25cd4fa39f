"""From sources to an index: lists images, reads headers and captions, and names everything that is wrong at once.

1. List the images of each concept's source, sorted the same way on every system.
2. Take what an earlier scan read of files that have not changed since (`scan_cache`); read the others, in worker
   processes if they are many.
3. Put images aside that cannot be read, or whose caption cannot; give each good one its bucket, and keep what was read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from modules.data.balance import balanced
from modules.data.buckets import BucketTable, resolutions_of
from modules.data.index import SCHEMA, BadImage, Index
from modules.data.scan.scan_cache import KnownFiles
from modules.data.source.entries import Entries
from modules.data.source.folders import in_kinds
from modules.data.source.kinds import source_of
from modules.data.source.parallel_read import read_file_infos
from modules.data.source.source import DataFile, Listing, Remarks, Source
from modules.data.text.captions import caption_texts_of
from modules.data.validation_split import with_held_out
from modules.errors import Problems, UserError
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.system.runtime import gc_paused

Report = Callable[[int, int], None]
Stop = Callable[[], bool]
Numbers = np.ndarray

CHUNK = 200  # images that are read together
KEEP_EVERY = 50_000  # images: a killed scan reads as many again


class ConceptImages(NamedTuple):
    """The images of a concept that can be trained on, in columns."""

    number: int  # of the concept
    known: KnownFiles
    good: Numbers  # their rows
    lines: list[pa.LargeListArray]  # of each caption file, what it says of each of them

    @property
    def keys(self) -> list[str]:
        return _chosen(self.known.entries.keys, self.good)


def scan(preset: Preset, *, cache: Path | None, report: Report, stop: Stop) -> Index:
    """All images of the enabled concepts. `cache`: the folder that makes the next scan fast.

    `report` gets (done, total). When `stop` says so, what was read is kept, and the index holds only that.

    Raises:
        UserError: no concept, a source that is missing or has no images, or nothing but bad ones.
    """
    with gc_paused():
        return _scan(preset, cache, report, stop)


def _scan(preset: Preset, cache: Path | None, report: Report, stop: Stop) -> Index:
    began_ns = time.time_ns()
    sources = [source_of(concept, number) for number, concept in enumerate(preset.concepts)]
    listings = _listed(preset, sources)
    entries, bad = _named_in_text(listings)
    bad += [BadImage(place, why) for listing in listings.values() for place, why in listing.unreadable_images]
    known = {
        number: KnownFiles(each, cache, str(preset.concepts[number].subfolders), began_ns)
        for number, each in entries.items()
    }
    _read(list(known.values()), preset.general.workers, report, stop)
    notes = [*_notes(listings.values()), *(note for each in known.values() for note in each.notes)]
    unreadable = dict(each for listing in listings.values() for each in listing.unreadable_captions)
    images: list[ConceptImages] = []
    for number, each in known.items():
        faults = _faults(each, unreadable)
        bad += [faults[row] for row in sorted(faults)]
        images.append(_usable(number, each, faults, sources[number]))
    remarks = {one.number: _remarks(listings[one.number], one) for one in images}
    return _index(preset, sources, images, bad, notes, remarks)


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


def _named_in_text(listings: Mapping[int, Listing]) -> tuple[dict[int, Entries], list[BadImage]]:
    """The entries of each concept, and those whose names are bytes that are no text: they could not be stored."""
    good: dict[int, Entries] = {}
    bad: list[BadImage] = []
    for number, listing in listings.items():
        entries = Entries.of(listing.entries[0].file.source, listing.entries)
        wrong = (
            [] if _is_text("".join(entries.keys)) else [i for i, key in enumerate(entries.keys) if not _is_text(key)]
        )
        bad += [
            BadImage(str(entries[place].file).encode("utf-8", "replace").decode(), Problem("reason.name"))
            for place in wrong
        ]
        good[number] = entries.without(wrong)
    return good, bad


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(known: list[KnownFiles], workers: int, report: Report, stop: Stop) -> None:
    """Read what is not known, or as much of it as can be until `stop` says so."""
    unread = [np.flatnonzero(each.unread) for each in known]
    total, files = sum(len(each.entries) for each in known), sum(map(len, unread))
    done, kept = total - files, total - files
    report(done, total)
    parts = [
        (each, rows[i : i + CHUNK])
        for each, rows in zip(known, unread, strict=True)
        for i in range(0, len(rows), CHUNK)
    ]
    read = read_file_infos((each.job(rows) for each, rows in parts), files, workers, stop)
    for (each, rows), info in zip(parts, read, strict=False):
        each.take_in(rows, info)
        done += len(rows)
        report(done, total)
        if done - kept >= KEEP_EVERY:
            each.keep()
            kept = done
    for each in known if files else ():
        each.keep()
        if done == total:
            each.tidy()


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


def _faults(known: KnownFiles, unreadable: Mapping[str, Problem]) -> dict[int, BadImage]:
    """The images that cannot be trained on, by their rows. `unreadable`: caption files that are none, and why."""
    entries = known.entries
    found = {row: BadImage(entries.address(row), reason) for row, reason in known.reasons.items()}
    for captions in known.captions:
        files = [DataFile(entries.source, captions.column.keys[row]) for row in range(len(entries)) if unreadable]
        wrong = {
            row: problem("caption.not-readable", reason=unreadable[str(file)])
            for row, file in enumerate(files)
            if str(file) in unreadable
        }
        for row, why in {**captions.problems, **wrong}.items():
            file = DataFile(entries.source, captions.column.keys[row])
            reason = problem("reason.caption", file=printable(file.name, line=True), reason=why)
            found.setdefault(row, BadImage(entries.address(row), reason, str(file)))
    return found


def _usable(number: int, known: KnownFiles, faults: Mapping[int, BadImage], source: Source) -> ConceptImages:
    """The images of a concept that can be trained on.

    Raises:
        UserError: there is none.
    """
    reached = ~known.unread
    if faults and len(faults) == reached.sum():
        first = faults[min(faults)]
        code = "concept.no-caption-usable" if first.caption else "concept.none-usable"
        raise UserError(code, place=source.place, file=first.name, reason=first.reason)
    reached[list(faults)] = False
    good = np.flatnonzero(reached)
    return ConceptImages(number, known, good, [captions.lines(good) for captions in known.captions])


def _chosen(values: list[str], rows: Numbers) -> list[str]:
    """The values of some rows."""
    return values if len(rows) == len(values) else [values[row] for row in rows.tolist()]


def _remarks(listing: Listing, images: ConceptImages) -> Remarks:
    good = set(images.good.tolist())
    legacy = sorted((row, n) for n, each in enumerate(images.known.captions) for row in each.legacy if row in good)
    columns = images.known.entries.captions
    files = [DataFile(images.known.entries.source, columns[n].keys[row]) for row, n in legacy]
    return replace(listing.remarks, legacy_captions=tuple(dict.fromkeys(files)))


def _index(
    preset: Preset,
    sources: list[Source],
    images: list[ConceptImages],
    bad: list[BadImage],
    notes: list[Problem],
    remarks: Mapping[int, Remarks],
) -> Index:
    bucket_table = BucketTable(preset)
    notes = [*notes, *_missing_caption_notes(preset, sources, images)]
    table = _per_resolution(_table(preset, images), preset, bucket_table)
    counts = np.zeros(len(preset.concepts), dtype=np.int64)
    counts[[one.number for one in images]] = [len(one.good) for one in images]
    concepts = balanced(preset.concepts, counts.tolist()) if preset.prior.balance else preset.concepts
    index = Index(table, concepts, sources, bucket_table.all, bad=bad, notes=notes, remarks=remarks)
    return with_held_out(index, preset.validation)


def _table(preset: Preset, images: list[ConceptImages]) -> pa.Table:
    """One row an image, in no bucket yet."""
    tables: list[pa.Table] = []
    for one in images:
        count, entries = len(one.good), one.known.entries
        sizes = one.known.sizes[one.good].astype(np.int32)
        masked = preset.concepts[one.number].masks == "file" and any(entries.masks)
        columns = {
            "concept": np.full(count, one.number, dtype=np.int32),
            "path": pa.array(one.keys, pa.large_string()),
            "width": np.ascontiguousarray(sizes[:, 0]),
            "height": np.ascontiguousarray(sizes[:, 1]),
            "bucket": np.zeros(count, dtype=np.int32),
            "image": np.arange(count, dtype=np.int32) + sum(map(len, tables)),
            "mask": _texts(_chosen(entries.masks, one.good) if masked else [], count),
            "condition": _texts(_chosen(entries.conditions, one.good) if any(entries.conditions) else [], count),
            "lines": _together(one.lines, count),
        }
        tables.append(pa.table(columns, schema=SCHEMA))
    return pa.concat_tables(tables)


def _texts(texts: list[str], count: int) -> pa.Array:
    """A column of texts; of none, of as many empty ones."""
    return pa.array(texts, pa.large_string()) if texts else pa.repeat(pa.scalar("", pa.large_string()), count)


def _together(columns: list[pa.LargeListArray], count: int) -> pa.LargeListArray:
    """The lines of each caption file in one column: of each image a list of them."""
    inner = pa.concat_arrays(columns) if columns else pa.array([], pa.large_list(pa.large_string()))
    if len(columns) > 1:
        inner = inner.take(pa.array(np.arange(len(columns) * count).reshape(-1, count).T.ravel()))
    return pa.LargeListArray.from_arrays(pa.array(np.arange(count + 1) * len(columns), pa.int64()), inner)


def _missing_caption_notes(preset: Preset, sources: list[Source], images: list[ConceptImages]) -> Iterator[Problem]:
    """Say how many images lack a caption, or one of several files that are used together."""
    bare = total = 0
    several: list[Problem] = []
    for one in images:
        concept, count = preset.concepts[one.number], len(one.good)
        if not concept.caption_files:
            continue
        total += count
        silent = np.stack([np.diff(lines.offsets.to_numpy()) == 0 for lines in one.lines])  # (files, images)
        bare += _bare(concept, one, np.flatnonzero(silent.all(axis=0)))
        if concept.several != "first" and len(concept.caption_sources) > 1:
            missing = dict(zip((source.ending for source in concept.caption_files), silent, strict=True))
            name = concept.name or sources[one.number].title
            several += [
                problem("captions.none-in-file", concept=name, count=int(rows.sum()), total=count, ending=ending)
                for ending, rows in missing.items()
                if rows.any()
            ]
    if bare:
        yield problem("captions.none", count=bare, total=total)
    yield from several


def _bare(concept: Concept, images: ConceptImages, silent: Numbers) -> int:
    """How many of the rows whose files say nothing have no other caption either."""
    if len(concept.caption_files) == len(concept.caption_sources):
        return len(silent)
    nothing = [()] * len(concept.caption_files)
    return sum(not any(caption_texts_of(concept, key, nothing)) for key in _chosen(images.keys, silent))


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
