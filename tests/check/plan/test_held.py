"""What the plan works out of weights is what the check counts of them."""

from __future__ import annotations

import pytest

from modules.check.memory.step_memory import BatchShape, step_bytes
from modules.check.plan import held
from modules.check.plan.held import HeldWeights, held_weights, share_of
from modules.families import Family, LoadOptions, family_class
from modules.preset.preset import Preset
from modules.preset.text.share import Share
from tests.tiny import SMALLEST, tiny_sd


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    folder = tiny_sd(tmp_path_factory.mktemp("held") / "model", unet=SMALLEST)
    return family_class("sd").load(str(folder), LoadOptions())


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_packed_weights_take_what_a_count_of_them_takes(
    family: Family, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "aligned", lambda size: size)  # a tiny model is mostly what lies between tensors
    monkeypatch.setattr(held, "_bytes", held._bytes.__wrapped__)
    asked = Preset.model_validate({"model": {"quantization": kind, "dtype": "bf16"}, "general": {"device": "cpu"}})
    counted = step_bytes(family, asked, BatchShape((64, 64), "a robot"), {"denoiser"}).weights["denoiser"]
    assert held_weights(family, asked).on_card(kind, 0) == counted


def test_blocks_in_main_memory_leave_the_card_but_for_two_slots() -> None:
    weights = HeldWeights(10, {"off": 5}, tuple({"off": size} for size in (100, 100, 40, 40)), 0)
    assert weights.on_card("off", 0) == 295 and weights.aside("off", 0) == 0
    assert weights.on_card("off", 4) == 15 + 2 * 100 and weights.aside("off", 4) == 280
    for count in range(1, 5):
        assert weights.on_card("off", count) + weights.aside("off", count) == 295 + 2 * 100


@pytest.mark.parametrize("of", [1, 3, 19, 57, 60])
def test_a_share_of_blocks_says_as_many_as_were_meant(of: int) -> None:
    for count in range(of + 1):
        share = Share.parse(str(Share(share_of(count, of)))).amount
        assert sum(int((i + 1) * share + 1e-9) > int(i * share + 1e-9) for i in range(of)) == count
