"""The card of Z-Image and Z-Image-Turbo, Tongyi's."""

from __future__ import annotations

from modules.catalog.card import ComponentSpec, FamilyCard, RateRange, SamplingDefaults, Variant
from modules.catalog.layers import dit_sets

CARD = FamilyCard(
    title="Z-Image",
    short_title="Z-Image",
    module="modules.families.zimage",
    components=(
        ComponentSpec(
            "denoiser", "dit", "transformer",
            "diffusers.models.transformers.transformer_z_image:ZImageTransformer2DModel", "transformer",
            adapted=r"(layers|noise_refiner|context_refiner)\.\d+\.(attention|feed_forward)\..*",
        ),
        ComponentSpec("vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl:AutoencoderKL", "VAE"),
        ComponentSpec(
            "text_encoder_1", "llm", "text_encoder", "transformers.models.qwen3.modeling_qwen3:Qwen3Model",
            trainable=False, tokenizer="tokenizer", file_names=("qwen3_4b",), blocks_read=-1,
        ),
    ),
    resolution=1024,
    bucket_step=64,
    size_step=16,  # 8 pixels a latent, and 2x2 of those in one patch
    layer_sets=dit_sets(
        main=r"layers\.", attention=r"attention\.", mlp=r"feed_forward\.", blocks={"layers": 30},
        also={"refiners": ("Refiners", (r"(noise_refiner|context_refiner)\..*",))},
    ),
    rates={"lora": RateRange(5e-5, 1e-4, 3e-4), "full": RateRange(1e-6, 5e-6, 2e-5)},
    examples=("Tongyi-MAI/Z-Image", "Tongyi-MAI/Z-Image-Turbo"),
    variants=(
        Variant("z-image", "Z-Image", repo="Tongyi-MAI/Z-Image", licence="Apache 2.0"),
        Variant(
            "z-image-turbo", "Z-Image-Turbo", r"turbo", repo="Tongyi-MAI/Z-Image-Turbo", licence="Apache 2.0",
            adapter="ostris/zimage_turbo_training_adapter",
        ),
    ),
    file_marks=("cap_pad_token", "x_pad_token"),
    metadata_names=r"z.?image",
    lora_formats=("diffusers", "native", "kohya"),
    chunk_size=500,
    sampling=(SamplingDefaults(8, 1, names="turbo"), SamplingDefaults(30, 4)),
    not_used=(
        "model.clip_skip", "model.max_chunks", "model.weighted_captions", "words", "sampling.prompts.0.perturbation",
    ),
)  # fmt: skip
