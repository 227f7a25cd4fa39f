import pytest
import torch
from pydantic import ValidationError
from torch import nn

from modules.errors import UserError
from modules.methods import Group
from modules.preset.optimizers import Other
from modules.sentences.render import PLAIN
from modules.trainer.step.optimizers import MixedPrecisionOptimizer, stochastic_round
from tests.trainer.optimizer_kinds import ALL, FORMATS, KINDS, NAMED, soon

FAST = {"adagrad": 0.5, "adagrad8bit": 0.5, "schedule_free_sgd": 0.5, "schedule_free_radam": 0.2, "radam": 0.1}


def optimizer(settings, *parameters: nn.Parameter, rate: float = 1e-3) -> MixedPrecisionOptimizer:
    group = Group("denoiser", {str(i): p for i, p in enumerate(parameters)}, rate)
    return MixedPrecisionOptimizer(settings, [group], seed=1)


def train(update: MixedPrecisionOptimizer, parameter: nn.Parameter, steps: range) -> None:
    rate = 1.0 if update.settings.is_learning_rate_free else FAST.get(update.settings.kind, 0.05)
    for step in steps:
        loss = 0.5 * ((parameter.float() - goal(parameter)) ** 2).sum()
        loss.backward()
        update.set_rates({"denoiser": rate})
        update.step(step)
        update.zero_grad()


def goal(parameter: nn.Parameter) -> torch.Tensor:
    return torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(("kind", "dtype"), FORMATS)
def test_every_optimizer_moves_towards_the_goal(kind, dtype) -> None:
    parameter = nn.Parameter(torch.zeros(8, 640, dtype=dtype))
    update = optimizer(soon(kind), parameter, rate=0.05)
    train(update, parameter, range(60))
    with update.averaged_weights():
        assert parameter.dtype is dtype
        assert ((parameter.float() - goal(parameter)) ** 2).mean() < 0.75


@pytest.mark.parametrize(("kind", "dtype"), FORMATS)
def test_state_that_was_saved_and_loaded_continues_bit_for_bit(kind, dtype, tmp_path) -> None:
    unbroken = nn.Parameter(torch.zeros(8, 640, dtype=dtype))
    update = optimizer(soon(kind), unbroken)
    train(update, unbroken, range(7))
    torch.save(update.state_dict(), tmp_path / "optimizer.pt")
    resumed = nn.Parameter(unbroken.detach().clone())
    train(update, unbroken, range(7, 15))

    again = optimizer(soon(kind), resumed)
    again.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    train(again, resumed, range(7, 15))
    assert torch.equal(unbroken, resumed)


@pytest.mark.parametrize(("kind", "dtype"), FORMATS)
def test_weights_lie_in_memory_as_before(kind, dtype) -> None:
    """A library may lay convolutions anew: a resumed run, which does not, would then sum in another order."""
    kernel = torch.zeros(8, 64, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
    parameter = nn.Parameter(kernel)
    update = optimizer(soon(kind), parameter)
    train(update, parameter, range(8))
    assert parameter.stride() == kernel.stride()
    assert parameter.abs().sum() > 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.is_schedule_free])
def test_the_state_of_bf16_weights_is_in_fp32_or_less_by_design(kind) -> None:
    parameter = nn.Parameter(torch.randn(64, 65, dtype=torch.bfloat16))
    update = optimizer(kind(), parameter)
    parameter.grad = torch.randn(64, 65, dtype=torch.bfloat16)
    update.step(0)
    held = [v for v in update.inner.state[parameter].values() if isinstance(v, torch.Tensor)]
    assert all(v.dtype is not torch.bfloat16 for v in held)


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_takes_as_much_memory_as_the_settings_say(kind) -> None:
    parameter = nn.Parameter(torch.randn(512, 512))
    update = optimizer(kind(), parameter)
    parameter.grad = torch.randn(512, 512)
    update.step(0)
    held = [v for v in update.inner.state[parameter].values() if isinstance(v, torch.Tensor)]
    taken = sum(v.numel() * v.element_size() for v in held) / parameter.numel()
    assert taken == pytest.approx(kind.state_bytes, abs=0.1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not Other])
