import codecs
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from app.gui.captions import batch, edits
from app.gui.captions.files import bytes_of, read_captions
from app.gui.captions.store import CaptionStore, Filter
from app.gui.captions.token_count import chunk_size, token_counter
from modules.catalog import FAMILIES
from modules.data.source import file_info
from modules.errors import Problems, UserError
from modules.preset.sections.concept import Concept
from modules.system import files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {
        "a": b"red robot, smiling\n",
        "b": "röt, robot\r\nblue robot\r\n".encode("utf-16"),
        "c": None,
        "d": b"\x81 broken",
        "e": codecs.BOM_UTF8 + b"robot",
    }
    for name, data in texts.items():
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        if data is not None:
            (tmp_path / f"{name}.txt").write_bytes(data)
    return tmp_path


@pytest.fixture
def captions(folder: Path) -> CaptionStore:
    return CaptionStore(read_captions([Concept(path=str(folder))]))


def replaced(find: str, new: str, *, regex: bool = False, match_case: bool = False) -> edits.Edit:
    return edits.replace(find, new, regex=regex, match_case=match_case)


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.txt")}


def test_every_image_is_there_with_its_lines(captions: CaptionStore) -> None:
    assert [caption.name for caption in captions.all] == ["a.png", "b.png", "c.png", "d.png", "e.png"]
    assert captions.all[1].lines == ["röt, robot", "blue robot"]
    assert captions.missing() == [2]
    assert "d.txt is not text" in captions.all[3].problem


def test_captions_are_read_as_training_reads_them(captions: CaptionStore) -> None:
    for caption in captions.all:
        if not caption.missing and not caption.problem:
            assert file_info.read_caption(caption.file).lines == caption.lines


def test_tags_are_counted_once_an_image(captions: CaptionStore) -> None:
    assert captions.tags() == {"robot": 2, "red robot": 1, "smiling": 1, "röt": 1, "blue robot": 1}
    assert captions.tags([0]) == {"red robot": 1, "smiling": 1}


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Filter(), [0, 1, 2, 3, 4]),
        (Filter(text="ROBOT red"), [0]),
        (Filter(text="b.png"), [1]),
        (Filter(tag="robot"), [1, 4]),
        (Filter(missing=True), [2]),
        (Filter(concept=1), []),
        (Filter(tag="robot", text="blue"), [1]),
    ],
)
def test_filters(captions: CaptionStore, wanted: Filter, numbers: list[int]) -> None:
    assert captions.matching(wanted) == numbers


def test_a_tag_is_added_to_every_line_that_lacks_it_and_to_images_without_a_caption(captions: CaptionStore) -> None:
    assert captions.apply(edits.add_tag("robot"), [0, 1, 2, 4]) == 3
    assert captions.all[0].lines == ["red robot, smiling, robot"]
    assert captions.all[1].lines == ["röt, robot", "blue robot, robot"]
    assert captions.all[2].lines == ["robot"]
    captions.apply(edits.add_tag("sks"), [4])
    assert captions.all[4].lines == ["robot, sks"]


def test_a_tag_is_removed_as_a_whole_and_a_caption_of_nothing_has_no_file(captions: CaptionStore) -> None:
    assert captions.apply(edits.remove_tags(["robot"]), [0, 1, 2, 4]) == 2
    assert captions.all[0].lines == ["red robot, smiling"]
    assert captions.all[1].lines == ["röt", "blue robot"]
    assert bytes_of(captions.all[4].file) is None


def test_encoding_and_line_ends_of_a_file_stay(captions: CaptionStore, folder: Path) -> None:
    captions.apply(replaced("robot", "droid"), [1, 4])
    assert (folder / "b.txt").read_bytes() == "röt, droid\r\nblue droid\r\n".encode("utf-16")
    assert (folder / "e.txt").read_bytes() == codecs.BOM_UTF8 + b"droid"


def test_undo_puts_back_the_very_bytes_and_redo_makes_the_change_again(captions: CaptionStore, folder: Path) -> None:
    before = bytes_in(folder)
    captions.apply(edits.add_tag("new"), [0, 1, 2, 4])
    captions.write(0, "quite\nanother")
    after = bytes_in(folder)
    assert after["a.txt"] == b"quite\nanother\n"
    captions.undo()
    step = captions.undo()
    assert step and step.title == "“new” added"
    assert bytes_in(folder) == before
    assert captions.undo() is None
    captions.redo()
    captions.redo()
    assert bytes_in(folder) == after
    assert captions.redo() is None


def test_find_and_replace_plain_and_by_pattern(captions: CaptionStore) -> None:
    assert captions.apply(replaced("RED (", "x"), [0, 1]) == 0
    assert captions.apply(replaced("Robot", "cat", match_case=True), [0, 1]) == 0
    assert captions.apply(replaced("red", r"\1"), [0]) == 1
    assert captions.all[0].lines == [r"\1 robot, smiling"]
    captions.undo()
    assert captions.apply(replaced(r"(\w+) robot", r"robot in \1", regex=True), [0]) == 1
    assert captions.all[0].lines == ["robot in red, smiling"]


