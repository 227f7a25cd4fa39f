"""Compiled blocks: the same numbers, one graph for all blocks of a kind, one more for all sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from modules.families import Condition, LoadOptions, family_class
from modules.messages import Note
from modules.methods import attach
from modules.placement import compiling
from modules.placement.compiling import compile_blocks, why_not
from modules.placement.holding import Holding
from modules.preset.preset import Preset
from modules.trainer.step.out_of_memory import use_gradient_checkpointing
from tests.tiny import tiny_sd
from tests.trainer.runs import end_of, run, values

UNET = {"block_out_channels": [8, 8]}  # blocks that are all alike: tracing one takes seconds


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_sd(tmp_path_factory.mktemp("compiling") / "model", unet=UNET))


def opened(model: str, holding: Holding, checkpointed: float = 0.0) -> tuple[Any, Any]:
    family = family_class("sd").load(model, LoadOptions(holding=holding))
    method = attach(family, Preset.model_validate({"method": {"kind": "lora"}, "model": {"source": model}}))
    use_gradient_checkpointing(family, {"denoiser"}, checkpointed)
    return family, method


def learnt(family: Any, method: Any, side: int) -> list[Tensor]:
    torch.manual_seed(side)
    condition = Condition(torch.randn(1, 77, family.denoiser.config.cross_attention_dim))
    said = family.predict(torch.randn(1, 4, side, side), torch.tensor([500]), condition)
    said.square().sum().backward()
    found = [said.detach(), *(p.grad.clone() for p in method.parameters().values())]
    for parameter in method.parameters().values():
        parameter.grad = None
    return found


@pytest.mark.filterwarnings("ignore")  # of the compiler's own: as errors they would end the compiling
@pytest.mark.parametrize(("kind", "checkpointed"), [("int8", 0.6), ("w8a8", 0.0)])
def test_one_graph_for_all_blocks_and_one_for_all_sizes(
    kind: str, checkpointed: float, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._dynamo.utils import counters

    monkeypatch.setattr(compiling, "BACKEND", "eager")
    family, method = opened(model, Holding(kind), checkpointed)
    sides = (16, 20, 24)  # the U-Net has two sizes of each
    expected = [learnt(family, method, side) for side in sides]
    torch.compiler.reset()
    counters.clear()
    blocks = compile_blocks(family.denoiser)
    assert blocks > 2
    graphs: list[int] = []
    for side, plain in zip(sides, expected, strict=True):
        for one, other in zip(learnt(family, method, side), plain, strict=True):
            assert torch.equal(one, other)
        graphs.append(counters["stats"]["unique_graphs"])
    assert graphs == [2] * 3
    assert not counters["graph_break"]


def test_offloaded_blocks_are_not_compiled(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    family, _ = opened(model, Holding(offloaded=1.0))
    assert compile_blocks(family.denoiser) == 0


def broken(*_: Any) -> Any:
    raise RuntimeError("Cannot find a working triton installation\nmore")


def test_a_compiler_that_does_not_work_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "BACKEND", broken)
    assert why_not(torch.device("cpu")) == "Cannot find a working triton installation"
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    assert not why_not(torch.device("cpu"))


@pytest.mark.filterwarnings("ignore")
def test_a_run_goes_on_where_the_compiler_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "BACKEND", broken)
    events = run(values(tmp_path, "general.compile=on", "training.steps=1"))
    said = [problem.code for event in events if isinstance(event, Note) for problem in event.problems]
    assert [code for code in said if code.startswith("compile.")] == ["compile.does-not-work"]
    assert end_of(events).step == 1
