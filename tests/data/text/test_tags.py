from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from modules.data.text.captions import caption_for
from modules.data.text.tags import every_tag, split_tags
from modules.preset.sections.concept import Concept
from modules.preset.text.tag_patterns import matcher, wrong_patterns
from modules.sentences.render import PLAIN


def concept(**values: Any) -> Concept:
    return Concept.model_validate(values)


def drawn(text: str, count: int = 500, step: int = 0, **values: Any) -> Counter[str]:
    of = concept(**values)
    return Counter(caption_for(((text,),), of, 1, "caption", i, step=step) for i in range(count))


def test_shuffling_keeps_all_tags_and_the_first_ones_in_front() -> None:
    counts = drawn("robot, red ,blue,, green", shuffle_tags=True, keep_tags=1)
    assert len(counts) == 6
    assert all(c.startswith("robot, ") and sorted(c.split(", ")) == ["blue", "green", "red", "robot"] for c in counts)


def test_tags_are_joined_by_their_own_separator() -> None:
    assert set(drawn("a|b", shuffle_tags=True, tag_separator="|")) == {"a| b", "b| a"}
    assert set(drawn("a b", shuffle_tags=True, tag_separator=" ")) == {"a b", "b a"}
    assert set(drawn("a; b", tag_separator=";", unique_tags=True)) == {"a; b"}, "not always a comma"


def test_where_nothing_is_to_be_done_a_caption_stays_as_it_is() -> None:
    assert set(drawn("a ,b,, c")) == {"a ,b,, c"}
    assert set(drawn("a ||| b;;;c", tags="none")) == {"a ||| b;;;c"}


def test_tags_before_the_keep_separator_stay_and_the_sign_is_taken_out() -> None:
    assert set(drawn("x, y ||| a, b ||| z", shuffle_tags=True, keep_tags=9)) == {"x, y, a, b, z", "x, y, b, a, z"}
    assert set(drawn("x, y ||| a, b")) == {"x, y, a, b"}, "with nothing else switched on"
    assert set(drawn("x ||| a", keep_separator="")) == {"x ||| a"}


def test_groups_stay_together_and_their_sign_becomes_the_separator() -> None:
    assert set(drawn("a;;;b, c", shuffle_tags=True)) == {"a, b, c", "c, a, b"}
    assert set(drawn("a;;;b, c")) == {"a, b, c"}
    assert set(drawn("a;;;b, c", tag_dropout=0.5)) == {"a, b, c", "a, b", "c", ""}


def test_every_tag_is_dropped_by_itself() -> None:
    counts = drawn("k, a, b", 4000, tag_dropout=0.25, keep_tags=1)
    assert set(counts) == {"k, a, b", "k, a", "k, b", "k"}
    assert 2100 < counts["k, a, b"] < 2400  # 0.75 x 0.75 of 4,000 are 2,250
    assert 180 < counts["k"] < 320


def test_later_tags_are_dropped_more_often_when_weighted() -> None:
    counts = drawn("a, b, c, d", 4000, tag_dropout=0.8, tag_dropout_kind="weighted")
    gone = [sum(n for caption, n in counts.items() if tag not in caption) / 4000 for tag in "abcd"]
    assert gone == pytest.approx([0.2, 0.4, 0.6, 0.8], abs=0.03)  # p (i + 1) / n


def test_all_tags_are_dropped_together() -> None:
    counts = drawn("k, a, b", 2000, tag_dropout=0.3, tag_dropout_kind="all", keep_tags=1)
    assert set(counts) == {"k, a, b", "k"}
    assert 530 < counts["k"] < 670


