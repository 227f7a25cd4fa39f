"""Three steps of each optimizer against its formula, written anew from the paper in fp64."""

import math

import pytest
import torch
from torch import Tensor, nn

from modules.methods import Group
from modules.trainer.step.optimizers import MixedPrecisionOptimizer
from tests.trainer.optimizer_kinds import NAMED

RATE, STEPS = 0.01, 3


def adam(w: Tensor, gradients: list[Tensor], b1=0.9, b2=0.999, eps=1e-8, decay=0.0) -> Tensor:
    """arXiv:1412.6980, algorithm 1; `decay` as in arXiv:1711.05101, algorithm 2."""
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        w = w - RATE * (m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + eps) + decay * w)
    return w


def adamw(w: Tensor, gradients: list[Tensor]) -> Tensor:
    return adam(w, gradients, decay=0.1)


def radam(w: Tensor, gradients: list[Tensor]) -> Tensor:
    """arXiv:1908.03265, algorithm 2: the first steps have too few squares to divide by."""
    b1, b2, m, v = 0.9, 0.999, torch.zeros_like(w), torch.zeros_like(w)
    most = 2 / (1 - b2) - 1
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        length = most - 2 * t * b2**t / (1 - b2**t)
        step = m / (1 - b1**t)
        if length > 5:
            r = math.sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
            step = r * step / (v / (1 - b2**t)).sqrt()
        w = w - RATE * step
    return w


def nadam(w: Tensor, gradients: list[Tensor]) -> Tensor:
    """Dozat 2016, algorithm 2, with the momentum schedule of its section 4."""
    b1, b2, m, v, product = 0.9, 0.999, torch.zeros_like(w), torch.zeros_like(w), 1.0
    for t, g in enumerate(gradients, 1):
        now, later = (b1 * (1 - 0.5 * 0.96 ** (k * 0.004)) for k in (t, t + 1))
        product *= now
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        ahead = later * m / (1 - product * later) + (1 - now) * g / (1 - product)
        w = w - RATE * ahead / ((v / (1 - b2**t)).sqrt() + 1e-8)
    return w


def ademamix(w: Tensor, gradients: list[Tensor]) -> Tensor:
    """arXiv:2409.03137, algorithm 1, without its warm-ups of alpha and beta 3."""
    fast, slow, v = (torch.zeros_like(w) for _ in range(3))
    for t, g in enumerate(gradients, 1):
        fast, slow, v = 0.9 * fast + 0.1 * g, 0.99 * slow + 0.01 * g, 0.999 * v + 0.001 * g**2
        step = (fast / (1 - 0.9**t) + 5 * slow) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        w = w - RATE * (step + 0.1 * w)
    return w


def adopt(w: Tensor, gradients: list[Tensor]) -> Tensor:
    """arXiv:2411.02853, algorithm 2, clipped by the fourth root of the step."""
    m, v = torch.zeros_like(w), gradients[0] ** 2
    for t, g in enumerate(gradients[1:], 1):
        m = 0.9 * m + 0.1 * (g / v.sqrt().clamp(min=1e-6)).clamp(-(t**0.25), t**0.25)
        w, v = w - RATE * m, 0.99 * v + 0.01 * g**2
    return w


def adan(w: Tensor, gradients: list[Tensor]) -> Tensor:
    """arXiv:2208.06677, algorithm 1, with the bias corrections of the authors' code and betas counted from 1 down."""
    m, d, n, last = torch.zeros_like(w), torch.zeros_like(w), torch.zeros_like(w), gradients[0]
    for t, g in enumerate(gradients, 1):
        m, d = 0.98 * m + 0.02 * g, 0.92 * d + 0.08 * (g - last)
        n, last = 0.99 * n + 0.01 * (g + 0.92 * (g - last)) ** 2, g
        step = m / (1 - 0.98**t) + 0.92 * d / (1 - 0.92**t)
        w = w - RATE * step / ((n / (1 - 0.99**t)).sqrt() + 1e-8)
    return w


def lamb(w: Tensor, gradients: list[Tensor]) -> Tensor:
    """arXiv:1904.00962, algorithm 2, as its authors published it: without bias corrections."""
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    for g in gradients:
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        step = m / (v.sqrt() + 1e-6) + 0.1 * w
        w = w - RATE * w.norm().clamp(max=10) / (step.norm() + 1e-6) * step
    return w


def adagrad(w: Tensor, gradients: list[Tensor]) -> Tensor:
    total = torch.zeros_like(w)
    for g in gradients:
        total = total + g**2
        w = w - RATE * g / (total.sqrt() + 1e-10)
    return w


def rmsprop(w: Tensor, gradients: list[Tensor]) -> Tensor:
    mean = torch.zeros_like(w)
    for g in gradients:
        mean = 0.99 * mean + 0.01 * g**2
        w = w - RATE * g / (mean.sqrt() + 1e-8)
    return w


