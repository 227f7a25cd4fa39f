"""From sources to an index: lists images, reads headers and captions, and names everything that is wrong at once.

1. List the images of each concept's source, sorted the same way on every system.
2. Take what an earlier scan read of files that have not changed since (`scan_cache`); read the others, in worker
   processes if they are many.
3. Put images aside that cannot be read, or whose caption cannot; give each good one its bucket, and keep what was read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from modules.data.balance import balanced
from modules.data.buckets import BucketTable, resolutions_of
from modules.data.index import SCHEMA, WEIGHT, WEIGHTED, BadImage, Index
from modules.data.scan.concept_table import OWN, ConceptTable, is_empty, recalled, remember, state_of, texts, together
from modules.data.scan.facts import with_facts
from modules.data.scan.filters import filtered
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
from modules.preset.text.resolutions import Resolution
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.system.runtime import gc_paused

Report = Callable[[int, int], None]
Stop = Callable[[], bool]
Numbers = np.ndarray

CHUNK = 200  # images that are read together
KEEP_EVERY = 50_000  # images: a killed scan reads as many again


def scan(preset: Preset, *, cache: Path | None, report: Report, stop: Stop) -> Index:
    """All images of the enabled concepts. `cache`: the folder that makes the next scan fast.

    `report` gets (done, total). When `stop` says so, what was read is kept, and the index holds only that.

    Raises:
        UserError: no concept, a source that is missing or has no images, or nothing but bad ones.
    """
    with gc_paused():
        index = _scan(preset, cache, report, stop)
    pa.default_memory_pool().release_unused()
    return index


def _scan(preset: Preset, cache: Path | None, report: Report, stop: Stop) -> Index:
    return index_from(preset, *concept_tables(preset, cache, report, stop))


def index_from(preset: Preset, tables: Mapping[int, ConceptTable], notes: Sequence[Problem]) -> Index:
    """What the filters of the concepts leave, in buckets.

    Raises:
        UserError: a concept has nothing left.
    """
    sources = [source_of(concept, number) for number, concept in enumerate(preset.concepts)]
    left = {number: filtered(table, preset.concepts[number]) for number, table in tables.items()}
    return _index(preset, sources, left, [*notes, *_left_out(preset, sources, tables, left)])


def concept_tables(
    preset: Preset, cache: Path | None, report: Report, stop: Stop
) -> tuple[dict[int, ConceptTable], list[Problem]]:
    """Everything in the enabled concepts, with the facts that they ask for, before filters; and what to say of it.

    Raises:
        UserError: as `scan`.
    """
    began_ns = time.time_ns()
    sources = [source_of(with_facts(concept), number) for number, concept in enumerate(preset.concepts)]
    enabled = [number for number, concept in enumerate(preset.concepts) if concept.enabled]
    if not enabled:
        raise UserError("concepts.all-off" if sources else "concepts.none")
    tables = {number: table for number in enabled if (table := recalled(sources[number], cache)) is not None}
    states = {number: state_of(sources[number]) for number in enabled if number not in tables}
    listings = _listed({number: sources[number] for number in states})
    entries, misnamed = _named_in_text(listings)
    known = {
        number: KnownFiles(each, cache, str(preset.concepts[number].subfolders), began_ns)
        for number, each in entries.items()
    }
    _read(list(known.values()), preset.general.workers, report, stop)
    for number, each in known.items():
        tables[number] = _concept_table(each, listings[number], sources[number], misnamed.get(number, []))
        if not each.unread.any():
            remember(tables[number], sources[number], cache, states[number])
    notes = [*_notes(listings.values()), *(note for number in sorted(tables) for note in tables[number].notes)]
    return {number: tables[number] for number in enabled}, notes


def _listed(sources: Mapping[int, Source]) -> dict[int, Listing]:
    """What the sources hold, by the numbers of their concepts."""
    found: dict[int, Listing] = {}
    problems: list[UserError] = []
    for number, source in sources.items():
        try:
            found[number] = source.listing()
        except UserError as error:
            problems.append(error)
    if len(problems) > 1:
        raise Problems(Problem("concepts.unreadable"), [each for error in problems for each in error.report])
    if problems:
        raise problems[0]
    return found


def _named_in_text(listings: Mapping[int, Listing]) -> tuple[dict[int, Entries], dict[int, list[BadImage]]]:
    """The entries of each concept, and those whose names are bytes that are no text: they could not be stored."""
    good: dict[int, Entries] = {}
    bad: dict[int, list[BadImage]] = {}
    for number, listing in listings.items():
        entries = Entries.of(listing.entries[0].file.source, listing.entries)
        every = () if _is_text("".join(entries.keys)) else enumerate(entries.keys)
        wrong = [place for place, key in every if not _is_text(key)]
        places = [entries.address(place).encode("utf-8", "replace").decode() for place in wrong]
        bad[number] = [BadImage(place, Problem("reason.name")) for place in places]
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


def _concept_table(known: KnownFiles, listing: Listing, source: Source, misnamed: list[BadImage]) -> ConceptTable:
    """The images of a concept that can be trained on, and what is wrong with the others.

    Raises:
        UserError: there is none.
    """
    faults = _faults(known, dict(listing.unreadable_captions))
    reached = ~known.unread
    if faults and len(faults) == reached.sum():
        first = faults[min(faults)]
        code = "concept.no-caption-usable" if first.caption else "concept.none-usable"
        raise UserError(code, place=source.place, file=first.name, reason=first.reason)
    reached[list(faults)] = False
    bad = [*misnamed, *(BadImage(place, why) for place, why in listing.unreadable_images)]
    bad += [faults[row] for row in sorted(faults)]
    good = np.flatnonzero(reached)
    return ConceptTable(_table(known, good), bad, _remarks(listing, known, good), known.notes)


def _table(known: KnownFiles, good: Numbers) -> pa.Table:
    entries, sizes = known.entries, known.sizes[good].astype(np.int32)
    columns = {
        "path": pa.array(_chosen(entries.keys, good), pa.large_string()),
        "width": np.ascontiguousarray(sizes[:, 0]),
        "height": np.ascontiguousarray(sizes[:, 1]),
        "mask": texts(_chosen(entries.masks, good) if any(entries.masks) else [], len(good)),
        "condition": texts(_chosen(entries.conditions, good) if any(entries.conditions) else [], len(good)),
        "lines": together([captions.lines(good) for captions in known.captions], len(good)),
    }
    return pa.table(columns, schema=OWN)


def _chosen(values: list[str], rows: Numbers) -> list[str]:
    """The values of some rows."""
    return values if len(rows) == len(values) else [values[row] for row in rows.tolist()]


def _remarks(listing: Listing, known: KnownFiles, good: Numbers) -> Remarks:
    rows = set(good.tolist())
    legacy = sorted((row, n) for n, each in enumerate(known.captions) for row in each.legacy if row in rows)
    files = [DataFile(known.entries.source, known.captions[n].column.keys[row]) for row, n in legacy]
    return replace(listing.remarks, legacy_captions=tuple(dict.fromkeys(files)))


def _index(preset: Preset, sources: list[Source], tables: Mapping[int, ConceptTable], notes: list[Problem]) -> Index:
    bucket_table = BucketTable(preset)
    notes = [*notes, *_missing_caption_notes(preset, sources, tables)]
    bad = [each for table in tables.values() for each in table.bad]
    counts = [tables[number].shown if number in tables else 0 for number in range(len(preset.concepts))]
    loaded = preset.loaded_concepts
    concepts = balanced(loaded, counts) if preset.prior.balance else loaded
    table = _per_resolution(_joined(preset, tables), preset, bucket_table)
    remarks = {number: each.remarks for number, each in tables.items()}
    index = Index(table, concepts, sources, bucket_table.all, bad=bad, notes=notes, remarks=remarks)
    return with_held_out(index, preset.validation)


def _joined(preset: Preset, tables: Mapping[int, ConceptTable]) -> pa.Table:
    """One row an image of every concept, in no bucket yet."""
    found: list[pa.Table] = []
    schema = WEIGHTED if any(WEIGHT in table.column_names for table, *_ in tables.values()) else SCHEMA
    for number, (table, *_) in tables.items():
        count, start = table.num_rows, sum(map(len, found))
        columns = {name: table.column(name) for name in table.column_names} | {
            WEIGHT: table.column(WEIGHT) if WEIGHT in table.column_names else np.ones(count, dtype=np.float32),
            "concept": np.full(count, number, dtype=np.int32),
            "bucket": np.zeros(count, dtype=np.int32),
            "image": np.arange(start, start + count, dtype=np.int32),
        }
        if preset.concepts[number].masks != "file" and not is_empty(columns["mask"]):
            columns["mask"] = texts([], count)
        found.append(pa.table([columns[name] for name in schema.names], schema=schema))
    return pa.concat_tables(found)


def _left_out(
    preset: Preset, sources: list[Source], tables: Mapping[int, ConceptTable], left: Mapping[int, ConceptTable]
) -> Iterator[Problem]:
    """Say how many images the filters leave out.

    Raises:
        UserError: a concept has none left.
    """
    for number, found in left.items():
        why = [problem(f"left-out.{setting}", count=count) for setting, count in found.remarks.left_out]
        title, total = preset.concepts[number].name or sources[number].title, len(tables[number])
        if why and not len(found):
            raise UserError("concept.all-left-out", title=title, total=total, why=why)
        if why:
            yield problem("concept.left-out", title=title, left=len(found), total=total, why=why)


def _missing_caption_notes(
    preset: Preset, sources: list[Source], tables: Mapping[int, ConceptTable]
) -> Iterator[Problem]:
    """Say how many images lack a caption, or one of several files that are used together."""
    bare = total = 0
    several: list[Problem] = []
    for number, found in tables.items():
        concept = preset.concepts[number]
        if not concept.caption_files:
            continue
        total += len(found)
        silent = found.silent(len(concept.caption_files))
        bare += _bare(concept, found, np.flatnonzero(silent.all(axis=0)))
        if concept.several != "first" and len(concept.caption_sources) > 1:
            missing = dict(zip((source.ending for source in concept.caption_files), silent, strict=True))
            name = concept.name or sources[number].title
            several += [
                problem("captions.none-in-file", concept=name, count=int(rows.sum()), total=len(found), ending=ending)
                for ending, rows in missing.items()
                if rows.any()
            ]
    if bare:
        yield problem("captions.none", count=bare, total=total)
    yield from several


def _bare(concept: Concept, found: ConceptTable, silent: Numbers) -> int:
    """How many of the rows whose files say nothing have no other caption either."""
    if len(concept.caption_files) == len(concept.caption_sources):
        return len(silent)
    nothing = [()] * len(concept.caption_files)
    keys = found.table.column("path").take(pa.array(silent)).to_pylist()
    return sum(not any(caption_texts_of(concept, key, nothing)) for key in keys)


def _per_resolution(table: pa.Table, preset: Preset, bucket_table: BucketTable) -> pa.Table:
    """A row for each image becomes one for each of its resolutions, with its bucket. An image's stay together."""
    widths, heights, concepts = (table.column(name).to_numpy() for name in ("width", "height", "concept"))
    numbers_of = {
        number: resolutions_of(preset, preset.concepts[number])
        for number in np.flatnonzero(np.bincount(concepts)).tolist()
    }
    if {len(wanted) for wanted in numbers_of.values()} == {1}:
        return _with_buckets(table, _only_buckets(widths, heights, concepts, numbers_of, bucket_table))
    rows: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
    buckets: list[np.ndarray] = [np.empty(0, dtype=np.int32)]
    for number, wanted in numbers_of.items():
        own = np.flatnonzero(concepts == number)
        numbers = [bucket_table.numbers_for(widths[own], heights[own], resolution) for resolution in wanted]
        rows.append(np.repeat(own, len(wanted)))
        buckets.append(np.stack(numbers, axis=1).ravel())
    taken, numbers = np.concatenate(rows), np.concatenate(buckets)
    if not np.array_equal(taken, np.arange(len(table))):  # else every row stays where it lies
        order = np.argsort(taken, kind="stable")
        table, numbers = table.take(pa.array(taken[order])), numbers[order]
    return _with_buckets(table, numbers)


def _only_buckets(
    widths: Numbers, heights: Numbers, concepts: Numbers, resolutions: Mapping[int, Sequence[Resolution]],
    bucket_table: BucketTable,
) -> Numbers:  # fmt: skip
    """The bucket of each image where all have one resolution: every row stays where it lies."""
    if len(resolutions) == 1:
        return bucket_table.numbers_for(widths, heights, *next(iter(resolutions.values())))
    found = np.empty(len(concepts), dtype=np.int32)
    for number, wanted in resolutions.items():
        own = np.flatnonzero(concepts == number)
        found[own] = bucket_table.numbers_for(widths[own], heights[own], *wanted)
    return found


def _with_buckets(table: pa.Table, numbers: Numbers) -> pa.Table:
    return table.set_column(SCHEMA.get_field_index("bucket"), SCHEMA.field("bucket"), pa.array(numbers))