@pytest.mark.parametrize(
    ("find", "new", "words"),
    [("", "x", "nothing to find"), ("(", "x", "is not a regular expression"), ("(red)", r"\2", "cannot replace")],
)
def test_a_wrong_pattern_is_said_in_words_and_changes_nothing(
    captions: CaptionStore, folder: Path, find: str, new: str, words: str
) -> None:
    before = bytes_in(folder)
    with pytest.raises(UserError, match=words):
        captions.apply(replaced(find, new, regex=True), [0, 1])
    assert bytes_in(folder) == before


def test_a_file_that_another_program_changed_is_not_overwritten(captions: CaptionStore, folder: Path) -> None:
    (folder / "a.txt").write_text("by another", encoding="utf-8")
    (folder / "c.txt").write_text("new", encoding="utf-8")
    before = bytes_in(folder)
    with pytest.raises(Problems, match=r"a\.txt"):
        captions.apply(edits.add_tag("x"), [0, 1, 2])
    assert bytes_in(folder) == before


def test_when_one_file_cannot_be_written_none_is_changed(
    captions: CaptionStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, flush = bytes_in(folder), files.flush_to_disk

    def full(path: Path) -> None:
        if ".b.txt." in path.name and b"x" in path.read_bytes():
            raise OSError(28, "No space left on device", str(path))
        flush(path)

    monkeypatch.setattr(files, "flush_to_disk", full)
    with pytest.raises(UserError, match="No space left"):
        captions.apply(edits.add_tag("x"), [0, 1, 2])
    assert bytes_in(folder) == before
    assert captions.all[0].lines == ["red robot, smiling"]


def test_a_cancelled_change_of_many_puts_everything_back(
    captions: CaptionStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "AT_ONCE", 1)
    before, steps = bytes_in(folder), list[tuple[int, int]]()
    captions.report = lambda done, total: steps.append((done, total))
    captions.stop = lambda: len(steps) == 2
    with pytest.raises(UserError, match="Cancelled"):
        captions.apply(edits.add_tag("x"), [0, 1, 2, 4])
    assert bytes_in(folder) == before
    assert not captions.can_undo
    assert captions.all[0].lines == ["red robot, smiling"]
    assert steps == [(0, 4), (1, 4), (1, 4), (0, 4)]  # two written, two put back


def test_what_is_no_text_is_left_out_of_a_change_of_many_and_can_be_written_anew(
    captions: CaptionStore, folder: Path
) -> None:
    assert captions.apply(edits.add_tag("x"), [0, 3]) == 1
    assert captions.left_out([0, 3]) == [3]
    assert captions.all[3].shown == "\ufffd broken"
    captions.write(3, "mended")
    assert (folder / "d.txt").read_bytes() == b"mended"
    assert not captions.all[3].problem
    captions.undo()
    assert (folder / "d.txt").read_bytes() == b"\x81 broken"
    assert captions.all[3].problem


def test_a_caption_read_by_a_guess_becomes_utf_8_when_it_is_written(folder: Path) -> None:
    (folder / "a.txt").write_bytes("café\r\n".encode("cp1252"))
    captions = CaptionStore(read_captions([Concept(path=str(folder))]))
    assert captions.wrong() == [0, 3]
    assert captions.matching(Filter(wrong=True)) == [0, 3]
    assert captions.all[0].lines == ["café"]
    captions.write(0, "café")
    assert (folder / "a.txt").read_bytes() == "café\r\n".encode()
    assert not captions.all[0].legacy
    captions.undo()
    assert captions.all[0].legacy


def test_what_another_program_mended_is_seen_when_it_is_looked_at(captions: CaptionStore, folder: Path) -> None:
    (folder / "d.txt").write_text("mended", encoding="utf-8")
    assert captions.refresh(3)
    assert captions.all[3].lines == ["mended"]
    assert not captions.refresh(3)


def test_a_zero_byte_is_no_text_either(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"a\0b")
    assert read_captions([Concept(path=str(folder))])[0].problem


def test_a_tag_with_a_comma_is_refused(captions: CaptionStore) -> None:
    for tag, why in ((" ", "Type a tag first"), ("a, b", "comma")):
        with pytest.raises(UserError, match=why):
            captions.apply(edits.add_tag(tag), [0])


def test_concepts_that_need_no_files_or_cannot_be_read_are_left_out(folder: Path) -> None:
    concepts = [Concept(path="/nowhere"), Concept(path=str(folder), captions="filename"), Concept(path=str(folder))]
    assert {caption.concept for caption in read_captions(concepts)} == {2}


def test_tokens_are_counted_by_the_tokenizers_of_the_model() -> None:
    for family, source, encoders in (("sd", "starter:model", 1), ("sdxl", "stabilityai/x", 2), ("sd", "", 1)):
        count = token_counter(family, source)
        assert len(count("a red robot")) == encoders
        assert set(count("")) == {0}
    assert token_counter("sd", "")("a photo of a cat") == [5]
    assert token_counter("sd", "/no/such/file.safetensors")("cat") == [1]


def test_chunks_are_as_long_as_the_family_reads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chunk_size("sdxl") == 75
    monkeypatch.setitem(FAMILIES, "sdxl", replace(FAMILIES["sdxl"], chunk_size=510))
    assert chunk_size("sdxl") == 510


def test_the_captions_that_come_with_seachange_are_not_changed() -> None:
    bundled = CaptionStore(read_captions([Concept(path="starter:robot")]))
    before = bytes_of(bundled.all[0].file)
    assert before
    with pytest.raises(UserError, match="came with Seachange"):
        bundled.apply(edits.add_tag("robot of mine"), [0])
    assert bytes_of(bundled.all[0].file) == before
    assert not bundled.can_undo


def test_a_change_of_many_leaves_out_what_came_with_seachange(folder: Path) -> None:
    mixed = CaptionStore(read_captions([Concept(path="starter:robot"), Concept(path=str(folder))]))
    everything = range(len(mixed.all))
    mine = [number for number in everything if mixed.all[number].concept == 1 and not mixed.all[number].problem]
    assert mixed.apply(edits.add_tag("robot of mine"), everything) == len(mine)
    assert len(mixed.left_out(everything)) == len(mixed.all) - len(mine)


def test_every_caption_file_of_an_image_is_edited_by_itself(folder: Path) -> None:
    (folder / "a.tags").write_text("x, y", encoding="utf-8")
    (folder / "a.json").write_text("{}", encoding="utf-8")
    captions = CaptionStore(read_captions([Concept(path=str(folder), more_captions=".tags, .json:tags, name")]))
    names = [caption.name for caption in captions.all]
    assert names[:4] == ["a.png · .txt", "a.png · .tags", "a.png · .json", "b.png · .txt"]
    assert captions.all[1].lines == ["x, y"]
    assert captions.apply(edits.add_tag("new"), [0, 1, 4]) == 3
    assert (folder / "a.tags").read_text() == "x, y, new"
    assert (folder / "b.tags").read_text() == "new"
    assert (folder / "a.txt").read_text() == "red robot, smiling, new\n"
    with pytest.raises(UserError, match="is JSON"):
        captions.write(2, "text")


def test_tags_are_merged_into_one_that_stands_where_the_first_stood(captions: CaptionStore) -> None:
    captions.write(0, "sky, one-eyed, robot, one eye\nrobot, robot, sky")
    assert captions.apply(edits.rename_tags(["one-eyed", "one eye"], "one eye"), [0, 1, 2]) == 1
    assert captions.all[0].lines == ["sky, one eye, robot", "robot, robot, sky"], "what is there twice stays so"
    assert captions.apply(edits.rename_tags(["robot"], "sky"), [0]) == 1
    assert captions.all[0].lines == ["sky, one eye", "sky"]
    assert captions.apply(edits.rename_tags(["one eye", "sky"], "eye"), [0]) == 1
    assert captions.all[0].lines == ["eye", "eye"]


def test_several_tags_are_removed_at_once_and_a_line_without_them_stays_letter_by_letter(
    captions: CaptionStore, folder: Path
) -> None:
    (folder / "a.txt").write_bytes(b"sky ,robot\nred  ,one\n")
    captions.refresh(0)
    captions.apply(edits.remove_tags({"robot", "blue robot"}), [0, 1])
    assert captions.all[0].lines == ["sky", "red  ,one"]
    assert captions.all[1].lines == ["r\u00f6t"]


def test_tags_are_sorted_by_how_frequent_they_are_or_by_name(captions: CaptionStore) -> None:
    captions.write(0, "sks, zebra, Apple, robot\na sentence about zebras")
    by_count = edits.sort_tags({"robot": 9, "zebra": 4}, keep_first=True)
    assert by_count.change(captions.all[0].lines) == ["sks, robot, zebra, Apple", "a sentence about zebras"]
    assert captions.apply(edits.sort_tags(None, keep_first=False), [0]) == 1
    assert captions.all[0].lines[0] == "Apple, robot, sks, zebra"


@pytest.mark.parametrize(
    ("text", "tag", "after"),
    [
        ("a, b", "c", "a, b, c"), ("a, b", "a", "b"), ("", "c", "c"), ("a,", "c", "a, c"), ("a\nb", "c", "a, c\nb, c"),
        ("a, c\nb", "c", "a\nb"), ("a\n", "c", "a, c\n"),
    ],
)  # fmt: skip
def test_a_tag_is_turned_on_and_off_in_a_text(text: str, tag: str, after: str) -> None:
    assert edits.toggled(text, tag) == after


def test_what_would_change_is_counted_without_writing(captions: CaptionStore, folder: Path) -> None:
    before = bytes_in(folder)
    assert captions.changed(edits.add_tag("robot"), range(5)) == {
        0: "red robot, smiling, robot", 1: "r\u00f6t, robot\nblue robot, robot", 2: "robot",
    }  # fmt: skip
    assert bytes_in(folder) == before


def test_an_edit_of_no_tags_says_so() -> None:
    for make in (lambda: edits.remove_tags([]), lambda: edits.rename_tags([], "x")):
        with pytest.raises(UserError, match="No tag is chosen"):
            make()
