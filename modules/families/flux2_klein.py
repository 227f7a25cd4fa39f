"""FLUX.2 klein, of 4 and 9 thousand million weights: read by Qwen3."""

from __future__ import annotations

from typing import ClassVar

from modules.catalog.flux2 import KLEIN
from modules.families.parts.dit.flux2 import LONGEST, Flux2Family
from modules.families.parts.dit.prompt_encoder import PromptFormat

# Qwen3's chat of one turn, thinking cut short
PROMPT = PromptFormat(LONGEST, "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")


class Flux2Klein(Flux2Family):
    """Its guidance is no input; the base models are drawn with guidance as usual, the distilled ones without."""

    name: ClassVar = "flux2_klein"
    card: ClassVar = KLEIN
    formats: ClassVar = {"text_encoder_1": PROMPT}
    layers_read: ClassVar = (9, 18, 27)

    def other_metadata(self) -> dict[str, str]:
        return {"ss_base_model_version": "flux_2_klein"}


FAMILY = Flux2Klein