def test_lists_say_which_tags_drop() -> None:
    keep = drawn("Hat, red hair, (dog)", tag_dropout=1, tag_list_use="keep", tag_list="hat\ndog")
    assert set(keep) == {"Hat, (dog)"}
    only = drawn("hat, red hair, dog", tag_dropout=1, tag_list_use="only", tag_list="hat")
    assert set(only) == {"red hair, dog"}
    some = drawn("hat, red hair, dog, blue hairs", tag_dropout=1, tag_list_use="only", tag_list=".* hair\nd.g",
                 tag_list_patterns=True)  # fmt: skip
    assert set(some) == {"hat, blue hairs"}


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a+)\1", r"refers back with \1"),
        ("(?P<x>a)(?P=x)", "refers back with (?P=x)"),
        ("(?=a*)a*b", "looks around with (?="),
        ("(?<!a)b", "looks around with (?<!"),
        ("a{,3}", "Write {0,3}"),
        ("[a-", "is not a regular expression"),
        ("a{1,60000}{9}", "is not a regular expression"),
        ("x" * 201, "is longer than 200 characters"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_in_words_and_matches_nothing(pattern: str, why: str) -> None:
    (said,) = wrong_patterns(pattern)
    assert why in PLAIN.sentence(said)
    assert not matcher(pattern, patterns=True)("aa")


EVIL = ["(a+)+b", "(a|a)*b", "a*a*a*a*a*a*a*b", "(a?){60}a{60}b", "(a|a)" * 39 + "b", "a?" * 90 + "b"]


@pytest.mark.parametrize("pattern", EVIL)
def test_no_pattern_takes_long(pattern: str) -> None:
    assert not list(wrong_patterns(pattern))
    began = time.process_time()
    assert not matcher(pattern, patterns=True)("a" * 5000)
    assert time.process_time() - began < 20


def test_patterns_know_no_capitals_in_any_language_and_take_broken_letters() -> None:
    assert matcher("schön.*", patterns=True)("SCHÖNER Roboter")
    assert not matcher("a", patterns=True)("\ud800")


def test_good_patterns_are_let_through() -> None:
    assert not list(wrong_patterns(".* hair\n(red|blue) (cat|dog)s?\nart[a-z+*?]+\n\\(x\\)\\+"))


def test_a_tag_stands_once() -> None:
    assert set(drawn("k, a, A, b, K, a", unique_tags=True, keep_tags=1)) == {"k, a, b"}
    assert set(drawn("x ||| a, x, a ||| y", unique_tags=True)) == {"x, a, y"}


def test_at_most_so_many_tags_are_shown_and_others_each_time() -> None:
    counts = drawn("k, a, b, c", most_tags=2, keep_tags=1, shuffle_tags=True)
    assert set(counts) == {"k, a", "k, b", "k, c"}
    assert set(drawn("a, b, c", most_tags=2)) == {"a, b"}
    assert set(drawn("a, b, c", most_tags=1, keep_tags=2)) == {"a, b"}, "kept tags stay"


def test_tags_grow_with_the_steps() -> None:
    def shown(step: int) -> str:
        (caption,) = drawn("k, a, b, c, d", 1, step, keep_tags=1, tag_warmup=100, tag_warmup_from=1)
        return caption

    # floor(step x (n - min) / warm-up) + min of the tags that are not kept, as in kohya's scripts
    grown = {0: 1, 33: 1, 34: 2, 66: 2, 67: 3, 99: 3, 100: 4, 5000: 4}
    assert {step: len(shown(step).split(", ")) - 1 for step in grown} == grown
    assert shown(0) == "k, a"


def test_tags_are_written_in_other_capitals_and_keep_their_spaces() -> None:
    def one(capitals: str) -> str:
        (caption,) = drawn("Red hat's, <New_x>, b", capitals=capitals)
        return caption

    assert one("upper") == "RED HAT'S, <New_x>, B"
    assert one("lower") == "red hat's, <New_x>, b"
    assert one("title") == "Red Hat's, <New_x>, B"
    assert one("first") == "Red hat's, <New_x>, B"
    random = drawn("abcdef", 300, capitals="random")
    assert len(random) > 50
    assert {caption.lower() for caption in random} == {"abcdef"}
    some = drawn("a, b", 2000, capitals="upper", capitals_share=0.5)
    assert set(some) == {"a, b", "A, b", "a, B", "A, B"}
    assert 420 < some["A, B"] < 580
    assert set(drawn("xy", 300, capitals="any")) >= {"xy", "XY", "Xy"}


def test_a_separator_in_brackets_separates_nothing() -> None:
    assert split_tags("(a, b:1.2), [c, d], e", ",") == ["(a, b:1.2)", "[c, d]", "e"]
    assert split_tags(r"a \(b, c", ",") == [r"a \(b", "c"]
    assert split_tags("(a, b), c)", ",") == ["(a", "b)", "c)"]


def test_all_tags_are_counted_without_signs() -> None:
    assert every_tag("x ||| a;;;b, c", concept()) == ["x", "a", "b", "c"]
