"""The card of Krea 2: Raw, which is trained, and Turbo, which draws in a few steps."""

from __future__ import annotations

from modules.catalog.card import ComponentSpec, FamilyCard, RateRange, SamplingDefaults, Variant
from modules.catalog.layers import dit_sets

CARD = FamilyCard(
    title="Krea 2",
    short_title="Krea 2",
    module="modules.families.krea2",
    components=(
        ComponentSpec(
            "denoiser", "dit", "transformer",
            "diffusers.models.transformers.transformer_krea2:Krea2Transformer2DModel", "transformer",
            adapted=r"(transformer_blocks|text_fusion\.\w+_blocks)\.\d+\.(attn|ff)\..*",
        ),
        ComponentSpec(
            "vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl_qwenimage:AutoencoderKLQwenImage", "VAE"
        ),
        ComponentSpec(
            "text_encoder_1", "llm", "text_encoder", "transformers.models.qwen3_vl.modeling_qwen3_vl:Qwen3VLTextModel",
            trainable=False, tokenizer="tokenizer", file_names=("qwen3vl_4b",), blocks_read=35,
        ),
    ),
    resolution=1024,
    bucket_step=64,
    size_step=16,  # 8 pixels a latent, and 2x2 of those in one patch
    layer_sets=dit_sets(
        main=r"transformer_blocks\.", attention=r"attn\.", mlp=r"ff\.", blocks={"transformer_blocks": 28},
        also={"text fusion": ("Text fusion", (r"text_fusion\..*",))},
    ),
    rates={"lora": RateRange(5e-5, 1e-4, 3e-4), "full": RateRange(1e-6, 5e-6, 2e-5)},
    examples=("krea/Krea-2-Raw", "krea/Krea-2-Turbo"),
    variants=(
        Variant("krea-2", "Krea 2 Raw", repo="krea/Krea-2-Raw"),
        Variant(
            "krea-2-turbo", "Krea 2 Turbo", r"turbo", repo="krea/Krea-2-Turbo",
            adapter="ostris/krea2_turbo_training_adapter",
        ),
    ),
    file_marks=("txtfusion.", "text_fusion."),
    metadata_names=r"krea.?2",
    lora_formats=("diffusers", "native", "kohya"),
    chunk_size=507,
    sampling=(SamplingDefaults(8, 1, names="turbo"), SamplingDefaults(28, 5.5)),
    not_used=(
        "model.clip_skip", "model.max_chunks", "model.weighted_captions", "words", "sampling.prompts.0.perturbation",
    ),
)  # fmt: skip
