"""What fills the cache on a card, seen without one: nothing that is encoded waits for a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modules.data.cache import fill
from modules.families import Family
from modules.trainer.step.encoders import FamilyEncoders
from tests.card.pretended import Event, Watch, pretended_card
from tests.card.steps import on_card, preset_for, tiny_family

IMAGES = 10


class Kept:
    """A cache that keeps names."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def put(self, key: str, tensors: dict[str, Any]) -> None:
        assert all(tensor.device.type == "cpu" for tensor in tensors.values())
        self.keys.append(key)

    def flush(self) -> None: ...


def encoded(family: Family, watch: Watch, cache: Kept) -> None:
    encoders = FamilyEncoders(
        family.meta_copy(on_card(preset_for("sd", "model.vae_tiling=off")), family.component_names)
    )
    watch.watching = True
    encoding = fill._Encoding(encoders, cache)  # type: ignore[arg-type]
    for number in range(IMAGES):
        encoding.add([str(number)], [np.zeros((64, 64, 3), np.uint8)])
        assert len(cache.keys) == max(0, number + 1 - fill.AHEAD)
    encoding.keep(0)
    encoders.encode_text(["a robot", "a red robot"])
    watch.watching = False


def test_no_encoding_waits_for_what_was_encoded_before() -> None:
    family, cache = tiny_family("sd"), Kept()
    with pretended_card() as watch:
        encoded(family, watch, cache)
    assert any("pretended -> cpu" in copy for copy in watch.copies)
    assert not watch.late
    assert cache.keys == [str(number) for number in range(IMAGES)]


def test_an_encoding_that_waits_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "to_cpu", lambda tensor: (tensor.cpu(), Event()))
    family = tiny_family("sd")
    with pretended_card() as watch:
        encoded(family, watch, Kept())
    assert any(late.endswith("blocking") for late in watch.late)
