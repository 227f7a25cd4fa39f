from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.data.scan import scan as scan_module
from modules.data.scan.scan import scan
from modules.data.source import parallel_read
from modules.data.source.file_info import MAX_CAPTION_BYTES
from modules.errors import Problems, UserError
from modules.sentences.problem import Problem
from modules.sentences.render import PLAIN
from tests.data.pictures import aged, picture, preset_of, rewritten, scanned


def names(folder: Path, **concept: object) -> list[str]:
    return [item.file.name for item in scanned(preset_of({"path": str(folder), **concept}))]


def captioned(folder: Path, content: bytes) -> tuple[str, ...]:
    picture(folder / "a.png")
    (folder / "a.txt").write_bytes(content)
    return scanned(preset_of({"path": str(folder)}))[0].captions


def test_images_are_found_in_natural_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b10.png", "B2.JPG", "a.webp", "c.avif", "d.tiff", "e.bmp", "f.gif", "g.jpeg", "h.tif"):
        picture(tmp_path / name)
    for name in ("a-masklabel.png", "a-condlabel.png", ".hidden.png", "._a.png"):
        picture(tmp_path / name)
    picture(tmp_path / "inside" / "x.png")
    (tmp_path / "notes.md").write_text("no image")
    found = ["a.webp", "B2.JPG", "b10.png", "c.avif", "d.tiff", "e.bmp", "f.gif", "g.jpeg", "h.tif"]
    assert names(tmp_path) == found
    assert names(tmp_path, subfolders=True) == [*found, "x.png"]


def test_a_link_to_a_folder_above_ends(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "a.png")
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set", target_is_directory=True)
    assert names(tmp_path / "set", subfolders=True) == ["a.png"]


def test_an_item_says_what_training_must_know(tmp_path: Path) -> None:
    picture(tmp_path / "off" / "x.png")
    picture(tmp_path / "on" / "deep" / "a.png", 64, 32)
    (tmp_path / "on" / "deep" / "a.txt").write_text("one\n\n  two  \n")
    preset = preset_of(
        {"path": str(tmp_path / "off"), "enabled": False}, {"path": str(tmp_path / "on"), "subfolders": True}
    )
    (item,) = scanned(preset)
    assert (item.concept, item.key) == (1, "1/deep/a.png")
    assert (item.width, item.height) == (64, 32)
    assert item.bucket[1] > item.bucket[0]
    assert item.captions == ("one", "two")
    assert item.file.path == tmp_path / "on" / "deep" / "a.png"


def test_captions_of_all_honest_encodings_are_read(tmp_path: Path) -> None:
    text = "Ein Roboter über 東京"
    for number, encoding in enumerate(("utf-8", "utf-8-sig", "utf-16")):
        assert captioned(tmp_path / str(number), text.encode(encoding)) == (text,)
    assert captioned(tmp_path / "big", b"\xfe\xff" + text.encode("utf-16-be")) == (text,)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"caf\x81", "byte at position 3"),
        (b"\xef\xbb\xbfcaf\xe9", "byte at position 6"),
        (b"\xff\xfea", "byte at position 2"),
        (b"a\0b", "byte at position 1"),
        (b"x" * (MAX_CAPTION_BYTES + 1), "larger than 100 kB"),
    ],
)
def test_a_caption_that_cannot_be_read_leaves_out_its_image_alone(tmp_path: Path, content: bytes, words: str) -> None:
    picture(tmp_path / "good.png")
    (tmp_path / "good.txt").write_text("a robot", encoding="utf-8")
    picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(content)
    index = scanned(preset_of({"path": str(tmp_path)}))
    assert [item.captions for item in index] == [("a robot",)]
    (bad,) = index.bad
    assert (bad.name, bad.caption) == ("a.png", str(tmp_path / "a.txt"))
    assert words in PLAIN.what(bad.reason)


def test_captions_of_windows_are_read_by_a_guess_that_is_said(tmp_path: Path) -> None:
    for name, text in {"a": "un café à 5 €".encode("cp1252"), "b": "un café".encode(), "c": b"plain"}.items():
        picture(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_bytes(text)
    aged(tmp_path)
    for _ in range(2):  # what an earlier scan has kept hides nothing
        index = scanned(preset_of({"path": str(tmp_path)}), tmp_path / "cache")
        assert [item.captions[0] for item in index] == ["un café à 5 €", "un café", "plain"]
        assert [file.name for file in index.remarks[0].legacy_captions] == ["a.txt"]


def test_damaged_utf_8_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="byte at position 9 is neither"):
        captioned(tmp_path, "über caf\xe9".encode().replace(b"\xc3\xa9", b"\xe9"))


