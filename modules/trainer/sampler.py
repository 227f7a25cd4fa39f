"""Makes images from prompts, with whatever weights the family holds at the moment. Training is never touched.

Shapes: B images drawn together, C latent channels, h w latent size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from modules.diffusion.solvers import SOLVERS, denoise
from modules.families import Condition, Family
from modules.preset.sampling import Prompt
from modules.system.devices import autocast
from modules.system.files import staged_file
from modules.system.seeds import seed_of

PIXELS_AT_ONCE = 512 * 512  # prompts of equal settings are drawn side by side up to this many pixels


@dataclass(frozen=True)
class Sample:
    """An image and what made it."""

    image: Image.Image
    prompt: Prompt  # with its size filled in
    number: int  # its place among the prompts it was asked with, from 1


class Sampler:
    """Draws prompts with a family. Texts are read once and kept, so that the text encoders can be let go meanwhile."""

    def __init__(self, family: Family, resolution: int, *, keep_texts: bool) -> None:
        """`keep_texts`: nothing that training does changes what the text encoders say."""
        self.family, self.resolution, self.keep_texts = family, resolution, keep_texts
        self._texts: dict[str, Condition] = {}

    def read(self, prompts: Sequence[Prompt]) -> None:
        """Encode prompts ahead, while the text encoders are at hand."""
        for prompt in prompts:
            self._text(prompt.prompt)
            self._text(prompt.negative)

    def draw(self, prompts: Sequence[Prompt], step_done: Callable[[int], None] = lambda _: None) -> Iterator[Sample]:
        """Yield an image for each prompt, in order. `step_done` is told after each step how many images it advanced."""
        numbered = [(number, self._sized(prompt)) for number, prompt in enumerate(prompts, 1)]
        for _, alike in groupby(numbered, key=lambda pair: _drawn_alike(pair[1])):
            group = list(alike)
            first = group[0][1]
            at_once = max(1, PIXELS_AT_ONCE // (first.width * first.height))
            for start in range(0, len(group), at_once):
                some = group[start : start + at_once]
                images = self._images([prompt for _, prompt in some], step_done)
                yield from (Sample(image, prompt, number) for image, (number, prompt) in zip(images, some, strict=True))

    @torch.no_grad()
    def _images(self, prompts: Sequence[Prompt], step_done: Callable[[int], None]) -> list[Image.Image]:
        family, first = self.family, prompts[0]
        device = family.options.device
        size_hw = (first.height // family.downscale, first.width // family.downscale)
        noise = torch.cat([starting_noise(prompt.seed, family.channels, size_hw) for prompt in prompts]).to(device)
        guided = first.guidance != 1
        texts = [self._text(prompt.prompt) for prompt in prompts]
        texts += [self._text(prompt.negative) for prompt in prompts] if guided else []
        condition = self._condition(texts, first, size_hw)

        def predict(noisy_BChw: Tensor, time_B: Tensor) -> Tensor:
            with autocast(device, family.options.dtype):
                if not guided:
                    return family.predict(noisy_BChw, time_B, condition)
                said = family.predict(torch.cat([noisy_BChw] * 2), torch.cat([time_B] * 2), condition).float()
            wanted, unwanted = said.chunk(2)
            return unwanted + first.guidance * (wanted - unwanted)  # classifier-free guidance, arXiv:2207.12598

        latents = denoise(
            predict,
            family.noising,
            noise,
            solver=first.sampler,
            steps=first.steps,
            generators=[torch.Generator(device).manual_seed(seed_of(prompt.seed, "on the way")) for prompt in prompts],
            step_done=lambda _: step_done(len(prompts)),
        )
        pixels = family.decode_image(latents)
        return [image_of(each) for each in pixels]

    def _condition(self, texts: Sequence[Condition], first: Prompt, size_hw: tuple[int, int]) -> Condition:
        device, count = self.family.options.device, len(texts)
        rows = [row for text in texts for row in text.rows()]
        condition = Condition.stack(rows).to(device)
        sizes = torch.tensor([[first.height, first.width, 0, 0, first.height, first.width]] * count, device=device)
        inpaint = None
        if self.family.inpaints:  # nothing is given: the whole picture is to be painted
            grey = torch.zeros(1, 3, first.height, first.width, device=device)
            hidden = self.family.encode_image(grey).expand(count, -1, -1, -1)
            inpaint = torch.cat([torch.ones(count, 1, *size_hw, device=device), hidden], dim=1)
        return Condition(condition.tokens_BTD, condition.mask_BT, condition.pooled_BD, sizes, inpaint)

    @torch.no_grad()
    def _text(self, text: str) -> Condition:
        if text in self._texts:
            return self._texts[text]
        family = self.family
        with autocast(family.options.device, family.options.dtype):
            condition = family.encode_text([text])
        if self.keep_texts:
            self._texts[text] = condition
        return condition

    def _sized(self, prompt: Prompt) -> Prompt:
        return prompt.model_copy(
            update={"width": prompt.width or self.resolution, "height": prompt.height or self.resolution}
        )


def starting_noise(seed: int, channels: int, size_hw: tuple[int, int]) -> Tensor:
    """The noise an image starts from, (1, C, h, w) fp32, drawn on the CPU: the same on every machine."""
    return torch.randn(1, channels, *size_hw, generator=torch.Generator().manual_seed(seed))


def image_of(pixels_3HW: Tensor) -> Image.Image:
    """Pixels in [-1, 1] as a picture."""
    levels = (pixels_3HW.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    return Image.fromarray(np.ascontiguousarray(levels.permute(1, 2, 0).numpy()))


def save_sample(sample: Sample, path: Path, *, model: str) -> None:
    """Write a PNG that carries its prompt and settings as A1111 writes them, for every tool that reads those."""
    about = PngInfo()
    about.add_itxt("parameters", parameters_text(sample.prompt, model))
    with staged_file(path) as draft:
        sample.image.save(draft, "png", pnginfo=about)


def parameters_text(prompt: Prompt, model: str) -> str:
    """Prompt and settings in A1111's form: prompt, negative prompt, one line of settings."""
    lines = [prompt.prompt]
    if prompt.negative:
        lines.append(f"Negative prompt: {prompt.negative}")
    settings = {
        "Steps": prompt.steps,
        "Sampler": SOLVERS[prompt.sampler].title,
        "CFG scale": f"{prompt.guidance:g}",
        "Seed": prompt.seed,
        "Size": f"{prompt.width}x{prompt.height}",
        "Model": model,
        "Version": "Seachange",
    }
    lines.append(", ".join(f"{name}: {value}" for name, value in settings.items() if value != ""))
    return "\n".join(lines)


def file_name(step: int, number: int, prompt: str) -> str:
    """ "000500 - 1 - a photo of a cat.png": sorts by step, and is a name that every system allows."""
    words = re.sub(r"[^\w\-,. ]+", " ", prompt)
    words = re.sub(r"\s+", " ", words).strip(" .")[:60].strip(" .") or "empty prompt"
    return f"{step:06d} - {number} - {words}.png"


def _drawn_alike(prompt: Prompt) -> tuple[object, ...]:
    return prompt.width, prompt.height, prompt.sampler, prompt.steps, prompt.guidance
