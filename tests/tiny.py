"""Whole models of a few hundred kilobytes with every organ of a real one, written the way diffusers writes them."""

from __future__ import annotations

import atexit
import json
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import mkdtemp
from typing import Any

import torch

from modules.data.text.tokenizer import Tokenizer
from modules.system.bundled import resolve

POSITIONS = 12  # of the text encoders: chunks of 10 tokens

UNET: dict[str, Any] = {
    "sample_size": 8, "in_channels": 4, "out_channels": 4, "layers_per_block": 1, "block_out_channels": [8, 16],
    "norm_num_groups": 4, "attention_head_dim": 2, "cross_attention_dim": 16,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
}  # fmt: skip
XL: dict[str, Any] = {
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    "cross_attention_dim": 40, "transformer_layers_per_block": [1, 2], "use_linear_projection": True,
    "addition_embed_type": "text_time", "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": 24 + 6 * 4,
}  # fmt: skip
# One that attends once, in the middle. Its layers are wide enough for an 8-bit optimizer to pack (4,096 numbers).
SMALLEST: dict[str, Any] = {
    "block_out_channels": [32],
    "down_block_types": ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"],
}
SMALLEST_XL: dict[str, Any] = {**SMALLEST, "transformer_layers_per_block": [1]}
VAE: dict[str, Any] = {
    "block_out_channels": [8, 8, 16, 16], "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4, "sample_size": 64,
}  # fmt: skip
TEXT: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
    "max_position_embeddings": POSITIONS, "projection_dim": 16, "hidden_act": "quick_gelu",
}  # fmt: skip
SCHEDULER: dict[str, Any] = {
    "_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000, "steps_offset": 1, "clip_sample": False, "set_alpha_to_one": False,
}  # fmt: skip


def tiny_sd(folder: Path, *, seed: int = 0, unet: dict[str, Any] | None = None, **scheduler: Any) -> Path:
    """A complete diffusers folder of a Stable Diffusion 1; `scheduler` and `unet` change their configs."""
    return _written(folder, seed, {**UNET, **(unet or {})}, {"scaling_factor": 0.18215}, [TEXT], scheduler)


def tiny_sd2(folder: Path, *, seed: int = 0, **scheduler: Any) -> Path:
    """As `tiny_sd`, with the marks of Stable Diffusion 2."""
    unet = {**UNET, "use_linear_projection": True}
    return _written(folder, seed, unet, {"scaling_factor": 0.18215}, [{**TEXT, "hidden_act": "gelu"}], scheduler)


def tiny_sdxl(folder: Path, *, seed: int = 0, unet: dict[str, Any] | None = None, **scheduler: Any) -> Path:
    """A complete diffusers folder of a Stable Diffusion XL."""
    both = [TEXT, {**TEXT, "hidden_act": "gelu", "hidden_size": 24, "projection_dim": 24}]
    return _written(folder, seed, {**UNET, **XL, **(unet or {})}, {"scaling_factor": 0.13025}, both, scheduler)


def _written(folder: Path, *what: Any) -> Path:
    """A copy of the model that this test process has made of the same arguments before: making one takes longer."""
    key = json.dumps(what, sort_keys=True)
    if key not in _MADE:
        made = Path(mkdtemp(prefix="tiny-"))
        atexit.register(rmtree, made, ignore_errors=True)
        _MADE[key] = _make(made, *what)
    copytree(_MADE[key], folder, dirs_exist_ok=True)
    return folder


_MADE: dict[str, Path] = {}


def _make(
    folder: Path,
    seed: int,
    unet: dict[str, Any],
    vae: dict[str, Any],
    texts: list[dict[str, Any]],
    scheduler: dict[str, Any],
) -> Path:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

    starter = Tokenizer.from_folder(resolve("starter:model") / "tokenizer")
    ends = {
        "bos_token_id": starter.bpe.token_to_id("<|startoftext|>"),
        "eos_token_id": starter.bpe.token_to_id("<|endoftext|>"),
    }
    names = ["text_encoder", "text_encoder_2"][: len(texts)]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        _stirred(UNet2DConditionModel(**unet)).save_pretrained(folder / "unet")
        _stirred(AutoencoderKL(**{**VAE, **vae})).save_pretrained(folder / "vae")
        for name, text in zip(names, texts, strict=True):
            config = CLIPTextConfig(**text, vocab_size=starter.bpe.get_vocab_size(), **ends, pad_token_id=0)
            kind = CLIPTextModel if name == "text_encoder" else CLIPTextModelWithProjection
            _stirred(kind(config)).save_pretrained(folder / name)
            padding = "<|endoftext|>" if text["hidden_act"] == "quick_gelu" else "!"
            Tokenizer(starter.bpe, padding, "").write(folder / name.replace("text_encoder", "tokenizer"), POSITIONS)
    _write(folder / "scheduler" / "scheduler_config.json", {**SCHEDULER, **scheduler})
    kinds = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "scheduler": "DDIMScheduler"}
    index: dict[str, Any] = {name: ["diffusers", kind] for name, kind in kinds.items()}
    for name in names:
        index[name] = ["transformers", "CLIPTextModel" if name == "text_encoder" else "CLIPTextModelWithProjection"]
        index[name.replace("text_encoder", "tokenizer")] = ["transformers", "CLIPTokenizer"]
    pipeline = "StableDiffusionXLPipeline" if len(texts) > 1 else "StableDiffusionPipeline"
    _write(folder / "model_index.json", {"_class_name": pipeline, **index})
    return folder


def _stirred(module: Any) -> Any:
    """Fresh layers have biases of nought and norms of one: swapped by mistake, nobody would notice."""
    for parameter in module.parameters():
        if parameter.dim() == 1:
            parameter.data += 0.1 * torch.randn_like(parameter)
        else:
            parameter.data += 0.05 * torch.randn_like(parameter)
    return module


def _write(path: Path, held: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(held, indent=2), encoding="utf-8")
