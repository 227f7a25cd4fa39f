"""The card of Stable Diffusion 1 and 2."""

from __future__ import annotations

from modules.catalog.card import (
    OF_TAGS,
    PHOTOS,
    ComponentSpec,
    FamilyCard,
    KnownPrompts,
    RateRange,
    SamplingDefaults,
    Variant,
)
from modules.catalog.layers import INNER, UNET_ATTENTION, UNET_GROUPS, UNET_SETS, unet_blocks

STARTER = r"^starter:model$"

CARD = FamilyCard(
    title="Stable Diffusion 1 and 2",
    module="modules.families.sd",
    components=(
        ComponentSpec(
            "denoiser", "unet", "unet", "diffusers.models.unets.unet_2d_condition:UNet2DConditionModel", "U-Net"
        ),
        ComponentSpec("vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl:AutoencoderKL", "VAE"),
        ComponentSpec(
            "text_encoder_1",
            "clip",
            "text_encoder",
            "transformers.models.clip.modeling_clip:CLIPTextModel",
            "text encoder",
            tokenizer="tokenizer",
            embedding="clip_l",
        ),
    ),
    resolution=512,
    bucket_step=64,
    size_step=8,
    layer_sets={**UNET_SETS, "inner": INNER, **unet_blocks(4)},
    self_attention=UNET_ATTENTION,
    attention_groups=UNET_GROUPS,
    rates={
        "lora": RateRange(5e-5, 1e-4, 5e-4), "full": RateRange(1e-6, 5e-6, 1e-5),
        "embedding": RateRange(1e-4, 5e-3, 1e-2),
    },
    examples=("stable-diffusion-v1-5/stable-diffusion-v1-5", "stabilityai/stable-diffusion-2-1"),
    variants=(
        Variant("sd15", "Stable Diffusion 1.5"),
        Variant("sd2", "Stable Diffusion 2", names=r"(stable-diffusion-2|sd[-_ ]?v?2|v2[-_]|2[-_.][01])"),
    ),
    sampling=(SamplingDefaults(20, 3.0, sampler="ddim", names=STARTER), SamplingDefaults()),
    known=(
        KnownPrompts(
            ("tiger", "owl", "pizza", "carrot", "tulip", "nerd face", "ghost", "tropical fish"), names=STARTER
        ),
        OF_TAGS, PHOTOS,
    ),
    file_marks=("cond_stage_model.",),
    metadata_names=r"stable-diffusion-v[12]|(?<![a-z])sd[_-]?v?[12]",
)  # fmt: skip
