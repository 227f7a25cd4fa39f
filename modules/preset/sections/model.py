"""The tab "model": which model is trained, and in which precision it is held."""

from __future__ import annotations

from typing import Annotated, Literal

from modules.catalog import FAMILIES
from modules.preset.setting import OneOf, Section, Setting


class Model(Section):
    """Base model"""

    family: Annotated[str, OneOf(FAMILIES)] = Setting("sd", "Model type")
    """The architecture of the base model."""
    source: str = Setting("", "Base model", widget="model")
    """A .safetensors or .ckpt file, a diffusers folder, a Hugging Face name, or a model that Seachange saved."""
    vae: str = Setting("", "Another VAE", widget="model", level="expert")
    """A file or folder with a VAE to use instead of the model's own. Empty: the model's own."""
    dtype: Literal["fp32", "bf16", "fp16"] = Setting("fp32", "Precision")
    """How weights that are not trained are held, and how the model computes. bf16 halves the memory and suits every
    card since the RTX 30 series; fp16 suits older cards; fp32 is exact, slow, and right for a CPU."""
    vae_dtype: Literal["fp32", "bf16", "fp16"] = Setting("fp32", "VAE precision", level="expert")
    """fp32 is safe for every VAE. SDXL's own VAE fails in fp16."""
    clip_skip: int = Setting(0, "Clip skip", ge=0, le=11, level="expert")
    """Which layer of the text encoder is read, counted from the last: 1 the last, 2 the one before it. 0 is what the
    model was made for: 1 for SD 1.5, 2 for SDXL. 2 for many anime models of SD 1.5."""
    max_chunks: int = Setting(8, "Longest caption", ge=1, le=64, unit="chunks", level="expert")
    """Captions longer than the text encoder's 75 tokens are read in chunks of 75. What goes beyond this many chunks is
    cut, and said. A chunk costs a little memory and time only for captions that need it."""
    weighted_captions: bool = Setting(False, "Weights in captions", level="expert")
    """Read (word:1.3), [word] and BREAK in captions as A1111 reads them in prompts. Only for captions that were written
    so: in tags such as "lily (flower)" the brackets would be lost. Usual: off."""
