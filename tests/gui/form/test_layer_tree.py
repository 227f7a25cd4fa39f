"""The tree of layers: what stands where, ticks and texts that say the same, and what a choice weighs."""

from __future__ import annotations

import random
from math import prod
from pathlib import Path

import pytest

from app.gui.form.layer_counts import (
    Layers,
    beside,
    layers_of,
    memory_in_words,
    share_of,
    told_in_short,
    weights_in_words,
)
from app.gui.form.layer_tree import Line, Node, state, toggled
from modules.catalog import FAMILIES
from modules.catalog.shapes import variant_of
from modules.methods.adapter import Adapter as Engine
from modules.methods.full import FullFineTune
from modules.methods.layer_selection import select_layers
from modules.preset.preset import Preset
from modules.preset.validate import preset_of

CASES = [(family, kind) for family in FAMILIES for kind in ("full", "lora")]


def preset(family: str, kind: str, source: str = "", **method: object) -> Preset:
    return preset_of({"model": {"family": family, "source": source}, "method": {"kind": kind, **method}})


def layers(family: str, kind: str, **method: object) -> Layers:
    return layers_of(preset(family, kind, **method))


def every_node(found: Layers) -> list[Node]:
    return [node for root in found.tree.roots for node in root.walk()]


def picked(found: Layers, family: str, text: str) -> int:
    """What the engine makes of a text."""
    names = set(select_layers(found.tree.names, text, {n: s.patterns for n, s in FAMILIES[family].layer_sets.items()}))
    return sum(1 << place for place, name in enumerate(found.tree.names) if name in names)


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
        assert sum(root.mask for root in found.tree.roots) == found.tree.everything


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_ready_sets_are_those_of_the_family_and_hold_what_the_engine_takes(family: str, kind: str) -> None:
    found = layers(family, kind)
    for name, mask in found.tree.sets.items():
        assert picked(found, family, name) == mask
        text = found.tree.text_of(mask)
        assert text == name or found.tree.sets[text] == mask
    assert ("71 %" in found.tree.sets) is (family == "sdxl")
    assert ("inner" in found.tree.sets) is (family == "sd")


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_whatever_is_ticked_comes_back_from_the_text_that_is_written(family: str, kind: str) -> None:
    found, chance = layers(family, kind), random.Random(f"{family} {kind}")
    nodes, longest = every_node(found), 0
    for _ in range(40):
        ticked = 0
        for node in chance.sample(nodes, chance.randint(1, 12)):
            ticked = toggled(ticked, node.mask)
        if ticked:
            text = found.tree.text_of(ticked)
            assert found.tree.read(text) == (ticked, "")
            assert picked(found, family, text) == ticked
            longest = max(longest, len(text))
    assert longest < 1500


def test_blocks_are_written_by_their_names_and_in_few_words() -> None:
    tree = layers("sdxl", "full").tree
    ticked = tree.read("output 0.1, mid, input 4")[0]
    assert tree.text_of(ticked) == "mid, input 4, output 0.1"
    assert tree.text_of(tree.everything & ~tree.read("input 4")[0]).count(",") < 20
    both = tree.read("cross-attention, middle 0")[0]
    assert tree.text_of(both) == "cross-attention, middle 0"


def test_an_expression_of_ones_own_stays_where_more_is_ticked() -> None:
    tree = layers("sd", "full").tree
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
    found, wrong = layers("sd", "full").tree.read(text)
    assert not found
    assert why.casefold() in wrong.casefold()


def test_a_box_is_ticked_in_part_and_a_click_ticks_all_then_nothing() -> None:
    assert [state(ticked, 0b1100) for ticked in (0b0011, 0b0100, 0b1111)] == [False, None, True]
    assert toggled(0b0101, 0b1100) == 0b1101
    assert toggled(0b1101, 0b1100) == 0b0001


def words(lines: list[Line]) -> list[str]:
    return [line.node.title for line in lines]


def test_folded_nodes_hide_what_lies_in_them_and_a_search_shows_the_way_to_what_it_finds() -> None:
    tree = layers("sdxl", "full").tree
    assert words(tree.lines(0, ())) == [root.title for root in tree.roots]
    opened = tree.lines(tree.everything, {"mid"})
    assert [line.depth for line in opened if line.node.title.startswith("Middle")] == [0, 1, 1, 1]
    assert len(tree.lines(0, tree.all_terms())) > 160
    found = tree.lines(0, (), "input 4 mlp")
    assert words(found) == ["Down blocks", "Input 4", "Transformer", "MLP"]
    assert [line.hit for line in found] == [False, False, False, True]
    assert tree.lines(0, (), "nothing of the kind") == []


