"""Lists of images: what kohya's metadata, WebDataset's and Hugging Face's tables, and hand-made CSV say of each image.

Every kind becomes rows of plain values by column. A row that cannot be read is named, and passed over.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from modules.errors import UserError
from modules.preset.files.text_file import NotText, decoded
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.system.reading import read_bytes
from modules.text import GB

MAX_BYTES = 4 * GB
Row = dict[str, Any]  # by the name of its column, in small letters
IMAGES = ("file_name", "image_path", "image", "abs_path", "filename", "path", "file", "img", "filepath")
CAPTIONS = ("caption", "captions", "text", "prompt", "txt", "description", "tags", "tag_string", "additional_feature")
LISTED = ("tags", "tag_string")  # whose lists are tags of one caption, not several captions


class Listed(NamedTuple):
    """What a list says, and the rows that say nothing: their numbers, counted from 1, and why."""

    rows: list[tuple[int, Row]]
    bad: list[tuple[int, Problem]]


def rows_of(path: Path) -> Listed:
    """The rows of a list, with their numbers.

    Raises:
        UserError: it is no such list, or damaged.
        OSError: it cannot be read.
    """
    read = READERS[path.suffix.lower()]
    try:
        found = list(read(path))
    except NotText as error:
        raise unusable(path, problem("caption.not-text", place=error.place)) from error
    except (ValueError, RecursionError, pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # else pyarrow means the content
        raise unusable(path, problem("reason.damaged", error=printable(error, line=True))) from error
    rows = [(number, row) for number, row in found if isinstance(row, dict)]
    return Listed(rows, [(number, row) for number, row in found if isinstance(row, Problem)])


def unusable(path: Path, why: Problem) -> UserError:
    """A file that is no list, or damaged."""
    return UserError("list.unusable", file=printable(path.name, line=True), reason=why)


def _text(path: Path) -> str:
    return decoded(read_bytes(path, MAX_BYTES))[0]


def _lines(path: Path) -> Iterator[tuple[int, Row | Problem]]:
    """JSON Lines: invoke's, img2dataset's, and Hugging Face's metadata.jsonl."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            try:
                held: object = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, problem("caption.no-json", error=printable(error, line=True))
                continue
            yield number, _row(held)


def _json(path: Path) -> Iterator[tuple[int, Row | Problem]]:
    """The metadata of kohya, {name: {"caption": ..., "tags": ...}}, {name: caption}, or a list of objects."""
    held: object = json.loads(_text(path))
    if isinstance(held, dict):
        named = cast("dict[str, Any]", held)
        listed: list[Any] = [_named(name, about) for name, about in named.items()]
    elif isinstance(held, list):
        listed = cast("list[Any]", held)
    else:
        raise ValueError("neither an object nor a list")
    for number, about in enumerate(listed, 1):
        yield number, _row(about)


def _named(name: str, about: Any) -> Any:
    if isinstance(about, str | list):
        return {"file_name": name, "caption": about}
    if not isinstance(about, dict):
        return about
    return {"file_name": name, **cast("dict[str, Any]", about)}


def _table(path: Path) -> Iterator[tuple[int, Row | Problem]]:
    """CSV or TSV with names in its first row; the separator is seen from that."""
    text = _text(path)
    head = text.partition("\n")[0]
    separator = max(",;\t|", key=head.count)
    for number, row in enumerate(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator), 2):
        yield number, plain_row({name: value for name, value in row.items() if isinstance(name, str)})


def _parquet(path: Path) -> Iterator[tuple[int, Row | Problem]]:
    """Parquet without its pictures: those are read one by one."""
    file = pq.ParquetFile(path)
    schema = file.schema_arrow
    plain = [field.name for field in schema if not pa.types.is_struct(field.type) and not _is_bytes(field.type)]
    number = 0
    for batch in file.iter_batches(batch_size=8192, columns=plain):
        for row in batch.to_pylist() if plain else [{}] * batch.num_rows:
            number += 1
            yield number, plain_row(row)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _row(held: object) -> Row | Problem:
    return plain_row(cast("dict[str, Any]", held)) if isinstance(held, dict) else Problem("caption.no-object")


def plain_row(held: dict[str, Any]) -> Row:
    """A row by the names of its columns in small letters, without what is not there."""
    return {name.strip().lower(): value for name, value in held.items() if value is not None}


READERS: dict[str, Callable[[Path], Iterator[tuple[int, Row | Problem]]]] = {
    ".jsonl": _lines, ".ndjson": _lines, ".json": _json, ".csv": _table, ".tsv": _table, ".parquet": _parquet,
}  # fmt: skip


# What a row says ------------------------------------------------------------------------------------------------------


def image_of(row: Row) -> str:
    """The path or name of its image; "" if it has none."""
    return next((value for name in IMAGES if isinstance(value := row.get(name), str) and value.strip()), "").strip()


def captions_of(row: Row, column: str) -> tuple[str, ...]:
    """The alternatives that a column has; without a name, those of the first column that usually has captions."""
    wanted = (column.lower(),) if column else CAPTIONS
    for name in wanted:
        said = row.get(name)
        if column and isinstance(said, int | float | Decimal) and not isinstance(said, bool):
            return (str(said),)
        lines = _as_lines(said, name)
        if lines:
            return lines
    return ()


def _as_lines(said: Any, name: str) -> tuple[str, ...]:
    if isinstance(said, list):
        texts = [text.strip() for text in cast("list[Any]", said) if isinstance(text, str) and text.strip()]
        return (", ".join(texts),) if name in LISTED and texts else tuple(texts)
    if not isinstance(said, str):
        return ()
    if name == "tag_string":  # the boorus' own: spaces between tags
        said = ", ".join(said.split())
    return tuple(line.strip() for line in said.splitlines() if line.strip())
