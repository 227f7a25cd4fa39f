"""A list of layers may mix names of sets and expressions."""

from __future__ import annotations

import time

import pytest

from modules.catalog import FAMILIES
from modules.preset.layer_selection import select_layers
from modules.preset.text.layer_names import LayerPattern, expressions, invalid_reason, split
from modules.preset.validate import examine
from modules.sentences.render import PLAIN

SETS = {name: layers.patterns for name, layers in FAMILIES["sdxl"].layer_sets.items()}


def test_names_of_sets_in_a_list_stand_for_their_patterns_and_the_rest_for_itself() -> None:
    found = expressions(r"mid, input 6,  attn2\.to_k ,", SETS)
    assert found == (*SETS["mid"], *SETS["input 6"], r"attn2\.to_k")
    assert expressions("71 %", SETS) == SETS["71 %"]
    assert expressions("", SETS) == ()


def test_the_engine_takes_such_a_list() -> None:
    names = ["mid_block.resnets.0.conv1.weight", "down_blocks.1.downsamplers.0.conv.bias", "conv_in.weight", "up.to_k"]
    assert select_layers(names, "mid, input 6", SETS) == names[:2]
    assert select_layers(names, "input 0, to_k$", SETS) == names[2:]


def test_a_comma_in_brackets_is_part_of_an_expression() -> None:
    assert split("a{1[,]2}, b") == ("a{1[,]2}", "b")


@pytest.mark.parametrize(
    ("text", "why"),
    [("(", "not a regular"), ("a(?=b)", "looks around with (?="), (r"(a)\1", r"refers back with \1"), (r"a\.b", "")],
)
def test_what_is_wrong_with_an_expression_is_said(text: str, why: str) -> None:
    wrong = invalid_reason(text)
    assert why in PLAIN.what(wrong) if wrong else not why


def test_an_expression_may_begin_with_what_a_name_must_not_begin_with() -> None:
    pattern = LayerPattern("^(?!mid|down_blocks\\.(0|1)\\.[)]?).*to_k")
    names = ["mid_block.to_k", "down_blocks.0.to_k", "down_blocks.2.to_k", "up.to_q", "up.to_k"]
    assert [name for name in names if pattern.matches(name)] == ["down_blocks.2.to_k", "up.to_k"]


def test_an_expression_that_python_would_search_for_ever_is_done_at_once() -> None:
    began = time.process_time()
    assert not LayerPattern("(a+)+(a|a)*(.*.*)*=$").matches("a" * 20_000)
    assert time.process_time() - began < 20


def test_a_list_of_layers_that_would_take_minutes_to_match_is_refused() -> None:
    _, wrong = examine({"version": 6, "method": {"kind": "lora", "layers": "a," * 11_000}})
    assert [each.code for each in wrong.values()] == ["value.string-too-long"]
