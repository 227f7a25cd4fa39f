"""How many watts the graphics card takes, where it says so. By NVIDIA's own binding, if there is one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch

from modules.system.devices import card_module, is_card


class PowerMeter:
    """The power of the card that torch trains on."""

    def __init__(self, device: torch.device) -> None:
        self._nvml, self._handle = _card(device) if is_card(device) else (None, None)

    def watts(self) -> float:
        """At this moment; 0 where nobody says."""
        if self._nvml is None:
            return 0.0
        try:
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1000
        except self._nvml.NVMLError:  # some cards do not measure it, and a card can fall off
            return 0.0


def _card(device: torch.device) -> tuple[Any, Any]:
    """NVIDIA's library and its name for the card. By the card's own number: torch may count them in another order."""
    try:
        nvml: Any = import_module("pynvml")
    except ImportError:
        return None, None
    try:
        nvml.nvmlInit()
        return nvml, nvml.nvmlDeviceGetHandleByUUID(f"GPU-{card_module(device).get_device_properties(device).uuid}")
    except nvml.NVMLError:
        return None, None
