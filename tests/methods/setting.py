"""What tests of methods begin with: tiny models, presets in short words, and one answer of a model."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import torch
from torch import Tensor

from modules.families import Condition, Family, LoadOptions, family_class
from modules.methods import Method
from modules.preset.preset import Preset
from tests import tiny

CAPTIONS = ("a red cat", "a robot on a hill")


@cache
def folder(kind: str) -> Path:
    """A tiny model's folder, made once in a test process."""
    made = Path(mkdtemp(prefix=f"tiny-{kind}-"))
    atexit.register(rmtree, made, ignore_errors=True)
    return tiny.tiny_sdxl(made, unet={"transformer_layers_per_block": [1, 1]}) if kind == "sdxl" else tiny.tiny_sd(made)


def opened(kind: str = "sd", **options: Any) -> Family:
    return family_class("sdxl" if kind == "sdxl" else "sd").load(str(folder(kind)), LoadOptions(**options))


def preset(method: dict[str, Any], *texts: str, kind: str = "sd", **sections: dict[str, Any]) -> Preset:
    """`texts` are the text encoders that are trained too."""
    training = {**{name: {"train": True} for name in texts}, **sections.pop("training", {})}
    model = {"family": kind, **sections.pop("model", {})}
    return Preset.model_validate({"method": method, "training": training, "model": model, **sections})


def inputs(count: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    sizes = torch.tensor([[64, 64, 0, 0, 64, 64]] * count)
    return torch.randn(count, 4, 8, 8, generator=generator), torch.tensor([40, 700, 3, 999][:count]), sizes


def condition(family: Family, captions: tuple[str, ...] = CAPTIONS) -> Condition:
    heard = family.encode_text(captions)
    return Condition(heard.tokens_BTD, heard.mask_BT, heard.pooled_BD, inputs(len(captions))[2])


def answer(family: Family, captions: tuple[str, ...] = CAPTIONS) -> Tensor:
    """What the model says of fixed noise."""
    noisy, time, _ = inputs(len(captions))
    return family.predict(noisy, time, condition(family, captions))


def stir(method: Method, amount: float = 0.1) -> None:
    """Give every trained weight something to say, as training would."""
    torch.manual_seed(9)
    with torch.no_grad():
        for parameter in method.parameters().values():
            parameter.add_(amount * torch.randn(parameter.shape).to(parameter))


def learn(family: Family, method: Method, captions: tuple[str, ...] = CAPTIONS) -> None:
    """One step of plain gradient descent."""
    answer(family, captions).square().mean().backward()
    with torch.no_grad():
        for parameter in method.parameters().values():
            if parameter.grad is not None:
                parameter.sub_(0.1 * parameter.grad)
    method.after_step()