def test_names_meet_in_any_unicode_form_and_letter_case(tmp_path: Path) -> None:
    for image, caption in (("Émile.png", "E\u0301mile.txt"), ("IMG_1.JPG", "img_1.TXT"), ("STRASSE.png", "straße.txt")):
        picture(tmp_path / image)
        (tmp_path / caption).write_text(f"of {caption}", encoding="utf-8")
    picture(tmp_path / "e\u0301mile-masklabel.png")
    index = scanned(preset_of({"path": str(tmp_path), "masks": "file"}))
    found = {item.file.name: item.captions[0] for item in index}
    assert found == {"Émile.png": "of E\u0301mile.txt", "IMG_1.JPG": "of img_1.TXT", "STRASSE.png": "of straße.txt"}
    assert [item.file.name for item in index if item.mask] == ["Émile.png"]


def test_a_caption_of_exactly_its_name_goes_before_one_in_other_letters(tmp_path: Path) -> None:
    for name in ("a", "A"):
        picture(tmp_path / f"{name}.png", shade=50 if name == "a" else 90)
        (tmp_path / f"{name}.txt").write_text(name, encoding="utf-8")
    if len(names(tmp_path)) == 1:
        pytest.skip("this file system does not tell capitals apart")
    assert {item.file.name: item.captions[0] for item in scanned(preset_of({"path": str(tmp_path)}))} == {
        "a.png": "a",
        "A.png": "A",
    }


def test_captions_of_nearly_the_name_of_a_bare_image_are_noticed(tmp_path: Path) -> None:
    images = ("a red_robot.png", "b.png", "c..png", "d.jpg", "e.png", "e_.png", "f.png", "g-1.png", "g1.png")
    captions = ("a_red robot.txt", "b.png.txt", "c.txt", "d.txt.txt", "e .txt", "f.txt", "f_.txt", "g 1.txt", "z.txt")
    for name in (*images, *captions):
        picture(tmp_path / name) if name.endswith(("png", "jpg")) else (tmp_path / name).write_text(name)
    index = scanned(preset_of({"path": str(tmp_path)}))
    found = {file.name: wanted for file, wanted in index.remarks[0].near_misses}
    assert found == {
        "a_red robot.txt": "a red_robot.txt",
        "b.png.txt": "b.txt",
        "c.txt": "c..txt",
        "d.txt.txt": "d.txt",
    }  # those of e, f and g may be meant for several, or are not needed
    assert "4 caption files belong to no image" in PLAIN.sentence(index.notes[0])


def test_kinds_that_are_not_read_and_folders_inside_are_counted_beside_images(tmp_path: Path) -> None:
    for name in ("a.jfif", "b.JPE", "c.png"):
        picture(tmp_path / name, format="PNG" if name == "c.png" else "JPEG")
    for name in ("1.tga", "2.TGA", "3.psd", "a-masklabel.png", "notes.md", "film.mp4"):
        (tmp_path / name).touch()
    picture(tmp_path / "inside" / "x.png")
    (tmp_path / "texts").mkdir()
    index = scanned(preset_of({"path": str(tmp_path)}))
    assert [item.file.name for item in index] == ["a.jfif", "b.JPE", "c.png"]
    assert index.remarks[0].not_taken == ((".tga", 2), (".psd", 1))
    assert index.remarks[0].nested == ("inside",)
    said = [PLAIN.sentence(note) for note in index.notes]
    assert "Images of kinds that are not read are left out: 2 .tga and 1 .psd." in said
    assert scanned(preset_of({"path": str(tmp_path), "subfolders": True})).remarks[0].nested == ()


def test_latents_of_kohya_are_recognised_and_said_not_to_be_used(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    for name in ("1_0512x0768_sdxl.npz", "1_0512x0512.npz", "statistics.npz"):
        (tmp_path / name).write_bytes(b"x")
    index = scanned(preset_of({"path": str(tmp_path), "captions": "none"}))
    assert [PLAIN.sentence(note).partition(",")[0] for note in index.notes] == [
        "2 files of latents by kohya (.npz) are not used"
    ]


def test_where_there_is_no_image_the_kinds_that_are_not_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "1.tga").touch()
    with pytest.raises(UserError, match=r"only 1 \.tga\."):
        names(tmp_path)


