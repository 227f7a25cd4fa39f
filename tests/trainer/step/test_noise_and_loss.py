"""Losses and targets against an independent computation: diffusers' own scheduler, and formulas written out here."""

import math

import pytest
import torch
from diffusers import DDPMScheduler

from modules.diffusion.noise_schedule import EpsilonPrediction, VPrediction
from modules.preset.sections.objective import Loss, Noise, Objective
from modules.preset.sections.timesteps import Times
from modules.trainer.step.noise_and_loss import item_losses, perturbed_noise, sample_noise, sample_timesteps

TIMES_B = torch.tensor([0, 13, 500, 998, 999])


def reference(prediction: str) -> DDPMScheduler:
    return DDPMScheduler(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        prediction_type=prediction,
    )  # fmt: skip


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(("kind", "prediction"), [(EpsilonPrediction, "epsilon"), (VPrediction, "v_prediction")])
@pytest.mark.parametrize("gamma", [None, 1.0, 5.0])
def test_the_loss_agrees_with_diffusers_scheduler(kind, prediction, gamma) -> None:
    scheduler, noise_schedule = reference(prediction), kind()
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
    mixed = noise_schedule.add_noise(clean, noise, TIMES_B)
    ours = item_losses(settings, noise_schedule, said, noise_schedule.target(clean, noise, TIMES_B), TIMES_B)
    torch.testing.assert_close(mixed, noisy, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-6, atol=0)


def test_zero_terminal_snr_leaves_nothing_of_the_image_and_agrees_with_diffusers() -> None:
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", rescale_betas_zero_snr=True
    )
    noise_schedule = VPrediction(zero_terminal_snr=True)
    alpha, sigma = noise_schedule.alpha_sigma(torch.arange(1000))
    assert alpha[-1] == 0
    assert sigma[-1] == 1
    torch.testing.assert_close(alpha.reshape(-1) ** 2, scheduler.alphas_cumprod, rtol=1e-4, atol=1e-6)
    assert noise_schedule.snr(torch.tensor([999])).item() == 0


def test_min_snr_is_finite_at_pure_noise() -> None:
    noise_schedule = VPrediction(zero_terminal_snr=True)
    loss = item_losses(
        Objective(weighting="min_snr"), noise_schedule, drawn(1, 4, 8, 8), drawn(1, 4, 8, 8) + 1, torch.tensor([999])
    )
    assert loss.isfinite().all()


def loss_of(error: float, **shares: float) -> float:
    """What a single wrong number costs, half way through."""
    settings = Objective(loss=Loss(**{"mse": 0.0, **shares}))
    said, zero = torch.full((1, 1, 1, 1), error), torch.zeros(1, 1, 1, 1)
    return item_losses(settings, EpsilonPrediction(), said, zero, torch.tensor([500])).item()


def test_huber_costs_like_mse_near_zero_and_less_far_away() -> None:
    assert loss_of(0.05, huber=1) == pytest.approx(0.05**2)
    assert loss_of(2.0, huber=1) == pytest.approx(2 * 0.1 * (2.0 - 0.05))


@pytest.mark.parametrize("error", [-3.0, -0.05, 0.0, 0.4, 40.0])
def test_each_measure_is_its_formula(error: float) -> None:
    size = abs(error)
    expected = {
        "mse": error**2,
        "mae": size,
        "huber": error**2 if size <= 0.1 else 2 * 0.1 * (size - 0.05),
        "pseudo_huber": 2 * 0.1 * (math.sqrt(error**2 + 0.1**2) - 0.1),
        "log_cosh": math.log(math.cosh(error)),
    }
    for name, value in expected.items():
        assert loss_of(error, **{name: 1.0}) == pytest.approx(value, rel=1e-6, abs=1e-6), name
    assert loss_of(error, mse=0.25, mae=2.0) == pytest.approx(0.25 * error**2 + 2 * size, rel=1e-6)


