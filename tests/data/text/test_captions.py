from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from modules.data.text.captions import (
    CaptionTexts,
    caption_for,
    caption_of_folder,
    caption_of_name,
    caption_texts_of,
    plain_captions,
    possible_captions,
    undrawn_caption,
)
from modules.preset.sections.concept import Concept


def concept(**values: Any) -> Concept:
    return Concept.model_validate(values)


def drawn(caption_texts: CaptionTexts, of: Concept, count: int = 500) -> Counter[str]:
    return Counter(caption_for(caption_texts, of, 1, "caption", i) for i in range(count))


def said(text: str, **values: Any) -> set[str]:
    """Everything that is drawn of one line."""
    return set(drawn(((text,),), concept(**values)))


def test_the_same_address_gives_the_same_caption() -> None:
    of = concept(shuffle_tags=True, caption_dropout=0.5, tag_dropout=0.3, wildcards=True)
    caption_texts = (("a, b, {c|d}, d", "e"),)
    for i in range(50):
        assert caption_for(caption_texts, of, 7, i) == caption_for(caption_texts, of, 7, i)


def test_every_alternative_comes_about_equally_often() -> None:
    counts = drawn((("one", "two", "three"),), concept(), 3000)
    assert set(counts) == {"one", "two", "three"}, "not only the first line"
    assert all(900 < n < 1100 for n in counts.values())


def test_a_dropped_caption_is_exactly_empty() -> None:
    of = concept(caption_dropout=0.25, prefix="sks, ", suffix="!", trigger="ohwx")
    counts = drawn((("one",),), of, 4000)
    assert set(counts) == {"", "sks, ohwx, one!"}
    assert 900 < counts[""] < 1100
    assert set(drawn((("one",),), concept(caption_dropout=1.0))) == {""}


def test_captions_are_dropped_in_every_nth_epoch() -> None:
    of = concept(dropout_epochs=3)
    assert [caption_for((("x",),), of, 1, epoch=epoch) for epoch in range(6)] == ["x", "x", "", "x", "x", ""]
    assert possible_captions((("x",),), of) == ["", "x"]


# Where captions come from ---------------------------------------------------------------------------------------------


def test_names_become_captions() -> None:
    assert caption_of_name("sub/a_red_robot_012.png") == "a red robot"
    assert caption_of_name("a red robot (3).jpg") == "a red robot"
    assert caption_of_name("blue-eyed cat-07.webp") == "blue-eyed cat"
    assert caption_of_name("robot2000 hero.png") == "robot2000 hero"
    assert caption_of_name("00012.png") == ""


def test_folders_become_captions_without_the_number_in_front() -> None:
    assert caption_of_folder(concept(path="/data/10_sks dog/"), "a.png") == "sks dog"
    assert caption_of_folder(concept(path="C:\\data\\3_red_robot"), "a.png") == "red robot"
    assert caption_of_folder(concept(path="/data/all", subfolders=True), "x/5_ohwx man/a.png") == "ohwx man"
    assert caption_of_folder(concept(path="starter:robot"), "a.png") == "robot"


def test_captions_come_from_where_the_concept_says() -> None:
    lines = [["from a file"]]
    assert caption_texts_of(concept(), "cat_1.png", lines) == (("from a file",),)
    assert plain_captions(caption_texts_of(concept(), "cat_1.png", []), concept()) == ("",)
    assert caption_texts_of(concept(captions="filename"), "cat_1.png", []) == (("cat",),)
    assert caption_texts_of(concept(captions="folder", path="10_sks dog"), "cat_1.png", []) == (("sks dog",),)
    assert caption_texts_of(concept(captions="prompt", prompt="a\n\n b "), "x.png", []) == (("a", "b"),)
    assert caption_texts_of(concept(captions="none", more_captions="name"), "x.png", []) == ()
    assert caption_for((), concept(captions="none", prefix="sks"), 1) == "sks"


def test_wrapped_lines_are_one_caption() -> None:
    assert caption_texts_of(concept(wrapped=True), "a.png", [["a red", "robot"]]) == (("a red robot",),)


def test_the_first_source_that_says_anything_is_taken() -> None:
    of = concept(more_captions=".caption, name")
    assert caption_texts_of(of, "cat_1.png", [["prose"], ["other"]]) == (("prose",), (), ())
    assert caption_texts_of(of, "cat_1.png", [[], ["other"]]) == ((), ("other",), ())
    assert drawn(caption_texts_of(of, "cat_1.png", [[], []]), of) == {"cat": 500}