def test_images_without_a_caption_are_counted(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        picture(tmp_path / f"{name}.png")
    (tmp_path / "a.txt").write_text("a robot")
    (tmp_path / "b.txt").write_text("\n \n")
    index = scanned(preset_of({"path": str(tmp_path)}))
    assert [PLAIN.sentence(note) for note in index.notes] == ["2 of 3 images have no caption."]
    assert [item.captions for item in index] == [("a robot",), ("",), ("",)]
    assert scanned(preset_of({"path": str(tmp_path), "captions": "none"})).notes == ()


def test_bad_images_are_put_aside_with_a_reason(tmp_path: Path) -> None:
    picture(tmp_path / "good.png")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.jpg").touch()
    index = scanned(preset_of({"path": str(tmp_path)}))
    assert [item.file.name for item in index] == ["good.png"]
    assert {bad.name: PLAIN.what(bad.reason) for bad in index.bad} == {
        "text.png": "it is not an image, or it is damaged at the beginning",
        "empty.jpg": "it is empty",
    }


def test_a_name_that_is_no_text_is_put_aside(tmp_path: Path) -> None:
    picture(tmp_path / "good.png")
    data = (tmp_path / "good.png").read_bytes()
    try:
        with open(os.fsencode(tmp_path) + b"/b\xff.png", "wb") as file:  # noqa: PTH123
            file.write(data)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    index = scanned(preset_of({"path": str(tmp_path)}), tmp_path / "cache")
    assert len(index) == 1
    assert "UTF-8" in PLAIN.what(index.bad[0].reason)
    index.bad[0].place.encode()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "there is no folder"),
        (lambda folder: folder.write_text(""), "is a file, not a folder"),
        (lambda folder: folder.mkdir(), "there are no images in"),
        (lambda folder: [folder.mkdir(), (folder / "a.txt").touch(), (folder / "b").touch()], "only 2 files of other"),
        (lambda folder: picture(folder / "sub" / "a.png"), "Include sub-folders"),
        (lambda folder: [folder.mkdir(), (folder / "a.png").touch()], "No image in"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_folder_is_said_in_words(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    make(tmp_path / "set")
    with pytest.raises(UserError, match=words):
        scanned(preset_of({"path": str(tmp_path / "set")}))


def test_all_wrong_folders_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(Problems) as caught:
        scanned(preset_of({"path": str(tmp_path / "a")}, {"path": str(tmp_path / "b")}, {"path": ""}))
    assert len(caught.value.problems) == 3


def test_no_concept_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no concept"):
        scanned(preset_of())
    with pytest.raises(UserError, match="every concept is off"):
        scanned(preset_of({"path": str(tmp_path), "enabled": False}))


def test_bundled_concepts_are_found_by_name() -> None:
    with pytest.raises(UserError, match='"starter:robo"'):
        scanned(preset_of({"path": "starter:robo"}))


class Counting:
    """Reads files as ever, and remembers which."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images: list[str] = []
        self.captions: list[str] = []
        self._read = parallel_read.read_job
        monkeypatch.setattr(parallel_read, "read_job", self)

    def __call__(self, job: parallel_read.ReadJob) -> parallel_read.FileInfo:
        self.images += job.images
        self.captions += [key for key, _ in job.captions]
        return self._read(job)

    def drained(self) -> tuple[list[str], list[str]]:
        found = self.images, self.captions
        self.images, self.captions = [], []
        return found


def test_the_next_scan_reads_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = tmp_path / "set", tmp_path / "cache"
    for i in range(5):
        picture(folder / f"{i}.png", shade=i)
        (folder / f"{i}.txt").write_text(f"robot {i}")
    preset = preset_of({"path": str(folder)})
    aged(folder)
    count = Counting(monkeypatch)
    first = list(scanned(preset, cache))
    assert len(count.drained()[0]) == 5
    assert list(scanned(preset, cache)) == first
    assert count.drained() == ([], [])

    picture(folder / "1.png", 64, 32)
    rewritten(folder / "2.txt", b"human 2")
    rewritten(folder / "4.png", (folder / "4.png").read_bytes())
    (folder / "3.png").unlink()
    picture(folder / "6.png")
    aged(folder)
    second = scanned(preset, cache)
    assert count.drained() == (["1.png", "4.png", "6.png"], ["2.txt"])
    assert [item.file.name for item in second] == ["0.png", "1.png", "2.png", "4.png", "6.png"]
    assert second[1].width == 64
    assert second[2].captions == ("human 2",)
    (folder / "2.txt").unlink()
    assert scanned(preset, cache)[2].captions == ("",)


def test_a_read_cache_serves_several_presets_and_other_resolutions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    for name in "ab":
        picture(tmp_path / name / "x.png", 64, 64)
    aged(tmp_path)
    count = Counting(monkeypatch)
    scanned(preset_of({"path": str(tmp_path / "a")}), cache)
    scanned(preset_of({"path": str(tmp_path / "b")}), cache)
    count.drained()
    assert scanned(preset_of({"path": str(tmp_path / "a")}, resolution=64), cache)[0].bucket == (64, 64)
    assert scanned(preset_of({"path": str(tmp_path / "b")}), cache)[0].bucket == (32, 32)
    assert count.drained() == ([], [])


def test_a_file_written_just_now_is_not_believed_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = picture(tmp_path / "set" / "a.png")
    count = Counting(monkeypatch)
    preset, cache = preset_of({"path": str(tmp_path / "set")}), tmp_path / "cache"
    os.utime(path, ns=(0, 2**62))  # as if written at this very moment
    scanned(preset, cache)
    scanned(preset, cache)
    assert count.drained()[0] == ["a.png", "a.png"]


@pytest.mark.parametrize("damage", [lambda data: b"x" * 5000, lambda data: data[:-8], lambda data: bytes(len(data))])
def test_a_damaged_scan_cache_is_put_aside_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    folder, cache = tmp_path / "set", tmp_path / "cache"
    picture(folder / "a.png")
    aged(folder)
    preset = preset_of({"path": str(folder)})
    first = list(scanned(preset, cache))
    (file,) = cache.rglob("*.arrow")
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    index = scanned(preset, cache)
    assert list(index) == first
    assert f"{file.name} was damaged" in PLAIN.sentence(index.notes[0])
    assert file.with_name(f"{file.name}.damaged").read_bytes() == damaged
    count = Counting(monkeypatch)
    assert not any(note.code == "cache.aside" for note in scanned(preset, cache).notes)
    assert count.drained() == ([], [])


def test_workers_read_the_same_as_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(8):
        picture(tmp_path / f"{i}.png", 16 + i, 16)
        (tmp_path / f"{i}.txt").write_text(f"robot {i}")
    (tmp_path / "9.png").touch()
    monkeypatch.setattr(scan_module, "CHUNK", 2)
    preset = preset_of({"path": str(tmp_path)}, general={"workers": 2})
    alone = scanned(preset)
    monkeypatch.setattr(parallel_read, "MIN_FILES_FOR_WORKERS", 0)
    together = scanned(preset)
    assert list(together) == list(alone)
    assert together.bad == alone.bad


def test_stopping_ends_early_and_what_was_read_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(6):
        picture(tmp_path / "set" / f"{i}.png")
    aged(tmp_path)
    monkeypatch.setattr(scan_module, "CHUNK", 2)
    preset, cache = preset_of({"path": str(tmp_path / "set")}), tmp_path / "cache"
    seen: list[tuple[int, int]] = []
    index = scan(
        preset, cache=cache, report=lambda done, total: seen.append((done, total)), stop=lambda: seen[-1][0] >= 4
    )
    assert len(index) == 4
    assert seen[-1] == (4, 6)
    count = Counting(monkeypatch)
    assert len(scanned(preset, cache)) == 6
    assert count.drained()[0] == ["4.png", "5.png"]


def test_rows_can_be_left_out_and_keys_stay(tmp_path: Path) -> None:
    for i in range(4):
        picture(tmp_path / f"{i}.png")
    index = scanned(preset_of({"path": str(tmp_path)}))
    fewer = index.without([(1, Problem("reason.torn"))])
    assert [item.key for item in fewer] == ["0/0.png", "0/2.png", "0/3.png"]
    assert [item.row for item in fewer] == [0, 1, 2]
    assert [(bad.name, bad.reason.code) for bad in fewer.bad] == [("1.png", "reason.torn")]
    assert len(index) == 4
