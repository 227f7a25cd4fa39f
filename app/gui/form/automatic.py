"""What "auto" stands for on this machine, as far as the window can know: it has no torch."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata

from app.gui.session.hardware import Reading
from modules.preset.paths import Values, get

DEPENDS = {"model.dtype": ("general.device", "training.weights"), "general.device": ()}
BF16_SINCE = (8, 0)  # compute capability, as modules/system/devices.py has it


def stands_for(path: str, values: Values, reading: Reading | None) -> str:
    """The choice that "auto" of a setting comes to; "" where that is not known."""
    if path == "model.dtype" and get(values, "training.weights") == "bf16":
        return "bf16"
    device = str(get(values, "general.device")) if path == "model.dtype" else "auto"
    if device == "auto":
        device = _device(reading)
    if path == "general.device" or not device:
        return device
    if device == "cpu":
        return "fp32"
    card = reading.card if reading else None
    if card is None or not any(card.capability):
        return ""
    return "bf16" if card.capability >= BF16_SINCE else "fp16"


def _device(reading: Reading | None) -> str:
    """Where PyTorch computes; NVIDIA's cards are seen, of others nothing is known."""
    build = _torch_build()
    if build == "cpu":
        return "cpu"
    if build != "cuda" or reading is None:
        return ""
    return "cuda" if reading.card else "cpu"


@cache
def _torch_build() -> str:
    """ "cpu", "cuda" or another, by the version: "2.13.0+cu130". Without a label, the index's own of this system."""
    try:
        label = metadata.version("torch").partition("+")[2]
    except metadata.PackageNotFoundError:
        return ""
    label = label or ("cuda" if sys.platform == "linux" else "cpu")
    return "cuda" if label.startswith("cu") else label
