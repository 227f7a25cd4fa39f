"""Cards of the model families: what forms and checks must know before torch is imported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FamilyCard:
    title: str
    module: str  # imported only when a run picks the family
    text_encoders: tuple[str, ...]  # names of the parts that read captions
    resolution: int  # pixels on a side that the family was trained at
    bucket_step: int  # sides of buckets are multiples of this many pixels
    examples: tuple[str, ...] = ()  # hub names a newcomer may start from


FAMILIES: dict[str, FamilyCard] = {
    "sd": FamilyCard(
        "Stable Diffusion 1 and 2",
        "modules.families.sd",
        ("text_encoder_1",),
        512,
        64,
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", "stabilityai/stable-diffusion-2-1"),
    ),
    "sdxl": FamilyCard(
        "Stable Diffusion XL",
        "modules.families.sdxl",
        ("text_encoder_1", "text_encoder_2"),
        1024,
        64,
        ("stabilityai/stable-diffusion-xl-base-1.0",),
    ),
}