def sgd(w: Tensor, gradients: list[Tensor], *, ahead: bool = False) -> Tensor:
    speed = torch.zeros_like(w)
    for g in gradients:
        speed = 0.9 * speed + g
        w = w - RATE * (g + 0.9 * speed if ahead else speed)
    return w


def nesterov(w: Tensor, gradients: list[Tensor]) -> Tensor:
    return sgd(w, gradients, ahead=True)


def lion(w: Tensor, gradients: list[Tensor], decay=0.1) -> Tensor:
    """arXiv:2302.06675, algorithm 2."""
    m = torch.zeros_like(w)
    for g in gradients:
        w = w - RATE * ((0.9 * m + 0.1 * g).sign() + decay * w)
        m = 0.99 * m + 0.01 * g
    return w


def lion_8_bit(w: Tensor, gradients: list[Tensor]) -> Tensor:
    return lion(w, gradients, decay=0.0)


def factored(row: Tensor, column: Tensor) -> Tensor:
    return (row / row.mean())[:, None] * column[None]


def clipped(step: Tensor) -> Tensor:
    return step / max(1.0, step.square().mean().sqrt().item())


def adafactor(w: Tensor, gradients: list[Tensor], *, scaled: bool = False) -> Tensor:
    """arXiv:1804.04235, algorithm 4, with the rate of the form; `scaled`: times the size of the weight."""
    row, column = torch.zeros(w.shape[0]), torch.zeros(w.shape[1])
    for t, g in enumerate(gradients, 1):
        b2, square = 1 - t**-0.8, g**2 + 1e-30
        row, column = b2 * row + (1 - b2) * square.mean(1), b2 * column + (1 - b2) * square.mean(0)
        size = max(1e-3, w.square().mean().sqrt().item()) if scaled else 1.0
        w = w - RATE * size * clipped(g / factored(row, column).sqrt())
    return w


def adafactor_scaled(w: Tensor, gradients: list[Tensor]) -> Tensor:
    return adafactor(w, gradients, scaled=True)


def came(w: Tensor, gradients: list[Tensor]) -> Tensor:
    """arXiv:2307.02047, algorithm 2."""
    row, column, sure_row, sure_column = (torch.zeros(n) for n in (*w.shape, *w.shape))
    m = torch.zeros_like(w)
    for g in gradients:
        square = g**2 + 1e-30
        row, column = 0.999 * row + 0.001 * square.mean(1), 0.999 * column + 0.001 * square.mean(0)
        step = clipped(g / factored(row, column).sqrt())
        m = 0.9 * m + 0.1 * step
        doubt = (step - m) ** 2 + 1e-16
        sure_row = 0.9999 * sure_row + 0.0001 * doubt.mean(1)
        sure_column = 0.9999 * sure_column + 0.0001 * doubt.mean(0)
        w = w - RATE * m / factored(sure_row, sure_column).sqrt()
    return w


def schedule_free_sgd(w: Tensor, gradients: list[Tensor]) -> Tensor:
    """arXiv:2405.15682, eq. 3 to 5; gradients are taken at y, and y is what is trained."""
    z, x = w, w
    for t, g in enumerate(gradients, 1):
        z = z - RATE * g
        x = (1 - 1 / t) * x + 1 / t * z
    return 0.1 * z + 0.9 * x


def schedule_free_adamw(w: Tensor, gradients: list[Tensor]) -> Tensor:
    """arXiv:2405.15682, algorithm 1 without a warm-up."""
    z, x, v = w, w, torch.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        v = 0.999 * v + 0.001 * g**2
        z = z - RATE * g / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        x = (1 - 1 / t) * x + 1 / t * z
    return 0.1 * z + 0.9 * x


TABLE = [
    (NAMED["adam"](), adam),
    (NAMED["adamw"](weight_decay=0.1), adamw),
    (NAMED["adam8bit"](), adam),  # weights below 4,096 numbers keep their state in 32 bits
    (NAMED["adamw8bit"](weight_decay=0.1), adamw),
    (NAMED["nadam"](), nadam),
    (NAMED["ademamix"](beta3=0.99, weight_decay=0.1), ademamix),
    (NAMED["ademamix8bit"](beta3=0.99, weight_decay=0.1), ademamix),
    (NAMED["adopt"](beta2=0.99), adopt),
    (NAMED["adan"](), adan),
    (NAMED["lamb"](weight_decay=0.1), lamb),
    (NAMED["adagrad"](), adagrad),
    (NAMED["adagrad8bit"](), adagrad),
    (NAMED["rmsprop"](), rmsprop),
    (NAMED["rmsprop8bit"](), rmsprop),
    (NAMED["sgd"](), sgd),
    (NAMED["sgd8bit"](), sgd),
    (NAMED["sgd"](nesterov=True), nesterov),
    (NAMED["lion"](weight_decay=0.1), lion),
    (NAMED["lion8bit"](), lion_8_bit),
    (NAMED["adafactor"](), adafactor),
    (NAMED["adafactor"](scale_parameter=True), adafactor_scaled),
    (NAMED["came"](), came),
    (NAMED["schedule_free_sgd"](), schedule_free_sgd),
    (NAMED["schedule_free_adamw"](), schedule_free_adamw),
]