def test_the_set_of_71_percent_weighs_what_it_is_known_for() -> None:
    wanted = preset("sdxl", "full", layers="71 %")
    found = layers_of(wanted)
    share = share_of(found, wanted, found.tree.read("71 %")[0])
    assert weights_in_words(share) == "1,827,058,244 of 2,567,463,684 weights (71.2 %)"
    assert share.memory == (
        ("weights", 4 * share.picked),
        ("gradients", 4 * share.picked),
        ("optimizer", 8 * share.picked),
    )
    assert memory_in_words(share) == "Training them takes 27.2 GB: weights 6.8 GB, gradients 6.8 GB, optimizer 13.6 GB."


def test_memory_follows_the_optimizer_and_the_precision_of_trained_weights() -> None:
    lean = preset_of({"model": {"family": "sdxl"}, "method": {"kind": "full"}, "training": {"weights": "bf16"},
                      "optimizer": {"kind": "adafactor"}})  # fmt: skip
    share = share_of(layers_of(lean), lean, 0b11)
    assert share.memory == (("weights", 2 * share.picked), ("gradients", 2 * share.picked), ("optimizer", 0))


def test_a_layer_group_that_is_not_trained_does_not_count() -> None:
    without = preset("sd", "full", groups=[{"layers": "mid", "train": False}, {"layers": "all"}])
    found = layers_of(without)
    share, alone = (share_of(found, without, found.tree.everything, alone=alone) for alone in (False, True))
    mid = sum(prod(shape) for place, shape in enumerate(found.shapes) if found.tree.read("mid")[0] >> place & 1)
    assert (alone.picked, share.picked) == (found.whole, found.whole - mid)


STARTER = "starter:model"


@pytest.mark.parametrize(
    "method",
    [
        {"kind": "full", "layers": "input 4, mid"},
        {"kind": "full", "layers": "all", "groups": [{"layers": "up", "train": False}]},
        {"kind": "lora", "layers": "attention"},
        {"kind": "lora", "layers": "attention-mlp", "conv": True, "groups": [{"layers": "output 1", "rank": 3}]},
        {"kind": "lora", "layers": "resnets", "conv": True, "dora": True},
        {"kind": "lokr", "layers": "all", "conv": True, "factor": 4},
        {"kind": "loha", "layers": "up, mid"},
        {"kind": "oft", "layers": "attention-mlp", "groups": [{"layers": "down", "train": False}]},
    ],
    ids=str,
)
def test_the_numbers_counted_are_those_that_the_engine_trains(method: dict[str, object]) -> None:
    from modules.families import LoadOptions
    from modules.families.sd import Sd

    wanted = preset("sd", str(method.pop("kind")), STARTER, **method)
    family = Sd.load(STARTER, LoadOptions())
    found = layers_of(wanted)
    engine = FullFineTune(family, wanted) if wanted.method.kind == "full" else Engine(family, wanted)
    trained = sum(parameter.numel() for parameter in engine.parameters().values())
    assert share_of(found, wanted, found.tree.read(str(method["layers"]))[0]).trained == trained


def test_convolutions_bring_layers_along_unless_they_are_named() -> None:
    found = layers("sd", "lora", conv=True)
    method = preset("sd", "lora", conv=True).method
    assert beside(found, method, found.tree.read("attention")[0])
    assert not beside(found, method, found.tree.read("resnets")[0])
    assert not beside(found, preset("sd", "lora").method, found.tree.read("attention")[0])


def kind_told(family: str, source: str) -> tuple[str, bool]:
    variant, exact = variant_of(FAMILIES[family], source)
    assert variant is not None
    return variant.kind, exact


def test_which_model_is_counted_is_told_by_its_name_or_its_folder(tmp_path: Path) -> None:
    assert kind_told("sdxl", "stabilityai/stable-diffusion-xl-base-1.0") == ("sdxl", True)
    assert kind_told("sd", STARTER) == ("starter", True)
    assert kind_told("sd", "stabilityai/stable-diffusion-2-1")[0] == "sd2"
    assert kind_told("sd", "C:/models/photon.safetensors") == ("sd15", False)
    (tmp_path / "unet").mkdir()
    for width, kind in ((768, "sd15"), (1024, "sd2")):
        (tmp_path / "unet" / "config.json").write_text(f'{{"cross_attention_dim": {width}}}')
        assert kind_told("sd", str(tmp_path)) == (kind, True)
    (tmp_path / "unet" / "config.json").write_text("torn")
    assert kind_told("sd", str(tmp_path)) == ("sd15", False)


def test_a_line_says_the_share_or_what_is_wrong() -> None:
    wanted = preset("sdxl", "full")
    assert told_in_short(wanted, "71 %", alone=False) == ("71.2 % of the U-Net trained, in 27.2 GB", False)
    assert told_in_short(wanted, "mid", alone=True) == ("16.1 % of the U-Net", False)
    assert told_in_short(wanted, "nobody", alone=False)[1]
    assert told_in_short(preset("sd", "embedding"), "all", alone=False) == ("", False)
