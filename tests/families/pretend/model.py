"""A whole model of the pretend family, of a few hundred kilobytes, written the way diffusers writes one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from modules.data.text.tokenizer import Tokenizer
from modules.system.bundled import resolve
from tests.families.pretend.transformer import PretendTransformer
from tests.tiny import TEXT, _stirred, _write

VAE: dict[str, Any] = {
    "block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4, "sample_size": 64,
}  # fmt: skip
T5: dict[str, Any] = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2, "num_layers": 2}
LLM: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 64,
}  # fmt: skip


def tiny_pretend(folder: Path, *, seed: int = 0) -> Path:
    """A complete diffusers folder."""
    from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection
    from transformers.models.qwen3.configuration_qwen3 import Qwen3Config
    from transformers.models.qwen3.modeling_qwen3 import Qwen3Model
    from transformers.models.t5.configuration_t5 import T5Config
    from transformers.models.t5.modeling_t5 import T5EncoderModel

    starter = Tokenizer.from_folder(resolve("starter:model") / "tokenizer")
    words = {"vocab_size": starter.bpe.get_vocab_size(), "pad_token_id": 0}
    ends = {
        "bos_token_id": starter.bpe.token_to_id("<|startoftext|>"),
        "eos_token_id": starter.bpe.token_to_id("<|endoftext|>"),
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vae = _stirred(AutoencoderKLFlux2(**VAE))
        vae.bn.running_mean.normal_(), vae.bn.running_var.uniform_(0.5, 2)
        encoders = (
            CLIPTextModel(CLIPTextConfig(**TEXT, **words, **ends)),
            CLIPTextModelWithProjection(CLIPTextConfig(**TEXT, **words, **ends)),
            T5EncoderModel(T5Config(**T5, **words, eos_token_id=ends["eos_token_id"])),
            Qwen3Model(Qwen3Config(**LLM, **words, **ends)),
        )
        _stirred(PretendTransformer()).save_pretrained(folder / "transformer")
        vae.save_pretrained(folder / "vae")
        for number, encoder in enumerate(encoders, 1):
            suffix = f"_{number}" if number > 1 else ""
            _stirred(encoder).save_pretrained(folder / f"text_encoder{suffix}")
            starter.write(folder / f"tokenizer{suffix}", 16)
    scheduler = {
        "_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "use_dynamic_shifting": True,
        "base_shift": 0.0, "max_shift": 1.0, "base_image_seq_len": 4, "max_image_seq_len": 16,
    }  # fmt: skip
    _write(folder / "scheduler" / "scheduler_config.json", scheduler)
    _write(folder / "model_index.json", {"_class_name": "PretendPipeline"})
    return folder
