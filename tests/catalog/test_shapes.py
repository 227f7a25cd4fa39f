"""The shapes that the window counts with are those of the models."""

from __future__ import annotations

import pytest

from modules.catalog import FAMILIES, FamilyCard, Variant
from modules.catalog.shapes import MODELS, folded, shapes_of, unfolded
from modules.families.parts.building import empty_component
from tools.layer_shapes import config_of, layers_of

VARIANTS = [(card, variant) for card in FAMILIES.values() for variant in card.variants]


@pytest.mark.parametrize(("card", "variant"), VARIANTS, ids=[variant.kind for _, variant in VARIANTS])
def test_a_file_holds_the_shape_of_every_weight_of_its_model(card: FamilyCard, variant: Variant) -> None:
    unet = empty_component(card.component("denoiser"), config_of(card, variant))
    assert shapes_of(variant.kind) == {name: tuple(parameter.shape) for name, parameter in unet.named_parameters()}
    assert (MODELS / variant.kind / "layers.json").read_text(encoding="utf-8") == layers_of(card, variant)


def test_equal_neighbours_stand_there_once_and_unequal_ones_apart() -> None:
    shapes = {f"blocks.{n}.weight": (2, 3) for n in (0, 1, 3, 4)} | {"blocks.5.weight": (4,), "end.0.bias": (1,)}
    tree = folded(shapes)
    assert list(tree["blocks"]) == ["0-1", "3-4", "5"]
    assert unfolded(tree) == shapes


def test_the_files_are_small() -> None:
    assert all((MODELS / variant.kind / "layers.json").stat().st_size < 12_000 for _, variant in VARIANTS)
