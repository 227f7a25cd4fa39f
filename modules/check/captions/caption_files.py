"""Caption files that cannot be read, are in another encoding, or have nearly the name of an image."""

from __future__ import annotations

from collections.abc import Iterator

from modules.check.wording import MAX_ITEMS, first_items, part_of, short
from modules.data.index import Index
from modules.data.source.file_info import read_caption
from modules.data.source.source import DataFile
from modules.messages import Finding
from modules.sentences.problem import problem
from modules.sentences.render import fix


def findings(index: Index) -> Iterator[Finding]:
    """Yield what there is to say."""
    yield from _unreadable(index)
    yield from _legacy(index)
    yield from _near_misses(index)


def _unreadable(index: Index) -> Iterator[Finding]:
    bad = [each for each in index.bad if each.caption]
    if bad:
        values = part_of(len(bad), index.images + len(index.bad))
        items = [problem("item.reason", file=each.place, reason=each.reason) for each in bad[:MAX_ITEMS]]
        yield Finding("captions.unreadable", "warning", "concepts", values, items=items)


def _legacy(index: Index) -> Iterator[Finding]:
    found = {str(file): file for each in index.remarks.values() for file in each.legacy_captions}
    if not found:
        return
    files = {str(path): str(path) for file in found.values() if (path := file.path)}
    convert = fix("fix.to-utf8", {}, files, count=len(files))
    items = [f"{name}: {_first_line(file)}" for name, file in [*found.items()][:MAX_ITEMS]]
    yield Finding(
        "captions.legacy", "warning", "concepts", {"count": len(found)}, [convert] if files else [], items=items
    )


def _first_line(file: DataFile) -> str:
    return short(next(iter(read_caption(file).lines), ""))


def _near_misses(index: Index) -> Iterator[Finding]:
    missed = [each for remarks in index.remarks.values() for each in remarks.near_misses]
    if not missed:
        return
    files = {
        str(path): str(path.parent / wanted.rpartition("/")[2]) for file, wanted in missed if (path := file.path)
    }  # fmt: skip
    rename = fix("fix.rename-captions", {}, files, count=len(files))
    items = first_items(f"{file} -> {wanted.rpartition('/')[2]}" for file, wanted in missed)
    ways = [rename] if files else []
    yield Finding("captions.near-miss", "warning", "concepts", {"count": len(missed)}, ways, items=items)
