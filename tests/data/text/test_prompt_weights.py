"""Weights in A1111's notation, and what they do to tokens and chunks."""

from __future__ import annotations

import pytest

from modules.data.text.prompt_weights import parse_prompt_weights
from modules.data.text.tokenizer import PromptTokenizer, Tokenizer
from modules.system.bundled import resolve


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        (r"lily \(flower\), (lily \(flower\):1.2)", [("lily (flower), ", 1.0), ("lily (flower)", 1.2)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        # The example that A1111's own source gives.
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0), ("house", 1.573), (" ", 1.1), ("on", 1.0), (" a ", 1.1), ("hill", 0.55),
                (", sun, ", 1.1), ("sky", 1.4641), (".", 1.1),
            ],
        ),
        ("9:16, a) b]", [("9:16, a) b]", 1.0)]),
        ("", [("", 1.0)]),
        ("(x:1e9)", [("x:1e9", 1.1)]),
        ("(x:9999)", [("x", 100.0)]),
    ],
)  # fmt: skip
def test_weights_are_read_as_a1111_reads_them(text: str, pieces: list[tuple[str, float]]) -> None:
    found = parse_prompt_weights(text)
    assert [piece.text for piece in found] == [words for words, _ in pieces]
    assert [piece.weight for piece in found] == pytest.approx([weight for _, weight in pieces])


def test_break_is_a_word_of_its_own_in_capitals() -> None:
    assert [(p.text, p.breaks) for p in parse_prompt_weights("a robot BREAK (a hill:1.2)")] == [
        ("a robot", False),
        ("a hill", True),
    ]
    assert not any(piece.breaks for piece in parse_prompt_weights("a heartBREAK, a break, BREAKS"))


@pytest.fixture
def words() -> PromptTokenizer:
    return PromptTokenizer(Tokenizer.from_folder(resolve("starter:model") / "tokenizer"), 12, 4000)


def test_weights_are_no_tokens_and_lie_beside_theirs(words: PromptTokenizer) -> None:
    (chunk,) = words.chunks("a (robot:1.5) cat", 4, weighted=True)
    (plain,) = words.chunks("a robot cat", 4)
    assert chunk.ids == plain.ids
    robot = len(words.ids("robot"))
    assert chunk.weights == (1.0, 1.0, *[1.5] * robot, *[1.0] * (12 - 2 - robot))
    assert words.chunks("a robot cat", 4, weighted=True)[0].weights == ()
    assert words.chunks("a (robot:1.5) cat", 4)[0].weights == ()


def test_break_begins_a_new_chunk_and_the_most_is_kept(words: PromptTokenizer) -> None:
    first, second = words.chunks("a robot BREAK a cat", 4, weighted=True)
    assert first.ids == words.chunks("a robot", 1)[0].ids
    assert second.ids == words.chunks("a cat", 1)[0].ids
    assert len(words.chunks("a BREAK b BREAK c", 2, weighted=True)) == 2
    assert sum(words.lengths("a (robot:1.5) cat")) > sum(words.lengths("a robot cat"))
    words.weighted = True
    assert words.lengths("a (robot:1.5) BREAK cat") == [len(words.ids("a robot")), len(words.ids("cat"))]
