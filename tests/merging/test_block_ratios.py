"""Ratios by block as text, and names of blocks that are told by a config alone."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.families.parts import building
from modules.merging.block_ratios import at_ratio, block_names, on_curve, ratios_in, written
from modules.merging.blocks import Blocks
from modules.system.headers.parts import BUNDLED

UNET = block_names({"down_block_types": [""] * 3, "layers_per_block": 2})


@pytest.mark.parametrize(
    ("family", "kind", "count"), [("sdxl", "sdxl", 19), ("zimage", "z-image", 34), ("flux1", "flux1-dev", 57)]
)
def test_a_config_tells_the_blocks_that_the_net_has(family: str, kind: str, count: int) -> None:
    card = FAMILIES[family]
    spec = card.component("denoiser")
    config = json.loads((BUNDLED / kind / spec.folder / "config.json").read_text())
    source = SimpleNamespace(configs={"denoiser": config})
    opened = SimpleNamespace(card=card, source=source, empty=lambda _: building.empty_component(spec, config))
    names = Blocks(cast("Any", opened)).names
    assert names == block_names(config) and len(names) == count


@pytest.mark.parametrize(
    "text", ["", "BASE=0.1, TE=0.1", "IN00-IN05=0.2, MID=0.2, OUT00-OUT01=0.2, OUT08=1.5", "IN00=0, IN02=0"]
)
def test_what_is_written_is_read_again(text: str) -> None:
    assert written(ratios_in(text, UNET), UNET) == text


@pytest.mark.parametrize(
    ("text", "blocks", "ratio", "found"),
    [
        ("0.4", "", 0.2, ("0.2", "")),
        ("", "MID=0.25", 1.0, ("1", "MID=0.5")),
        ("0.4, 0.2", "IN00-IN02=0.9, MID=0.1", 0.8, ("0.8, 0.4", "IN00-IN02=1, MID=0.2")),
        ("0, 0", "MID=0.3", 0.5, ("0.5, 0.5", "MID=0.3")),
    ],
)
def test_another_ratio_changes_the_others_in_proportion(
    text: str, blocks: str, ratio: float, found: tuple[str, str]
) -> None:
    assert at_ratio(text, blocks, ratio, 0.5, UNET) == found


def test_a_block_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="IN44"):
        ratios_in("IN44=1", UNET)


def test_a_flat_curve_leaves_every_block_to_the_ratio() -> None:
    assert on_curve("flat", 0.4, UNET) == {}
    assert on_curve("ends more", 0.4, UNET)["MID"] == pytest.approx(0)
