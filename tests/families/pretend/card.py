"""The card of the pretend family, as one in modules/catalog is written."""

from __future__ import annotations

from modules.catalog import ComponentSpec, FamilyCard, LayerSet, RateRange, SamplingDefaults

CLIP = "transformers.models.clip.modeling_clip"
CARD = FamilyCard(
    title="Pretend",
    short_title="Pretend",
    module="tests.families.pretend.family",
    components=(
        ComponentSpec(
            "denoiser", "dit", "transformer", "tests.families.pretend.transformer:PretendTransformer", "transformer"
        ),
        ComponentSpec(
            "vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl_flux2:AutoencoderKLFlux2", "VAE"
        ),
        ComponentSpec("text_encoder_1", "clip", "text_encoder", f"{CLIP}:CLIPTextModel", tokenizer="tokenizer"),
        ComponentSpec(
            "text_encoder_2", "clip", "text_encoder_2", f"{CLIP}:CLIPTextModelWithProjection", tokenizer="tokenizer_2"
        ),
        ComponentSpec(
            "text_encoder_3", "t5", "text_encoder_3", "transformers.models.t5.modeling_t5:T5EncoderModel",
            tokenizer="tokenizer_3",
        ),
        ComponentSpec(
            "text_encoder_4", "llm", "text_encoder_4", "transformers.models.qwen3.modeling_qwen3:Qwen3Model",
            trainable=False, tokenizer="tokenizer_4",
        ),
    ),
    resolution=64,
    bucket_step=32,
    size_step=16,  # 8 pixels a latent, and 2x2 of those in one
    layer_sets={
        "all": LayerSet("All layers", (r".*",)),
        "attention": LayerSet("Attention", (r".*\.to_\w+(\..*)?",)),
        "mlp": LayerSet("MLP", (r".*\.mlp\..*",)),
    },
    rates={"lora": RateRange(5e-5, 1e-4, 5e-4), "full": RateRange(1e-6, 5e-6, 1e-5)},
    lora_formats=("diffusers", "native", "kohya"),
    examples=("nobody/pretend",),
    sampling=(
        SamplingDefaults(steps=4, guidance=1, distilled_guidance=3.5, names="turbo"),
        SamplingDefaults(steps=28, guidance=4, distilled_guidance=2.5),
    ),
    guidance_embed=True,
    not_used=(
        "model.clip_skip", "model.max_chunks", "model.weighted_captions", "words", "output.model_format",
        "sampling.prompts.0.perturbation",
    ),
)  # fmt: skip
