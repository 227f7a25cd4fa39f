"""The card of Chroma1, Lodestone Rock's: FLUX.1 schnell cut to 8.9 billion weights and taught anew, without CLIP."""

from __future__ import annotations

from dataclasses import replace

from modules.catalog import flux1
from modules.catalog.card import T5_TOKENIZER, ComponentSpec, SamplingDefaults, Variant

MAKER = "lodestones"

CARD = replace(
    flux1.CARD,
    title="Chroma1",
    short_title="Chroma1",
    module="modules.families.chroma",
    components=(
        replace(
            flux1.CARD.component("denoiser"),
            class_path="diffusers.models.transformers.transformer_chroma:ChromaTransformer2DModel",
        ),
        flux1.CARD.component("vae"),
        ComponentSpec(
            "text_encoder_1", "t5", "text_encoder", "transformers.models.t5.modeling_t5:T5EncoderModel",
            trainable=False, tokenizer="tokenizer", file_names=("t5xxl",), tokenizer_repo=T5_TOKENIZER,
        ),
    ),
    examples=(f"{MAKER}/Chroma1-HD", f"{MAKER}/Chroma1-Base", f"{MAKER}/Chroma1-Flash"),
    variants=(
        Variant("chroma1", "Chroma1-HD", repo=f"{MAKER}/Chroma1-HD", licence="Apache 2.0"),
        Variant("chroma1", "Chroma1-Base", r"base", f"{MAKER}/Chroma1-Base", licence="Apache 2.0"),
        Variant("chroma1", "Chroma1-Flash", r"flash", f"{MAKER}/Chroma1-Flash", licence="Apache 2.0"),
    ),
    file_marks=("distilled_guidance_layer.",),
    file_lacks=(),
    metadata_names=r"chroma",
    sampling=(SamplingDefaults(16, 1.0, names=r"flash"), SamplingDefaults(40, 3.0)),
    guidance_embed=False,
)  # fmt: skip
