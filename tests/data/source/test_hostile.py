"""Broken archives, Parquet files, lists and tables: what is whole is taken, what is not is named, nothing crashes."""

from __future__ import annotations

import csv
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modules.data.image.pixels import open_image
from modules.data.image_errors import UnusableImage
from modules.data.index import Index
from modules.data.source.tar_file import tar_file
from modules.errors import UserError
from tests.data.pictures import preset_of, scanned
from tests.data.source.test_packed import packed, png, robots

COUNT, TIMES = 4, 12
Written = tuple[Path, Path]  # what a concept names, and the file that is damaged


def _archive(folder: Path) -> Written:
    path = packed(folder / "set" / "a.tar", robots(COUNT))
    packed(folder / "set" / "b.tar", {"good.png": png(7), "good.txt": b"good"})
    return folder / "set", path


def _index(folder: Path) -> Written:
    """Deepghs' index beside an archive."""
    above, path = _archive(folder)
    files = {name: {"offset": each.offset, "size": each.size} for name, each in tar_file(path).members.items()}
    path.with_suffix(".json").write_text(json.dumps({"filesize": path.stat().st_size, "files": files}))
    return above, path.with_suffix(".json")


def _json_in_archive(folder: Path) -> Written:
    files = {f"{n}.png": png(n) for n in range(COUNT)} | {
        f"{n}.json": json.dumps({"caption": "x", "rating": "g", "score": n}).encode() for n in range(COUNT)
    }
    return packed(folder / "a.tar", files), folder / "a.tar"


def _parquet(folder: Path) -> Written:
    images = [{"bytes": png(n), "path": f"{n}.png"} for n in range(COUNT)]
    table = {"image": images, "text": [f"robot {n}" for n in range(COUNT)], "rating": ["g"] * COUNT}
    (folder / "set").mkdir()
    pq.write_table(pa.table(table), folder / "set" / "a.parquet", row_group_size=2)
    pq.write_table(pa.table(table), folder / "set" / "b.parquet", row_group_size=2)
    return folder / "set", folder / "set" / "b.parquet"


def _rows(folder: Path) -> list[dict[str, Any]]:
    for n in range(COUNT):
        (folder / f"{n}.png").write_bytes(png(n))
    return [{"file_name": f"{n}.png", "text": f"robot {n}", "rating": "g", "score": n} for n in range(COUNT)]


def _jsonl(folder: Path) -> Written:
    path = folder / "list.jsonl"
    path.write_text("\n".join(map(json.dumps, _rows(folder))))
    return path, path


def _kohya(folder: Path) -> Written:
    path = folder / "meta.json"
    path.write_text(json.dumps({row.pop("file_name"): row for row in _rows(folder)}))
    return path, path


def _csv(folder: Path) -> Written:
    rows, path = _rows(folder), folder / "list.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path, path


def _list_in_parquet(folder: Path) -> Written:
    path = folder / "list.parquet"
    pq.write_table(pa.Table.from_pylist(_rows(folder)), path)
    return path, path


KINDS = [_archive, _index, _json_in_archive, _parquet, _jsonl, _kohya, _csv, _list_in_parquet]


def _torn(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data[: draw.randrange(len(data))])


def _flipped(data: bytearray, draw: random.Random) -> bytes:
    for _ in range(draw.choice((1, 3, 30))):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


def _other_digits(data: bytearray, draw: random.Random) -> bytes:
    """Wrong offsets, sizes, numbers of rows."""
    digits = [place for place, each in enumerate(data) if chr(each).isdigit()]
    for place in draw.sample(digits, min(3, len(digits))):
        data[place] = draw.choice(b"0123456789")
    return bytes(data)


def _doubled(data: bytearray, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    end = draw.randrange(start, len(data) + 1)
    return bytes(data[:end] + data[start:])


DAMAGES = [_torn, _flipped, _other_digits, _doubled]


def looked_through(index: Index) -> int:
    """How many images can be read. One that cannot says so."""
    good = 0
    for item in index:
        try:
            open_image(item.file)
        except UnusableImage:
            continue
        good += 1
    return good


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.__name__[1:])
@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.__name__[1:])
def test_whatever_is_damaged_is_named_and_the_rest_is_taken(
    kind: Callable[[Path], Written], damage: Callable[[bytearray, random.Random], bytes], tmp_path: Path
) -> None:
    path, file = kind(tmp_path)
    whole, draw = file.read_bytes(), random.Random(f"{kind.__name__} {damage.__name__}")
    for _ in range(TIMES):
        file.write_bytes(damage(bytearray(whole), draw))
        try:
            index = scanned(preset_of({"path": str(path), "min_score": "" if path.suffix in ("", ".parquet") else "0"}))
        except UserError:
            continue  # which says what is wrong
        assert looked_through(index) <= len(index) <= 2 * COUNT + 1


def test_bytes_of_another_place_are_no_image(tmp_path: Path) -> None:
    """An index whose offsets are those of a neighbour, or of a header, or behind the end."""
    above, beside = _index(tmp_path)
    told = json.loads(beside.read_text())
    told["files"]["0.png"]["offset"] -= 512
    told["files"]["1.png"]["size"] = 3
    told["files"]["2.txt"]["offset"] = told["files"]["3.txt"]["offset"]
    beside.write_text(json.dumps(told))
    beside.with_suffix(".tar").touch()  # what an archive holds is remembered until it changes
    index = scanned(preset_of({"path": str(above)}))
    assert {bad.name for bad in index.bad} == {"0.png", "1.png"}
    assert looked_through(index) == len(index) == COUNT - 2 + 1
    told["files"]["0.png"]["offset"] = 10**9  # of no archive of this size: its own headers are read
    beside.write_text(json.dumps(told))
    beside.with_suffix(".tar").touch()
    assert looked_through(scanned(preset_of({"path": str(above)}))) == COUNT + 1


def test_what_comes_twice_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for number in (1, 2):  # as `tar -r` writes a file again: the last counts
            (tmp_path / "0.png").write_bytes(png(number))
            archive.add(tmp_path / "0.png", "0.png")
    (item,) = scanned(preset_of({"path": str(path)}))
    assert item.width == 64
    (tmp_path / "list.csv").write_text("file_name,text,rating\n0.png,one,g\n./0.png,two,g\n0.png,one,s\n")
    (item,) = scanned(preset_of({"path": str(tmp_path / "list.csv"), "ratings": "g"}))
    assert item.captions == ("one", "two")


@pytest.mark.parametrize("columns", [{}, {"text": ["a"]}, {"image": [3]}, {"image": ["x"]}, {"image": [{"url": "x"}]}])
def test_a_table_without_images_says_so(columns: dict[str, Any], tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(UserError):
        scanned(preset_of({"path": str(tmp_path / "a.parquet")}))