def test_huber_follows_its_schedule_over_the_times() -> None:
    noise_schedule, times_B, far = EpsilonPrediction(), torch.tensor([0, 500, 999]), 50.0
    kept = reference("epsilon").alphas_cumprod.double()[times_B]
    sigma = ((1 - kept) / kept).sqrt()
    deltas = {
        "constant": torch.full((3,), 0.1, dtype=torch.float64),
        "exponential": torch.exp(math.log(0.1) * times_B.double() / 999),
        "snr": (1 - 0.1) / (1 + sigma) ** 2 + 0.1,
    }
    for schedule, delta in deltas.items():
        settings = Objective(loss=Loss(mse=0, huber=1, huber_schedule=schedule))
        ours = item_losses(settings, noise_schedule, torch.full((3, 1, 1, 1), far), torch.zeros(3, 1, 1, 1), times_B)
        torch.testing.assert_close(ours.double(), 2 * delta * (far - delta / 2), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("kind", "prediction"), [(EpsilonPrediction, "epsilon"), (VPrediction, "v_prediction")])
def test_each_weighting_is_its_papers(kind, prediction) -> None:
    """The papers' weights of a loss of the noise; a loss of v is worth (snr + 1) / snr of it."""
    kept = reference(prediction).alphas_cumprod.double()[TIMES_B]
    snr = kept / (1 - kept)
    papers = {
        "min_snr": torch.minimum(snr, torch.tensor(5.0)) / snr,
        "soft_min_snr": 5 / (snr + 5),
        "p2": 1 / (1 + snr) ** 0.5,
        "debiased": 1 / snr.sqrt(),
        "sigma": (1 - kept).sqrt() * (1 if prediction == "epsilon" else (snr + 1) / snr),
    }
    said, zero = torch.ones(5, 4, 8, 8), torch.zeros(5, 4, 8, 8)
    for name, weight in papers.items():
        expected = weight if prediction == "epsilon" else weight * snr / (snr + 1)
        ours = item_losses(Objective(weighting=name, p2_gamma=0.5), kind(), said, zero, TIMES_B)
        torch.testing.assert_close(ours.double(), expected, rtol=1e-6, atol=0, msg=name)


@pytest.mark.parametrize(("kind", "prediction"), [(EpsilonPrediction, "epsilon"), (VPrediction, "v_prediction")])
def test_kohyas_debiased_weighting_is_that_of_sd_scripts(kind, prediction) -> None:
    """On the loss of what is predicted: 1 / sqrt(snr), with snr at most 1000, for the noise; 1 / (snr + 1) for v."""
    kept = reference(prediction).alphas_cumprod.double()[TIMES_B]
    snr = kept / (1 - kept)
    expected = 1 / snr.clamp(max=1000).sqrt() if prediction == "epsilon" else 1 / (snr + 1)
    said, zero = torch.ones(5, 4, 8, 8), torch.zeros(5, 4, 8, 8)
    ours = item_losses(Objective(weighting="debiased_kohya"), kind(), said, zero, TIMES_B)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-6, atol=0)


def test_a_weighting_teaches_the_same_whatever_is_predicted() -> None:
    """The same wrong guess of the clean image costs the same, said as noise or as velocity."""
    clean, noise, guess = drawn(4, 4, 8, 8), drawn(4, 4, 8, 9)[..., :8], drawn(4, 4, 9, 8)[:, :, :8]
    times_B = torch.tensor([5, 300, 700, 990])
    found = []
    for noise_schedule in (EpsilonPrediction(), VPrediction()):
        alpha, sigma = noise_schedule.alpha_sigma(times_B)
        implied = (
            noise_schedule.add_noise(clean, noise, times_B) - alpha * guess
        ) / sigma  # the noise that goes with the guess
        target, said = (noise_schedule.target(*pair, times_B) for pair in ((clean, noise), (guess, implied)))
        found.append(item_losses(Objective(weighting="min_snr"), noise_schedule, said, target, times_B))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=0)


