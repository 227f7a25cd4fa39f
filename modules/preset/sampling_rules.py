"""Rules about what samples are drawn with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modules.preset.preset import Preset
from modules.preset.sampling import Prompt

STRAIGHT = ("euler", "ddim")  # samplers of one straight line a step (first_order in diffusion/solvers.py)
MOST_PLUS_PLUS = 2.0


def _guidance(preset: Preset) -> Iterator[str]:
    for path, prompt in _drawn(preset):
        if prompt.guidance_start >= prompt.guidance_end:
            yield (
                f"{path}.guidance_start {prompt.guidance_start:g} leaves no step for guidance before "
                f"{path}.guidance_end {prompt.guidance_end:g}. Set guidance_start to 0, or guidance_end to 1."
            )
        if prompt.cfg_plus_plus and prompt.sampler not in STRAIGHT:
            yield (
                f"{path}.cfg_plus_plus is on, and {path}.sampler {prompt.sampler} takes steps it is not made for. Set "
                f"the sampler to {' or '.join(STRAIGHT)}, or turn cfg_plus_plus off."
            )
        if prompt.cfg_plus_plus and prompt.guidance > MOST_PLUS_PLUS:
            yield (
                f"{path}.cfg_plus_plus is on, and {path}.guidance {prompt.guidance:g} is one for CFG: the picture "
                "would burn. Set guidance to 0.6, or turn cfg_plus_plus off."
            )


def _pictures(preset: Preset) -> Iterator[str]:
    for path, prompt in _drawn(preset):
        if prompt.mask and not prompt.image:
            yield f"{path}.mask is given, and no {path}.image that it could belong to. Give one, or leave out the mask."


def _drawn(preset: Preset) -> Iterator[tuple[str, Prompt]]:
    for number, prompt in enumerate(preset.sampling.prompts):
        if prompt.enabled:
            yield f"sampling.prompts.{number}", prompt


SAMPLING_RULES: tuple[Callable[[Preset], Iterator[str]], ...] = (_guidance, _pictures)
