"""Captions from several files and names at once: found, read, remembered, watched, encoded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.data.batches import BatchLoader
from modules.data.cache.store import Cache
from modules.data.index import Index
from modules.data.order import Example
from modules.data.source.kinds import source_of
from modules.data.source.source import CaptionFile
from modules.preset.rules.rules import conflicts
from modules.preset.sections.concept import Concept
from modules.preset.validate import preset_of as judged_preset
from modules.sentences.problem import Problem
from modules.sentences.render import PLAIN
from tests.data.pictures import aged, picture, preset_of, scanned


class Encoders:
    """Counts what it is asked for."""

    text_key = "text"

    def __init__(self) -> None:
        self.captions: list[str] = []

    def image_key(self, size: tuple[int, int]) -> str:
        return "image"

    def encode_image(self, pixels_B3HW: torch.Tensor) -> torch.Tensor:
        return pixels_B3HW[:, :, ::8, ::8]

    def encode_text(self, captions: Any) -> list[dict[str, torch.Tensor]]:
        self.captions += captions
        return [{"tokens": torch.tensor([float(ord(letter)) for letter in caption])} for caption in captions]


def write(folder: Path, **texts: str) -> None:
    """Files by name, with two underscores for each dot."""
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "10_sks dog"
    for name in ("a", "b", "c"):
        picture(folder / f"{name}.png")
    write(folder, a__txt="A dog sits.", a__tags__txt="dog, sits", b__txt="A dog.", c__tags__txt="dog, big")
    return folder


def of(folder: Path, **values: Any) -> Index:
    return scanned(preset_of({"path": str(folder), **values}))


def test_prose_and_tags_are_read_from_two_files_of_an_image(folder: Path) -> None:
    index = of(folder, more_captions=".tags.txt", several="join")
    assert [item.captions for item in index] == [("A dog sits., dog, sits",), ("A dog.",), ("dog, big",)]
    assert [item.caption_texts for item in index][1] == (("A dog.",), ())
    name = 'The concept "10_sks dog"'
    assert sorted(map(PLAIN.sentence, index.notes)) == [
        f"{name}: 1 of 3 images have nothing in a .tags.txt file.",
        f"{name}: 1 of 3 images have nothing in a .txt file.",
    ]


def test_what_the_first_file_lacks_another_source_says(folder: Path) -> None:
    assert [item.captions[0] for item in of(folder, more_captions=".tags.txt")] == ["A dog sits.", "A dog.", "dog, big"]
    assert [item.captions[0] for item in of(folder, more_captions="folder")] == ["A dog sits.", "A dog.", "sks dog"]
    assert [item.captions[0] for item in of(folder, captions="folder")] == ["sks dog"] * 3
    bare = of(folder, caption_ending=".caption")
    assert [item.captions for item in bare] == [("",)] * 3
    assert [PLAIN.sentence(note) for note in bare.notes] == ["3 of 3 images have no caption."]
    assert of(folder, caption_ending=".caption", more_captions="folder").notes == ()


def test_endings_are_found_in_capitals_and_their_files_are_not_called_strange(folder: Path) -> None:
    (folder / "b.TAGS.TXT").write_text("x", encoding="utf-8")
    write(folder, lone__caption="?", lone__tags__txt="?")
    index = of(folder, more_captions=".tags.txt", several="pick")
    assert index[1].captions == ("A dog.", "x")
    (note,) = [note for note in map(PLAIN.sentence, index.notes) if "belong" in note]
    assert note == f"1 caption file belongs to no image: {folder / 'lone.tags.txt'}."
    entries = source_of(Concept(path=str(folder), more_captions="-t.txt")).listing().entries
    files = [text.file.name for text in entries[0].captions if isinstance(text, CaptionFile)]
    assert files == ["a.txt", "a-t.txt"]


def test_json_files_give_what_stands_under_a_key(folder: Path) -> None:
    write(folder, a__json=json.dumps({"caption": ["one", "two"], "tags": ["x", "y"]}), b__json='{"tags": "p, q"}')
    plain = of(folder, caption_ending=".json")
    assert [item.captions for item in plain] == [("one", "two"), ("p, q",), ("",)]
    both = of(folder, caption_ending=".json:tags", more_captions=".json:caption", several="join")
    assert [item.captions for item in both] == [("x, y, one", "x, y, two"), ("p, q",), ("",)]


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "not JSON"), ("[1]", "not a JSON object"), ('{"caption": {"x": 1}}', "neither a text nor a list"),
     ("[" * 50_000, "not JSON"), ('{"caption": 7}', "neither")],
)  # fmt: skip
def test_json_that_says_nothing_leaves_out_its_image(folder: Path, text: str, why: str) -> None:
    write(folder, a__json=text)
    (bad,) = of(folder, caption_ending=".json").bad
    assert bad.caption == str(folder / "a.json")
    assert why in PLAIN.what(bad.reason)


def test_a_folder_named_as_a_caption_leaves_out_its_image_where_it_is_asked_for(folder: Path) -> None:
    (folder / "a.tags").mkdir()
    assert not of(folder).bad
    (bad,) = of(folder, more_captions=".tags").bad
    assert (bad.name, PLAIN.what(bad.reason)) == ("a.png", "its caption a.tags cannot be read: it is a folder")


def test_the_memo_keeps_each_file_and_key_by_itself(folder: Path, tmp_path: Path) -> None:
    memo = tmp_path / "memo.arrow"
    write(folder, a__json='{"caption": "one", "tags": "x"}')
    aged(folder)
    preset = preset_of(
        {"path": str(folder), "more_captions": ".tags.txt, .json:tags, .json:caption", "several": "join"}
    )
    first = [item.captions for item in scanned(preset, memo)]
    assert first[0] == ("A dog sits., dog, sits, x, one",)
    assert [item.captions for item in scanned(preset, memo)] == first
    write(folder, a__tags__txt="cat")
    (folder / "b.txt").unlink()
    again = [item.captions for item in scanned(preset, memo)]
    assert again == [("A dog sits., cat, x, one",), ("",), ("dog, big",)]
    assert [item.captions[0] for item in scanned(preset_of({"path": str(folder)}), memo)] == ["A dog sits.", "", ""]


def fed(preset: Any, cache: Cache, notes: list[Problem] | None = None) -> tuple[BatchLoader, Encoders]:
    encoders = Encoders()
    note = (notes if notes is not None else []).append
    loader = BatchLoader(scanned(preset), preset, encoders, cache, cache_latents=True, cache_text=True, note=note)
    loader.fill(lambda *_: None, lambda: False)
    return loader, encoders


def test_every_caption_that_is_drawn_was_encoded_before_the_training(folder: Path, tmp_path: Path) -> None:
    preset = preset_of({
        "path": str(folder), "more_captions": ".tags.txt", "several": "pick", "shuffle_tags": True, "trigger": "sks",
        "tag_dropout": 0.3, "caption_dropout": 0.1, "tag_warmup": 10, "tag_warmup_from": 0,
    })  # fmt: skip
    with Cache(tmp_path / "cache") as cache:
        loader, encoders = fed(preset, cache)
        assert not loader.encodes_text
        known = list(encoders.captions)
        for epoch in range(60):
            batch = loader.batch([Example(row, 0) for row in range(3)], epoch, step=epoch // 3)
            assert set(batch.captions) <= set(known)
            assert batch.text is not None
    assert encoders.captions == known


def test_captions_that_are_too_many_are_encoded_as_they_come(folder: Path, tmp_path: Path) -> None:
    write(folder, b__txt=", ".join("abcdefgh"))
    with Cache(tmp_path / "cache") as cache:
        loader, encoders = fed(preset_of({"path": str(folder), "tag_dropout": 0.1}), cache)
        assert loader.encodes_text
        assert loader.batch([Example(1, 0)], 0).text is None
        assert loader.batch([Example(0, 0)], 0).text is not None
    assert "A dog sits." in encoders.captions


def test_tags_grow_with_the_steps_of_a_run_and_not_with_what_was_asked_before(folder: Path, tmp_path: Path) -> None:
    write(folder, a__txt="a, b, c, d")
    preset = preset_of({"path": str(folder), "tag_warmup": 10})
    with Cache(tmp_path / "cache") as cache:
        loader, _ = fed(preset, cache)
        said = {step: loader.batch([Example(0, 0)], 0, step).captions[0] for step in (10, 0, 9, 5)}
    assert said == {0: "a", 5: "a, b", 9: "a, b, c", 10: "a, b, c, d"}


def test_a_change_in_any_caption_file_is_noticed(folder: Path, tmp_path: Path) -> None:
    notes: list[Problem] = []
    preset = preset_of({"path": str(folder), "more_captions": ".tags.txt", "several": "join"})
    with Cache(tmp_path / "cache") as cache:
        loader, _ = fed(preset, cache, notes)
        write(folder, a__tags__txt="another tag")
        loader.batch([Example(0, 0), Example(1, 0)], 0)
    assert len(notes) == 1
    assert "was changed while the run is on: what it said when the run began is used" in PLAIN.sentence(notes[0])


@pytest.mark.parametrize(
    ("values", "why"),
    [({"more_captions": "tags"}, "endings of files"), ({"more_captions": "../x.txt"}, "endings of files"),
     ({"more_captions": ".txt:tags"}, "only .json files"), ({"caption_ending": "txt"}, "endings of files"),
     ({"shares": "a, b"}, "must be numbers"), ({"shares": "0, 0"}, "only zeros"),
     ({"replacements": "x =>" + "y" * 300}, "longer than"), ({"more_captions": ".a,.b,.c,.d,.e,.f,.g"}, "at most 6")],
)  # fmt: skip
def test_what_is_no_source_is_refused(values: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Concept.model_validate(values)


def test_shares_and_patterns_that_cannot_work_are_refused_before_a_run() -> None:
    def clashing(**values: Any) -> list[str]:
        found = conflicts(judged_preset({"version": 6, "concepts": [values]}))
        return [PLAIN.line(each) for each in found if each.path.startswith("concepts.0")]

    assert "concepts.0.shares has 3 shares" in clashing(several="pick", more_captions="name", shares="1, 2, 3")[0]
    assert not clashing(several="pick", more_captions="name", shares="1, 2")
    evil = {"tag_list_use": "keep", "tag_list_patterns": True, "tag_list": "a(?=b)\nfine"}
    assert clashing(**evil) == ['concepts.0.tag_list: The pattern "a(?=b)" looks around with (?=. Write it without.']
    assert not clashing(**{**evil, "tag_list_patterns": False})


def test_an_image_with_several_unreadable_captions_is_left_out_once(folder: Path) -> None:
    for name in ("a.txt", "a.tags.txt"):
        (folder / name).write_bytes(b"\x81")
    (bad,) = of(folder, more_captions=".tags.txt", several="join").bad
    assert bad.caption == str(folder / "a.txt")