def test_sources_are_drawn_with_their_shares_among_those_that_are_there() -> None:
    of = concept(more_captions=".tags", several="pick", shares="3, 1")
    counts = drawn(caption_texts_of(of, "a.png", [["prose"], ["t, u", "v"]]), of, 4000)
    assert set(counts) == {"prose", "t, u", "v"}
    assert 2850 < counts["prose"] < 3150
    assert 420 < counts["v"] < 580
    assert drawn(caption_texts_of(of, "a.png", [[], ["t"]]), of) == {"t": 500}
    never = of.model_copy(update={"shares": "1, 0"})
    assert set(drawn(caption_texts_of(never, "a.png", [["prose"], ["t"]]), never)) == {"prose"}


def test_sources_are_joined_in_their_order_with_what_is_put_between() -> None:
    of = concept(caption_ending=".tags", more_captions=".txt", several="join", join_with=" -- ", prefix="p ")
    caption_texts = caption_texts_of(of, "a.png", [["t, u"], ["prose"]])
    assert set(drawn(caption_texts, of)) == {"p t, u -- prose"}
    assert plain_captions(caption_texts, of) == ("t, u -- prose",)
    assert set(drawn(caption_texts_of(of, "a.png", [[], ["prose"]]), of)) == {"p prose"}, "nothing hangs over"
    lines = of.model_copy(update={"join_with": "\\n"})
    assert set(drawn(caption_texts, lines)) == {"p t, u\nprose"}


def test_only_the_sources_that_are_tags_are_shuffled() -> None:
    of = concept(more_captions=".tags", several="join", tags="more", shuffle_tags=True)
    caption_texts = caption_texts_of(of, "a.png", [["tall, thin, red"], ["x, y"]])
    assert set(drawn(caption_texts, of)) == {"tall, thin, red, x, y", "tall, thin, red, y, x"}


# Words ----------------------------------------------------------------------------------------------------------------


def test_words_in_braces_are_drawn() -> None:
    assert said("a {red|dark {blue|green}| } cat", wildcards=True) == {
        "a red cat", "a dark blue cat", "a dark green cat", "a   cat",
    }  # fmt: skip
    assert said("a {red|blue} cat") == {"a {red|blue} cat"}, "off"
    counts = drawn((("{a|b}",),), concept(wildcards=True), 2000)
    assert 900 < counts["a"] < 1100


def test_two_pairs_of_braces_are_drawn_each_by_itself() -> None:
    assert said("{a|b}{a|b}", wildcards=True) == {"aa", "ab", "ba", "bb"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("{{x|y}}", "{x|y}"),
        ("a }} b", "a } b"),
        ("{alone}", "{alone}"),
        ("{a|b", "{a|b"),
        ("a|b}", "a|b}"),
        ("{" * 3000 + "|" + "}" * 3000, None),
        ("{ " * 3000 + "|" + "} " * 3000, None),
    ],
)
def test_plain_braces_stay(text: str, plain: str | None) -> None:
    found = said(text, wildcards=True)
    assert len(found) == 1
    assert plain is None or found == {plain}


def test_the_trigger_word_is_put_in_front_where_it_is_missing() -> None:
    assert said("a robot", trigger="ohwx") == {"ohwx, a robot"}
    assert said("an Ohwx robot", trigger="ohwx") == {"an Ohwx robot"}
    assert said("ohwxy", trigger="ohwx") == {"ohwx, ohwxy"}, "a part of another word is another word"
    assert said("a, b", trigger="ohwx", shuffle_tags=True) == {"ohwx, a, b", "ohwx, b, a"}
    assert caption_for((), concept(trigger="ohwx"), 1) == "ohwx"
    assert said("robot", trigger="<new>", prefix="<new> ") == {"<new> robot"}


def test_words_are_replaced_as_wholes_and_all_at_once() -> None:
    rules = "cat => dog\ndog => cat\nred car => blue bus\nbad =>"
    assert said("a cat, a dog, a catalog, bad red car", replacements=rules) == {"a dog, a cat, a catalog,  blue bus"}
    with pytest.raises(ValueError, match="line 1 is not a replacement"):
        concept(replacements="cat")


