"""Models of scores on a card, seen without one: what is asked of them is on the card, what comes back is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from modules.families.parts.building import meta_copy
from modules.scores import model
from modules.scores.kinds import SCORES
from tests.card.pretended import NAME, pretended_card
from tests.scores import tiny


def test_vectors_are_computed_on_the_card_and_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_numbers(module: nn.Module, _weights: Any, *, device: Any, dtype: Any, where: str) -> nn.Module:
        return meta_copy(module, device=device, dtype=dtype)

    monkeypatch.setattr(model, "load_weights", without_numbers)
    folders = {**tiny.models(), "siglip": tiny.siglip(tmp_path / "siglip")}
    images = [Image.new("RGB", (40, 48))] * 2
    with pretended_card():
        for kind, folder in folders.items():
            score = SCORES["dino" if kind == "dino" else "text"]
            opened = model.ScoringModel(folder, kind, score, torch.device(NAME))
            vectors = [opened.images(images)]
            if kind != "dino":
                vectors.append(opened.texts(["a cat"])[0])
            assert [vector.device.type for vector in vectors] == ["cpu"] * len(vectors)
            assert {tensor.device.type for tensor in opened._net.parameters()} == {NAME}
