"""What the window counts for an adapter is what the update holds."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from modules.methods.adapter import UPDATES
from modules.preset.adapter_sizes import SHAPES, is_wide, parameter_count
from modules.preset.sections.method import ADAPTERS, Adapter, LayerGroup

LAYERS = (nn.Linear(48, 80), nn.Conv2d(24, 36, 1), nn.Conv2d(20, 30, 3), nn.Linear(7, 13))
SETTINGS: dict[str, list[dict[str, object]]] = {
    "lora": [{"rank": 4}, {"rank": 4, "conv_rank": 2}, {"dora": True}],
    "loha": [{"rank": 3}, {"rank": 3, "tucker": True}, {"dora": True, "conv_rank": 5}],
    "lokr": [
        {"rank": 2}, {"rank": 2, "factor": 4}, {"full_matrix": True}, {"rank": 1, "tucker": True},
        {"rank": 1, "decompose_both": True, "factor": 8}, {"rank": 64, "dora": True},
    ],
    "oft": [{"block_size": 8}, {"block_size": 16}],
}  # fmt: skip
CASES = [(kind, told) for kind, several in SETTINGS.items() for told in several]


@pytest.mark.parametrize(("kind", "told"), CASES, ids=str)
def test_the_count_is_that_of_the_update(kind: str, told: dict[str, object]) -> None:
    settings: Adapter = ADAPTERS[kind](**told)
    for layer, own in itertools.product(LAYERS, (None, LayerGroup(rank=6))):
        initial_tensors = UPDATES[kind].initial_tensors(layer, settings, own, torch.Generator().manual_seed(0))
        update = UPDATES[kind](layer, initial_tensors, settings, torch.float32)
        held = sum(parameter.numel() for parameter in update.parameters().values())
        assert parameter_count(tuple(layer.weight.shape), settings, own) == held, (layer, own)


def test_every_adapter_is_counted_and_wide_is_what_the_engine_calls_wide() -> None:
    assert set(SHAPES) == set(ADAPTERS.values())
    assert [is_wide(tuple(layer.weight.shape)) for layer in LAYERS] == [False, False, True, False]
