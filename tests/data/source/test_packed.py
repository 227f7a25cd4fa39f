"""Images in tar archives, Parquet files and lists: as other programs write them, at random, damaged, and trained on."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from modules.data.source.folders import FolderSource
from modules.data.source.kinds import source_of
from modules.data.source.lists import ListSource
from modules.data.source.parquet_images import ParquetSource
from modules.data.source.source import Listing, Source
from modules.data.source.table_file import READERS
from modules.data.source.tables.joined_table import joined_table
from modules.data.source.tar_file import tar_file
from modules.data.source.tars import TarSource
from modules.errors import UserError
from modules.preset.sections.concept import IMAGE_FILES, Concept
from modules.sentences.render import PLAIN
from modules.system.stamps import stamp_of
from tests.data.pictures import aged, preset_of, scanned
from tests.trainer.runs import end_of, run, values


def png(number: int, ending: str = "PNG") -> bytes:
    stream = io.BytesIO()
    pixels = np.full((64, 64 + 32 * (number % 2), 3), 20 * number, np.uint8)
    Image.fromarray(pixels).save(stream, ending)
    return stream.getvalue()


def robots(count: int = 4) -> dict[str, bytes]:
    """Pictures with captions, as a shard has them; the first has a mask."""
    found: dict[str, bytes] = {}
    for number in range(count):
        found |= {f"{number}.png": png(number), f"{number}.txt": f"robot {number}".encode()}
    return found | {"0-masklabel.png": png(0)}


def packed(path: Path, files: Mapping[str, bytes], kind: int = tarfile.PAX_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=kind) as archive:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return path


def concept(path: Path, **settings: Any) -> dict[str, Any]:
    return {"path": str(path), **settings}


def source(path: Path) -> Source:
    return source_of(Concept(path=str(path) if path.parts else ""))


def captions(index: Any) -> list[str]:
    return [item.captions[0] for item in index]


def read(preset: Any) -> Any:
    """The index; every image is decoded."""
    index = scanned(preset)
    for item in index:
        with item.file.image() as image:
            assert image.size == (item.width, item.height)
            image.load()
    return index


def test_the_window_offers_every_kind_of_file_that_is_read() -> None:
    assert set(IMAGE_FILES) == {".tar", ".parquet", *READERS}


def test_what_cannot_have_changed_is_not_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither archives nor Parquet files are gone through; one that changed is, and so is an index beside one."""
    packed(tmp_path / "set" / "0001.tar", robots() | {"9.png": b"no image"})
    packed(tmp_path / "set" / "0002.tar", {"b.png": png(1), "b.txt": b"one|two"})
    aged(tmp_path)
    preset, cache = preset_of(concept(tmp_path / "set", masks="file")), tmp_path / "cache"
    whole, listing = scanned(preset, cache), TarSource.listing
    listed: list[TarSource] = []

    def counted(source: TarSource) -> Listing:
        listed.append(source)
        return listing(source)

    monkeypatch.setattr(TarSource, "listing", counted)
    again = scanned(preset, cache)
    assert (list(again), again.bad, again.notes) == (list(whole), whole.bad, whole.notes)
    assert [bad.name for bad in again.bad] == ["9.png"]
    assert not listed
    assert scanned(preset_of(concept(tmp_path / "set"), resolution=64), cache)[0].mask is None  # it is off
    assert not listed
    scanned(preset_of(concept(tmp_path / "set", more_captions=".tags")), cache)  # other captions are another listing
    assert len(listed) == 1
    packed(tmp_path / "set" / "0002.tar", {"c.png": png(1)})
    aged(tmp_path)
    assert [item.file.name for item in scanned(preset, cache)][-1] == "c.png"
    packed(tmp_path / "set" / "0003.tar", {"d.png": png(1)})
    assert [item.file.name for item in scanned(preset, cache)][-1] == "d.png"
    assert len(listed) == 3


# Tar ------------------------------------------------------------------------------------------------------------------

