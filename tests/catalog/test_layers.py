"""Named sets of layers hold what they promise, counted on full-size U-Nets without weights."""

from __future__ import annotations

import re
from functools import cache

import pytest

from modules.catalog import FAMILIES
from modules.families.parts import building
from modules.families.parts.unet import single_file
from modules.formats.checkpoint import unet_path

KINDS = {"sd": "sd15", "sdxl": "sdxl"}
NUMBERED = re.compile(r"(input|middle|output) (\d+)")


@cache
def sizes(family: str) -> dict[str, int]:
    unet = building.empty_component(
        FAMILIES[family].component("denoiser"), single_file.bundled_config(KINDS[family], "denoiser")
    )
    return {name: parameter.numel() for name, parameter in unet.named_parameters()}


def held(family: str, name: str) -> set[str]:
    patterns = [re.compile(pattern) for pattern in FAMILIES[family].layer_sets[name].patterns]
    return {path for path in sizes(family) if any(pattern.search(path) for pattern in patterns)}


@pytest.mark.parametrize(
    ("name", "count", "share"), [("71 %", 1_827_058_244, 71.16), ("68 %", None, 68.74), ("63 %", 1_629_562_564, 63.47)]
)
def test_the_sets_for_24_gb_hold_exactly_the_weights_they_are_known_for(name, count, share) -> None:
    found = sum(sizes("sdxl")[path] for path in held("sdxl", name))
    assert sum(sizes("sdxl").values()) == 2_567_463_684
    assert count is None or found == count
    assert round(100 * found / 2_567_463_684, 2) == share


@pytest.mark.parametrize("family", KINDS)
def test_each_weight_is_in_exactly_one_block_and_the_number_is_that_of_the_original_files(family: str) -> None:
    config = single_file.bundled_config(KINDS[family], "denoiser")
    owners: dict[str, list[str]] = {path: [] for path in sizes(family)}
    for name in FAMILIES[family].layer_sets:
        if NUMBERED.fullmatch(name) or name in ("time", "output end"):
            for path in held(family, name):
                owners[path].append(name)
    assert {len(names) for names in owners.values()} == {1}
    for path, (name,) in owners.items():
        if match := NUMBERED.fullmatch(name):
            side = {"input": "input_blocks", "middle": "middle_block", "output": "output_blocks"}[match[1]]
            assert unet_path(path, config).startswith(f"{side}.{match[2]}."), path


@pytest.mark.parametrize("family", KINDS)
def test_every_set_holds_something_and_its_patterns_mean_the_same_to_search_and_to_fullmatch(family: str) -> None:
    for name, known in FAMILIES[family].layer_sets.items():
        assert known.title
        for pattern in known.patterns:
            for path in sizes(family):
                assert bool(re.search(pattern, path)) == bool(re.fullmatch(pattern, path)), (name, path)
        if not name.startswith(("input", "output")) or name.count(".") == 0:
            assert held(family, name), name
