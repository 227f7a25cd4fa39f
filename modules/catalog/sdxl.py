"""The card of Stable Diffusion XL and its children."""

from __future__ import annotations

from modules.catalog.card import OF_TAGS, PHOTOS, ComponentSpec, FamilyCard, RateRange, Variant
from modules.catalog.layers import SDXL_SETS, UNET_ATTENTION, UNET_GROUPS, UNET_SETS, unet_blocks

CLIP = "transformers.models.clip.modeling_clip"

CARD = FamilyCard(
    title="Stable Diffusion XL",
    short_title="SDXL",
    module="modules.families.sdxl",
    components=(
        ComponentSpec(
            "denoiser", "unet", "unet", "diffusers.models.unets.unet_2d_condition:UNet2DConditionModel", "U-Net"
        ),
        ComponentSpec("vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl:AutoencoderKL", "VAE"),
        ComponentSpec(
            "text_encoder_1", "clip", "text_encoder", f"{CLIP}:CLIPTextModel", "text encoder",
            tokenizer="tokenizer", embedding="clip_l",
        ),
        ComponentSpec(
            "text_encoder_2", "clip", "text_encoder_2", f"{CLIP}:CLIPTextModelWithProjection",
            tokenizer="tokenizer_2", embedding="clip_g",
        ),
    ),
    resolution=1024,
    bucket_step=64,
    size_step=8,
    layer_sets={**UNET_SETS, **SDXL_SETS, **unet_blocks(3)},
    self_attention=UNET_ATTENTION,
    attention_groups=UNET_GROUPS,
    rates={
        "lora": RateRange(5e-5, 1e-4, 5e-4), "full": RateRange(4e-7, 4e-6, 1e-5),
        "embedding": RateRange(1e-4, 5e-3, 1e-2),
    },
    examples=("stabilityai/stable-diffusion-xl-base-1.0",),
    variants=(Variant("sdxl", "Stable Diffusion XL"),),
    known=(OF_TAGS, PHOTOS),
    fp16_vae=False,
    file_marks=("conditioner.embedders.", "model.diffusion_model.label_emb."),
    metadata_names=r"stable-diffusion-xl|sdxl",
)  # fmt: skip