LONG = f"{'folder/' * 30}{'n' * 120}"


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_headers_are_read_as_tarfile_reads_them(tmp_path: Path, kind: int) -> None:
    long = LONG if kind != tarfile.USTAR_FORMAT else "folder/" * 20 + "n" * 60
    names = {"a.png": b"x" * 700, "./b/c.txt": b"", f"{long}.png": b"y" * 512, "\u00e4\u6f22.webp": b"z"}
    path = packed(tmp_path / "1.tar", names, kind)
    with tarfile.open(path) as archive:
        wanted = {each.name.removeprefix("./"): (each.offset_data, each.size) for each in archive if each.isfile()}
    found = tar_file(path)
    assert {name: tuple(member[:2]) for name, member in found.members.items()} == wanted
    assert found.torn is None


def test_sizes_beyond_octal_digits_are_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "1.tar", {"a.png": b"x" * 700}, tarfile.GNU_FORMAT)
    data = bytearray(path.read_bytes())
    data[124:136] = b"\x80" + (700).to_bytes(11, "big")
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    path.write_bytes(data)
    assert tar_file(path).members["a.png"].size == 700


@pytest.mark.parametrize("single", [True, False], ids=["an archive", "a folder of archives"])
def test_archives_are_trained_on_with_captions_and_masks(tmp_path: Path, single: bool) -> None:
    packed(tmp_path / "set" / "0001.tar", robots())
    path = tmp_path / "set" / "0001.tar" if single else tmp_path / "set"
    index = read(preset_of(concept(path, masks="file")))
    assert captions(index) == [f"robot {number}" for number in range(4)]
    assert [item.key for item in index] == [f"0/0001.tar/{number}.png" for number in range(4)]
    masks = [item.mask for item in index]
    assert masks[0] is not None and masks[0].key == "0001.tar/0-masklabel.png" and not any(masks[1:])
    assert index[0].file.path is None, "nothing in an archive can be edited"


def test_an_archive_is_trained_on(tmp_path: Path) -> None:
    path = packed(tmp_path / "0001.tar", robots())
    settings = values(tmp_path, "training.steps=2", "training.batch_size=2")
    assert not end_of(run({**settings, "concepts": [concept(path, masks="file")]})).stopped


def test_an_index_beside_an_archive_is_believed_if_it_is_of_that_archive(tmp_path: Path) -> None:
    files = {"7.png": png(1), "8.png": png(2)}
    path = packed(tmp_path / "0007.tar", files)
    members = tar_file(path).members
    told = {f"./{name}": {"offset": each.offset, "size": each.size} for name, each in members.items()}
    told["./8.png"]["captions"] = ["eight", "an eight"]
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps({"filesize": path.stat().st_size, "hash": "x", "files": told}))
    path.touch()
    index = read(preset_of(concept(tmp_path)))
    assert [item.captions for item in index] == [("",), ("eight", "an eight")]
    beside.write_text(json.dumps({"filesize": 1, "files": {"9.png": {"offset": 0, "size": 1}}}))
    path.touch()
    assert set(tar_file(path).members) == set(files), "of another archive: the headers are walked"


def test_captions_of_shards_are_found_under_their_usual_endings(tmp_path: Path) -> None:
    files = {"1.cropped.png": png(1), "1.json": b'{"caption": "one", "tags": ["red", "robot"]}', "2.png": png(2)}
    packed(tmp_path / "a.tar", files)
    assert captions(scanned(preset_of(concept(tmp_path)))) == ["one", ""]
    assert captions(scanned(preset_of(concept(tmp_path, caption_ending=".json:tags")))) == ["red, robot", ""]


@pytest.mark.parametrize("cut", [300, 700, 1800])
def test_a_torn_archive_gives_what_it_has_and_is_named(tmp_path: Path, cut: int) -> None:
    packed(tmp_path / "a.tar", robots())
    path = packed(tmp_path / "b.tar", robots())
    path.write_bytes(path.read_bytes()[:cut])
    index = scanned(preset_of(concept(tmp_path)))
    assert len([item for item in index if item.key.startswith("0/a.tar/")]) == 4
    (bad,) = index.bad
    assert bad.name == "b.tar" and "torn" in PLAIN.sentence(bad.reason)