def test_underscores_become_spaces_but_not_in_faces_and_new_words() -> None:
    assert said("red_hair, ^_^, <my_word>, o_o, a_b_c_d", underscores=True) == {
        "red hair, ^_^, <my_word>, o_o, a b c d"
    }


def test_brackets_of_weights_stay_as_they_are() -> None:
    text = r"(red hat:1.2), [dull], a \(b\), ((x, y))"
    assert said(text) == {text}
    of = concept(shuffle_tags=True)
    for caption in drawn(((text,),), of):
        assert sorted(caption.split(", ", 9)) == sorted(text.split(", ", 9)) or "((x, y))" in caption
        assert all(part in caption for part in ("(red hat:1.2)", "[dull]", r"a \(b\)", "((x, y))"))
    assert said(":(, a", shuffle_tags=True) == {":(, a", "a, :("}, "a bracket that nobody closes is a letter"


# What may be said -----------------------------------------------------------------------------------------------------

MANY: list[dict[str, Any]] = [
    {},
    {"caption_dropout": 0.3, "prefix": "p "},
    {"caption_dropout": 1.0},
    {"dropout_epochs": 4, "trigger": "b"},
    {"shuffle_tags": True},
    {"shuffle_tags": True, "keep_tags": 2, "suffix": "."},
    {"wildcards": True, "capitals": "title", "capitals_share": 0.5},
    {"tag_dropout": 0.4},
    {"tag_dropout": 0.5, "tag_dropout_kind": "weighted", "shuffle_tags": True},
    {"tag_dropout": 0.5, "tag_dropout_kind": "all", "tag_list_use": "keep", "tag_list": "b"},
    {"tag_dropout": 1.0, "tag_list_use": "only", "tag_list": ". *", "tag_list_patterns": True},
    {"most_tags": 2, "shuffle_tags": True, "unique_tags": True},
    {"tag_warmup": 30, "tag_warmup_from": 1},
    {"tag_warmup": 30, "tag_warmup_from": 0, "shuffle_tags": True},
    {"capitals": "first", "capitals_share": 0.3, "tag_dropout": 0.2, "keep_tags": 1},
    {"several": "pick", "more_captions": ".b", "shares": "1, 2", "tags": "first", "shuffle_tags": True},
    {"several": "join", "more_captions": ".b", "tags": "more", "tag_dropout": 0.5},
]


@pytest.mark.parametrize("values", MANY, ids=str)
def test_possible_captions_are_exactly_those_that_occur(values: dict[str, Any]) -> None:
    of = concept(**values)
    caption_texts = caption_texts_of(of, "a.png", [["a, b, c", "d {x|yy}"], ["e, f"]])
    possible = possible_captions(caption_texts, of)
    every = {caption_for(caption_texts, of, 1, i, epoch=i % 7, step=i % 60) for i in range(2000)}
    assert possible is not None or len(every) > 32
    assert possible is None or (set(possible) == every and len(set(possible)) == len(possible))
    for caption in plain_captions(caption_texts, of):
        assert possible is None or "" in possible or not values or undrawn_caption(caption, of)


def test_too_many_captions_are_not_listed() -> None:
    many = ((", ".join(str(i) for i in range(30)),),)
    assert possible_captions(many, concept(shuffle_tags=True)) is None
    assert possible_captions(many, concept(tag_dropout=0.1)) is None
    assert possible_captions((("abcdefghijkl",),), concept(capitals="random")) is None
    assert possible_captions(many, concept(shuffle_tags=True, keep_tags=29)) is not None
    assert possible_captions(many, concept(tag_warmup=100)) is not None
    assert possible_captions(many, concept(shuffle_tags=True, caption_dropout=1.0)) == [""]
    assert possible_captions((tuple(str(i) for i in range(65)),), concept()) is None
    assert possible_captions((("{a|b}" * 2000,),), concept(wildcards=True)) is None


def test_a_caption_as_it_is_written_has_all_tags_and_the_first_options() -> None:
    of = concept(wildcards=True, tag_dropout=0.5, shuffle_tags=True, trigger="ohwx", caption_dropout=0.5, tag_warmup=9)
    assert undrawn_caption("a, {b|c} ||| d;;;e", of) == "ohwx, a, b, d, e"
