from __future__ import annotations

from collections import Counter
from typing import Any

from modules.data.captions import alternatives_of, caption_for, caption_of_name, possible_captions
from modules.preset.concepts import Concept


def concept(**values: Any) -> Concept:
    return Concept.model_validate(values)


def drawn(alternatives: tuple[str, ...], of: Concept, count: int = 500) -> Counter[str]:
    return Counter(caption_for(alternatives, of, 1, "caption", i) for i in range(count))


def test_the_same_address_gives_the_same_caption() -> None:
    of = concept(shuffle_tags=True, caption_dropout=0.5)
    for i in range(50):
        assert caption_for(("a, b, c, d", "e"), of, 7, i) == caption_for(("a, b, c, d", "e"), of, 7, i)


def test_every_alternative_comes_about_equally_often() -> None:
    counts = drawn(("one", "two", "three"), concept(), 3000)
    assert set(counts) == {"one", "two", "three"}
    assert all(900 < n < 1100 for n in counts.values())


def test_a_dropped_caption_is_exactly_empty() -> None:
    counts = drawn(("one",), concept(caption_dropout=0.25, prefix="sks, ", suffix="!"), 4000)
    assert set(counts) == {"", "sks, one!"}
    assert 900 < counts[""] < 1100
    assert set(drawn(("one",), concept(caption_dropout=1.0))) == {""}


def test_shuffling_keeps_all_tags_and_the_first_ones_in_front() -> None:
    counts = drawn(("robot, red ,blue,, green",), concept(shuffle_tags=True, keep_tags=1))
    assert len(counts) == 6
    assert all(c.startswith("robot, ") and sorted(c.split(", ")) == ["blue", "green", "red", "robot"] for c in counts)


def test_tags_are_joined_by_their_own_separator() -> None:
    assert set(drawn(("a|b",), concept(shuffle_tags=True, tag_separator="|"))) == {"a| b", "b| a"}
    assert set(drawn(("a b",), concept(shuffle_tags=True, tag_separator=" "))) == {"a b", "b a"}


def test_without_shuffling_a_caption_stays_as_it_is() -> None:
    assert set(drawn(("a ,b,, c",), concept())) == {"a ,b,, c"}


def test_names_become_captions() -> None:
    assert caption_of_name("sub/a_red_robot_012.png") == "a red robot"
    assert caption_of_name("a red robot (3).jpg") == "a red robot"
    assert caption_of_name("blue-eyed cat-07.webp") == "blue-eyed cat"
    assert caption_of_name("robot2000 hero.png") == "robot2000 hero"
    assert caption_of_name("00012.png") == ""


def test_captions_come_from_where_the_concept_says() -> None:
    lines = ["from a file"]
    assert alternatives_of(concept(), "cat_1.png", lines) == ("from a file",)
    assert alternatives_of(concept(), "cat_1.png", []) == ("",)
    assert alternatives_of(concept(captions="filename"), "cat_1.png", lines) == ("cat",)
    assert alternatives_of(concept(captions="prompt", prompt="a\n\n b "), "x.png", lines) == ("a", "b")
    assert alternatives_of(concept(captions="none"), "x.png", lines) == ("",)


def test_possible_captions_are_exactly_those_that_occur() -> None:
    for of in (
        concept(),
        concept(caption_dropout=0.3, prefix="p "),
        concept(caption_dropout=1.0),
        concept(shuffle_tags=True),
        concept(shuffle_tags=True, keep_tags=2, suffix="."),
    ):
        alternatives = ("a, b, c", "d")
        possible = possible_captions(alternatives, of)
        assert possible is not None
        assert set(possible) == set(drawn(alternatives, of, 1000))
        assert len(set(possible)) == len(possible)


def test_too_many_captions_are_not_listed() -> None:
    many = ", ".join(str(i) for i in range(30))
    assert possible_captions((many,), concept(shuffle_tags=True)) is None
    assert possible_captions((many,), concept(shuffle_tags=True, keep_tags=29)) is not None
    assert possible_captions((many,), concept(shuffle_tags=True, caption_dropout=1.0)) == [""]
    assert possible_captions([str(i) for i in range(65)], concept()) is None