def test_weights_that_get_no_gradient_stay_bit_for_bit(kind) -> None:
    """A part whose time is over: neither weight decay nor momentum may move it."""
    moving, resting = nn.Parameter(torch.randn(8, 65)), nn.Parameter(torch.randn(8, 65))
    groups = [Group("text_encoder_1", {"a": resting}, 1.0), Group("denoiser", {"b": moving}, 1.0)]
    update = MixedPrecisionOptimizer(soon(kind), groups, seed=1)
    for step in range(3):
        for parameter in (moving, resting):
            parameter.grad = torch.randn(8, 65)
        update.set_rates({"text_encoder_1": 0.05, "denoiser": 0.05})
        update.step(step)
        update.zero_grad()
    before, other = resting.detach().clone(), moving.detach().clone()
    for step in range(3, 8):
        moving.grad = torch.randn(8, 65)
        update.set_rates({"text_encoder_1": 0.0, "denoiser": 1.0 if kind.is_learning_rate_free else 0.05})
        update.step(step)
        update.zero_grad()
    assert torch.equal(resting, before)
    assert not torch.equal(moving, other)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.is_schedule_free])
def test_the_average_is_put_back_bit_for_bit(kind) -> None:
    parameter = nn.Parameter(torch.randn(64, 65))
    update = optimizer(soon(kind), parameter)
    train(update, parameter, range(9))
    state = {k: v.clone() for k, v in update.inner.state[parameter].items() if isinstance(v, torch.Tensor)}
    before = parameter.detach().clone()
    with update.averaged_weights():
        assert not torch.equal(parameter, before)
    assert torch.equal(parameter, before)
    assert all(torch.equal(update.inner.state[parameter][k], v) for k, v in state.items())


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.paged])
def test_paged_optimizers_want_a_card_and_say_so(kind) -> None:
    with pytest.raises(UserError, match="no graphics card") as caught:
        optimizer(kind(), nn.Parameter(torch.zeros(4)))
    assert f"optimizer.kind {kind.eight_bit or 'adamw'}" in PLAIN.advice(caught.value.problem)


def test_bitsandbytes_waits_for_paged_optimizers_alone() -> None:
    from bitsandbytes.optim import optimizer as theirs

    from modules.trainer.step import optimizer_factory

    optimizer(NAMED["adamw8bit"](), nn.Parameter(torch.zeros(4)))
    assert theirs.sync_gpu is not theirs.sync_gpu_as_it_was
    optimizer_factory._set_bitsandbytes_sync(NAMED["paged_adamw"].paged)
    assert theirs.sync_gpu is theirs.sync_gpu_as_it_was


def test_one_rate_for_all_is_not_spoilt_by_a_part_that_has_stopped() -> None:
    a, b = nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4))
    for settings in (NAMED["prodigy"](), NAMED["dadapt_adam"]()):
        update = MixedPrecisionOptimizer(settings, [Group("one", {"a": a}, 1.0), Group("two", {"b": b}, 1.0)], seed=1)
        update.set_rates({"one": 0.0, "two": 0.7})
        assert [slot["lr"] for slot in update.inner.param_groups] == [0.7, 0.7]


def test_matrices_and_vectors_of_a_part_have_its_rate_in_muon_and_resume(tmp_path) -> None:
    def made(beta: float) -> tuple[MixedPrecisionOptimizer, list[nn.Parameter]]:
        torch.manual_seed(1)
        weights = [nn.Parameter(torch.randn(shape)) for shape in ((5,), (6, 5), (4, 3, 3, 3), (7,))]
        one, two = dict(enumerate(weights[:3])), {3: weights[3]}
        groups = [Group("one", {str(k): w for k, w in one.items()}, 0.1), Group("two", {"3": two[3]}, 0.2)]
        return MixedPrecisionOptimizer(NAMED["muon"](beta1=beta), groups, seed=1), weights

    def go(update: MixedPrecisionOptimizer, weights: list[nn.Parameter], steps: range) -> None:
        for step in steps:
            for weight in weights:
                weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(step))
            update.set_rates({"one": 0.01, "two": 0.02})
            update.step(step)

    update, weights = made(0.9)
    go(update, weights, range(3))
    assert [(slot["use_muon"], slot["lr"]) for slot in update.inner.param_groups] == [
        (False, 0.01), (True, 0.01), (False, 0.02)
    ]  # fmt: skip
    torch.save(update.state_dict(), tmp_path / "optimizer.pt")
    again, others = made(0.8)
    for other, weight in zip(others, weights, strict=True):
        other.data.copy_(weight)
    again.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    assert again.inner.param_groups[0]["betas"] == (0.8, 0.95)  # changed on resume
    again.inner.param_groups[0]["betas"] = again.inner.param_groups[2]["betas"] = (0.9, 0.95)
    go(update, weights, range(3, 6))
    go(again, others, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))


# By name --------------------------------------------------------------------------------------------------------------


