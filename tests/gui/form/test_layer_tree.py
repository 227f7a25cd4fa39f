"""The tree of layers: what stands where, and ticks and texts that say the same."""

from __future__ import annotations

import random

import pytest

from app.gui.form.layer_counts import in_short, memory_in_words, weights_in_words
from app.gui.form.layer_tree import LayerTree, Line, Node, state, toggled
from modules.catalog import FAMILIES
from modules.preset.layer_selection import select_layers
from modules.preset.validate import preset_of
from tests.families.pretend.card import CARD
from tests.layer_answers import answered

CASES = [(family, kind) for family in ("sd", "sdxl", "pretend") for kind in ("full", "lora")]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "pretend", CARD)


def layers(family: str, kind: str, **method: object) -> LayerTree:
    names = answered("layers", family, kind, method=method)["names"]
    return LayerTree(names, FAMILIES[family].layer_sets)


def every_node(tree: LayerTree) -> list[Node]:
    return [node for root in tree.roots for node in root.walk()]


def picked(tree: LayerTree, family: str, text: str) -> int:
    """What the engine makes of a text."""
    sets = {name: each.patterns for name, each in FAMILIES[family].layer_sets.items()}
    names = set(select_layers(tree.names, text, sets))
    return sum(1 << place for place, name in enumerate(tree.names) if name in names)


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_every_node_is_called_what_the_engine_understands_as_just_that(family: str, kind: str) -> None:
    found = layers(family, kind, **({"conv": True} if kind == "lora" else {}))
    nodes = every_node(found)
    assert len({node.term for node in nodes}) == len(nodes)
    for node in nodes:
        assert picked(found, family, node.term) == node.mask, node.term
        if node.children:
            parts = [child.mask for child in node.children]
            assert sum(parts) == node.mask, node.term  # all of it, and nothing twice
    if kind == "full":
        assert sum(root.mask for root in found.roots) == found.everything


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_ready_sets_are_those_of_the_family_and_hold_what_the_engine_takes(family: str, kind: str) -> None:
    found = layers(family, kind)
    for name, mask in found.sets.items():
        assert picked(found, family, name) == mask
        text = found.text_of(mask)
        assert text == name or found.sets[text] == mask
    assert ("71 %" in found.sets) is (family == "sdxl")
    assert ("inner" in found.sets) is (family == "sd")


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_whatever_is_ticked_comes_back_from_the_text_that_is_written(family: str, kind: str) -> None:
    found, chance = layers(family, kind), random.Random(f"{family} {kind}")
    nodes, longest = every_node(found), 0
    for _ in range(12):
        ticked = 0
        for node in chance.sample(nodes, chance.randint(1, 12)):
            ticked = toggled(ticked, node.mask)
        if ticked:
            text = found.text_of(ticked)
            assert found.read(text) == (ticked, "")
            assert picked(found, family, text) == ticked
            longest = max(longest, len(text))
    assert longest < 1500


def test_blocks_are_written_by_their_names_and_in_few_words() -> None:
    tree = layers("sdxl", "full")
    ticked = tree.read("output 0.1, mid, input 4")[0]
    assert tree.text_of(ticked) == "mid, input 4, output 0.1"
    assert tree.text_of(tree.everything & ~tree.read("input 4")[0]).count(",") < 20
    both = tree.read("cross-attention, middle 0")[0]
    assert tree.text_of(both) == "cross-attention, middle 0"


def test_an_expression_of_ones_own_stays_where_more_is_ticked() -> None:
    tree = layers("sd", "full")
    own = r"down_blocks\.1\..*to_k\.weight"
    ticked = tree.read(own)[0]
    kinds = [node for node in every_node(layers("sd", "full")) if node.title.startswith("Cross")]
    assert {state(ticked, node.mask) for node in kinds} == {None, False}
    assert tree.text_of(ticked | tree.read("mid")[0], own) == f"mid, {own}"
    assert tree.read(tree.text_of(ticked, ""))[0] == ticked  # without it: name by name


