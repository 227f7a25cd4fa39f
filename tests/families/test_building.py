"""Modules are made without bitsandbytes, which is there again afterwards."""

from __future__ import annotations

import sys

import pytest
from diffusers.utils import import_utils

from modules.families.parts.building import without_bitsandbytes


@pytest.mark.parametrize("there", [True, False])
def test_bitsandbytes_is_switched_off_only_while_models_are_imported(
    there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "bitsandbytes", raising=False)
    monkeypatch.setattr(import_utils, "_bitsandbytes_available", there)
    with without_bitsandbytes():
        assert not import_utils.is_bitsandbytes_available() and sys.modules["bitsandbytes"] is None
    assert import_utils.is_bitsandbytes_available() == there and "bitsandbytes" not in sys.modules
