"""The shapes that the window counts with are those of the models."""

from __future__ import annotations

import pytest

from modules.catalog.shapes import DEFAULT_KIND, MODELS, TITLES, folded, shapes_of, unfolded
from modules.families.parts.building import empty_unet
from modules.tools.layer_shapes import config_of, layers_of


@pytest.mark.parametrize("kind", TITLES)
def test_a_file_holds_the_shape_of_every_weight_of_its_model(kind: str) -> None:
    unet = empty_unet(config_of(kind))
    assert shapes_of(kind) == {name: tuple(parameter.shape) for name, parameter in unet.named_parameters()}
    assert (MODELS / kind / "layers.json").read_text(encoding="utf-8") == layers_of(kind)


def test_equal_neighbours_stand_there_once_and_unequal_ones_apart() -> None:
    shapes = {f"blocks.{n}.weight": (2, 3) for n in (0, 1, 3, 4)} | {"blocks.5.weight": (4,), "end.0.bias": (1,)}
    tree = folded(shapes)
    assert list(tree["blocks"]) == ["0-1", "3-4", "5"]
    assert unfolded(tree) == shapes


def test_every_family_has_a_plain_kind_and_the_files_are_small() -> None:
    assert set(DEFAULT_KIND.values()) <= set(TITLES)
    assert all((MODELS / kind / "layers.json").stat().st_size < 12_000 for kind in TITLES)
