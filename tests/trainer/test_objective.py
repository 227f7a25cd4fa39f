"""Losses and targets against an independent computation: diffusers' own scheduler, and formulas written out here."""

import pytest
import torch
from diffusers import DDPMScheduler

from modules.diffusion.noising import Eps, V
from modules.preset.objective import Objective
from modules.trainer.objective import item_losses, time_shares

TIMES_B = torch.tensor([0, 13, 500, 998, 999])


def reference(prediction: str) -> DDPMScheduler:
    return DDPMScheduler(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        prediction_type=prediction,
    )  # fmt: skip


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(("kind", "prediction"), [(Eps, "epsilon"), (V, "v_prediction")])
@pytest.mark.parametrize("gamma", [None, 1.0, 5.0])
def test_the_loss_agrees_with_diffusers_scheduler(kind, prediction, gamma) -> None:
    scheduler, noising = reference(prediction), kind()
    clean, noise, said = drawn(5, 4, 8, 8), drawn(5, 4, 8, 9)[..., :8], drawn(5, 4, 9, 8)[:, :, :8]

    noisy = scheduler.add_noise(clean, noise, TIMES_B)
    target = noise if prediction == "epsilon" else scheduler.get_velocity(clean, noise, TIMES_B)
    kept = scheduler.alphas_cumprod.double()[TIMES_B]
    snr = kept / (1 - kept)
    weight = torch.ones(5).double()
    if gamma is not None:
        weight = torch.minimum(snr, torch.tensor(gamma)) / (snr if prediction == "epsilon" else snr + 1)
    expected = ((said.double() - target.double()) ** 2).mean(dim=(1, 2, 3)) * weight

    settings = Objective(weighting="none" if gamma is None else "min_snr", min_snr_gamma=gamma or 5.0)
    mixed = noising.mix(clean, noise, TIMES_B)
    ours = item_losses(settings, noising, said, noising.target(clean, noise, TIMES_B), TIMES_B)
    torch.testing.assert_close(mixed, noisy, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-6, atol=0)


def test_zero_terminal_snr_leaves_nothing_of_the_image_and_agrees_with_diffusers() -> None:
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", rescale_betas_zero_snr=True
    )
    noising = V(zero_terminal_snr=True)
    alpha, sigma = noising.levels(torch.arange(1000))
    assert alpha[-1] == 0
    assert sigma[-1] == 1
    torch.testing.assert_close(alpha.reshape(-1) ** 2, scheduler.alphas_cumprod, rtol=1e-4, atol=1e-6)
    assert noising.snr(torch.tensor([999])).item() == 0


def test_min_snr_is_finite_at_pure_noise() -> None:
    noising = V(zero_terminal_snr=True)
    loss = item_losses(
        Objective(weighting="min_snr"), noising, drawn(1, 4, 8, 8), drawn(1, 4, 8, 8) + 1, torch.tensor([999])
    )
    assert loss.isfinite().all()


def test_huber_costs_like_mse_near_zero_and_less_far_away() -> None:
    settings, noising, zero = Objective(loss="huber", huber_delta=0.1), Eps(), torch.zeros(1, 1, 1, 1)
    near, far = torch.full_like(zero, 0.05), torch.full_like(zero, 2.0)
    time = torch.tensor([500])
    assert item_losses(settings, noising, near, zero, time).item() == pytest.approx(0.05**2)
    assert item_losses(settings, noising, far, zero, time).item() == pytest.approx(2 * 0.1 * (2.0 - 0.05))


def test_uniform_times_reach_every_level_alike() -> None:
    noising = Eps()
    times = noising.time(time_shares(Objective(), range(20_000)))
    counts = torch.bincount(times // 100, minlength=10)
    assert times.min() == 0
    assert times.max() == 999
    assert ((counts - 2000).abs() < 200).all()


def test_logit_normal_times_prefer_the_middle_and_follow_their_mean() -> None:
    middle = time_shares(Objective(times="logit_normal"), range(4000))
    late = time_shares(Objective(times="logit_normal", logit_mean=1.0), range(4000))
    assert ((middle > 0.25) & (middle < 0.75)).double().mean() > 0.7  # uniform would give 0.5
    assert middle.mean().item() == pytest.approx(0.5, abs=0.01)
    assert late.median().item() == pytest.approx(torch.sigmoid(torch.tensor(1.0)).item(), abs=0.02)


def test_a_time_depends_on_its_seed_alone() -> None:
    both = time_shares(Objective(), [3, 8])
    assert both[1] == time_shares(Objective(), [8])[0]
