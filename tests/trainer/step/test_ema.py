"""The moving average: its formula, how rarely it is taken, where it lies, and how it is saved."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from modules.messages import ModelSaved, SampleReady
from modules.sentences.render import PLAIN
from modules.trainer.step.ema import Ema, decay_at, describe_average, half_life
from tests.trainer.runs import folder_of, run, trained, values

AVERAGED = ("training.ema=true", "training.ema_decay=0.5", "training.steps=3")


def followed(weights: list[float], decay: float, *, every: int = 1, main_memory: bool = False) -> float:
    parameter = nn.Parameter(torch.tensor([weights[0]]))
    ema = Ema({"w": parameter}, decay, every=every, main_memory=main_memory)
    for step, weight in enumerate(weights[1:], 1):
        parameter.data.fill_(weight)
        ema.update(step)
    return float(ema.values["w"])


@pytest.mark.parametrize("main_memory", [False, True])
def test_it_is_the_average_that_other_trainers_take(main_memory: bool) -> None:
    """decay_t = min(decay, (1 + t) / (10 + t)); average = decay_t * average + (1 - decay_t) * weight."""
    weights, expected = [0.0, 1.0, 3.0, -2.0, 5.0], 0.0
    for step, weight in enumerate(weights[1:], 1):
        decay = min(0.3, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
    assert followed(weights, 0.3, main_memory=main_memory) == pytest.approx(expected, abs=1e-6)


def test_it_begins_with_a_short_memory() -> None:
    assert decay_at(0.999, 1) == pytest.approx(2 / 11)
    assert decay_at(0.999, 8990) == pytest.approx(0.999)
    assert decay_at(0.999, 8989) < 0.999
    assert decay_at(0.999, 10**6) == 0.999


def test_taken_more_rarely_it_looks_back_as_far() -> None:
    """A constant weight after a jump: what is left of the past is the same after as many steps."""
    weights = [1.0] * 10_001 + [0.0] * 400
    fine, coarse = followed(weights, 0.99), followed(weights, 0.99, every=10)
    assert fine == pytest.approx(0.99**400, rel=1e-3)
    assert coarse == pytest.approx(fine, rel=1e-3)
    assert followed([1.0, 5.0, 5.0], 0.9, every=3) == 1.0  # nothing in between


def test_how_far_it_looks_back_is_said_in_words() -> None:
    assert half_life(0.5) == pytest.approx(1)
    assert 0.999 ** half_life(0.999) == pytest.approx(0.5)
    assert PLAIN.what(describe_average(0.999)) == "Moving average (EMA): half of it comes from the last 693 steps."
    assert "hardly differs" in PLAIN.what(describe_average(0.0))


def test_it_is_finer_than_the_weights_that_it_follows(tmp_path: Path) -> None:
    """Of bf16 weights an average in fp32 is saved, with the digits that bf16 has no room for."""
    settings = (*AVERAGED, "training.weights=bf16", "model.dtype=bf16", "training.ema_decay=0.9")
    folder = folder_of(run(values(tmp_path, *settings)))
    saved = load_file(folder / "models" / "test.safetensors")
    up = {name: tensor for name, tensor in saved.items() if "lora_up" in name}
    coarse = [torch.equal(tensor, tensor.bfloat16().float()) for tensor in up.values()]
    assert not any(coarse)
    average = trained(folder, "ema")
    assert all(tensor.dtype is torch.float32 for tensor in average.values())
    wanted = sorted(float(tensor.sum()) for name, tensor in average.items() if name.endswith("up"))
    assert sorted(float(tensor.sum()) for tensor in up.values()) == pytest.approx(wanted, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("save", ["instead", "beside", "no"])
def test_what_is_saved_is_as_wanted(save: str, tmp_path: Path) -> None:
    events = run(values(tmp_path, *AVERAGED, f"training.ema_save={save}"))
    folder = folder_of(events)
    names = sorted(path.name for path in (folder / "models").iterdir())
    assert names == (["test-ema.safetensors", "test.safetensors"] if save == "beside" else ["test.safetensors"])
    assert next(Path(event.path).name for event in events if isinstance(event, ModelSaved)) == "test.safetensors"
    live, average = (_ups(trained(folder, what)) for what in ("method", "ema"))
    assert live != pytest.approx(average, rel=1e-4)
    assert _saved(folder / "models" / "test.safetensors") == pytest.approx(average if save == "instead" else live)
    if save == "beside":
        assert _saved(folder / "models" / "test-ema.safetensors") == pytest.approx(average)


def _ups(state: dict[str, torch.Tensor]) -> list[float]:
    return sorted(float(tensor.double().abs().sum()) for name, tensor in state.items() if name.endswith("up"))


def _saved(path: Path) -> list[float]:
    return sorted(float(t.double().abs().sum()) for name, t in load_file(path).items() if "lora_up" in name)


def test_samples_are_drawn_with_both(tmp_path: Path) -> None:
    prompt = 'sampling.prompts=[{"prompt": "blip robot", "steps": 1, "width": 64, "height": 64}]'
    events = run(values(tmp_path, *AVERAGED, prompt, "sampling.last=true", "sampling.weights=both"))
    drawn = [event for event in events if isinstance(event, SampleReady)]
    assert [(event.number, event.prompt) for event in drawn] == [(1, "blip robot"), (2, "blip robot (live weights)")]
    one, other = (Path(event.path).read_bytes() for event in drawn)
    assert one != other


def test_in_main_memory_it_is_the_same(tmp_path: Path) -> None:
    here = run(values(tmp_path / "a", *AVERAGED))
    there = run(values(tmp_path / "b", *AVERAGED, "training.ema_device=cpu"))
    one, other = (trained(folder_of(events), "ema") for events in (here, there))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a card")
def test_beside_a_card_it_follows_in_main_memory() -> None:
    parameter = nn.Parameter(torch.zeros(1000, device="cuda"))
    ema = Ema({"w": parameter}, 0.9, main_memory=True)
    still = nn.Parameter(torch.zeros(1000))
    beside = Ema({"w": still}, 0.9)
    for step in range(1, 20):
        parameter.data += step
        still.data += step
        ema.update(step, torch.tensor(step % 5 == 0, device="cuda"))
        beside.update(step, torch.tensor(step % 5 == 0))
    assert ema.values["w"].device.type == "cpu"
    assert torch.allclose(ema.values["w"], beside.values["w"])
