"""What a model wrote, made into a caption."""

from __future__ import annotations

import pytest

from modules.captioning.text_checks import is_loop, one_line, whole_sentences, with_prefix, without_phrases


def test_a_text_of_several_lines_is_one_caption() -> None:
    assert one_line(' "A robot.\n\n It waves. "\n') == "A robot. It waves."


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("The image shows a robot, waving.", "a robot, waving."),
        ("A robot. the image SHOWS: nothing else.", "A robot. nothing else."),
        ("A cartoonish cat, cartoon , red", "A cartoonish cat, red"),
    ],
)
def test_set_phrases_are_cut_out(text: str, left: str) -> None:
    assert without_phrases(text, "The image shows, cartoon") == left


def test_a_text_that_was_too_long_ends_with_a_sentence() -> None:
    assert whole_sentences("One. Two is 2.5 long! And thr") == "One. Two is 2.5 long!"
    assert whole_sentences("no end at all") == "no end at all"


@pytest.mark.parametrize("text", ["red " * 6, "a red robot, " * 4, "It waves. It waves. It waves. It waves. It"])
def test_a_loop_is_noticed(text: str) -> None:
    assert is_loop(text)


@pytest.mark.parametrize("text", ["", "a robot", "very very very big", "red eye, red bow, red hat, red shoe, red dot"])
def test_what_only_sounds_like_one_is_none(text: str) -> None:
    assert not is_loop(text)


def test_trigger_and_prefix_stand_before_the_caption() -> None:
    assert with_prefix("smile", "blip robot", "", tags=True) == "blip robot, smile"
    assert with_prefix("waving", "a photo of", "", tags=False) == "a photo of waving"
    assert with_prefix("a robot", "", "blip", tags=False) == "blip, a robot"
    assert with_prefix("the Blip robot", "", "blip", tags=False) == "the Blip robot"
