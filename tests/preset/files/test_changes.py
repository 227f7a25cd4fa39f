"""What a run's settings and those that it is to go on with have that differs."""

from __future__ import annotations

import pytest

from modules.preset.files.changes import changes_between
from modules.preset.preset import Preset


def with_model(**model: str) -> Preset:
    return Preset.model_validate({"model": model})


def preset(dtype: str) -> Preset:
    return Preset.model_validate({"model": {"dtype": dtype}})


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_an_automatic_precision_is_the_one_that_the_run_found_out(dtype: str) -> None:
    assert changes_between(preset(dtype), preset("auto")) == {}
    assert changes_between(preset("auto"), preset(dtype)) == {}


def test_what_the_memory_plan_decided_is_no_change() -> None:
    planned = with_model(quantization="int8", offload="25 %")
    assert changes_between(planned, with_model()) == changes_between(with_model(), planned) == {}
    assert changes_between(planned, with_model(offload="none")) == {"model.offload": ["25 %", "none"]}


def test_another_precision_is_a_change() -> None:
    assert changes_between(preset("fp32"), preset("bf16")) == {"model.dtype": ["fp32", "bf16"]}