def test_another_optimizer_of_an_allowed_library_is_taken_by_its_name() -> None:
    weight = nn.Parameter(torch.zeros(8, 8))
    update = optimizer(Other(name="torch.optim:Adamax", arguments="betas=(0.5, 0.9), eps=1e-4"), weight)
    assert type(update.inner) is torch.optim.Adamax
    assert update.inner.param_groups[0]["betas"] == (0.5, 0.9)
    train(update, weight, range(20))
    assert weight.abs().sum() > 0


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("torch.optim:Nonsense", "", "is not an optimizer"),
        ("torch.optim:Tensor", "", "is not an optimizer"),
        ("torch.optim:LBFGS", "", "several times a step"),
        ("torch.optim:SparseAdam", "", "does not work here"),
        ("torch.optim:Adamax", "beta=3", "does not work here"),
        ("torch.optim:Adamax", "eps=-1", "does not work here"),
        ("pytorch_optimizer:SAM", "", "does not work here"),
        ("pytorch_optimizer:Lookahead", "", "does not work here"),
        ("pytorch_optimizer:AdaHessian", "", "does not work here"),
        ("bitsandbytes.optim:LAMB8bit", "", "waits for the graphics card"),
        ("schedulefree:AdamWScheduleFree", "", "schedule_free_"),
        ("pytorch_optimizer:create_optimizer", "", "must name a class"),
    ],
)
def test_what_cannot_train_here_is_refused_in_words(name, arguments, said) -> None:
    with pytest.raises((UserError, ValidationError), match=said):
        optimizer(Other(name=name, arguments=arguments), nn.Parameter(torch.zeros(8, 8)))


# Rounding -------------------------------------------------------------------------------------------------------------


def test_rounding_by_chance_keeps_the_mean_and_never_goes_further_than_the_neighbours() -> None:
    values = torch.full((200_000,), 1 + 2**-10)  # an eighth of the way from 1 to the next number of bf16
    rounded = stochastic_round(values, torch.Generator().manual_seed(0)).float()
    assert set(rounded.tolist()) == {1.0, 1 + 2**-7}
    assert (rounded == 1).float().mean().item() == pytest.approx(7 / 8, abs=0.005)


def test_rounding_by_chance_leaves_infinite_and_negative_numbers_sound() -> None:
    values = torch.tensor([float("inf"), -float("inf"), float("nan"), -1.0, 0.0])
    rounded = stochastic_round(values, torch.Generator().manual_seed(0))
    assert torch.equal(rounded.isnan(), torch.tensor([False, False, True, False, False]))
    assert rounded[[0, 1, 3, 4]].tolist() == [float("inf"), -float("inf"), -1.0, 0.0]


def test_updates_far_below_the_precision_of_bf16_are_not_lost() -> None:
    """The case of the 45-day run: a rate of 1.5e-6 on weights near 0.02, where the step of bf16 is 1.2e-4."""
    start, steps, rate = 0.02, 200, 1.5e-6
    parameter = nn.Parameter(torch.full((20_000,), start, dtype=torch.bfloat16))
    begin = parameter.detach().float().mean().item()
    update = optimizer(NAMED["adamw"](weight_decay=0.0), parameter)
    for step in range(steps):
        parameter.grad = torch.ones_like(parameter)
        update.set_rates({"denoiser": rate})
        update.step(step)
        update.zero_grad()
    assert begin - parameter.detach().float().mean().item() == pytest.approx(steps * rate, rel=0.05)

    nearest = torch.full((1,), start, dtype=torch.bfloat16)
    for _ in range(steps):
        nearest = (nearest.float() - rate).to(torch.bfloat16)
    assert nearest.float().item() == begin  # rounding to the nearest would have kept every weight where it was


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.per_tensor and not kind.is_schedule_free])
def test_chunks_of_bf16_weights_give_the_same_as_all_at_once(kind, monkeypatch) -> None:
    """What a library counts for all weights together (pytorch_optimizer's step) begins once for all chunks, too."""
    results = []
    for limit in (1, 2**30):
        monkeypatch.setattr("modules.trainer.step.optimizers.CHUNK", limit)
        parameters = [nn.Parameter(torch.full((40, i + 1), 1.0, dtype=torch.bfloat16)) for i in range(4)]
        update = optimizer(soon(kind), *parameters)
        for step in range(3):
            for parameter in parameters:
                parameter.grad = torch.full_like(parameter, 0.5)
            update.set_rates({"denoiser": 1e-3})
            update.step(step)
        results.append([p.detach().clone() for p in parameters])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_a_hyper_parameter_changed_on_resume_counts() -> None:
    parameter = nn.Parameter(torch.zeros(4, 4))
    update = optimizer(NAMED["adamw"](weight_decay=0.5), parameter)
    train(update, parameter, range(2))
    again = optimizer(NAMED["adamw"](weight_decay=0.1), parameter)
    again.load_state_dict(update.state_dict())
    assert again.inner.param_groups[0]["weight_decay"] == 0.1
