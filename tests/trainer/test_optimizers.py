import pytest
import torch
from torch import nn

from modules.methods import Group
from modules.preset.optimizer import Adafactor, AdamW, AdamW8bit, Lion, Prodigy, ScheduleFreeAdamW
from modules.trainer.optimizers import Updater, rounded_by_chance

KINDS = [AdamW, AdamW8bit, Adafactor, Lion, Prodigy, ScheduleFreeAdamW]
FORMATS = [  # schedule-free in bf16 is refused by modules/preset/rules.py: its own average would be rounded
    pytest.param(kind, dtype, id=f"{kind.__name__} {dtype}")
    for kind in KINDS
    for dtype in (torch.float32, torch.bfloat16)
    if not (kind.averages and dtype is torch.bfloat16)
]


def updater(settings, *parameters: nn.Parameter, rate: float = 1e-3) -> Updater:
    group = Group("denoiser", {str(i): p for i, p in enumerate(parameters)}, rate)
    return Updater(settings, [group], seed=1)


def train(update: Updater, parameter: nn.Parameter, steps: range) -> None:
    for step in steps:
        loss = ((parameter.float() - 3) ** 2).mean()
        loss.backward()
        update.set_rates({"denoiser": 1.0 if update.settings.kind == "prodigy" else 0.05})
        update.step(step)
        update.clear()


@pytest.mark.parametrize(("kind", "dtype"), FORMATS)
def test_every_optimizer_moves_towards_the_goal(kind, dtype) -> None:
    parameter = nn.Parameter(torch.zeros(8, 640, dtype=dtype))
    update = updater(kind(), parameter, rate=0.05)
    train(update, parameter, range(60))
    with update.averaged():
        assert parameter.dtype is dtype
        assert ((parameter.float() - 3) ** 2).mean() < 0.6 * 9


@pytest.mark.parametrize(("kind", "dtype"), FORMATS)
def test_state_that_was_saved_and_loaded_continues_bit_for_bit(kind, dtype, tmp_path) -> None:
    unbroken = nn.Parameter(torch.zeros(8, 640, dtype=dtype))
    update = updater(kind(), unbroken)
    train(update, unbroken, range(7))
    torch.save(update.state_dict(), tmp_path / "optimizer.pt")
    resumed = nn.Parameter(unbroken.detach().clone())
    train(update, unbroken, range(7, 15))

    again = updater(kind(), resumed)
    again.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    train(again, resumed, range(7, 15))
    assert torch.equal(unbroken, resumed)


def test_rounding_by_chance_keeps_the_mean_and_never_goes_further_than_the_neighbours() -> None:
    values = torch.full((200_000,), 1 + 2**-10)  # an eighth of the way from 1 to the next number of bf16
    rounded = rounded_by_chance(values, torch.Generator().manual_seed(0)).float()
    assert set(rounded.tolist()) == {1.0, 1 + 2**-7}
    assert (rounded == 1).float().mean().item() == pytest.approx(7 / 8, abs=0.005)


def test_rounding_by_chance_leaves_infinite_and_negative_numbers_sound() -> None:
    values = torch.tensor([float("inf"), -float("inf"), float("nan"), -1.0, 0.0])
    rounded = rounded_by_chance(values, torch.Generator().manual_seed(0))
    assert torch.equal(rounded.isnan(), torch.tensor([False, False, True, False, False]))
    assert rounded[[0, 1, 3, 4]].tolist() == [float("inf"), -float("inf"), -1.0, 0.0]


def test_updates_far_below_the_precision_of_bf16_are_not_lost() -> None:
    """The case of the 45-day run: a rate of 1.5e-6 on weights near 0.02, where the step of bf16 is 1.2e-4."""
    start, steps, rate = 0.02, 200, 1.5e-6
    parameter = nn.Parameter(torch.full((20_000,), start, dtype=torch.bfloat16))
    begin = parameter.detach().float().mean().item()
    update = updater(AdamW(weight_decay=0.0), parameter)
    for step in range(steps):
        parameter.grad = torch.ones_like(parameter)
        update.set_rates({"denoiser": rate})
        update.step(step)
        update.clear()
    assert begin - parameter.detach().float().mean().item() == pytest.approx(steps * rate, rel=0.05)

    nearest = torch.full((1,), start, dtype=torch.bfloat16)
    for _ in range(steps):
        nearest = (nearest.float() - rate).to(torch.bfloat16)
    assert nearest.float().item() == begin  # rounding to the nearest would have kept every weight where it was


def test_chunks_of_bf16_weights_give_the_same_as_all_at_once(monkeypatch) -> None:
    results = []
    for limit in (1, 2**30):
        monkeypatch.setattr("modules.trainer.optimizers.CHUNK", limit)
        parameters = [nn.Parameter(torch.full((40, i + 1), 1.0, dtype=torch.bfloat16)) for i in range(4)]
        update = updater(AdamW(), *parameters)
        for step in range(3):
            for parameter in parameters:
                parameter.grad = torch.full_like(parameter, 0.5)
            update.set_rates({"denoiser": 1e-3})
            update.step(step)
        results.append([p.detach().clone() for p in parameters])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_the_average_of_schedule_free_is_put_back_bit_for_bit() -> None:
    parameter = nn.Parameter(torch.randn(64, 65))
    update = updater(ScheduleFreeAdamW(), parameter)
    train(update, parameter, range(5))
    before, state = parameter.detach().clone(), {k: v.clone() for k, v in update.inner.state[parameter].items()}
    with update.averaged():
        assert not torch.equal(parameter, before)
    assert torch.equal(parameter, before)
    assert all(torch.equal(v, state[k]) for k, v in update.inner.state[parameter].items())


def test_a_hyper_parameter_changed_on_resume_counts() -> None:
    parameter = nn.Parameter(torch.zeros(4, 4))
    update = updater(AdamW(weight_decay=0.5), parameter)
    train(update, parameter, range(2))
    again = updater(AdamW(weight_decay=0.1), parameter)
    again.load_state_dict(update.state_dict())
    assert again.inner.param_groups[0]["weight_decay"] == 0.1
