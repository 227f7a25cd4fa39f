"""What the check says of captions: what is cut, missing, repeated, or written oddly."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from modules.check.captions import token_limits
from modules.check.captions.findings import findings
from modules.check.captions.texts import captions_of
from modules.check.captions.token_limits import tokens_read
from modules.data.text.tokenizer import PromptTokenizer, Tokenizer
from modules.messages import Event, Finding, Stage
from modules.preset.paths import put
from modules.sentences.render import PLAIN
from modules.system import read_cache
from modules.system.bundled import resolve
from tests.check.subjects import captioned, found, open_inputs, pictures
from tests.tiny import tiny_sdxl
from tests.trainer.runs import values

ROOM = 30  # tokens that the starter model's encoder reads at once


def of(folder: Path, captions: dict[str, str | bytes | None], *settings: str) -> dict[str, Finding]:
    """What is found of these captions."""
    return found(findings, folder, captioned(folder / "images", captions), "concepts.0.caption_dropout=0", *settings)


# Length ---------------------------------------------------------------------------------------------------------------


def test_captions_that_fit_are_not_spoken_of(tmp_path: Path) -> None:
    assert of(tmp_path, {"a": "a red robot", "b": "a blue robot"}) == {}


def test_long_captions_are_counted_with_the_chunks_that_they_take(tmp_path: Path) -> None:
    told = of(tmp_path, {"a": "a robot", "b": "a robot " * 30, "c": "a cat"})
    long = told["captions.long"]
    assert long.severity == "info"
    assert long.title == "1 of 3 captions (33\u00a0%) is longer than the 30 tokens of text encoder 1."
    assert "up to 3 chunks" in long.text
    assert "captions.cut" not in told
    assert sum(amount for _, amount in long.bars) == 3
    assert PLAIN.words(long.bars[0][0]) == "1 to 10"


def test_what_is_cut_is_told_with_the_tags_that_are_never_seen(tmp_path: Path) -> None:
    tags = ", ".join(f"a {n}" for n in range(10))  # 10 tags of 3 or 2 tokens and a comma: 29 tokens
    told = of(tmp_path, {"a": f"{tags}, red, green, blue", "b": tags}, "model.max_chunks=1")
    cut = told["captions.cut"]
    assert cut.severity == "warning"
    assert cut.title.startswith("1 of 2 captions (50\u00a0%) is cut after 1 chunk of 30 tokens by text encoder 1; ")
    assert cut.title.endswith("3 of 23 tags (13\u00a0%) are never read.")
    assert cut.items == ["red (1)", "green (1)", "blue (1)"]
    assert cut.fixes[0].changes == {"model.max_chunks": 2}


def test_sentences_have_tokens_that_are_never_seen_and_no_tags(tmp_path: Path) -> None:
    told = of(tmp_path, {"a": "a robot " * 30, "b": "a robot"}, "model.max_chunks=1")
    assert told["captions.cut"].title.endswith("tokens (65\u00a0%) are never read.")
    assert not told["captions.cut"].items


def test_longer_than_any_setting_allows_has_no_mend(tmp_path: Path) -> None:
    told = of(tmp_path, {"a": "a robot " * 1200})
    assert told["captions.cut"].fixes == []
    assert "Shorten" in told["captions.cut"].text


def test_prefix_and_suffix_count(tmp_path: Path) -> None:
    assert not of(tmp_path, {"a": "a robot"})
    settings = (f"concepts.0.prefix={'red ' * 29}", "concepts.0.suffix= in a house", "model.max_chunks=1")
    assert "captions.cut" in of(tmp_path, {"a": "a robot"}, *settings)


def test_a_caption_that_is_always_dropped_is_never_too_long(tmp_path: Path) -> None:
    path = captioned(tmp_path / "images", {"a": "a robot " * 30})
    assert set(found(findings, tmp_path, path, "concepts.0.caption_dropout=1")) == {"captions.dropped"}


def test_a_new_word_counts_as_many_tokens_as_it_has_vectors(tmp_path: Path) -> None:
    settings = ("method.kind=embedding", "concepts.0.prefix=<new> ")
    assert not of(tmp_path, {"a": "a robot"}, *settings, 'words=[{"token": "<new>", "vectors": 4}]')
    long = of(tmp_path, {"a": "a robot"}, *settings, 'words=[{"token": "<new>", "vectors": 60}]')
    count = int(long["captions.long"].text.split("the longest has ")[1].split()[0])
    words = PromptTokenizer(Tokenizer.from_folder(resolve("starter:model") / "tokenizer"), 77, 4000)
    assert count == 60 + len(words.ids("a robot"))


def test_encoders_that_read_alike_are_told_once(tmp_path: Path) -> None:
    model = tiny_sdxl(tmp_path / "model")
    told = of(tmp_path, {"a": "a robot " * 30}, "model.family=sdxl", f"model.source={model}", "model.max_chunks=9")
    assert "of text encoders 1 and 2." in told["captions.long"].title


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_what_is_said_to_be_seen_is_what_the_encoder_gets(most: int) -> None:
    words = PromptTokenizer(Tokenizer.from_folder(resolve("starter:model") / "tokenizer"), 12, 4000)
    text = ", ".join(["a red robot", "waves", "to a blue cat"] * 4)
    read = [token for chunk in words.chunks(text, most) for token in chunk.ids[1:]]
    end = [read.index(words.end, start) - start for start in range(0, len(read), 11)]
    assert sum(end) == tokens_read(words.lengths(text), most, words.chunk_size)
    assert sum(words.lengths(text)) == len(words.ids(text))


def test_tags_behind_signs_that_grow_together_are_counted_right(tmp_path: Path) -> None:
    tags = ",(red)" * 12 + ",(last)"
    told = of(tmp_path, {"a": f"a{tags}"}, "model.max_chunks=1")
    assert told["captions.cut"].items[-1] == "(last) (1)"


# The memo -------------------------------------------------------------------------------------------------------------


def counted(folder: Path) -> int:
    """How many captions were counted anew."""
    told: list[Event] = []
    preset = values(folder, f"concepts.0.path={folder / 'images'}")
    put(preset, "general.cache", str(folder / "cache"))
    context = open_inputs(preset, told.append)
    texts = captions_of(context)
    assert texts is not None
    list(token_limits.findings(context, texts))
    return max((event.total for event in told if isinstance(event, Stage)), default=0)


def test_what_was_counted_once_is_not_counted_again(tmp_path: Path) -> None:
    pictures(tmp_path / "images", *[(64, 64)] * 3)
    assert counted(tmp_path) == 3
    assert counted(tmp_path) == 0
    (tmp_path / "images" / "1.txt").write_text("something else", encoding="utf-8")
    assert counted(tmp_path) == 1


def test_a_damaged_read_cache_costs_only_time(tmp_path: Path) -> None:
    pictures(tmp_path / "images", *[(64, 64)] * 3)
    counted(tmp_path)
    kept = tmp_path / "cache" / "read-cache.sqlite"
    kept.write_bytes(b"torn" + kept.read_bytes()[4:])
    assert counted(tmp_path) == 3
    assert counted(tmp_path) == 0


def test_a_read_cache_that_another_program_holds_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_cache, "BUSY_S", 0.01)
    pictures(tmp_path / "images", *[(64, 64)] * 3)
    counted(tmp_path)
    (tmp_path / "images" / "1.txt").write_text("something else", encoding="utf-8")
    other = sqlite3.connect(tmp_path / "cache" / "read-cache.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    assert counted(tmp_path) == 3
    other.rollback()
    other.close()
    assert counted(tmp_path) == 1


# Missing --------------------------------------------------------------------------------------------------------------


def test_missing_and_empty_captions_are_told_apart(tmp_path: Path) -> None:
    told = of(tmp_path, {"1": "a robot", "2": None, "3": "  \n", "4": None})
    missing = told["captions.missing"]
    assert missing.severity == "warning"
    assert missing.title == (
        "3 of 4 images (75\u00a0%) have no caption: 2 without a .txt file and 1 with an empty .txt file."
    )
    assert missing.items == ["2.png", "3.png", "4.png"]
    assert missing.fixes == []


def test_names_that_say_something_are_offered_as_captions(tmp_path: Path) -> None:
    told = of(tmp_path, {"red robot": None, "blue cat": None})
    assert told["captions.missing"].fixes[0].changes == {"concepts.0.captions": "filename"}
    assert not of(tmp_path / "digits", {"1": None, "2": None})["captions.missing"].fixes


def test_a_prefix_makes_missing_captions_harmless(tmp_path: Path) -> None:
    assert of(tmp_path, {"1": None, "2": "a cat"}, "concepts.0.prefix=robot")["captions.missing"].severity == "info"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("concepts.0.captions=filename",), "2 whose file name says nothing"),
        (("concepts.0.captions=prompt",), "2 of a concept whose caption for all is empty"),
    ],
    ids=["names", "prompt"],
)
def test_other_ways_to_have_no_caption_are_found(settings: tuple[str, ...], words: str, tmp_path: Path) -> None:
    assert words in of(tmp_path, {"1": "x", "2": "y"}, *settings)["captions.missing"].title


def test_no_caption_on_purpose_is_no_finding(tmp_path: Path) -> None:
    assert not of(tmp_path, {"1": None, "2": None}, "concepts.0.captions=none")


def test_captions_that_are_mostly_dropped_are_found(tmp_path: Path) -> None:
    told = found(findings, tmp_path, captioned(tmp_path / "i", {"a": "x"}), "concepts.0.caption_dropout=0.75")
    assert told["captions.dropped"].title == "The caption is dropped 75\u00a0% of the time."


def test_captions_without_the_new_word_are_found(tmp_path: Path) -> None:
    told = of(tmp_path, {"a": "a <NEW> cat", "b": "a cat"}, "method.kind=embedding", "words.0.token=<new>")
    assert told["captions.word"].title == "1 of 2 images (50\u00a0%) lacks the token <new> in its caption."
    assert told["captions.word"].items == ["b.png"]


# Repeated and odd -----------------------------------------------------------------------------------------------------


def test_one_caption_for_all_is_told(tmp_path: Path) -> None:
    told = of(tmp_path, {"a": "a robot", "b": "a robot", "c": "a robot"})
    assert told["captions.same"].title == 'All 3 captions are the same: "a robot".'
    assert "captions.same" not in of(tmp_path, {}, "concepts.0.captions=prompt", "concepts.0.prompt=a robot")


def test_captions_beside_several_images_are_told(tmp_path: Path) -> None:
    told = of(tmp_path, {"a": "a robot", "b": "a robot", "c": "a cat"})
    assert told["captions.duplicates"].title == "2 of 3 captions (67\u00a0%) are used by several images."
    assert told["captions.duplicates"].items == ["a robot (2)"]


def test_captions_of_several_lines_are_told(tmp_path: Path) -> None:
    told = of(tmp_path, {"a": "a robot\nwith a hat", "b": "a cat"})
    assert told["captions.alternatives"].items == ["a.png"]


def test_signs_that_nobody_sees_are_told_by_name(tmp_path: Path) -> None:
    captions = {
        "a": "a\u200brobot",
        "b": "a \ufeffcat",
        "c": "a\x07dog",
        "d": "family \U0001f468\u200d\U0001f469",
        "e": "x",
    }
    told = of(tmp_path, captions)["captions.signs"]
    assert told.title == "3 captions have invisible characters."
    assert told.items == ["a.png: zero width space", "b.png: zero width no-break space", "c.png: control sign 07"]


def test_a_byte_order_mark_at_the_start_is_harmless(tmp_path: Path) -> None:
    assert not of(tmp_path, {"a": "\ufeffa robot", "b": "a cat".encode("utf-16")})


# Tags -----------------------------------------------------------------------------------------------------------------


def tagged(*lists: str) -> dict[str, str | bytes | None]:
    return {f"{n:02}": tags for n, tags in enumerate(lists)}


def test_the_most_common_and_the_single_tags_are_told(tmp_path: Path) -> None:
    lists = [f"robot, metal, toy, own {n}, {'red' if n % 2 else 'blue'}" for n in range(12)]
    told = of(tmp_path, tagged(*lists))
    assert told["captions.tags"].title == 'The most common of 17 tags is "robot": it is in 12 of 12 captions.'
    assert told["captions.tags"].bars[:3] == [("robot", 12), ("metal", 12), ("toy", 12)]
    assert told["captions.rare-tags"].title == "12 of 17 tags (71\u00a0%) are in one caption only."
    assert "own 11" in told["captions.rare-tags"].items


def test_tags_written_in_two_ways_are_told(tmp_path: Path) -> None:
    lists = [f"robot, {'red_hat' if n % 3 else 'Red hat'}, toy, metal" for n in range(12)]
    told = of(tmp_path, tagged(*lists))
    assert told["captions.variants"].title == "1 tag is written in more than one way."
    assert told["captions.variants"].items == ["red_hat (8) / Red hat (4)"]


def test_sentences_have_no_tags(tmp_path: Path) -> None:
    lists = [f"A robot that stands on hill number {n}, and waves at the sun." for n in range(12)]
    assert not of(tmp_path, tagged(*lists))


def test_braces_that_nobody_draws_from_are_told(tmp_path: Path) -> None:
    captions: dict[str, str | bytes | None] = {"a": "a {red|blue} robot", "b": "a {robot}", "c": "a | b"}
    told = of(tmp_path, captions)["captions.braces"]
    assert told.title.startswith("1 caption has words in braces")
    assert told.items == ["a.png"]
    assert told.fixes[0].changes == {"concepts.0.wildcards": True}
    assert "captions.braces" not in of(tmp_path / "on", captions, "concepts.0.wildcards=true")


def test_a_file_that_is_missing_is_told_by_its_own_ending(tmp_path: Path) -> None:
    told = of(tmp_path, {"a": "x", "b": None}, "concepts.0.caption_ending=.caption", "concepts.0.more_captions=.tags")
    assert "without a .caption or .tags file" in told["captions.missing"].title
    assert "captions.missing" not in of(tmp_path / "2", {"a": "x", "b": None}, "concepts.0.more_captions=folder")


def test_joined_captions_are_counted_as_they_are_read(tmp_path: Path) -> None:
    words: dict[str, str | bytes | None] = {"a": "a robot " * 10}
    path = captioned(tmp_path / "images", words)
    (tmp_path / "images" / "a.tags").write_text("red ||| " + "blue, " * 10, encoding="utf-8")
    settings = ("concepts.0.more_captions=.tags", "concepts.0.several=join", "concepts.0.trigger=ohwx")
    told = found(findings, tmp_path / "w", path, *settings)
    assert "captions.long" in told
    assert "captions.long" not in found(findings, tmp_path / "w", path, *settings[:1])


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_caption_in_another_encoding_is_told_with_how_it_was_read(tmp_path: Path) -> None:
    legacy = of(tmp_path, {"a": "a robot", "b": "un café".encode("cp1252"), "c": "un café"})["captions.legacy"]
    assert legacy.severity == "warning"
    assert legacy.title == "1 caption file is not in UTF-8 and was read as Windows-1252."
    (item,) = legacy.items
    assert item.endswith("b.txt: un café")
    path = str(tmp_path / "images" / "b.txt")
    assert [(fix.label, fix.changes, fix.files) for fix in legacy.fixes] == [
        ("Convert 1 file to UTF-8", {}, {path: path})
    ]


def test_a_caption_of_nearly_its_images_name_is_asked_about(tmp_path: Path) -> None:
    folder = captioned(tmp_path / "images", {"a red robot": None, "b": "a robot"})
    (tmp_path / "images" / "a_red_robot.txt").write_text("a red robot", encoding="utf-8")
    miss = found(findings, tmp_path, folder)["captions.near-miss"]
    assert miss.severity == "warning"
    assert miss.items == [f"{tmp_path / 'images' / 'a_red_robot.txt'} -> a red robot.txt"]
    images = tmp_path / "images"
    assert miss.fixes[0].files == {str(images / "a_red_robot.txt"): str(images / "a red robot.txt")}
