"""Guidance by its formulas, and against diffusers' own pipelines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.pag.pipeline_pag_sd import StableDiffusionPAGPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from modules.diffusion.guidance import Guidance, rescaled
from modules.diffusion.noise_schedule import EpsilonPrediction, NoiseSchedule, RectifiedFlow, VPrediction
from modules.diffusion.solvers import Moment, denoise
from modules.errors import UserError
from modules.families import Family, LoadOptions, family_class
from modules.preset.sections.sampling import Prompt
from modules.trainer.sampling.guided_denoiser import AttentionPerturbation, attention_layers, perturbed_attention
from modules.trainer.sampling.sampler import Sampler, starting_noise
from tests.tiny import tiny_sd


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd(tmp_path_factory.mktemp("model"))


@pytest.fixture
def family(folder: Path) -> Family:
    return family_class("sd").load(str(folder), LoadOptions())


@pytest.fixture
def latents_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Family, list[Prompt]], Tensor]:
    """What a sampler hands to the VAE."""

    def drawn(family: Family, prompts: list[Prompt]) -> Tensor:
        seen: list[Tensor] = []
        look = lambda latents: seen.append(latents) or torch.zeros(len(latents), 3, 8, 8)  # noqa: E731
        monkeypatch.setattr(family, "decode_image", look)
        list(Sampler(family, 64, cache_texts=True).draw(prompts))
        return torch.cat(seen)

    return drawn


def prompt(**settings: Any) -> Prompt:
    held = {"prompt": "a robot", "negative": "fog", "width": 64, "height": 64, "steps": 4, "guidance": 5.0}
    return Prompt.model_validate({**held, "sampler": "ddim", **settings})


def theirs(pipe: Any, folder: Path, **more: Any) -> Tensor:
    pipe.set_progress_bar_config(disable=True)
    config = DDIMScheduler.load_config(folder, subfolder="scheduler")
    pipe.scheduler = DDIMScheduler.from_config(config, timestep_spacing="trailing", set_alpha_to_one=True)
    noise = starting_noise(42, 4, (8, 8))
    asked = {"negative_prompt": "fog", "num_inference_steps": 4, "guidance_scale": 5.0, "width": 64, "height": 64}
    return pipe("a robot", latents=noise, output_type="latent", **{**asked, **more}).images


def test_rescaled_guidance_is_that_of_diffusers(folder: Path, family: Family, latents_of) -> None:
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, local_files_only=True)
    found = latents_of(family, [prompt(guidance_rescale=0.7)])
    torch.testing.assert_close(found, theirs(pipe, folder, guidance_rescale=0.7), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found, latents_of(family, [prompt()]), atol=0.01)


def test_rescaling_brings_the_spread_back() -> None:
    guided, wanted = 3 * torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    whole = rescaled(guided, wanted, 1.0)
    torch.testing.assert_close(whole.flatten(1).std(1), wanted.flatten(1).std(1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(rescaled(guided, wanted, 0.25), 0.25 * whole + 0.75 * guided, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("guidance", [5.0, 1.0], ids=["with CFG", "alone"])
def test_pag_is_that_of_diffusers(guidance: float, folder: Path, family: Family, latents_of) -> None:
    pipe = StableDiffusionPAGPipeline.from_pretrained(
        folder, safety_checker=None, local_files_only=True, pag_applied_layers=["mid"]
    )
    found = latents_of(family, [prompt(perturbation="pag", perturbation_scale=2.5, guidance=guidance)])
    expected = theirs(pipe, folder, pag_scale=2.5, guidance_scale=guidance)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found, latents_of(family, [prompt(guidance=guidance)]), atol=0.01)


@pytest.mark.parametrize("blur", [0.0, 1.5])
def test_seg_blurs_what_places_ask_for(blur: float, family: Family) -> None:
    """The attention by its formula, with queries that a Gaussian has gone over in both directions."""
    unet: Any = family.denoiser
    path = "mid_block.attentions.0.transformer_blocks.0.attn1"
    attention = unet.get_submodule(path)
    x_BND = torch.randn(2, 4 * 6, attention.to_q.in_features)
    with torch.no_grad(), perturbed_attention(unet, [path], "seg", AttentionPerturbation(blur, (8, 12))):
        found = attention(x_BND)
    q, k, v = (layer(x_BND).detach() for layer in (attention.to_q, attention.to_k, attention.to_v))
    smooth = torch.zeros_like(q)
    for y in range(4):
        for x in range(6):
            near = torch.tensor(
                [[-((y - i) ** 2 + (x - j) ** 2) / (2 * (blur or 1e6) ** 2) for j in range(6)] for i in range(4)]
            ).exp()
            smooth[:, y * 6 + x] = torch.einsum("n,bnd->bd", (near / near.sum()).flatten(), q)
    heads, width = attention.heads, q.shape[-1] // attention.heads
    out = torch.empty_like(q)
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = smooth[..., part] @ k[..., part].transpose(1, 2) / width**0.5
        out[..., part] = scores.softmax(-1) @ v[..., part]
    torch.testing.assert_close(found, attention.to_out[0](out).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["pag", "seg"])
def test_a_weakened_attention_comes_back_as_it_was(kind: str, family: Family, latents_of) -> None:
    processors = {name: p for name, p in family.denoiser.attn_processors.items()}
    weights = {name: tensor.clone() for name, tensor in family.denoiser.state_dict().items()}
    plain = latents_of(family, [prompt()])
    changed = latents_of(family, [prompt(perturbation=kind, perturbation_layers="all")])
    assert not torch.allclose(plain, changed, atol=0.01)
    assert all(family.denoiser.attn_processors[name] is p for name, p in processors.items())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in family.denoiser.state_dict().items())
    assert torch.equal(latents_of(family, [prompt()]), plain)
    with (
        pytest.raises(RuntimeError),
        perturbed_attention(
            family.denoiser,
            ["mid_block.attentions.0.transformer_blocks.0.attn1"],
            kind,
            AttentionPerturbation(0, (8, 8)),
        ),
    ):
        raise RuntimeError
    assert all(family.denoiser.attn_processors[name] is p for name, p in processors.items())


def test_attention_layers_are_chosen_by_the_beginnings_of_their_names(family: Family) -> None:
    names = family.parameter_names("denoiser")
    assert attention_layers(family.card, names, "mid") == ["mid_block.attentions.0.transformer_blocks.0.attn1"]
    assert len(attention_layers(family.card, names, "down, up_blocks.1")) == 1 + 2
    assert len(attention_layers(family.card, names, "all")) == 4
    with pytest.raises(UserError, match='No self-attention of this model begins with "middle"'):
        attention_layers(family.card, names, "middle")


@pytest.mark.parametrize(
    "noise_schedule",
    [EpsilonPrediction(), VPrediction(), VPrediction(zero_terminal_snr=True)],
    ids=["eps", "v", "zero terminal SNR"],
)
def test_cfg_plus_plus_takes_image_and_noise_from_different_answers(noise_schedule: NoiseSchedule) -> None:
    """Algorithm 2 of the paper written out, with answers that depend on the picture."""
    noise = starting_noise(3, 4, (8, 8))
    guidance, moment = Guidance(0.6, plus_plus=True), [Moment(0)]
    wanted, unwanted = torch.tanh, (lambda x: 0.5 * torch.sin(2 * x))

    def predict(noisy: Tensor, _: Tensor) -> Tensor:
        return guidance.combine(moment[0], wanted(noisy), unwanted(noisy), None)

    def stand(now: Moment) -> None:
        moment[0] = now

    found = denoise(predict, noise_schedule, noise, solver="ddim", steps=5, generators=[torch.Generator()], at=stand)
    x = noise.double()
    for time in (999, 799, 599, 399, 199):
        now = torch.tensor([time])
        alpha, sigma = (each.double() for each in noise_schedule.alpha_sigma(now))
        after = noise_schedule.alpha_sigma(now - 200) if time > 199 else (torch.tensor(1.0), torch.tensor(0.0))
        parts = []
        for said in (unwanted(x) + 0.6 * (wanted(x) - unwanted(x)), unwanted(x)):
            if noise_schedule.prediction == "epsilon":
                parts.append(((x - sigma * said) / alpha, said))
            else:
                parts.append((alpha * x - sigma * said, alpha * said + sigma * x))
        x = after[0].double() * parts[0][0] + after[1].double() * parts[1][1]
    torch.testing.assert_close(found.double(), x, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("noise_schedule", [RectifiedFlow(), EpsilonPrediction()], ids=["flow", "eps"])
def test_cfg_plus_plus_of_euler_and_of_a_flow_is_the_same_rule(noise_schedule: NoiseSchedule) -> None:
    """One step by hand: the clean image of the guided answer, the noise of the unprompted one."""
    noise, wanted = starting_noise(3, 4, (8, 8)), torch.randn(1, 4, 8, 8)
    seen: list[tuple[Tensor, float, Moment]] = []
    moments: list[Moment] = []

    def predict(noisy: Tensor, time_B: Tensor) -> Tensor:
        seen.append((noisy.clone(), float(time_B[0]), moments[-1]))
        return Guidance(0.8, plus_plus=True).combine(moments[-1], noisy - wanted, 0.3 * noisy, None)

    denoise(predict, noise_schedule, noise, solver="euler", steps=3, generators=[torch.Generator()], at=moments.append)
    if isinstance(noise_schedule, RectifiedFlow):
        (x, time, _), (found, after, _) = seen[:2]
        sigma, sigma_next = time / 1000, after / 1000
        guided = 0.3 * x + 0.8 * ((x - wanted) - 0.3 * x)
        expected = (1 - sigma_next) * (x - sigma * guided) + sigma_next * (x + (1 - sigma) * 0.3 * x)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert all(moment.stride >= 1 for _, _, moment in seen)
    assert seen[-1][2].stride == pytest.approx(1)


def test_guidance_is_only_there_between_its_ends(family: Family, latents_of, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    predict = family.predict
    monkeypatch.setattr(family, "predict", lambda x, t, c: asked.append(len(x)) or predict(x, t, c))
    some = latents_of(family, [prompt(guidance_start=0.25, guidance_end=0.75)])
    assert asked == [1, 2, 2, 1]
    assert not torch.allclose(some, latents_of(family, [prompt()]), atol=0.01)
    assert not torch.allclose(some, latents_of(family, [prompt(guidance=1.0)]), atol=0.01)
