"""Modules are made without bitsandbytes, which is there again afterwards."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import torch
from diffusers.utils import import_utils
from torch.utils._python_dispatch import TorchDispatchMode

from modules.catalog import FAMILIES
from modules.families.parts import building
from modules.families.parts.building import empty_component
from modules.families.parts.config_check import without_loading_keys
from modules.families.parts.importing import without_bitsandbytes
from modules.system.bundled import resolve
from modules.system.reading import read_json


@pytest.mark.parametrize("there", [True, False])
def test_bitsandbytes_is_switched_off_only_while_models_are_imported(
    there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "bitsandbytes", raising=False)
    monkeypatch.setattr(import_utils, "_bitsandbytes_available", there)
    with without_bitsandbytes():
        assert not import_utils.is_bitsandbytes_available() and sys.modules["bitsandbytes"] is None
    assert import_utils.is_bitsandbytes_available() == there and "bitsandbytes" not in sys.modules


STEERING = {
    "_attn_implementation": "evil/kernel", "attn_implementation": "evil/kernel", "_experts_implementation": "evil/x",
    "quantization_config": {"quant_method": "evil"}, "auto_map": {"AutoModel": "evil/model--code.Model"},
    "trust_remote_code": True, "torch_dtype": "evil", "dtype": "evil", "use_kernels": True,
}  # fmt: skip


@pytest.mark.parametrize("component", ["text_encoder_1", "vae", "denoiser"])
def test_what_a_config_says_of_its_loading_reaches_no_library(component: str) -> None:
    spec = FAMILIES["sd"].component(component)
    config = read_json(resolve("starter:model") / spec.folder / "config.json")
    module: Any = empty_component(spec, {**config, **STEERING})
    assert "evil" not in str(module.config)
    assert (getattr(module.config, "_attn_implementation", None) or "sdpa") in ("sdpa", "eager")


def test_what_is_inside_a_config_is_cleaned_too() -> None:
    assert without_loading_keys({"text_config": {"dtype": "x", "hidden_size": 3}, "a": [1]}) == {
        "text_config": {"hidden_size": 3}, "a": [1],
    }  # fmt: skip


class _Numbers(TorchDispatchMode):
    """Counts what is made that has a place in memory; and how often something is filled that has none."""

    most = 0
    filled = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.filled += isinstance(made, torch.Tensor) and made.is_meta and func.__name__.split(".")[0].endswith("_")
        if isinstance(made, torch.Tensor) and not made.is_meta:
            self.most = max(self.most, made.numel())
        return made


def test_the_table_of_positions_of_sd_3_takes_no_memory_before_it_is_read() -> None:
    spec = FAMILIES["sd3"].component("denoiser")
    with _Numbers() as numbers:
        module = empty_component(spec, {"num_layers": 1, "pos_embed_max_size": 192, "sample_size": 128})
    table = module.get_buffer("pos_embed.pos_embed")
    assert table.is_meta and table.shape == (1, 192 * 192, 1152) and table.dtype == torch.float32
    assert numbers.most < 10_000


@pytest.mark.parametrize("component", ["text_encoder_1", "vae", "denoiser"])
def test_a_model_without_memory_is_not_filled_with_numbers(component: str) -> None:
    """Drawing none took most of the time of opening a large model."""
    spec = FAMILIES["sd"].component(component)
    config = read_json(resolve("starter:model") / spec.folder / "config.json")
    with _Numbers() as numbers:
        module = building._empty_component.__wrapped__(spec, json.dumps(config))
    assert all(parameter.is_meta for parameter in module.parameters())
    assert numbers.filled == 0


def test_a_copy_that_is_filled_shares_its_weights_and_has_its_own_modules_and_tables() -> None:
    spec = FAMILIES["sd"].component("text_encoder_1")
    empty: Any = empty_component(spec, read_json(resolve("starter:model") / spec.folder / "config.json"))
    copy: Any = building.emptied(empty)
    assert str(copy) == str(empty) and copy.config.to_dict() == empty.config.to_dict()
    assert {*map(id, copy.modules())}.isdisjoint(map(id, empty.modules()))
    assert all(one is other for one, other in zip(copy.parameters(), empty.parameters(), strict=True))
    tables = list(zip(copy.buffers(), empty.buffers(), strict=True))
    assert tables and all(one is not other and one.equal(other) for one, other in tables)
    for module, other in zip(copy.modules(), empty.modules(), strict=True):
        module.extra, module._parameters["extra"] = 1, None
        assert not hasattr(other, "extra") and "extra" not in other._parameters
