"""Files of tensors: nothing false under their name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modules.errors import UserError
from modules.formats import tensors
from modules.formats.tensors import cast, compare, same_bits, write_tensors


def test_a_disk_that_forgets_is_noticed_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "it.safetensors"
    write_tensors(path, {"a": torch.ones(3)}, {})
    before = path.read_bytes()
    honest = tensors.load_file
    monkeypatch.setattr(tensors, "load_file", lambda draft: {"a": honest(draft)["a"] + 1e-7})
    with pytest.raises(UserError, match="disk"):
        write_tensors(path, {"a": torch.zeros(3)}, {})
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["it.safetensors"]


@pytest.mark.parametrize(
    "read", [{}, {"a": torch.ones(2)}, {"a": torch.ones(3), "b": torch.ones(1)}, {"a": torch.ones(3).half()}]
)
def test_missing_surplus_misshapen_and_mistyped_tensors_differ(read: dict[str, torch.Tensor]) -> None:
    with pytest.raises(UserError):
        compare({"a": torch.ones(3)}, read, Path("x"))


def test_nan_equals_itself_and_zero_does_not_equal_minus_zero() -> None:
    nan = torch.tensor([float("nan"), 1])
    assert same_bits(nan, nan.clone())
    assert not same_bits(torch.tensor(0.0), torch.tensor(-0.0))


def test_a_cast_is_a_copy_and_refuses_what_does_not_fit() -> None:
    held = torch.ones(3)
    assert cast(held, torch.float32, "x").data_ptr() != held.data_ptr()
    with pytest.raises(UserError, match="fp16"):
        cast(torch.tensor([1e6]), torch.float16, "x")
    assert cast(torch.tensor([float("nan")]), torch.float16, "x").isnan().all()
