"""Makes images from prompts, with whatever weights the family holds at the moment. Training is never touched.

Shapes: B images drawn together, C latent channels, h w latent size, H W pixel size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.diffusion.guidance import Guidance
from modules.diffusion.solvers import InitLatents, denoise
from modules.errors import UserError
from modules.families import Condition, Family
from modules.families.parts.adapter_origin import reservations
from modules.preset.sections.sampling import NEW_EACH_TIME, Prompt, Sampling
from modules.preset.text.lora_tags import split_tags
from modules.sentences.problem import Problem
from modules.system.devices import autocast, empty_card_cache, is_out_of_memory
from modules.system.seeds import seed_of
from modules.trainer.sampling.guided_denoiser import AttentionPerturbation, GuidedDenoiser, attention_layers
from modules.trainer.sampling.init_image import InitImage, init_image, latent_mask
from modules.trainer.sampling.lora_overlay import LoraFiles, lora_files_for, with_loras

PIXELS_AT_ONCE = 512 * 512  # prompts of equal settings are drawn side by side up to this many pixels
SEEDS = 2**32  # of A1111: what is drawn here can be drawn there
PER_IMAGE = {
    "prompt",
    "negative",
    "seed",
    "image",
    "mask",
    "enabled",
}  # settings that may differ between images of a group

OnFailed = Callable[[Prompt, UserError], None]


@dataclass(frozen=True)
class Sample:
    """An image and what made it."""

    image: Image.Image
    prompt: Prompt  # with its size and seed filled in
    number: int  # its place among the prompts it was asked with, from 1
    loras: tuple[tuple[str, float], ...] = ()  # names and strengths of files that the prompt's words do not name


@dataclass(frozen=True)
class SampleRequest:
    """A prompt with all that is needed to draw it."""

    prompt: Prompt
    number: int
    words: str  # without tags
    lora_files: LoraFiles
    init_image: InitImage | None

    @property
    def group(self) -> tuple[object, ...]:
        """Wishes that agree in this are drawn together."""
        masked = None if self.init_image is None else self.init_image.mask_11HW is not None
        return self.prompt.model_dump(exclude=PER_IMAGE), self.lora_files, masked


class Sampler:
    """Draws prompts with a family. Texts are read once and kept, so that the text encoders can be let go meanwhile."""

    def __init__(
        self, family: Family, resolution: int, *, cache_texts: bool, sampling: Sampling | None = None, seed: int = 0
    ) -> None:
        """`cache_texts`: nothing that training does changes what the text encoders say. `seed`: of the run."""
        self.family, self.resolution, self.cache_texts = family, resolution, cache_texts
        self.sampling, self.seed = sampling or Sampling(), seed
        self._texts: dict[tuple[str, LoraFiles], Condition] = {}
        self._unread: dict[Path, list[str]] | None = {} if self.sampling.skip_unread else None
        self._untold: dict[Path, bool] = {}  # LoRA files that were used -> whether there may be something to say

    def read(self, prompts: Sequence[Prompt]) -> None:
        """Encode prompts ahead, while the text encoders are at hand. One that cannot be drawn is told when it is."""
        for prompt in prompts:
            try:
                self._read(*self._texts_of(prompt))
            except UserError:
                continue

    def forget_texts(self) -> None:
        """Those of prompts that will not be drawn again: thousands would fill the memory."""
        self._texts.clear()

    def needs_encoders(self, prompts: Sequence[Prompt]) -> bool:
        """Whether any of these has text that was not read ahead."""

        def is_new(prompt: Prompt) -> bool:
            try:
                return bool(self._new(*self._texts_of(prompt)))
            except UserError:
                return False

        return any(map(is_new, prompts))

    def _texts_of(self, prompt: Prompt) -> tuple[list[str], LoraFiles]:
        """What of a prompt is read, and the files that it is read with."""
        words, tags = split_tags(prompt.prompt)
        texts = [words, prompt.negative] if prompt.reads_negative else [words]
        return texts, lora_files_for(self.sampling, tags)

    def notes(self) -> Iterator[Problem]:
        """What of LoRA files was left out or is doubtful, for the user: each file once."""
        for path in [path for path, untold in self._untold.items() if untold]:
            self._untold[path] = False
            yield from reservations(self.family, path, (self._unread or {}).get(path))

    def draw(
        self,
        prompts: Sequence[Prompt],
        step_done: Callable[[int], None] = lambda _: None,
        *,
        step: int = 0,
        failed: OnFailed | None = None,
    ) -> Iterator[Sample]:
        """Yield an image for each prompt, in order. `step_done` is told after each step how many images it advanced.

        Args:
            step: of the training, for seeds that are new each time.
            failed: told of a prompt that cannot be drawn (a file is missing, say); the others are. None: it is raised.

        Raises:
            UserError: a prompt cannot be drawn.
        """
        requests = [self._request(number, prompt, step, failed) for number, prompt in enumerate(prompts, 1)]
        for _, alike in groupby(
            (request for request in requests if request is not None), key=lambda request: request.group
        ):
            group = list(alike)
            first = group[0].prompt
            at_once = max(1, PIXELS_AT_ONCE // (first.width * first.height))
            for start in range(0, len(group), at_once):
                first_names = group[start : start + at_once]
                for request, image in zip(first_names, self._images_of(first_names, step_done, failed), strict=False):
                    files = tuple((path.stem, strength) for path, strength in request.lora_files)
                    named = len(split_tags(request.prompt.prompt)[1])
                    yield Sample(image, request.prompt, request.number, files[: len(files) - named])

    def _request(self, number: int, prompt: Prompt, step: int, failed: OnFailed | None) -> SampleRequest | None:
        sized = self._filled_in(prompt, number, step)
        words, tags = split_tags(prompt.prompt)
        try:
            return SampleRequest(sized, number, words, lora_files_for(self.sampling, tags), init_image(sized))
        except UserError as error:
            if failed is None:
                raise
            failed(prompt, error)
            return None

    def _images_of(
        self, requests: Sequence[SampleRequest], step_done: Callable[[int], None], failed: OnFailed | None
    ) -> list[Image.Image]:
        try:
            return self._images_or_halves(requests, step_done)
        except UserError as error:
            if failed is None:
                raise
            for request in requests:
                failed(request.prompt, error)
            return []

    def _images_or_halves(
        self, requests: Sequence[SampleRequest], step_done: Callable[[int], None]
    ) -> list[Image.Image]:
        """Images drawn together; where memory is too small for that, half of them at a time."""
        try:
            return self._images(requests, step_done)
        except (RuntimeError, MemoryError) as error:
            if len(requests) == 1 or not is_out_of_memory(error):
                raise
        empty_card_cache(self.family.options.device)
        half = len(requests) // 2
        return self._images_or_halves(requests[:half], step_done) + self._images_or_halves(requests[half:], step_done)

    @torch.no_grad()
    def _images(self, requests: Sequence[SampleRequest], step_done: Callable[[int], None]) -> list[Image.Image]:
        family, first = self.family, requests[0].prompt
        device = family.options.device
        size_hw = (first.height // family.downscale, first.width // family.downscale)
        seeds = [request.prompt.seed for request in requests]
        noise = torch.cat([starting_noise(seed, family.channels, size_hw) for seed in seeds]).to(device)
        guided = self._guided_denoiser(requests, size_hw)
        with with_loras(family, requests[0].lora_files, ("denoiser",), self._unread):
            self._untold = {path: True for path, _ in requests[0].lora_files} | self._untold
            latents = denoise(
                guided.predict,
                family.sampling_schedule(first.height, first.width, first.steps, first.flow_shift),
                noise,
                solver=first.sampler,
                spacing=first.spacing,
                steps=first.steps,
                generators=[torch.Generator(device).manual_seed(seed_of(seed, "on the way")) for seed in seeds],
                init_latents=self._init_latents(requests, size_hw),
                at=guided.set_moment,
                step_done=lambda _: step_done(len(requests)),
            )
        pixels = family.decode_image(latents)
        return [image_of(each) for each in pixels]

    def _guided_denoiser(self, requests: Sequence[SampleRequest], size_hw: tuple[int, int]) -> GuidedDenoiser:
        """The denoiser as these prompts ask it."""
        family, first = self.family, requests[0].prompt
        on = first.perturbation != "none"
        guidance = Guidance(
            first.guidance,
            plus_plus=first.cfg_plus_plus,
            rescale=first.guidance_rescale,
            start=first.guidance_start,
            end=first.guidance_end,
            perturbed=first.perturbation_scale if on else 0.0,
            norm_side=family.card.guidance_norm,
        )
        names = family.parameter_names("denoiser") if on else []
        layers = attention_layers(family.card, names, first.perturbation_layers) if on else []
        texts = [request.words for request in requests]
        texts += [request.prompt.negative for request in requests] if first.reads_negative else []
        self._read(texts, requests[0].lora_files)
        condition = self._condition(texts, requests, size_hw)
        return GuidedDenoiser(
            family,
            guidance,
            condition,
            len(requests),
            layers,
            first.perturbation,
            AttentionPerturbation(first.seg_blur, size_hw),
        )

    def _condition(
        self, texts: Sequence[str], requests: Sequence[SampleRequest], size_hw: tuple[int, int]
    ) -> Condition:
        device, count, first = self.family.options.device, len(texts), requests[0].prompt
        encoded = [self._text(text, requests[0].lora_files) for text in texts]
        condition = Condition.stack([row for text in encoded for row in text.rows()]).to(device)
        sizes = torch.tensor([[first.height, first.width, 0, 0, first.height, first.width]] * count, device=device)
        inpaint = None
        if self.family.inpaints:
            inpaint = self._inpaint_condition(requests).repeat(count // len(requests), 1, 1, 1)
        condition = replace(condition, sizes_B6=sizes, inpaint_BChw=inpaint)
        return self.family.with_guidance(condition, first.distilled_guidance)

    def _inpaint_condition(self, requests: Sequence[SampleRequest]) -> Tensor:
        """What an inpainting model is shown; where nothing is given, the whole picture is to be painted."""
        first, device = requests[0].prompt, self.family.options.device
        nothing = torch.zeros(1, 3, first.height, first.width)
        everywhere = torch.ones(1, 1, first.height, first.width)
        pixels = torch.cat(
            [nothing if request.init_image is None else request.init_image.pixels_13HW for request in requests]
        )
        masks = torch.cat(
            [
                everywhere
                if request.init_image is None or request.init_image.mask_11HW is None
                else request.init_image.mask_11HW
                for request in requests
            ]
        )
        pixels, masks = pixels.to(device), masks.to(device)
        return self.family.inpaint_input(masks, pixels * (1 - masks))

    def _init_latents(self, requests: Sequence[SampleRequest], size_hw: tuple[int, int]) -> InitLatents | None:
        """What the drawing begins with, in latents."""
        begun = [request.init_image for request in requests if request.init_image is not None]
        if not begun:
            return None
        device, first = self.family.options.device, requests[0].prompt
        clean = self.family.encode_image(torch.cat([each.pixels_13HW for each in begun]).to(device)).float()
        masks = [each.mask_11HW for each in begun if each.mask_11HW is not None]
        mask = latent_mask(torch.cat(masks), size_hw).to(device) if masks and not self.family.inpaints else None
        return InitLatents(clean, first.strength, mask)

    def _text(self, text: str, lora_files: LoraFiles) -> Condition:
        return self._texts[text, lora_files]

    @torch.no_grad()
    def _read(self, texts: Sequence[str], lora_files: LoraFiles) -> None:
        """Have these texts encoded; where training changes the encoders, anew."""
        family, new = self.family, self._new(texts, lora_files)
        if not self.cache_texts:
            self._texts.clear()
        if not new:
            return
        with (
            with_loras(family, lora_files, family.text_encoders, self._unread),
            autocast(family.options.device, family.options.dtype),
        ):
            for text in new:
                encoded = family.encode_text([text], weighted=self.sampling.prompt_weights)
                self._texts[text, lora_files] = encoded.to(torch.device("cpu")) if self.cache_texts else encoded

    def _new(self, texts: Sequence[str], lora_files: LoraFiles) -> list[str]:
        return [text for text in dict.fromkeys(texts) if not self.cache_texts or (text, lora_files) not in self._texts]

    def _filled_in(self, prompt: Prompt, number: int, step: int) -> Prompt:
        """The prompt as it is drawn: what it leaves to the training, the model or chance is in it."""
        seed, family = prompt.seed, self.family
        if seed == NEW_EACH_TIME:
            seed = seed_of(self.seed, "sample", step, number) % SEEDS
        sizes = {"width": prompt.width or self.resolution, "height": prompt.height or self.resolution}
        distilled = prompt.distilled_guidance or family.usual_sampling.distilled_guidance
        of_model = {
            "distilled_guidance": distilled if family.card.guidance_embed else 0.0,
            "flow_shift": prompt.flow_shift if family.noise_schedule.prediction == "flow" else 0.0,
        }
        return prompt.model_copy(update={**sizes, **of_model, "seed": seed})


def starting_noise(seed: int, channels: int, size_hw: tuple[int, int]) -> Tensor:
    """The noise an image starts from, (1, C, h, w) fp32, drawn on the CPU: the same on every machine."""
    return torch.randn(1, channels, *size_hw, generator=torch.Generator().manual_seed(seed))


def image_of(pixels_3HW: Tensor) -> Image.Image:
    """Pixels in [-1, 1] as a picture."""
    levels = (pixels_3HW.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    return Image.fromarray(np.ascontiguousarray(levels.permute(1, 2, 0).numpy()))
