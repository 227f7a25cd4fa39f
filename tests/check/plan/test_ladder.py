"""Which ways are tried, in which order; and that cards are found by their names."""

from __future__ import annotations

import pytest

from modules.catalog.gpus import GB, gpu_named
from modules.check.plan.ladder import descent, ladder
from modules.check.plan.start import next_rung
from modules.preset.preset import Preset
from modules.trainer.preparation import with_planned, without_plan


def preset(prefer: str = "balanced", method: str = "lora", **model: str) -> Preset:
    return Preset.model_validate({"general": {"prefer": prefer}, "method": {"kind": method}, "model": model})


@pytest.mark.parametrize(
    ("prefer", "order"),
    [
        ("exact", ["off", "off+"]),
        ("balanced", ["off", "int8", "int8+", "nf4", "nf4+"]),
        ("fast", ["off", "int8", "nf4", "int8+", "nf4+"]),
    ],
)
def test_what_changes_nothing_comes_first_and_then_what_is_preferred(prefer: str, order: list[str]) -> None:
    ways, _ = ladder(preset(prefer), on_card=True)
    assert [way.quantization + "+" * way.offloads for way in ways] == order


def test_what_a_person_has_set_is_in_every_way() -> None:
    assert {way.quantization for way in ladder(preset(quantization="nf4"), on_card=True)[0]} == {"nf4"}
    assert not any(way.offloads for way in ladder(preset(offload="none"), on_card=True)[0])
    assert [way.gradients for way in ladder(preset(method="full"), on_card=True)[0]] == ["card", "main_memory"]
    assert not any(way.offloads for way in ladder(preset(), on_card=False)[0])


def test_each_next_rung_takes_less_until_none_is_left() -> None:
    asked, seen = preset(), list[Preset]()
    running = without_plan(asked)
    while settings := next_rung(asked, running):
        running = without_plan(with_planned(asked, settings))
        assert running not in seen
        seen.append(running)
    ends = [*descent(asked, on_card=False)]
    assert len(seen) == len(ends) and seen[-1].model.quantization == ends[-1]["model.quantization"]


def test_the_next_rung_compiles_what_was_compiled() -> None:
    asked = preset("fast")
    for compiled in ("on", "off"):
        settings = next_rung(asked, without_plan(with_planned(asked, {"general.compile": compiled})))
        assert settings is not None and settings["general.compile"] == compiled


@pytest.mark.parametrize(
    ("name", "memory", "found"),
    [
        ("NVIDIA GeForce RTX 3060", 0, "RTX 3060"),
        ("NVIDIA GeForce RTX 3060", 8 * GB, "RTX 3060 8 GB"),
        ("3060 ti", 0, "RTX 3060 Ti"),
        ("4060 ti 16gb", 0, "RTX 4060 Ti 16 GB"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 0, "RTX 4090 Laptop"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 0, "RTX PRO 6000"),
        ("AMD Radeon RX 7900 XTX", 0, "RX 7900 XTX"),
        ("RTX 9999", 0, None),
        ("", 0, None),
    ],
)
def test_a_card_is_found_by_the_name_that_a_person_or_a_driver_has_for_it(
    name: str, memory: int, found: str | None
) -> None:
    gpu = gpu_named(name, memory)
    assert (gpu.name if gpu else None) == found
