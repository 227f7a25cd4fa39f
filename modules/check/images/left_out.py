"""Images that lie in a concept's folder and are not trained, and repeats that its folders' names ask for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from modules.data.index import Index
from modules.data.source.folders import FolderSource, in_kinds
from modules.messages import Finding
from modules.sentences.problem import problem
from modules.sentences.render import fix

METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
MUCH = 0.1  # of the images that are taken
NAMED = 20
REPEATS = re.compile(r"(\d{1,4})_.+")  # what kohya's trainers call a folder: repeats, and the concept


def findings(index: Index) -> Iterator[Finding]:
    """Yield what there is to say."""
    yield from _not_taken(index)
    yield from _filtered(index)
    yield from _metadata(index)
    yield from _nested(index)
    yield from _repeats(index)


def _not_taken(index: Index) -> Iterator[Finding]:
    kinds = Counter[str]()
    for remarks in index.remarks.values():
        kinds.update(dict(remarks.not_taken))
    if kinds:
        severity = "warning" if kinds.total() >= MUCH * index.images else "info"
        values = {"count": kinds.total(), "kinds": in_kinds(kinds.most_common())}
        yield Finding("images.not-taken", severity, "concepts", values)


def _filtered(index: Index) -> Iterator[Finding]:
    images = index.images_of()
    for number, remarks in index.remarks.items():
        if remarks.left_out:
            why = [problem(f"left-out.{setting}", count=count) for setting, count in remarks.left_out]
            left = int(images[number])
            total = left + sum(count for _, count in remarks.left_out)
            values = {"concept": _title(index, number), "left": left, "total": total, "why": why}
            yield Finding("images.filtered", "info", f"concepts.{number}.{remarks.left_out[0][0]}", values)


def _metadata(index: Index) -> Iterator[Finding]:
    """A list as Hugging Face's imagefolder has it, beside images that are read without it."""
    for number in index.remarks:
        source, path = index.sources[number], f"concepts.{number}.path"
        if not isinstance(source, FolderSource) or not index.concepts[number].caption_files:
            continue
        files = [source.folder / name for name in METADATA]
        if found := next((file for file in files if file.is_file()), None):
            values = {"concept": _title(index, number), "file": found.name}
            yield Finding("images.metadata", "info", path, values, [fix("fix.metadata", {path: str(found)})])


def _nested(index: Index) -> Iterator[Finding]:
    for number, remarks in index.remarks.items():
        if remarks.nested:
            yield Finding(
                "images.nested",
                "info",
                f"concepts.{number}.subfolders",
                {"count": len(remarks.nested), "concept": _title(index, number)},
                [fix("fix.subfolders", {f"concepts.{number}.subfolders": True})],
                items=[*remarks.nested[:NAMED]],
            )


def _repeats(index: Index) -> Iterator[Finding]:
    """Where the setting is as it comes: who has set repeats has made up his mind."""
    keys = index.table.column("path").to_pylist()
    for number, concept in enumerate(index.concepts):
        rows = (index.concept_numbers == number).nonzero()[0]
        if concept.repeats != 1 or concept.samples or not len(rows):
            continue
        folders = {PurePosixPath(keys[row]).parent.name or index.sources[number].title for row in rows}
        asked = {folder: int(match[1]) if (match := REPEATS.fullmatch(folder)) else 1 for folder in sorted(folders)}
        if not any(times > 1 for times in asked.values()):
            continue
        times = next(iter(asked.values()))
        alike = len(set(asked.values())) == 1
        yield Finding(
            "images.folder-repeats" if alike else "images.folder-repeats:several",
            "warning",
            f"concepts.{number}.repeats",
            {"concept": _title(index, number), "times": times},
            [fix("fix.repeats", {f"concepts.{number}.repeats": float(times)}, times=times)] if alike else [],
            items=[*asked][:NAMED],
        )


def _title(index: Index, number: int) -> str:
    return index.concepts[number].name or index.sources[number].title
