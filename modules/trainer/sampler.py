"""Makes images from prompts, with whatever weights the family holds at the moment. Training is never touched.

Shapes: B images drawn together, C latent channels, h w latent size, H W pixel size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.diffusion.guidance import Guidance
from modules.diffusion.solvers import Picture, denoise
from modules.errors import UserError
from modules.families import Condition, Family
from modules.preset.lora_tags import split_tags
from modules.preset.sampling import NEW_EACH_TIME, Prompt, Sampling
from modules.system.devices import autocast, empty_memory, ran_out
from modules.system.seeds import seed_of
from modules.trainer.added import Added, added_by, laid_over
from modules.trainer.given import Given, given, hidden, latent_mask
from modules.trainer.perturbing import Weakening, attention_layers
from modules.trainer.view import View

PIXELS_AT_ONCE = 512 * 512  # prompts of equal settings are drawn side by side up to this many pixels
SEEDS = 2**32  # of A1111: what is drawn here can be drawn there
OWN = {"prompt", "negative", "seed", "image", "mask", "enabled"}  # settings that may differ between images of a group

Failed = Callable[[Prompt, UserError], None]


@dataclass(frozen=True)
class Sample:
    """An image and what made it."""

    image: Image.Image
    prompt: Prompt  # with its size and seed filled in
    number: int  # its place among the prompts it was asked with, from 1
    loras: tuple[tuple[str, float], ...] = ()  # names and strengths of files that the prompt's words do not name


@dataclass(frozen=True)
class Wish:
    """A prompt with all that is needed to draw it."""

    prompt: Prompt
    number: int
    words: str  # without tags
    added: Added
    given: Given | None

    @property
    def group(self) -> tuple[object, ...]:
        """Wishes that agree in this are drawn together."""
        masked = None if self.given is None else self.given.mask_11HW is not None
        return self.prompt.model_dump(exclude=OWN), self.added, masked


class Sampler:
    """Draws prompts with a family. Texts are read once and kept, so that the text encoders can be let go meanwhile."""

    def __init__(
        self, family: Family, resolution: int, *, keep_texts: bool, sampling: Sampling | None = None, seed: int = 0
    ) -> None:
        """`keep_texts`: nothing that training does changes what the text encoders say. `seed`: of the run."""
        self.family, self.resolution, self.keep_texts = family, resolution, keep_texts
        self.sampling, self.seed = sampling or Sampling(), seed
        self._texts: dict[tuple[str, Added], Condition] = {}

    def read(self, prompts: Sequence[Prompt]) -> None:
        """Encode prompts ahead, while the text encoders are at hand. One that cannot be drawn is told when it is."""
        for prompt in prompts:
            words, tags = split_tags(prompt.prompt)
            try:
                added = added_by(self.sampling, tags)
                self._read([words, prompt.negative], added)
            except UserError:
                continue

    def draw(
        self,
        prompts: Sequence[Prompt],
        step_done: Callable[[int], None] = lambda _: None,
        *,
        step: int = 0,
        failed: Failed | None = None,
    ) -> Iterator[Sample]:
        """Yield an image for each prompt, in order. `step_done` is told after each step how many images it advanced.

        Args:
            step: of the training, for seeds that are new each time.
            failed: told of a prompt that cannot be drawn (a file is missing, say); the others are. None: it is raised.

        Raises:
            UserError: a prompt cannot be drawn.
        """
        wishes = [self._wish(number, prompt, step, failed) for number, prompt in enumerate(prompts, 1)]
        for _, alike in groupby((wish for wish in wishes if wish is not None), key=lambda wish: wish.group):
            group = list(alike)
            first = group[0].prompt
            at_once = max(1, PIXELS_AT_ONCE // (first.width * first.height))
            for start in range(0, len(group), at_once):
                some = group[start : start + at_once]
                for wish, image in zip(some, self._drawn(some, step_done, failed), strict=False):
                    told = tuple((path.stem, strength) for path, strength in wish.added)
                    named = len(split_tags(wish.prompt.prompt)[1])
                    yield Sample(image, wish.prompt, wish.number, told[: len(told) - named])

    def _wish(self, number: int, prompt: Prompt, step: int, failed: Failed | None) -> Wish | None:
        sized = self._sized(prompt, number, step)
        words, tags = split_tags(prompt.prompt)
        try:
            return Wish(sized, number, words, added_by(self.sampling, tags), given(sized))
        except UserError as error:
            if failed is None:
                raise
            failed(prompt, error)
            return None

    def _drawn(
        self, wishes: Sequence[Wish], step_done: Callable[[int], None], failed: Failed | None
    ) -> list[Image.Image]:
        try:
            return self._where_it_fits(wishes, step_done)
        except UserError as error:
            if failed is None:
                raise
            for wish in wishes:
                failed(wish.prompt, error)
            return []

    def _where_it_fits(self, wishes: Sequence[Wish], step_done: Callable[[int], None]) -> list[Image.Image]:
        """Images drawn together; where memory is too small for that, half of them at a time."""
        try:
            return self._images(wishes, step_done)
        except (RuntimeError, MemoryError) as error:
            if len(wishes) == 1 or not ran_out(error):
                raise
        empty_memory(self.family.options.device)
        half = len(wishes) // 2
        return self._where_it_fits(wishes[:half], step_done) + self._where_it_fits(wishes[half:], step_done)

    @torch.no_grad()
    def _images(self, wishes: Sequence[Wish], step_done: Callable[[int], None]) -> list[Image.Image]:
        family, first = self.family, wishes[0].prompt
        device = family.options.device
        size_hw = (first.height // family.downscale, first.width // family.downscale)
        seeds = [wish.prompt.seed for wish in wishes]
        noise = torch.cat([starting_noise(seed, family.channels, size_hw) for seed in seeds]).to(device)
        view = self._view(wishes, size_hw)
        with laid_over(family, wishes[0].added, ("denoiser",)):
            latents = denoise(
                view.predict,
                family.noising,
                noise,
                solver=first.sampler,
                spacing=first.spacing,
                steps=first.steps,
                generators=[torch.Generator(device).manual_seed(seed_of(seed, "on the way")) for seed in seeds],
                picture=self._picture(wishes, size_hw),
                at=view.stand,
                step_done=lambda _: step_done(len(wishes)),
            )
        pixels = family.decode_image(latents)
        return [image_of(each) for each in pixels]

    def _view(self, wishes: Sequence[Wish], size_hw: tuple[int, int]) -> View:
        """The denoiser as these prompts ask it."""
        family, first = self.family, wishes[0].prompt
        on = first.perturbation != "none"
        guidance = Guidance(
            first.guidance,
            plus_plus=first.cfg_plus_plus,
            rescale=first.guidance_rescale,
            start=first.guidance_start,
            end=first.guidance_end,
            perturbed=first.perturbation_scale if on else 0.0,
        )
        layers = attention_layers(family.parameter_names("denoiser"), first.perturbation_layers) if on else []
        texts = [wish.words for wish in wishes]
        hears = guidance.scale != 1 or guidance.plus_plus
        texts += [wish.prompt.negative for wish in wishes] if hears else []
        self._read(texts, wishes[0].added)
        condition = self._condition(texts, wishes, size_hw)
        return View(
            family, guidance, condition, len(wishes), layers, first.perturbation, Weakening(first.seg_blur, size_hw)
        )

    def _condition(self, texts: Sequence[str], wishes: Sequence[Wish], size_hw: tuple[int, int]) -> Condition:
        device, count, first = self.family.options.device, len(texts), wishes[0].prompt
        said = [self._text(text, wishes[0].added) for text in texts]
        condition = Condition.stack([row for text in said for row in text.rows()]).to(device)
        sizes = torch.tensor([[first.height, first.width, 0, 0, first.height, first.width]] * count, device=device)
        inpaint = None
        if self.family.inpaints:
            inpaint = self._hidden(wishes, size_hw).repeat(count // len(wishes), 1, 1, 1)
        return Condition(condition.tokens_BTD, condition.mask_BT, condition.pooled_BD, sizes, inpaint)

    def _hidden(self, wishes: Sequence[Wish], size_hw: tuple[int, int]) -> Tensor:
        """What an inpainting model is shown; where nothing is given, the whole picture is to be painted."""
        first, device = wishes[0].prompt, self.family.options.device
        nothing = torch.zeros(1, 3, first.height, first.width)
        everywhere = torch.ones(1, 1, first.height, first.width)
        pixels = torch.cat([nothing if wish.given is None else wish.given.pixels_13HW for wish in wishes])
        masks = torch.cat(
            [
                everywhere if wish.given is None or wish.given.mask_11HW is None else wish.given.mask_11HW
                for wish in wishes
            ]
        )
        return hidden(self.family, pixels.to(device), masks.to(device), size_hw)

    def _picture(self, wishes: Sequence[Wish], size_hw: tuple[int, int]) -> Picture | None:
        """What the drawing begins with, in latents."""
        begun = [wish.given for wish in wishes if wish.given is not None]
        if not begun:
            return None
        device, first = self.family.options.device, wishes[0].prompt
        clean = self.family.encode_image(torch.cat([each.pixels_13HW for each in begun]).to(device)).float()
        masks = [each.mask_11HW for each in begun if each.mask_11HW is not None]
        mask = latent_mask(torch.cat(masks), size_hw).to(device) if masks and not self.family.inpaints else None
        return Picture(clean, first.strength, mask)

    def _text(self, text: str, added: Added) -> Condition:
        return self._texts[text, added]

    @torch.no_grad()
    def _read(self, texts: Sequence[str], added: Added) -> None:
        """Have these texts encoded; where training changes the encoders, anew."""
        family = self.family
        new = [text for text in dict.fromkeys(texts) if not self.keep_texts or (text, added) not in self._texts]
        if not self.keep_texts:
            self._texts.clear()
        if not new:
            return
        with laid_over(family, added, family.text_encoders), autocast(family.options.device, family.options.dtype):
            for text in new:
                said = family.encode_text([text], weighted=self.sampling.prompt_weights)
                self._texts[text, added] = said

    def _sized(self, prompt: Prompt, number: int, step: int) -> Prompt:
        seed = prompt.seed
        if seed == NEW_EACH_TIME:
            seed = seed_of(self.seed, "sample", step, number) % SEEDS
        sizes = {"width": prompt.width or self.resolution, "height": prompt.height or self.resolution}
        return prompt.model_copy(update={**sizes, "seed": seed})


def starting_noise(seed: int, channels: int, size_hw: tuple[int, int]) -> Tensor:
    """The noise an image starts from, (1, C, h, w) fp32, drawn on the CPU: the same on every machine."""
    return torch.randn(1, channels, *size_hw, generator=torch.Generator().manual_seed(seed))


def image_of(pixels_3HW: Tensor) -> Image.Image:
    """Pixels in [-1, 1] as a picture."""
    levels = (pixels_3HW.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    return Image.fromarray(np.ascontiguousarray(levels.permute(1, 2, 0).numpy()))
