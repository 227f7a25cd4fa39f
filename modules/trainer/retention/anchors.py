"""What the base model answers at fixed points of prompts that it knows, to be compared with what is trained.

Asked before anything is attached to the model, also of a run that is continued: its model file is the base still. The
points lie on the base's own drawings of the prompts, so that no image is needed; in a short run in pure noise. All of
it is kept in the cache under the hash of what made it.

Shapes: P prompts, K points for each, N = P * K points, C latent channels, h w latent size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from modules.data.cache.encoders import TextEncoding
from modules.data.cache.fill import in_smaller_batches
from modules.data.cache.store import Cache, DamagedRecord
from modules.data.image.variants import text_key
from modules.diffusion.guidance import Guidance
from modules.diffusion.solvers import denoise
from modules.families import Condition, Family
from modules.preset.preset import Preset
from modules.system.devices import autocast, to_device
from modules.system.seeds import seed_of
from modules.trainer.retention.schedule import DRAWING_STEPS, Extent
from modules.trainer.sampling.guided_denoiser import AttentionPerturbation, GuidedDenoiser
from modules.trainer.sampling.sampler import PIXELS_AT_ONCE, starting_noise
from modules.trainer.step.encoders import FamilyEncoders

LEAST_ALPHA = 0.1  # below it, an error of predicted noise says nothing about the image
ALMOST = 0.999  # share of noise that is pure noise
Report = Callable[[int, int], object]  # told how far the work is; it may raise to end it


class Answers(NamedTuple):
    """What a model answers: with the prompts at every point, without them at some. fp16 in main memory.

    Rounded alike, the same answers stay the same bit for bit.
    """

    prompted_NChw: Tensor
    unprompted_MChw: Tensor


@dataclass(frozen=True)
class Points:
    """Where the model is asked, and what the base answered there."""

    noisy_NChw: Tensor
    shares_N: Tensor  # of noise, fp64
    answers: Answers  # of the base, without the prompts at every point, too
    key: str  # names all that made them


class Anchors:
    """The prompts that a base knows, and its answers. To be made before anything is attached to the family."""

    def __init__(self, preset: Preset, family: Family, extent: Extent, cache: Cache) -> None:
        self.preset, self.family, self.extent, self.cache = preset, family, extent, cache
        self.prompts = preset.known_prompts
        self.encoders, self.device = FamilyEncoders(family), family.options.device
        self.usual = preset.card.usual_sampling(preset.model_called)
        self.size = preset.resolution - preset.resolution % preset.card.size_step
        self.texts: list[TextEncoding] = []  # as the base reads the prompts, and nothing as the last
        self.points: Points | None = None
        self.seconds = 0.0  # that preparing has taken
        self._inpaint: Tensor | None = None

    def read(self) -> None:
        """Have the prompts read by the base, while its text encoders are at hand."""
        texts = [*self.prompts, ""]
        keys = [text_key(text, self.encoders.text_key) for text in texts]
        try:
            self.texts = [self.cache.get(key) for key in keys]
        except (DamagedRecord, KeyError):
            self.texts = self.encoders.encode_text(texts)
            for key, text in zip(keys, self.texts, strict=True):
                self.cache.try_put(key, text)

    def read_now(self) -> list[TextEncoding]:
        """The same as text encoders read them that are being trained."""
        return self.encoders.encode_text([*self.prompts, ""])

    @torch.no_grad()
    def prepare(self, report: Report) -> None:
        """Ask the base, unless the cache has its answers."""
        key = self._key()
        try:
            kept = self.cache.get(key)
        except (DamagedRecord, KeyError):
            kept = self._asked(report)
            self.cache.try_put(key, kept)
        noisy_NChw, shares_N = self._noisy(kept["latents"])
        answers = Answers(kept["prompted"], kept["unprompted"])
        self.points = Points(noisy_NChw, shares_N, answers, key[:16])

    @property
    def count(self) -> int:
        return self.extent.points(len(self.prompts))

    @property
    def unprompted(self) -> list[int]:
        """The points at which a model in training is asked without the prompt, too: half, of all amounts of noise."""
        each = self.extent.times
        return [p * each + k for p in range(len(self.prompts)) for k in range(each) if (p + k) % 2 == 0]

    @torch.no_grad()
    def ask(self, texts: Sequence[TextEncoding], report: Report) -> Answers:
        """What the family answers now, to the prompts as they are read now."""
        points, each = self.points, self.extent.times
        assert points is not None
        prompted = [texts[n // each] for n in range(self.count)]
        without = self.unprompted
        rows = torch.tensor(without)
        return Answers(
            self._answers(points.noisy_NChw, points.shares_N, prompted, report),
            self._answers(points.noisy_NChw[rows], points.shares_N[rows], [texts[-1]] * len(without), report),
        )

    # The base

    def _asked(self, report: Report) -> dict[str, Tensor]:
        """What is kept in the cache."""
        latents_PChw = self._drawn(report) if self.extent.drawn else torch.zeros(0, dtype=torch.float16)
        noisy_NChw, shares_N = self._noisy(latents_PChw)
        prompted = [self.texts[n // self.extent.times] for n in range(self.count)]
        return {
            "latents": latents_PChw,
            "prompted": self._answers(noisy_NChw, shares_N, prompted, report),
            "unprompted": self._answers(noisy_NChw, shares_N, [self.texts[-1]] * self.count, report),
        }

    def _drawn(self, report: Report) -> Tensor:
        """The base's drawings of the prompts as latents, (P, C, h, w)."""
        found: list[Tensor] = []
        at_once = max(1, self._at_once // 2)
        for start in range(0, len(self.prompts), at_once):
            report(start, len(self.prompts))
            rows = range(len(self.prompts))[start : start + at_once]
            found += in_smaller_batches(self._drawn_together, rows)
        return torch.cat(found)

    def _drawn_together(self, rows: Sequence[int]) -> Tensor:
        seeds = [seed_of(self.preset.general.seed, "anchor", self.prompts[row]) for row in rows]
        both = [self.texts[row] for row in rows] + [self.texts[-1]] * len(rows)
        guided = GuidedDenoiser(
            self.family, Guidance(self.usual.guidance, norm_side=self.family.card.guidance_norm),
            self._condition(both), len(rows), [], "none", AttentionPerturbation(0.0, self._size_hw),
        )  # fmt: skip
        steps = min(DRAWING_STEPS, self.usual.steps)
        noise = torch.cat([starting_noise(seed, self.family.channels, self._size_hw) for seed in seeds])
        return denoise(
            guided.predict,
            self.family.sampling_schedule(self.size, self.size, steps),
            noise.to(self.device),
            solver=self.usual.sampler,
            steps=steps,
            generators=[torch.Generator(self.device).manual_seed(seed_of(seed, "on the way")) for seed in seeds],
            at=guided.set_moment,
        ).to("cpu", torch.float16)

    def _key(self) -> str:
        """Everything that the answers depend on."""
        family, general = self.family, self.preset.general
        usual = [self.usual.steps, self.usual.guidance, self.usual.distilled_guidance, self.usual.sampler]
        facts = [
            "anchors 1", family.fingerprint("denoiser"), self.encoders.text_key, self.prompts,
            family.noise_schedule.scheduler_config(), general.seed, self.size, usual, self.extent.drawn,
            self.extent.times, family.fingerprint("vae") if family.inpaints else "",
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()

    # Points

    @property
    def _size_hw(self) -> tuple[int, int]:
        side = self.size // self.family.downscale
        return side, side

    @property
    def _at_once(self) -> int:
        """So many together as a step of training has, or as a sample may be wide."""
        return max(self.preset.training.batch_size, PIXELS_AT_ONCE // self.size**2)

    def _noisy(self, latents_PChw: Tensor) -> tuple[Tensor, Tensor]:
        """The points, (N, C, h, w) fp32, and their shares of noise (N,)."""
        schedule, each = self.family.noise_schedule, self.extent.times
        shares_K = torch.tensor(self._shares(), dtype=torch.float64)
        seed = self.preset.general.seed
        seeds = [seed_of(seed, "anchor", prompt, k) for prompt in self.prompts for k in range(each)]
        noise_NChw = torch.cat([starting_noise(one, self.family.channels, self._size_hw) for one in seeds])
        clean_NChw = latents_PChw.float().repeat_interleave(each, 0) if self.extent.drawn else 0 * noise_NChw
        shares_N = shares_K.repeat(len(self.prompts))
        noisy = schedule.add_noise(
            to_device(clean_NChw, self.device), to_device(noise_NChw, self.device), self._times(shares_N)
        )
        return noisy.cpu(), shares_N

    def _times(self, shares_N: Tensor) -> Tensor:
        return to_device(self.family.noise_schedule.time(shares_N), self.device)

    def _shares(self) -> list[float]:
        """The amount of noise of each of a prompt's points."""
        each, schedule = self.extent.times, self.family.noise_schedule
        if schedule.prediction != "epsilon":
            return [(k + 0.5) / each for k in range(each)] if self.extent.drawn else [ALMOST] * each
        fine = torch.linspace(0, ALMOST, 1000, dtype=torch.float64)
        alphas = schedule.alpha_sigma(self._times(fine))[0].flatten().cpu()
        most = float(fine[alphas >= LEAST_ALPHA][-1])
        return [min((k + 0.5) / each, most) for k in range(each)] if self.extent.drawn else [most] * each

    def _condition(self, texts: Sequence[TextEncoding]) -> Condition:
        """Texts, and what else the denoiser is given where it draws a whole square image."""
        condition = Condition.stack(texts).to(self.device)
        side, count = self.size, len(texts)
        sizes_B6 = torch.tensor([[side, side, 0, 0, side, side]] * count, device=self.device)
        inpaint = self._everything_hidden().expand(count, -1, -1, -1) if self.family.inpaints else None
        condition = replace(condition, sizes_B6=sizes_B6, inpaint_BChw=inpaint)
        return self.family.with_guidance(condition, self.usual.distilled_guidance)

    def _everything_hidden(self) -> Tensor:
        """What an inpainting model is shown where it is to paint everything, (1, C, h, w)."""
        if self._inpaint is None:
            mask = torch.ones(1, 1, self.size, self.size, device=self.device)
            self._inpaint = self.family.inpaint_input(mask, torch.zeros_like(mask).expand(-1, 3, -1, -1))
        return self._inpaint

    def _answers(self, noisy_NChw: Tensor, shares_N: Tensor, texts: Sequence[TextEncoding], report: Report) -> Tensor:
        def ask(rows: Sequence[int]) -> Tensor:
            chosen = torch.tensor(rows)
            condition = self._condition([texts[row] for row in rows])
            noisy = to_device(noisy_NChw[chosen], self.device)
            with autocast(self.device, self.family.options.dtype):
                answers = self.family.predict(noisy, self._times(shares_N[chosen]), condition)
            return answers.to("cpu", torch.float16)

        found: list[Tensor] = []
        for start in range(0, len(noisy_NChw), self._at_once):
            report(start, len(noisy_NChw))
            found += in_smaller_batches(ask, range(len(noisy_NChw))[start : start + self._at_once])
        return torch.cat(found).contiguous()  # as the cache gives it back: sums depend on the order
