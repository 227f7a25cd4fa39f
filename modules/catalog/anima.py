"""The card of Anima: Cosmos-Predict2's transformer of 2 billion weights, for drawings."""

from __future__ import annotations

from modules.catalog.card import TAGS, ComponentSpec, FamilyCard, KnownPrompts, RateRange, SamplingDefaults, Variant
from modules.catalog.layers import dit_sets

REPO = "circlestone-labs/Anima-Base-v1.0-Diffusers"

CARD = FamilyCard(
    title="Anima",
    short_title="Anima",
    module="modules.families.anima",
    components=(
        ComponentSpec(
            "denoiser", "dit", "transformer",
            "diffusers.models.transformers.transformer_cosmos:CosmosTransformer3DModel", "transformer",
            adapted=r"transformer_blocks\.\d+\.(attn[12]|ff)\..*",
        ),
        ComponentSpec(
            "vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl_qwenimage:AutoencoderKLQwenImage", "VAE"
        ),
        ComponentSpec(
            "text_encoder_1", "llm", "text_encoder", "transformers.models.qwen3.modeling_qwen3:Qwen3Model",
            trainable=False, tokenizer="tokenizer", file_names=("qwen3_06b",),
        ),
        ComponentSpec(
            "text_encoder_2", "conditioner", "text_conditioner",
            "diffusers.models.condition_embedders.condition_embedder_anima:AnimaTextConditioner", "text conditioner",
            trainable=False, tokenizer="t5_tokenizer", in_denoiser="llm_adapter.",
        ),
    ),
    resolution=1024,
    bucket_step=64,
    size_step=16,  # 8 pixels a latent, and 2x2 of those in one patch
    layer_sets=dit_sets(
        main=r"transformer_blocks\.", attention=r"attn[12]\.", mlp=r"ff\.", blocks={"transformer_blocks": 28},
        also={
            "self-attention": ("Self-attention (image)", (r".*\.attn1\..*",)),
            "cross-attention": ("Cross-attention (text)", (r".*\.attn2\..*",)),
        },
    ),
    rates={"lora": RateRange(1e-5, 3e-5, 1e-4), "full": RateRange(1e-6, 5e-6, 1e-5)},
    examples=(REPO,),
    variants=(Variant("anima", "Anima", repo=REPO, licence="CircleStone Labs Non-Commercial"),),
    file_marks=("llm_adapter.", "time_embed.t_embedder."),  # Cosmos-Predict2 lacks the first under its authors' names
    file_lacks=("learnable_pos_embed.", "crossattn_proj.", "img_context_proj."),  # other models made of Cosmos
    metadata_names=r"anima(?![a-z])",
    lora_formats=("native", "kohya", "diffusers"),
    index_file="modular_model_index.json",
    file_prefix="net.",  # where ComfyUI looks for it
    chunk_size=511,
    sampling=(SamplingDefaults(10, 1, names="turbo"), SamplingDefaults(30, 4)),
    known=(KnownPrompts(TAGS),),
    not_used=(
        "model.clip_skip", "model.max_chunks", "model.weighted_captions", "words", "sampling.prompts.0.perturbation",
    ),
)  # fmt: skip