def taken(settings, start: Tensor, gradients: list[Tensor]) -> Tensor:
    weight = nn.Parameter(start.clone())
    optimizer = optimizer_of(settings, weight)
    for step, gradient in enumerate(gradients):
        weight.grad = gradient.clone()
        optimizer.set_rates({"denoiser": RATE})
        optimizer.step(step)
    return weight.detach()


def drawn(steps: int = STEPS) -> tuple[Tensor, list[Tensor]]:
    chance = torch.Generator().manual_seed(4)
    return torch.randn(12, 9, generator=chance), [torch.randn(12, 9, generator=chance) for _ in range(steps)]


@pytest.mark.parametrize(("settings", "formula"), TABLE, ids=[f"{s.kind} {f.__name__}" for s, f in TABLE])
def test_steps_are_those_of_the_paper(settings, formula) -> None:
    start, gradients = drawn()
    expected = formula(start.double(), [g.double() for g in gradients]).float()
    assert not torch.allclose(start, expected, atol=1e-4)
    assert torch.allclose(taken(settings, start, gradients), expected, atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_adafactor_can_see_a_kernel_as_a_matrix_and_keeps_its_rows_and_columns_alone(dtype: torch.dtype) -> None:
    start, gradients = drawn()
    weight = nn.Parameter(start.to(dtype).view(12, 1, 3, 3).to(memory_format=torch.channels_last))
    strides = weight.stride()
    optimizer = optimizer_of(NAMED["adafactor"](kernels_as_matrices=True), weight)
    for step, gradient in enumerate(gradients):
        weight.grad = gradient.view(12, 1, 3, 3).to(dtype)
        optimizer.step(step)
    expected = adafactor(start.to(dtype).float(), [g.to(dtype).float() for g in gradients]).view(12, 1, 3, 3)
    assert torch.allclose(weight.detach().float(), expected, atol=2e-6 if dtype is torch.float32 else 0.04)
    assert weight.shape == (12, 1, 3, 3) and weight.stride() == strides and weight.dtype is dtype
    state = optimizer.inner.state[weight]
    assert sorted(x.numel() for x in state.values() if isinstance(x, Tensor) and x.dim()) == [9, 12]
    with pytest.raises(ValueError, match=r"is adafactor$"):
        optimizer_of(NAMED["adafactor"](), weight).load_state_dict(optimizer.state_dict())


def optimizer_of(settings, weight: nn.Parameter) -> MixedPrecisionOptimizer:
    return MixedPrecisionOptimizer(settings, [Group("denoiser", {"w": weight}, RATE)], seed=1)


def test_radam_divides_only_once_it_has_seen_enough() -> None:
    start, gradients = drawn(8)
    short, long = (radam(start.double(), [g.double() for g in gradients[:n]]) for n in (4, 8))
    assert torch.allclose(taken(NAMED["radam"](), start, gradients[:4]), short.float(), atol=2e-6)
    assert torch.allclose(taken(NAMED["radam"](), start, gradients), long.float(), atol=2e-6)


def test_muon_steps_by_rotations_and_gives_the_rest_to_adamw() -> None:
    """arXiv:2502.16982, eq. 4: all singular values of a step are near 0.2 sqrt(longer side) times the rate."""
    start, gradients = drawn(1)
    matrix, kernel, bias = nn.Parameter(start), nn.Parameter(torch.randn(8, 3, 3, 3)), nn.Parameter(torch.randn(12))
    named = {"matrix": matrix, "kernel": kernel, "bias": bias}
    before = {name: weight.detach().clone() for name, weight in named.items()}
    optimizer = MixedPrecisionOptimizer(NAMED["muon"](weight_decay=0.0), [Group("denoiser", named, RATE)], seed=1)
    matrix.grad, kernel.grad, bias.grad = gradients[0].clone(), torch.randn(8, 3, 3, 3), torch.randn(12)
    of_the_bias = bias.grad.clone()
    optimizer.set_rates({"denoiser": RATE})
    optimizer.step(0)
    for name, longer in (("matrix", 12), ("kernel", 27)):
        step = (before[name] - named[name].detach()).reshape(named[name].shape[0], -1)
        sizes = torch.linalg.svdvals(step) / (RATE * 0.2 * math.sqrt(longer))
        assert 0.6 < sizes.min() <= sizes.max() < 1.25, name
    assert torch.allclose(before["bias"] - bias, RATE * of_the_bias.sign(), atol=1e-5)
