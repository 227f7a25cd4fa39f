"""Gradient checkpointing of some blocks: no bit changes, and the more there are, the less is kept."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, pairwise

import pytest
import torch
from torch import Tensor

from modules.check.memory.memory_tracker import Ledger
from modules.families import Family, LoadOptions, family_class
from modules.methods import attach
from modules.placement import checkpointing
from modules.placement.checkpointing import checkpointed_blocks
from modules.trainer.step.out_of_memory import use_gradient_checkpointing
from tests.families.tiny_models import tiny_sd3
from tests.methods.setting import opened, preset, stir

SHARES = (0.0, 0.3, 0.6, 1.0)
LAYERS = 6
PARTS = {"sdxl": ("denoiser", "text_encoder_1", "text_encoder_2"), "sd3": ("denoiser",)}


@pytest.fixture(scope="module")
def sd3(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_sd3(tmp_path_factory.mktemp("checkpointing") / "model", num_layers=LAYERS))


def family_of(kind: str, sd3: str) -> Family:
    return opened("sdxl") if kind == "sdxl" else family_class("sd3").load(sd3, LoadOptions())


def learnt(family: Family, kind: str, share: float) -> tuple[dict[str, Tensor], int, int]:
    """The gradients of a step, what was kept for the way back, and the most that was there on it; bytes."""
    method = attach(family, preset({"kind": "lora", "rank": 2}, *PARTS[kind][1:], kind=kind))
    stir(method)
    if share:
        use_gradient_checkpointing(family, PARTS[kind], share)
    torch.manual_seed(3)
    latents, sizes = torch.randn(1, family.channels, 16, 16), torch.tensor([[64, 64, 0, 0, 64, 64]])
    with Ledger(torch.device("cpu")) as ledger:
        condition = replace(family.encode_text(["a red robot"]), sizes_B6=sizes)
        loss = family.predict(latents, torch.tensor([500]), condition).square().mean()
        kept = ledger.live
        ledger.restart()
        loss.backward()
    gradients = {name: p.grad for name, p in method.parameters().items() if p.grad is not None}
    return gradients, kept, ledger.peak


@pytest.mark.parametrize("kind", PARTS)
def test_the_more_blocks_are_checkpointed_the_less_is_kept_and_no_bit_changes(kind: str, sd3: str) -> None:
    found = [learnt(family_of(kind, sd3), kind, share) for share in SHARES]
    for gradients, _, _ in found[1:]:
        assert gradients.keys() == found[0][0].keys()
        assert all(torch.equal(gradients[name], expected) for name, expected in found[0][0].items())
    for (_, kept, peak), (_, less, lower) in pairwise(found):
        assert less < kept
        assert lower < peak


def test_the_first_of_equal_blocks_lower_the_peak_most(sd3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, kept, first = learnt(family_of("sd3", sd3), "sd3", 0.5)
    behind = count(0, -1)
    monkeypatch.setattr(checkpointing, "_width", lambda _: next(behind))
    _, same, last = learnt(family_of("sd3", sd3), "sd3", 0.5)
    assert first < last
    assert abs(same - kept) < last - first


def test_a_u_net_s_outermost_blocks_are_checkpointed_first() -> None:
    denoiser = opened("sdxl").denoiser
    names = {block: path for path, block in denoiser.named_modules()}
    ordered = [names[block] for block in checkpointed_blocks(denoiser, 1.0)]
    outer = [path for path in ordered if path.startswith(("down_blocks.0.", "up_blocks.1."))]
    assert ordered[: len(outer)] == outer
    assert 0 < len(outer) < len(ordered)


@pytest.mark.parametrize(("share", "blocks"), [(0.0, 0), (0.01, 1), (0.5, 3), (0.51, 4), (1.0, LAYERS)])
def test_a_share_is_rounded_up_to_whole_blocks(share: float, blocks: int, sd3: str) -> None:
    denoiser = family_of("sd3", sd3).denoiser
    assert len(checkpointed_blocks(denoiser, share)) == blocks
