"""What a file of tensors holds, by their names alone: a text encoder, a VAE, a model of some family."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from modules.catalog import FAMILIES, ComponentSpec
from modules.sentences.problem import Problem

# What stands before the names in files of one component, and in those of whole models
PREFIXES = (
    "", "model.diffusion_model.", "diffusion_model.", "net.", "transformer.", "model.", "first_stage_model.", "vae.",
)  # fmt: skip
METADATA = ("modelspec.architecture", "ss_base_model_version")  # what names the model that a file is or was made for
ENCODERS, VAES = "text_encoders.", ("vae.", "first_stage_model.")  # before the other components of a whole model

SIGNS = {
    "lora": r".*\.(lora_(A|B|down|up)\b.*|hada_w1_a|lokr_w1.*)",
    "t5": r"encoder\.block\.0\.layer\.0\.SelfAttention\.q\.weight",
    "clip": r"(text_model\.)?encoder\.layers\.0\.self_attn\.q_proj\.weight",
    "llm": r"(.*\.)?layers\.0\.self_attn\.q_proj\.weight",
    "conditioner": r"blocks\.0\.norm_cross_attn\.weight",
    "vae": r"(first_stage_model\.|vae\.)?decoder\.(conv_in|conv1|middle\.0\.residual\.0)\b.*",
    "unet": r"model\.diffusion_model\.input_blocks\.0\.0\.weight",
    "dit": r"(.*\.)?(blocks|layers|double_blocks|joint_blocks|transformer_blocks)\.0\..*",
}  # of what a file may hold, the most telling first; "unknown" where nothing fits

CONTENTS = {
    "lora": Problem("content.lora"), "t5": Problem("content.t5"), "clip": Problem("content.clip"),
    "llm": Problem("content.llm"), "conditioner": Problem("content.conditioner"),
    "vae": Problem("content.vae"), "unet": Problem("content.unet"),
    "dit": Problem("content.dit"), "unknown": Problem("content.unknown"),
}  # fmt: skip


def starts_in_models(spec: ComponentSpec) -> tuple[str, ...]:
    """What may stand before the names of a component in the files of whole models, and in its denoiser's."""
    if spec.kind == "vae":
        return VAES
    inside = tuple(prefix + spec.in_denoiser for prefix in PREFIXES) if spec.in_denoiser else ()
    return (*inside, *(f"{ENCODERS}{name}.transformer." for name in spec.file_names))


def content_of(names: Collection[str]) -> str:
    """What kind of component a file holds."""
    signs = ((kind, re.compile(sign)) for kind, sign in SIGNS.items())
    return next((kind for kind, sign in signs if any(map(sign.fullmatch, names))), "unknown")


def family_of(names: Collection[str], metadata: Mapping[str, str] | None = None) -> str:
    """The family whose single files have tensors of such names; "" for none, or for more than one.

    Where names tell none, the file's metadata does.
    """
    bare = {name.removeprefix(start) for start in PREFIXES for name in names}
    found = [key for key, card in FAMILIES.items() if card.is_marked(bare)] or families_called(metadata or {})
    return found[0] if len(found) == 1 else ""


def families_called(metadata: Mapping[str, str]) -> list[str]:
    """The families that a file's metadata names."""
    said = [metadata.get(key, "") for key in METADATA]
    return [key for key, card in FAMILIES.items() if any(map(card.is_called, said))]
