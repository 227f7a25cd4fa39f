"""The tab "model": which model is trained, and in which precision it is held."""

from __future__ import annotations

from typing import Annotated, Literal

from modules.catalog import FAMILIES, USUAL_FAMILY
from modules.preset.setting import OneOf, Section, Setting
from modules.preset.text.share import Share, ShareText


def _text_encoder(label: str, aliases: str) -> str:
    return Setting("", label, widget="model", level="expert", aliases=aliases)


class TrainingAdapter(Section):
    """Training adapter"""

    path: str = Setting("", "LoRA file", scope="machine", widget="file")
    """A LoRA that was made to train this very distilled model. Only its layers of the denoiser are used."""
    strength: float = Setting(1.0, "Strength", ge=-10, le=10)
    """How much of it. Usual: 1."""
    enabled: bool = Setting(True, "Enabled")
    """Off: it stays in the list and is not used."""


class Model(Section):
    """Base model"""

    family: Annotated[str, OneOf(FAMILIES)] = Setting(
        USUAL_FAMILY, "Model type", aliases="model_type, architecture, sdxl, is_xl, v2, SD 1.5"
    )
    """The architecture of the base model."""
    source: str = Setting(
        "", "Base model", widget="model",
        aliases="pretrained_model_name_or_path, base_model_name, checkpoint, ckpt, name_or_path, checkpoint_path, "
        "model path, Hugging Face, GGUF",
    )  # fmt: skip
    """A .safetensors, .gguf or .ckpt file, a diffusers folder, a Hugging Face name, or a model that Seachange saved."""
    variant: str = Setting("auto", "Variant", aliases="turbo, schnell, klein base, distilled, raw, fill, model version")
    """Which model of its type it is, where neither the file nor its name tells: "Z-Image-Turbo", say. It decides what
    samples begin with, whether the model counts as distilled, and what is fetched with it. "auto": told by the file."""
    vae: str = Setting(
        "", "VAE", widget="model", level="expert",
        aliases="vae_path, vae.model_name, pretrained_vae_model_name_or_path, VAE override",
    )  # fmt: skip
    """A file or folder with a VAE to use instead of the model's own. Empty: the model's own."""
    text_encoder_1: str = _text_encoder("Text encoder 1", "text_encoder_path, clip_l, qwen3, t5xxl, clip_name1")
    """A file or folder with a text encoder to use instead of the model's own, and where a model's file has none.
    Empty: the model's own, or its usual one."""
    text_encoder_2: str = _text_encoder("Text encoder 2", "clip_g, clip_name2, text_encoder_2_path")
    """As above, for the second text encoder. Empty: the model's own, or its usual one."""
    text_encoder_3: str = _text_encoder("Text encoder 3", "clip_name3, text_encoder_3_path")
    """As above, for the third text encoder. none: Stable Diffusion 3 and 3.5 do without their T5, which takes 9 GB and
    reads long captions and writing in images best. Empty: the model's own, or its usual one."""
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = Setting(
        "auto",
        "Model precision",
        aliases="mixed_precision, train_dtype, weight_dtype, unet.weight_dtype, unet data type, full_fp16, "
        "base_model_default_dtype, bfloat16, half precision, save VRAM, bf16, fp16, fp32",
    )
    """Mixed precision: the data type of weights that are not trained, and of the model's computations. bf16 halves the
    memory and suits every card since the RTX 30 series; fp16 suits older cards; fp32 is exact, slow, and right for a
    CPU. "auto" takes the one that suits the device, and bf16 where the trained weights are in bf16."""
    quantization: Literal["auto", "off", "int8", "fp8", "nf4"] = Setting(
        "auto", "Quantization",
        aliases="quantize, quantized, qtype, fp8, float8, fp8_base, fp8_scaled, base_model_precision, int8, nf4, "
        "INT_8, NFLOAT_4, QLoRA, 4bit, load_in_8bit, load_in_4bit, quantize_transformer, weight_dtype, save VRAM",
    )  # fmt: skip
    """Holds the denoiser's frozen weights in fewer bits, and so in half (int8) or a quarter (nf4) of the memory of
    bf16. They are computed with in the model's precision. int8 changes what a layer answers by about 1 %, nf4 by
    about 9 %. fp8 is for models that come in an fp8 file: what is fp8 there stays so, exactly, in half the memory of
    bf16; any other weight is held in int8, which is as small and more exact. Only for weights that are not trained,
    so with LoRA and other adapters. What is saved comes from the model's own file and is not quantized. "auto": only
    as far as the memory plan needs it."""
    int8_products: bool = Setting(
        False, "int8 products", level="expert",
        aliases="INT_W8A8, W8A8, int8 matmul, int8 activations, int8 training, fp8_fast, use_int8, A8W8",
    )  # fmt: skip
    """With quantization int8, on a graphics card: rounds the inputs of linear layers to int8 too, each token by itself,
    and multiplies in int8, for which most cards have faster units than for bf16. A layer's answer is
    then off by 1.2 % instead of 0.9 %, and by several times as much where a few inputs are far larger than the others.
    Gradients are computed with the unpacked weights; convolutions, LoHa and LoKr unpack as before. Not tried on a card
    yet."""
    offload: ShareText = Setting(
        "auto", "Block offloading", widget="share", level="expert",
        aliases="blocks_to_swap, block swap, layer_offload_fraction, offload_fraction, layer offload, "
        "layer_offloading, async_offloading, group offload, enable_cpu_offload, CPU offload, low_vram, RamTorch",
    )  # fmt: skip
    """The share of the denoiser's blocks that lie in main memory. Each is brought to the graphics card while the one
    before it is computed with. The result is the same, bit for bit; a step takes longer, the more of them lie there.
    Only for weights that are not trained, and only on a card. "none", "all", or a share such as "25 %". "auto": as few
    as fit."""
    vae_dtype: Literal["fp32", "bf16", "fp16"] = Setting(
        "fp32", "VAE precision", level="expert",
        aliases="no_half_vae, vae.weight_dtype, VAE data type, fallback_train_dtype, black images",
    )  # fmt: skip
    """fp32 is safe for every VAE. SDXL's own VAE fails in fp16."""
    vae_tiling: Literal["auto", "off", "on"] = Setting(
        "auto", "VAE tiling", level="expert",
        aliases="enable_vae_tiling, vae_slicing, enable_vae_slicing, tiled VAE, tile size, save VRAM",
    )  # fmt: skip
    """Encodes and decodes large images in tiles of 512 pixels that overlap, which takes less memory. "auto" does so
    only where the graphics card has no room for the whole image; what fits stays as it is. "on" does so for every
    image with a longer side. A tile sees less of the image: with the starter's VAE at 1024 pixels, latents
    change by 6 % of their spread, and samples by 3 of 255 on average."""
    training_adapters: tuple[TrainingAdapter, ...] = Setting(
        (), "Training adapters", max_length=10, level="expert",
        aliases="assistant_lora_path, assistant LoRA, de-distill, turbo, schnell, lightning",
    )  # fmt: skip
    """LoRA files that lie under the model while it is trained, and are in no sample and in no file that is saved. They
    keep a distilled model (Turbo, schnell, Lightning) from losing its few steps: what is trained is then used with the
    distilled model alone."""
    clip_skip: int = Setting(
        0, "Clip skip", ge=0, le=11, level="expert",
        aliases="text_encoder_layer_skip, CLIP_stop_at_last_layers, penultimate layer",
    )  # fmt: skip
    """Which layer of the text encoder is read, counted from the last: 1 the last, 2 the one before it. 0 is what the
    model was made for: 1 for SD 1.5, 2 for SDXL. 2 for many anime models of SD 1.5."""
    max_chunks: int = Setting(
        8, "Maximum caption length", ge=1, le=64, unit="chunks", level="expert",
        aliases="max_token_length, token length, tokenizer_max_length, text_encoder_sequence_length, 75 tokens, long "
        "captions, 225, truncation",
    )  # fmt: skip
    """Captions longer than the text encoder's 75 tokens are read in chunks of 75. What goes beyond this many chunks is
    cut, and the run says so. A chunk costs a little memory and time only for captions that need it."""
    weighted_captions: bool = Setting(False, "Weighted captions", level="expert", aliases="prompt weighting, emphasis")
    """Read (word:1.3), [word] and BREAK in captions as A1111 reads them in prompts. Only for captions that were written
    so: in tags such as "lily (flower)" the brackets would be lost. Usual: off."""

    @property
    def held_as(self) -> str:
        """The kind of frozen weights (modules/placement/frozen.py); "off" and "auto" as `quantization` has them."""
        return "w8a8" if self.int8_products and self.quantization == "int8" else self.quantization

    @property
    def offloaded(self) -> float:
        """The share of the blocks that lies in main memory."""
        return Share.parse(self.offload).amount