def test_a_folder_with_images_stays_a_folder(tmp_path: Path) -> None:
    packed(tmp_path / "a.tar", robots())
    (tmp_path / "1.png").write_bytes(png(1))
    assert isinstance(source(tmp_path), FolderSource)
    assert isinstance(source(Path()), FolderSource), "where none is chosen nothing is looked for"
    below = tmp_path / "set" / "cats"
    below.mkdir(parents=True)
    (below / "1.png").write_bytes(png(1))
    packed(tmp_path / "set" / "kept.tar", robots())
    packed(below / "kept.tar", robots())
    assert isinstance(source(tmp_path / "set"), FolderSource), "archives that lie among images are none of the set"
    packed(tmp_path / "other" / "0" / "1" / "a.tar", robots())
    assert isinstance(source(tmp_path / "other"), TarSource)
    with pytest.raises(UserError, match="no images"):
        scanned(preset_of(concept(packed(tmp_path / "none.tar", {"a.txt": b"x"}))))


# Parquet --------------------------------------------------------------------------------------------------------------


def shard(path: Path, numbers: range, **columns: Any) -> Path:
    images = [{"bytes": png(number), "path": f"{number}.png"} for number in numbers]
    table = {"image": images, "text": [f"robot {number}" for number in numbers], **columns}
    pq.write_table(pa.table(table), path, row_group_size=2)
    return path


@pytest.mark.parametrize("single", [True, False], ids=["a file", "a folder of files"])
def test_images_in_parquet_are_read_with_their_captions(tmp_path: Path, single: bool) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    first = shard(folder / "train-0.parquet", range(3))
    shard(folder / "train-1.parquet", range(3, 6))
    path, count = (first, 3) if single else (folder, 6)
    assert isinstance(source(path), ParquetSource)
    index = read(preset_of(concept(path)))
    assert captions(index) == [f"robot {number}" for number in range(count)]
    assert index[2].key == "0/train-0.parquet/2/2.png"


def test_pictures_in_a_column_of_their_format_are_read_as_img2dataset_writes_them(tmp_path: Path) -> None:
    columns = {"key": ["000", "001"], "caption": ["one", "two"], "status": ["success"] * 2, "width": [64, 96]}
    pq.write_table(pa.table({**columns, "webp": [png(0, "WEBP"), png(1, "WEBP")]}), tmp_path / "00000.parquet")
    index = read(preset_of(concept(tmp_path, min_size=64)))
    assert captions(index) == ["one", "two"]
    assert [item.key for item in index] == ["0/00000.parquet/0/000", "0/00000.parquet/1/001"]


def test_a_damaged_parquet_file_and_an_empty_picture_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    shard(folder / "0.parquet", range(2))
    torn = shard(folder / "1.parquet", range(2))
    torn.write_bytes(torn.read_bytes()[:-20])
    pq.write_table(pa.table({"image": [png(1), None], "caption": ["one", "two"]}), folder / "2.parquet")
    index = scanned(preset_of(concept(folder)))
    assert captions(index) == ["robot 0", "robot 1", "one"]
    assert {bad.name for bad in index.bad} == {"1.parquet", "1"}


# Lists ----------------------------------------------------------------------------------------------------------------

Writer = Callable[[Path], Path]


def _kohya(folder: Path) -> Path:
    path = folder / "meta_lat.json"
    told = {str(folder / "0.png"): {"caption": "robot 0", "tags": "red, tin"}, "1": {"caption": "robot 1"}}
    path.write_text(json.dumps(told))
    return path


def _invoke(folder: Path) -> Path:
    rows = [{"image": f"{number}.png", "text": f"robot {number}"} for number in range(2)]
    (folder / "images.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "images.jsonl"


def _table(folder: Path) -> Path:
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=";").writerows(
            [["file_name", "Caption"], ["0.png", "robot 0"], ["1.png", "robot 1"]]
        )
    return folder / "metadata.csv"


def _parquet(folder: Path) -> Path:
    pq.write_table(pa.table({"path": ["0.png", "1.png"], "prompt": ["robot 0", "robot 1"]}), folder / "list.parquet")
    return folder / "list.parquet"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png(number))
    return folder