def test_a_mask_counts_places_by_its_values() -> None:
    said, zero = torch.ones(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    mask = torch.tensor([[[[1.0, 0.5], [0.0, 0.0]]]])
    loss = item_losses(Objective(), EpsilonPrediction(), said, zero, torch.tensor([10]), mask)
    assert loss.item() == pytest.approx(1.5 / 4)


def test_uniform_times_reach_every_level_alike() -> None:
    noise_schedule = EpsilonPrediction()
    times = noise_schedule.time(sample_timesteps(Times(), range(20_000)))
    counts = torch.bincount(times // 100, minlength=10)
    assert times.min() == 0
    assert times.max() == 999
    assert ((counts - 2000).abs() < 200).all()


def test_a_time_depends_on_its_seed_alone() -> None:
    both = sample_timesteps(Times(), [3, 8])
    assert both[1] == sample_timesteps(Times(), [8])[0]


def test_stratified_times_take_each_part_of_the_curve_once_a_step_in_any_split_of_it() -> None:
    times, seeds = Times(stratified=True), list(range(100, 108))
    whole = sample_timesteps(times, seeds, of=8, step=7)
    assert sorted((whole * 8).long().tolist()) == list(range(8))
    halves = [sample_timesteps(times, seeds[n : n + 4], first=n, of=8, step=7) for n in (0, 4)]
    assert torch.equal(torch.cat(halves), whole)
    other = sample_timesteps(times, seeds, of=8, step=8)
    assert (whole * 8).long().tolist() != (other * 8).long().tolist()


def plain(count: int, **settings: float) -> torch.Tensor:
    return sample_noise(Noise(**settings), range(count), torch.zeros(count, 4, 16, 16))


def test_noise_offset_shifts_each_channel_as_a_whole() -> None:
    still, shifted = plain(200), plain(200, offset=0.5)
    moved = shifted - still
    assert torch.allclose(moved.std(dim=(2, 3)), torch.zeros(200, 4), atol=1e-5)
    assert moved.mean(dim=(2, 3)).std().item() == pytest.approx(0.5, rel=0.1)
    weaker = (plain(200, offset=0.5, offset_random=True) - still).mean(dim=(2, 3))
    ratio = weaker / moved.mean(dim=(2, 3))
    assert ratio.min() >= 0
    assert ratio.max() <= 1
    assert ratio.mean().item() == pytest.approx(0.5, abs=0.06)


def test_the_adaptive_offset_grows_with_the_brightness_of_the_image() -> None:
    clean = torch.zeros(2, 4, 16, 16)
    clean[1] = -3.0
    moved = sample_noise(Noise(adaptive=0.1), [5, 5], clean) - sample_noise(Noise(), [5, 5], clean)
    assert moved[0].abs().max() == 0
    expected = sample_noise(Noise(offset=0.3), [5], clean[:1]) - sample_noise(Noise(), [5], clean[:1])
    torch.testing.assert_close(moved[1:], expected, rtol=1e-4, atol=1e-6)


def test_pyramid_noise_is_as_strong_as_plain_noise_and_coarser() -> None:
    coarse, fine = plain(64, pyramid_levels=6, pyramid_discount=0.8), plain(64)
    assert coarse.std(dim=(1, 2, 3)).mean().item() == pytest.approx(1.0, abs=1e-3)

    def likeness(noise: torch.Tensor) -> float:
        return (noise[..., 1:] * noise[..., :-1]).mean().item()

    assert abs(likeness(fine)) < 0.05
    assert likeness(coarse) > 0.3


def test_input_perturbation_adds_noise_that_the_target_does_not_know() -> None:
    noise = plain(300)
    assert perturbed_noise(Noise(), range(300), noise) is noise
    more = perturbed_noise(Noise(perturbation=0.1), range(300), noise) - noise
    assert more.std().item() == pytest.approx(0.1, rel=0.02)
    assert abs((more * noise).mean().item()) < 0.01  # independent of the noise itself
    varied = perturbed_noise(Noise(perturbation=0.1, perturbation_random=True), range(300), noise) - noise
    assert 0.04 < varied.std(dim=(1, 2, 3)).mean().item() < 0.06


@pytest.mark.parametrize(
    "settings", [{"offset": 0.3}, {"pyramid_levels": 4}, {"adaptive": 0.2}, {"offset": 0.1, "offset_random": True}]
)
def test_noise_depends_on_its_seed_and_image_alone(settings) -> None:
    clean = drawn(3, 4, 8, 8)
    together = sample_noise(Noise(**settings), [1, 2, 3], clean)
    assert torch.equal(together[2:], sample_noise(Noise(**settings), [3], clean[2:]))