@pytest.mark.parametrize(
    ("text", "why"), [("nobody", "no"), ("(", "regular"), ("a(?=b)", "looks around"), ("", "Nothing")]
)
def test_a_text_that_picks_nothing_says_why(text: str, why: str) -> None:
    found, wrong = layers("sd", "full").read(text)
    assert not found
    assert why.casefold() in wrong.casefold()


def test_a_box_is_ticked_in_part_and_a_click_ticks_all_then_nothing() -> None:
    assert [state(ticked, 0b1100) for ticked in (0b0011, 0b0100, 0b1111)] == [False, None, True]
    assert toggled(0b0101, 0b1100) == 0b1101
    assert toggled(0b1101, 0b1100) == 0b0001


def words(lines: list[Line]) -> list[str]:
    return [line.node.title for line in lines]


def test_folded_nodes_hide_what_lies_in_them_and_a_search_shows_the_way_to_what_it_finds() -> None:
    tree = layers("sdxl", "full")
    assert words(tree.lines(0, ())) == [root.title for root in tree.roots]
    opened = tree.lines(tree.everything, {"mid"})
    assert [line.depth for line in opened if line.node.title.startswith("Middle")] == [0, 1, 1, 1]
    assert len(tree.lines(0, tree.all_terms())) > 160
    found = tree.lines(0, (), "input 4 mlp")
    assert words(found) == ["Down blocks", "Input 4", "Transformer", "MLP"]
    assert [line.hit for line in found] == [False, False, False, True]
    assert tree.lines(0, (), "nothing of the kind") == []


def test_a_family_that_is_no_unet_is_a_tree_by_the_parts_of_its_names() -> None:
    tree = layers("pretend", "full")
    blocks = next(root for root in tree.roots if root.title == "transformer_blocks")
    assert [child.title for child in blocks.children] == ["transformer_blocks.0", "transformer_blocks.1"]
    assert [part.title for part in blocks.children[0].children] == ["norm", "to_q", "to_k", "to_v", "to_out", "mlp"]
    scale = next(root for root in tree.roots if root.title == "scale")
    assert (scale.term, scale.children) == ("^scale$", ())
    weight, bias = (tree.names.index(f"transformer_blocks.0.to_q.{what}") for what in ("weight", "bias"))
    assert blocks.children[0].children[1].mask == 1 << weight | 1 << bias  # a line for both
    adapters = layers("pretend", "lora")
    assert [(root.title, root.term) for root in adapters.roots] == [("transformer_blocks", "all")]


TRAINED = {
    "parts": {"denoiser": {"whole": 2_567_463_684, "picked": 1_827_058_244, "trained": 1_827_058_244}},
    "memory": {"weights": 4 * 1_827_058_244, "gradients": 4 * 1_827_058_244, "optimizer": 8 * 1_827_058_244},
    "groups": [413_000_000], "problem": {},
}  # fmt: skip


def test_numbers_in_words() -> None:
    words = "Training takes 27.2 GB: weights 6.8 GB, gradients 6.8 GB, optimizer 13.6 GB."
    assert memory_in_words(TRAINED) == words
    assert weights_in_words(1_827_058_244, 2_567_463_684) == "1,827,058,244 of 2,567,463,684 weights (71.2\u00a0%)"


def test_a_line_says_the_share_or_what_is_wrong() -> None:
    wanted = preset_of({"model": {"family": "sdxl"}, "method": {"kind": "full"}})
    assert in_short(wanted, TRAINED, "method.layers") == ("71.2\u00a0% of the U-Net trained, in 27.2 GB", False)
    assert in_short(wanted, TRAINED, "method.groups.0.layers") == ("16.1\u00a0% of the U-Net", False)
    wrong = answered("trained", "sdxl", "full", method={"layers": "nobody"})
    assert in_short(wanted, wrong, "method.layers")[1]
    nothing = answered("trained", "sdxl", "full", training={"denoiser": {"train": False}})
    assert in_short(wanted, nothing, "method.layers") == ("", False)