@pytest.mark.parametrize("write", [_kohya, _invoke, _table, _parquet])
def test_lists_of_other_programs_are_read(pictures: Path, write: Writer) -> None:
    path = write(pictures)
    assert isinstance(source(path), ListSource)
    index = read(preset_of(concept(path)))
    assert captions(index) == ["robot 0", "robot 1"]
    assert [item.key for item in index] == ["0/0.png", "0/1.png"], "the same wherever the folder lies"
    assert index[0].file.path == pictures / "0.png"


def test_prose_and_tags_of_a_list_are_joined_as_of_files(pictures: Path) -> None:
    path = _kohya(pictures)
    index = scanned(preset_of(concept(path, more_captions=".tags", several="join")))
    assert captions(index) == ["robot 0, red, tin", "robot 1"]


def test_rows_that_say_nothing_are_named_and_passed_over(pictures: Path) -> None:
    rows = ['{"image": "0.png", "text": "one"}', "{torn", '{"text": "no image"}', '{"image": "gone.png"}', "[1]"]
    rows += ['{"image": "0.png", "text": "another"}', json.dumps({"image": r"\\elsewhere\share\1.png"})]
    (pictures / "list.jsonl").write_text("\n".join(rows))
    index = scanned(preset_of(concept(pictures / "list.jsonl")))
    assert [item.captions for item in index] == [("one", "another")]
    assert {bad.name for bad in index.bad} == {f"list.jsonl:{number}" for number in (2, 3, 5, 7)} | {"gone.png"}


@pytest.mark.parametrize("text", ["", "{", "\0\0", "3"])
def test_a_file_that_is_no_list_is_refused(pictures: Path, text: str) -> None:
    (pictures / "list.json").write_text(text)
    with pytest.raises(UserError, match=r"list\.json"):
        scanned(preset_of(concept(pictures / "list.json")))


# A table by name ------------------------------------------------------------------------------------------------------


def test_a_table_says_the_same_in_every_format(tmp_path: Path) -> None:
    """Names with folders of either system, dots and spaces, numbers, no name at all; of two rows the last."""
    names = ["a/b.png", r"a\c.d.png ", "", None, ".hidden", "e", "b.webp", " "]
    rows = [{"file_name": name, "id": 100 + n, "Caption": f"row {n}", "score": n} for n, name in enumerate(names)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist([{**row, "picture": b"x"} for row in rows]), tmp_path / "t.parquet")
    asked = ["b", "c.d", "102", "103", "107", ".hidden", "e", "gone", "100"]
    said: list[list[Any]] = []
    for file in (tmp_path / "t.jsonl", tmp_path / "t.parquet"):
        table = joined_table(file, stamp_of(file.stat()), ("", "score"))
        found = table.rows_of(asked)
        said.append([found >= 0, *(table.captions(found[found >= 0], column) for column in ("", "score"))])
    assert said[0][0].tolist() == [True] * 7 + [False] * 2
    assert said[0][1:] == said[1][1:] and (said[0][0] == said[1][0]).all()
    assert said[0][1] == [("row 6",), ("row 1",), ("row 2",), ("row 3",), ("row 7",), ("row 4",), ("row 5",)]
    assert said[0][2][0] == ("6",)


def test_captions_of_a_table_are_joined_by_the_images_names(tmp_path: Path) -> None:
    packed(tmp_path / "set" / "a.tar", {f"{number}.png": png(number) for number in range(3)} | {"2.txt": b"its own"})
    table = tmp_path / "metadata.parquet"
    pq.write_table(pa.table({"id": [0, 2], "tag_string": ["red_robot tin", "other"], "rating": ["g", "s"]}), table)
    settings = {"caption_table": str(table), "caption_ending": ".txt"}
    index = scanned(preset_of(concept(tmp_path / "set", **settings)))
    assert captions(index) == ["red_robot, tin", "", "its own"]
    joined = scanned(preset_of(concept(tmp_path / "set", **settings, more_captions=".rating", several="join")))
    assert captions(joined) == ["red_robot, tin, g", "", "its own, s"]
    for name, words in (("a.txt", "is no table of captions"), ("gone.csv", "There is no table of captions")):
        wrong = preset_of(concept(tmp_path / "set", caption_table=str(tmp_path / name)))
        assert source_of(wrong.concepts[0]).folder == tmp_path / "set", "it is looked at when images are listed"
        with pytest.raises(UserError, match=words):
            scanned(wrong)
