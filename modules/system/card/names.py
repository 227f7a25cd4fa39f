"""What a card is called, whatever it is numbered where: NVIDIA's name of it, or torch's of its kind."""

from __future__ import annotations

import torch

from modules.system.devices import card_module, is_card

PROCESSOR = "processor"


def card_name(device: torch.device) -> str:
    """A name that every process has for the card that torch would train on."""
    if not is_card(device):
        return PROCESSOR
    asked = getattr(card_module(device), "get_device_properties", None)
    uuid = getattr(asked(device), "uuid", "") if asked else ""
    return f"GPU-{uuid}" if uuid else f"{device.type}-{device.index or 0}"
