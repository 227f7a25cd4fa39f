"""A tagger with eight tags, whose weights are random: what it says is computed anew in the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.image_models.onnx_files import write_linear

SIDE = 6
TAGS = (
    ("general", 9), ("explicit", 9), ("1girl", 0), ("very_long_hair", 0), ("long_hair", 0), ("^_^", 0),
    ("hakurei_reimu", 4), ("red_bow", 0),
)  # fmt: skip


def weights(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(SIDE * SIDE * 3, len(TAGS))).astype(np.float32) / 1500


def write_tagger(folder: Path, made: NDArray[np.float32] | None = None, *, batch: int | str = "n") -> Path:
    """As SmilingWolf publishes one."""
    folder.mkdir(parents=True, exist_ok=True)
    write_linear(folder / "model.onnx", weights() if made is None else made, [batch, SIDE, SIDE, 3])
    rows = [f"{number},{name},{category},1000" for number, (name, category) in enumerate(TAGS)]
    (folder / "selected_tags.csv").write_text("\n".join(["tag_id,name,category,count", *rows]) + "\n")
    return folder
