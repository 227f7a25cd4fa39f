"""The card of Qwen-Image, base and 2512."""

from __future__ import annotations

from modules.catalog.card import ComponentSpec, FamilyCard, RateRange, SamplingDefaults, Variant
from modules.catalog.layers import dit_sets

CARD = FamilyCard(
    title="Qwen-Image",
    short_title="Qwen-Image",
    module="modules.families.qwen_image",
    components=(
        ComponentSpec(
            "denoiser", "dit", "transformer",
            "diffusers.models.transformers.transformer_qwenimage:QwenImageTransformer2DModel", "transformer",
            adapted=r"transformer_blocks\.\d+\.(attn|img_mlp|txt_mlp)\..*",
        ),
        ComponentSpec(
            "vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl_qwenimage:AutoencoderKLQwenImage", "VAE"
        ),
        ComponentSpec(
            "text_encoder_1", "llm", "text_encoder",
            "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl:Qwen2_5_VLTextModel",
            trainable=False, tokenizer="tokenizer", file_names=("qwen25_7b",),
        ),
    ),
    resolution=1024,
    bucket_step=64,
    size_step=16,  # 8 pixels a latent, and 2x2 of those in one patch
    layer_sets=dit_sets(
        main=r"transformer_blocks\.", attention=r"attn\.", mlp=r"(img|txt)_mlp\.", blocks={"transformer_blocks": 60},
        also={
            "image stream": ("Image stream", (r"\.(attn\.to_(q|k|v|out)\b|img_mlp\.).*",)),
            "text stream": ("Text stream", (r"\.(attn\.(add_\w_proj|to_add_out)|txt_mlp\.).*",)),
        },
    ),
    rates={"lora": RateRange(5e-5, 1e-4, 3e-4), "full": RateRange(1e-6, 5e-6, 2e-5)},
    examples=("Qwen/Qwen-Image", "Qwen/Qwen-Image-2512"),
    variants=(
        Variant("qwen-image", "Qwen-Image", repo="Qwen/Qwen-Image", licence="Apache 2.0"),
        Variant("qwen-image", "Qwen-Image-2512", r"2512", repo="Qwen/Qwen-Image-2512", licence="Apache 2.0"),
    ),
    file_marks=("transformer_blocks.0.img_mlp.", "transformer_blocks.0.txt_mlp."),
    metadata_names=r"qwen.?image(?!.*(2\.1|layered))",
    lora_formats=("diffusers", "native", "kohya"),
    chunk_size=507,
    guidance_norm=2,  # in every token, which is a patch
    sampling=(SamplingDefaults(8, 1, names="lightning"), SamplingDefaults(50, 4)),
    not_used=(
        "model.clip_skip", "model.max_chunks", "model.weighted_captions", "words", "sampling.prompts.0.perturbation",
    ),
)  # fmt: skip
