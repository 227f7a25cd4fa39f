"""A list of layers may mix names of sets and expressions."""

from __future__ import annotations

import pytest

from modules.catalog import FAMILIES
from modules.methods.layer_selection import select_layers
from modules.preset.text.layer_names import expressions, invalid_reason, split

SETS = {name: layers.patterns for name, layers in FAMILIES["sdxl"].layer_sets.items()}


def test_names_of_sets_in_a_list_stand_for_their_patterns_and_the_rest_for_itself() -> None:
    found = expressions(r"mid, input 6,  attn2\.to_k ,", SETS)
    assert found == (*SETS["mid"], *SETS["input 6"], r"attn2\.to_k")
    assert expressions("71 %", SETS) == SETS["71 %"]
    assert expressions("", SETS) == ()


def test_the_engine_takes_such_a_list() -> None:
    names = ["mid_block.resnets.0.conv1.weight", "down_blocks.1.downsamplers.0.conv.bias", "conv_in.weight", "up.to_k"]
    assert select_layers(names, "mid, input 6", SETS, what="weight") == names[:2]
    assert select_layers(names, "input 0, to_k$", SETS, what="weight") == names[2:]


def test_a_comma_in_brackets_is_part_of_an_expression() -> None:
    assert split("a{1[,]2}, b") == ("a{1[,]2}", "b")


@pytest.mark.parametrize(("text", "why"), [("(", "not a regular"), ("(a+)+", "for ever"), (r"a\.b", "")])
def test_what_is_wrong_with_an_expression_is_said(text: str, why: str) -> None:
    assert why in invalid_reason(text)
    assert bool(why) is bool(invalid_reason(text))
