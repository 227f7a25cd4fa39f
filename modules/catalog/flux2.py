"""The cards of FLUX.2, Black Forest Labs': klein in two sizes, each as base and distilled to few steps; and dev.

One architecture, with text encoders of two kinds: Qwen3 for klein, Mistral 3 for dev.
"""

from __future__ import annotations

from dataclasses import replace

from modules.catalog.card import ComponentSpec, FamilyCard, RateRange, SamplingDefaults, Variant
from modules.catalog.layers import LayerSet, dit_sets

MAKER = "black-forest-labs"
LICENCE = "FLUX Non-Commercial"
DENOISER = ComponentSpec(
    "denoiser", "dit", "transformer", "diffusers.models.transformers.transformer_flux2:Flux2Transformer2DModel",
    "transformer",
)  # fmt: skip
VAE = ComponentSpec("vae", "vae", "vae", "diffusers.models.autoencoders.autoencoder_kl_flux2:AutoencoderKLFlux2", "VAE")


def _layers(double: int, single: int) -> dict[str, LayerSet]:
    """Sets over so many blocks of each kind. In single blocks, attention and MLP are one layer."""
    return dit_sets(
        main=r"(single_)?transformer_blocks\.", attention=r"attn\.", mlp=r"ff(_context)?\.",
        blocks={"transformer_blocks": double, "single_transformer_blocks": single},
        also={
            "double": ("Double blocks (image and text apart)", (r"^transformer_blocks\..*",)),
            "single": ("Single blocks (image and text together)", (r"^single_transformer_blocks\..*",)),
        },
    )  # fmt: skip


KLEIN = FamilyCard(
    title="FLUX.2 klein",
    short_title="FLUX.2 klein",
    module="modules.families.flux2_klein",
    components=(
        DENOISER, VAE,
        ComponentSpec(
            "text_encoder_1", "llm", "text_encoder", "transformers.models.qwen3.modeling_qwen3:Qwen3Model",
            trainable=False, tokenizer="tokenizer", file_names=("qwen3_4b", "qwen3_8b"), blocks_read=27,
            tokenizer_repo="Qwen/Qwen3-8B",
        ),
    ),
    resolution=1024,
    bucket_step=64,
    size_step=16,  # 8 pixels a latent of the VAE, and 2x2 of those in one of the denoiser's
    layer_sets=_layers(8, 24),
    rates={"lora": RateRange(2e-5, 1e-4, 4e-4), "full": RateRange(5e-7, 2e-6, 1e-5)},
    examples=(
        f"{MAKER}/FLUX.2-klein-base-4B", f"{MAKER}/FLUX.2-klein-base-9B", f"{MAKER}/FLUX.2-klein-4B",
        f"{MAKER}/FLUX.2-klein-9B",
    ),
    variants=(
        Variant(
            "flux2-klein-base-4b", "FLUX.2 klein base 4B", r"base(?!.*9b)", f"{MAKER}/FLUX.2-klein-base-4B", 3.876,
            "Apache 2.0",
        ),
        Variant(
            "flux2-klein-base-9b", "FLUX.2 klein base 9B", r"base.*9b", f"{MAKER}/FLUX.2-klein-base-9B", 9.079,
            LICENCE, gated=True,
        ),
        Variant(
            "flux2-klein-4b", "FLUX.2 klein 4B", r"klein(?!.*(base|9b))", f"{MAKER}/FLUX.2-klein-4B", 3.876,
            "Apache 2.0",
        ),
        Variant(
            "flux2-klein-9b", "FLUX.2 klein 9B", r"klein(?!.*base).*9b", f"{MAKER}/FLUX.2-klein-9B", 9.079, LICENCE,
            gated=True,
        ),
    ),
    chunk_size=500,
    not_used=(
        "model.clip_skip", "model.max_chunks", "model.weighted_captions", "words", "sampling.prompts.0.perturbation",
    ),
    sampling=(SamplingDefaults(4, 1.0, names=r"klein(?!.*base)"), SamplingDefaults(50, 4.0)),
    lora_formats=("diffusers", "native", "kohya"),
    file_marks=("single_stream_modulation.",),
    file_lacks=("guidance_in.", "time_guidance_embed.guidance_embedder."),
    metadata_names=r"flux.?2.?klein",
)  # fmt: skip

DEV = replace(
    KLEIN,
    title="FLUX.2 dev",
    short_title="FLUX.2 dev",
    module="modules.families.flux2",
    components=(
        DENOISER, VAE,
        ComponentSpec(
            "text_encoder_1", "llm", "text_encoder", "transformers.models.mistral.modeling_mistral:MistralModel",
            trainable=False, tokenizer="tokenizer", file_names=("mistral3_24b",), blocks_read=30,
        ),
    ),
    layer_sets=_layers(8, 48),
    rates={"lora": RateRange(2e-5, 5e-5, 3e-4), "full": RateRange(5e-7, 1e-6, 1e-5)},
    examples=(f"{MAKER}/FLUX.2-dev",),
    variants=(Variant("flux2-dev", "FLUX.2 dev", repo=f"{MAKER}/FLUX.2-dev", licence=LICENCE, gated=True),),
    chunk_size=470,  # of 512; the rest is what the encoder is told before the caption
    sampling=(SamplingDefaults(28, 1.0, 4.0),),
    guidance_embed=True,
    file_marks=("single_blocks.47.", "single_transformer_blocks.47."),  # no other of its kind is as deep
    file_lacks=(),
    metadata_names=r"flux.?2.?dev",
)  # fmt: skip
