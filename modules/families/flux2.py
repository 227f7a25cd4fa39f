"""FLUX.2 dev, of 32 thousand million weights: read by Mistral 3, and told the guidance as an input."""

from __future__ import annotations

from typing import ClassVar

from modules.catalog.flux2 import DEV
from modules.families.parts.dit.flux2 import LONGEST, Flux2Family
from modules.families.parts.dit.prompt_encoder import PromptFormat

SYSTEM = (
    "You are an AI that reasons about image descriptions. You give structured responses focusing on object "
    "relationships, object\nattribution and actions without speculation."
)
PROMPT = PromptFormat(LONGEST, f"<s>[SYSTEM_PROMPT]{SYSTEM}[/SYSTEM_PROMPT][INST]", "[/INST]", never="[IMG]")


class Flux2(Flux2Family):
    """Padding stands before the prompt, as its tokenizer has it."""

    name: ClassVar = "flux2"
    card: ClassVar = DEV
    formats: ClassVar = {"text_encoder_1": PROMPT}
    layers_read: ClassVar = (10, 20, 30)

    def other_metadata(self) -> dict[str, str]:
        return {"ss_base_model_version": "flux_2_dev"}


FAMILY = Flux2
