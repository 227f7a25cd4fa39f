"""The card of Stable Diffusion 3 and 3.5, Stability's: medium and large."""

from __future__ import annotations

from modules.catalog.card import T5_TOKENIZER, ComponentSpec, FamilyCard, RateRange, SamplingDefaults, Variant
from modules.catalog.layers import dit_sets

CLIP = "transformers.models.clip.modeling_clip:CLIPTextModelWithProjection"
MAKER = "stabilityai"
LICENCE = "Stability AI Community"

CARD = FamilyCard(
    title="Stable Diffusion 3",
    short_title="SD 3",
    module="modules.families.sd3",
    components=(
        ComponentSpec(
            "denoiser", "dit", "transformer", "diffusers.models.transformers.transformer_sd3:SD3Transformer2DModel",
            "transformer", adapted=r"transformer_blocks\.\d+\.(attn2?|ff|ff_context)\..*",
        ),
        ComponentSpec("vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl:AutoencoderKL", "VAE"),
        ComponentSpec(
            "text_encoder_1", "clip", "text_encoder", CLIP, trainable=False, tokenizer="tokenizer",
            embedding="clip_l", file_names=("clip_l",),
        ),
        ComponentSpec(
            "text_encoder_2", "clip", "text_encoder_2", CLIP, trainable=False, tokenizer="tokenizer_2",
            embedding="clip_g", file_names=("clip_g",),
        ),
        ComponentSpec(
            "text_encoder_3", "t5", "text_encoder_3", "transformers.models.t5.modeling_t5:T5EncoderModel",
            trainable=False, optional=True, tokenizer="tokenizer_3", file_names=("t5xxl",), tokenizer_repo=T5_TOKENIZER,
        ),
    ),
    resolution=1024,
    bucket_step=64,
    size_step=16,  # 8 pixels a latent, and 2x2 of those in one token
    layer_sets=dit_sets(
        main=r"transformer_blocks\.", attention=r"attn2?\.", mlp=r"ff\.|ff_context\.", blocks={"transformer_blocks": 38}
    ),
    rates={"lora": RateRange(5e-5, 1e-4, 4e-4), "full": RateRange(1e-6, 5e-6, 2e-5)},
    examples=(
        f"{MAKER}/stable-diffusion-3.5-medium", f"{MAKER}/stable-diffusion-3.5-large",
        f"{MAKER}/stable-diffusion-3-medium-diffusers",
    ),
    variants=(
        Variant(
            "sd35-medium", "Stable Diffusion 3.5 medium", r"3[._-]?5.*medium", f"{MAKER}/stable-diffusion-3.5-medium",
            2.470, LICENCE, gated=True,
        ),
        Variant(
            "sd35-large", "Stable Diffusion 3.5 large", r"3[._-]?5.*large", f"{MAKER}/stable-diffusion-3.5-large",
            8.146, LICENCE, gated=True,
        ),
        Variant(
            "sd3-medium", "Stable Diffusion 3 medium", r"3[._-]medium", f"{MAKER}/stable-diffusion-3-medium-diffusers",
            2.085, LICENCE, gated=True,
        ),
    ),
    file_marks=("joint_blocks.", "pos_embed.pos_embed"),
    file_lacks=("joint_transformer_blocks.",),  # AuraFlow's
    metadata_names=r"stable-diffusion-3|(?<![a-z])sd[_-]?3",
    chunk_size=255,
    not_used=(
        "model.clip_skip", "model.max_chunks", "model.weighted_captions", "words", "sampling.prompts.0.perturbation",
    ),
    sampling=(
        SamplingDefaults(4, 1.0, names=r"turbo"),
        SamplingDefaults(40, 4.5, names=r"3\.5.*medium"),
        SamplingDefaults(28, 3.5, names=r"3\.5"),
        SamplingDefaults(28, 7.0),
    ),
    lora_formats=("diffusers", "native", "kohya"),
)  # fmt: skip
