"""The card of FLUX.1, Black Forest Labs': dev, Krea-dev, Fill-dev and schnell."""

from __future__ import annotations

from modules.catalog.card import T5_TOKENIZER, ComponentSpec, FamilyCard, RateRange, SamplingDefaults, Variant
from modules.catalog.layers import dit_sets

LICENCE = "FLUX.1 [dev] Non-Commercial"

CARD = FamilyCard(
    title="FLUX.1",
    short_title="FLUX.1",
    module="modules.families.flux1",
    components=(
        ComponentSpec(
            "denoiser", "dit", "transformer", "diffusers.models.transformers.transformer_flux:FluxTransformer2DModel",
            "transformer", adapted=r"(single_)?transformer_blocks\.\d+\.(attn|ff|ff_context|proj_mlp|proj_out)(\..*)?",
        ),
        ComponentSpec("vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl:AutoencoderKL", "VAE"),
        ComponentSpec(
            "text_encoder_1", "clip", "text_encoder", "transformers.models.clip.modeling_clip:CLIPTextModel",
            trainable=False, tokenizer="tokenizer", embedding="clip_l", file_names=("clip_l",),
        ),
        ComponentSpec(
            "text_encoder_2", "t5", "text_encoder_2", "transformers.models.t5.modeling_t5:T5EncoderModel",
            trainable=False, tokenizer="tokenizer_2", file_names=("t5xxl",), tokenizer_repo=T5_TOKENIZER,
        ),
    ),
    resolution=1024,
    bucket_step=64,
    size_step=16,  # 8 pixels a latent, and 2x2 of those in one token
    layer_sets=dit_sets(
        main=r"(single_)?transformer_blocks\.", attention=r"attn\.", mlp=r"ff\.|ff_context\.|proj_mlp|proj_out",
        blocks={"transformer_blocks": 19, "single_transformer_blocks": 38},
        also={
            "double": ("All double blocks (image and text apart)", (r"^transformer_blocks\..*",)),
            "single": ("All single blocks (image and text together)", (r"^single_transformer_blocks\..*",)),
        },
    ),
    rates={"lora": RateRange(5e-5, 1e-4, 4e-4), "full": RateRange(1e-6, 5e-6, 2e-5)},
    examples=("black-forest-labs/FLUX.1-dev", "black-forest-labs/FLUX.1-Krea-dev", "black-forest-labs/FLUX.1-schnell"),
    variants=(
        Variant(
            "flux1-dev", "FLUX.1 dev", r"^(?!.*(krea|fill)).*dev", "black-forest-labs/FLUX.1-dev", licence=LICENCE,
            gated=True,
        ),
        Variant(
            "flux1-krea-dev", "FLUX.1 Krea dev", r"krea", repo="black-forest-labs/FLUX.1-Krea-dev", licence=LICENCE,
            gated=True,
        ),
        Variant(
            "flux1-fill-dev", "FLUX.1 Fill dev", r"fill", repo="black-forest-labs/FLUX.1-Fill-dev",
            licence=LICENCE, gated=True,
        ),
        Variant(
            "flux1-schnell", "FLUX.1 schnell", r"schnell", repo="black-forest-labs/FLUX.1-schnell",
            licence="Apache 2.0", adapter="ostris/FLUX.1-schnell-training-adapter",
        ),
    ),
    file_marks=("vector_in.", "single_transformer_blocks.0.proj_mlp."),
    file_lacks=("distilled_guidance_layer.",),
    metadata_names=r"flux[._-]?1",
    chunk_size=511,
    not_used=(
        "model.clip_skip", "model.max_chunks", "model.weighted_captions", "words", "sampling.prompts.0.perturbation",
    ),
    sampling=(
        SamplingDefaults(4, 1.0, names=r"schnell"),
        SamplingDefaults(28, 1.0, 4.5, names=r"krea"),
        SamplingDefaults(50, 1.0, 30.0, names=r"fill"),
        SamplingDefaults(28, 1.0, 3.5),
    ),
    guidance_embed=True,
    lora_formats=("diffusers", "kohya", "native"),
)  # fmt: skip
