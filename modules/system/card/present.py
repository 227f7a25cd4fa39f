"""The NVIDIA cards of this machine by NVIDIA's own library, without torch: names and memory."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def cards_here() -> list[tuple[str, int]]:
    """Name and memory in bytes of each; none where there is no such library, driver or card."""
    try:
        nvml: Any = import_module("pynvml")
    except ImportError:
        return []
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())]
        return [
            (_text(nvml.nvmlDeviceGetName(each)), int(nvml.nvmlDeviceGetMemoryInfo(each).total)) for each in handles
        ]
    except nvml.NVMLError:
        return []


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
