"""Models that come as ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modules.errors import UserError
from modules.image_models.onnx_net import OnnxNet
from tests.image_models.onnx_files import write_linear

WEIGHTS = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)


@pytest.mark.parametrize(("shape", "layout"), [(["n", 2, 2, 3], "NHWC"), (["n", 3, 2, 2], "NCHW")])
def test_a_model_gives_what_its_file_computes(tmp_path: Path, shape: list[int | str], layout: str) -> None:
    net = OnnxNet(write_linear(tmp_path / "model.onnx", WEIGHTS, shape))
    assert (net.layout, net.size, net.batched, list(net.outputs)) == (layout, (2, 2), True, ["scores"])
    images = np.random.default_rng(1).normal(size=(4, *shape[1:])).astype(np.float32)
    wanted = 1 / (1 + np.exp(-images.reshape(4, -1) @ WEIGHTS))
    np.testing.assert_allclose(net(images)["scores"], wanted, rtol=1e-5)


def test_a_batch_of_one_is_told(tmp_path: Path) -> None:
    assert not OnnxNet(write_linear(tmp_path / "model.onnx", WEIGHTS, [1, 2, 2, 3])).batched


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = write_linear(tmp_path / "model.onnx", WEIGHTS, ["n", 2, 2, 3])
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(UserError, match="cannot be opened as an ONNX model"):
        OnnxNet(file)


def test_a_model_that_takes_no_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not take images"):
        _ = OnnxNet(write_linear(tmp_path / "model.onnx", WEIGHTS, ["n", 12])).layout
    with pytest.raises(UserError, match="does not take images"):
        _ = OnnxNet(write_linear(tmp_path / "model.onnx", WEIGHTS, ["n", 2, 3, 2])).size


def test_images_of_another_size_end_in_words(tmp_path: Path) -> None:
    net = OnnxNet(write_linear(tmp_path / "model.onnx", WEIGHTS, ["n", 2, 2, 3]))
    with pytest.raises(UserError, match="cannot be used with these images"):
        net(np.zeros((1, 4, 4, 3), np.float32))
