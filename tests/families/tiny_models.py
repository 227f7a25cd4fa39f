"""Tiny models of the families with transformers, written by the libraries' own classes as diffusers writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from modules.catalog import FAMILIES
from modules.data.text import tokenizer as prompts
from modules.system.bundled import resolve
from tests.tiny import TEXT, _stirred, _write

KL_VAE: dict[str, Any] = {
    "block_out_channels": [8, 8, 16, 16], "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 16,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4, "sample_size": 64,
    "scaling_factor": 0.3611, "shift_factor": 0.1159, "use_quant_conv": False, "use_post_quant_conv": False,
}  # fmt: skip
QWEN3: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 1024, "tie_word_embeddings": True,
}  # fmt: skip
QWEN3_VL: dict[str, Any] = {  # with what sees, as the hub has it
    "text_config": {**QWEN3, "rope_scaling": {"mrope_interleaved": True, "mrope_section": [2, 1, 1]}},
    "vision_config": {
        "depth": 1, "hidden_size": 8, "intermediate_size": 8, "num_heads": 1, "out_hidden_size": 16, "patch_size": 4,
        "num_position_embeddings": 16, "deepstack_visual_indexes": [],
    },
}  # fmt: skip
QWEN25_VL: dict[str, Any] = {  # with what sees, as the hub has it
    "text_config": {
        **{key: value for key, value in QWEN3.items() if key != "head_dim"},
        "rope_scaling": {"mrope_section": [2, 1, 1], "rope_type": "default"},
    },
    "vision_config": {
        "depth": 1, "hidden_size": 8, "intermediate_size": 8, "num_heads": 1, "out_hidden_size": 16, "patch_size": 4,
        "fullatt_block_indexes": [0],
    },
}  # fmt: skip
WAN_VAE: dict[str, Any] = {"base_dim": 4, "dim_mult": [1, 2, 4, 4]}
T5: dict[str, Any] = {
    "d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2, "num_layers": 2, "feed_forward_proj": "gated-gelu",
}  # fmt: skip
FLOW: dict[str, Any] = {
    "_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0,
    "use_dynamic_shifting": False,
}  # fmt: skip
MOVING: dict[str, Any] = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15}
# What the chat templates of Qwen3 and Qwen2.5 make of one turn of the user's
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "assistant", "<think>", "</think>")


def write_chat_tokenizer(
    folder: Path, marks: Sequence[str] = MARKS, chat: str = CHAT, padding_side: str = "right"
) -> int:
    """A tokenizer of single bytes that knows a chat's marks; returns how many tokens there are."""
    bytes_only = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(bytes_only, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": marks[0], "eos_token": marks[-1],
        "chat_template": chat, "model_max_length": 131072, "padding_side": padding_side,
    }  # fmt: skip
    _write(folder / "tokenizer_config.json", config)
    return tokenizer.get_vocab_size()


def write_t5_tokenizer(folder: Path) -> int:
    """A tokenizer of single letters that ends every text with </s>, as T5's does."""
    letters = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    letters += [(chr(code), -3.0) for code in range(33, 127)]
    tokenizer = Tokenizer(models.Unigram(letters, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    _write(folder / "tokenizer_config.json", config)
    return tokenizer.get_vocab_size()


def write_mistral_tokenizer(folder: Path) -> int:
    return write_chat_tokenizer(folder, MISTRAL_MARKS, MISTRAL_CHAT, "left")


CLIP_MARKS = {"bos_token_id": prompts.START, "eos_token_id": prompts.END}


def starter_tokenizer() -> prompts.Tokenizer:
    return prompts.Tokenizer.from_folder(resolve("starter:model") / "tokenizer")


def write_clip_tokenizer(folder: Path) -> int:
    """The starter model's, for texts of 77 tokens."""
    tokenizer = starter_tokenizer()
    tokenizer.write(folder, 77)
    return tokenizer.bpe.get_vocab_size()


def clip(**sizes: Any) -> dict[str, Any]:
    """The config of a CLIP with that tokenizer."""
    bpe = starter_tokenizer().bpe
    marks = {name: bpe.token_to_id(mark) for name, mark in CLIP_MARKS.items()}
    return {**TEXT, "max_position_embeddings": 77, **marks, **sizes}


# By the word for it: what writes it, and the class that reads it
TOKENIZERS = {
    "chat": (write_chat_tokenizer, "PreTrainedTokenizerFast"), "t5": (write_t5_tokenizer, "PreTrainedTokenizerFast"),
    "mistral": (write_mistral_tokenizer, "PreTrainedTokenizerFast"), "clip": (write_clip_tokenizer, "CLIPTokenizer"),
}  # fmt: skip


def write_tiny(
    folder: Path,
    family: str,
    pipeline: str,
    configs: Mapping[str, dict[str, Any]],
    tokenizers: Mapping[str, str],
    *,
    classes: Mapping[str, str] | None = None,
    scheduler: Mapping[str, Any] | None = None,
    index: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """A complete diffusers folder of random weights.

    Args:
        family: its key in the catalog.
        pipeline: diffusers' class that draws with it.
        configs: by component, for its class; text encoders get the size of their vocabulary.
        tokenizers: by text encoder, a key of TOKENIZERS.
        classes: what writes a component, where that is not the class of the card: "module:class".
        scheduler: its config.
        index: what else stands in model_index.json.
    """
    card = FAMILIES[family]
    listed: dict[str, Any] = {"_class_name": pipeline, "scheduler": ["diffusers", FLOW["_class_name"]]}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for spec in card.components:
            config = deepcopy(configs[spec.name])
            if spec.reads_text:
                write, reader = TOKENIZERS[tokenizers[spec.name]]
                size = "vocab_size" if spec.library == "transformers" else "target_vocab_size"
                config.get("text_config", config)[size] = write(folder / spec.tokenizer)
                listed[spec.tokenizer] = ["transformers", reader]
            module, _, name = (classes or {}).get(spec.name, spec.class_path).partition(":")
            kind: Any = getattr(import_module(module), name)
            made = kind(kind.config_class.from_dict(config)) if spec.library == "transformers" else kind(**config)
            for counter, counted in made.named_buffers():
                if counter.startswith("bn.running"):
                    counted.copy_(torch.rand_like(counted) + 0.5)
            _stirred(made).save_pretrained(folder / spec.folder)
            listed[spec.folder] = [module.partition(".")[0], name]
    _write(folder / "scheduler" / "scheduler_config.json", {**FLOW, **(scheduler or {})})
    if card.index_file.startswith("modular"):
        listed = {name: [*entry, {"type_hint": entry, "subfolder": name}] if isinstance(entry, list) else entry
                  for name, entry in listed.items()}  # fmt: skip
    _write(folder / card.index_file, {**listed, **(index or {})})
    return folder


def tiny_zimage(folder: Path, *, seed: int = 0, **transformer: Any) -> Path:
    """Two layers and a refiner of each kind; Qwen3 with a head, as the hub has it."""
    denoiser = {
        "dim": 48, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2, "cap_feat_dim": 16,
        "axes_dims": [8, 8, 8], "axes_lens": [1536, 64, 64], **transformer,
    }  # fmt: skip
    configs = {"denoiser": denoiser, "vae": KL_VAE, "text_encoder_1": QWEN3}
    classes = {"text_encoder_1": "transformers.models.qwen3.modeling_qwen3:Qwen3ForCausalLM"}
    return write_tiny(
        folder, "zimage", "ZImagePipeline", configs, {"text_encoder_1": "chat"}, classes=classes, seed=seed
    )


FLUX2_DIT: dict[str, Any] = {
    "in_channels": 16, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
    "joint_attention_dim": 48, "timestep_guidance_channels": 16, "axes_dims_rope": [4, 4, 4, 4],
}  # fmt: skip
FLUX2_VAE: dict[str, Any] = {
    **{key: KL_VAE[key] for key in KL_VAE if key.endswith("types") or key in ("layers_per_block", "norm_num_groups")},
    "block_out_channels": [8, 8, 16, 16], "latent_channels": 4, "sample_size": 64,
}  # fmt: skip
MISTRAL_CHAT = (
    "<s>{% for message in messages %}{% set said = message['content'][0]['text'] %}"
    "{% if message['role'] == 'system' %}[SYSTEM_PROMPT]{{ said }}[/SYSTEM_PROMPT]"
    "{% else %}[INST]{{ said }}[/INST]{% endif %}{% endfor %}"
)
MISTRAL_MARKS = ("<pad>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")


def tiny_flux2_klein(folder: Path, *, seed: int = 0, layers: int = 28, **transformer: Any) -> Path:
    """Two blocks of each kind; as many layers of Qwen3 as are read, and one more."""
    configs = {
        "denoiser": {**FLUX2_DIT, "guidance_embeds": False, **transformer}, "vae": FLUX2_VAE,
        "text_encoder_1": {**QWEN3, "num_hidden_layers": layers},
    }  # fmt: skip
    classes = {"text_encoder_1": "transformers.models.qwen3.modeling_qwen3:Qwen3ForCausalLM"}
    return write_tiny(
        folder, "flux2_klein", "Flux2KleinPipeline", configs, {"text_encoder_1": "chat"}, classes=classes, seed=seed,
        scheduler=MOVING,
    )  # fmt: skip


def tiny_flux2(folder: Path, *, seed: int = 0, layers: int = 31, **transformer: Any) -> Path:
    """The same with the guidance as an input, read by a Mistral 3 that also sees."""
    sizes = {key: QWEN3[key] for key in QWEN3 if key != "tie_word_embeddings"}
    sight = {
        "model_type": "pixtral", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "head_dim": 8, "image_size": 28, "patch_size": 14,
    }  # fmt: skip
    text = {"model_type": "mistral", **sizes, "num_hidden_layers": layers, "sliding_window": None}
    configs = {
        "denoiser": {**FLUX2_DIT, "guidance_embeds": True, **transformer}, "vae": FLUX2_VAE,
        "text_encoder_1": {"model_type": "mistral3", "text_config": text, "vision_config": sight},
    }  # fmt: skip
    classes = {"text_encoder_1": "transformers.models.mistral3.modeling_mistral3:Mistral3ForConditionalGeneration"}
    return write_tiny(
        folder, "flux2", "Flux2Pipeline", configs, {"text_encoder_1": "mistral"}, classes=classes, seed=seed,
        scheduler=MOVING,
    )  # fmt: skip


def tiny_flux1(folder: Path, *, seed: int = 0, pipeline: str = "FluxPipeline", **transformer: Any) -> Path:
    """A double block and two single ones; with the guidance as an input, as dev has it."""
    denoiser = {
        "num_layers": 1, "num_single_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
        "joint_attention_dim": 16, "pooled_projection_dim": 16, "axes_dims_rope": [4, 6, 6], "guidance_embeds": True,
        **transformer,
    }  # fmt: skip
    configs = {"denoiser": denoiser, "vae": KL_VAE, "text_encoder_1": clip(), "text_encoder_2": T5}
    scheduler = MOVING if denoiser["guidance_embeds"] else {"shift": 1.0}
    return write_tiny(
        folder, "flux1", pipeline, configs, {"text_encoder_1": "clip", "text_encoder_2": "t5"},
        scheduler=scheduler, seed=seed,
    )  # fmt: skip


def tiny_flux1_fill(folder: Path) -> Path:
    """One that is shown a mask and the masked image, too."""
    return tiny_flux1(folder, pipeline="FluxFillPipeline", in_channels=4 * (16 + 16 + 64), out_channels=64)


def tiny_krea2(folder: Path, *, seed: int = 0, index: Mapping[str, Any] | None = None, **transformer: Any) -> Path:
    """Two layers and a fusing block of each kind, which read three of the nine layers of Qwen3-VL."""
    text = {**QWEN3_VL, "text_config": {**QWEN3_VL["text_config"], "num_hidden_layers": 9}}
    denoiser = {
        "num_layers": 2, "attention_head_dim": 24, "num_attention_heads": 2, "num_key_value_heads": 1,
        "intermediate_size": 64, "timestep_embed_dim": 16, "text_hidden_dim": 16, "num_text_layers": 3,
        "text_num_attention_heads": 2, "text_num_key_value_heads": 2, "text_intermediate_size": 32,
        "num_layerwise_text_blocks": 1, "num_refiner_text_blocks": 1, "axes_dims_rope": [8, 8, 8], **transformer,
    }  # fmt: skip
    return write_tiny(
        folder, "krea2", "Krea2Pipeline", {"denoiser": denoiser, "vae": WAN_VAE, "text_encoder_1": text},
        {"text_encoder_1": "chat"}, seed=seed,
        classes={"text_encoder_1": "transformers.models.qwen3_vl.modeling_qwen3_vl:Qwen3VLModel"},
        scheduler={"shift": 1.0, "use_dynamic_shifting": True, "max_image_seq_len": 6400},
        index={"text_encoder_select_layers": [2, 5, 8], "is_distilled": False, **(index or {})},
    )  # fmt: skip


def tiny_chroma(folder: Path, *, seed: int = 0, **transformer: Any) -> Path:
    """A double block and two single ones, and the net that makes their modulations."""
    denoiser = {
        "num_layers": 1, "num_single_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
        "joint_attention_dim": 16, "axes_dims_rope": [4, 6, 6], "approximator_num_channels": 8,
        "approximator_hidden_dim": 16, "approximator_layers": 2, **transformer,
    }  # fmt: skip
    configs = {"denoiser": denoiser, "vae": KL_VAE, "text_encoder_1": T5}
    return write_tiny(
        folder, "chroma", "ChromaPipeline", configs, {"text_encoder_1": "t5"}, scheduler=MOVING, seed=seed
    )


def tiny_qwen_image(folder: Path, *, seed: int = 0, **transformer: Any) -> Path:
    """Two blocks of both streams; a Qwen2.5-VL that also sees and speaks."""
    denoiser = {
        "num_layers": 2, "attention_head_dim": 24, "num_attention_heads": 4, "joint_attention_dim": 16,
        "axes_dims_rope": [8, 8, 8], **transformer,
    }  # fmt: skip
    qwen = "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl:Qwen2_5_VLForConditionalGeneration"
    return write_tiny(
        folder, "qwen_image", "QwenImagePipeline",
        {"denoiser": denoiser, "vae": WAN_VAE, "text_encoder_1": QWEN25_VL}, {"text_encoder_1": "chat"}, seed=seed,
        classes={"text_encoder_1": qwen},
        scheduler={
            "shift": 1.0, "use_dynamic_shifting": True, "max_shift": 0.9, "max_image_seq_len": 8192,
            "shift_terminal": 0.02,
        },
    )  # fmt: skip


def tiny_anima(folder: Path, *, seed: int = 0, **transformer: Any) -> Path:
    """Two blocks of Cosmos; Qwen3 and a conditioner of two blocks that reads what it says."""
    denoiser = {
        "num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2, "text_embed_dim": 16, "adaln_lora_dim": 8,
        "extra_pos_embed_type": None, "rope_scale": [1.0, 4.0, 4.0], "max_size": [4, 64, 64], **transformer,
    }  # fmt: skip
    conditioner = {
        "source_dim": 16, "target_dim": 16, "model_dim": 16, "num_layers": 2, "num_attention_heads": 2,
        "min_sequence_length": 128,
    }  # fmt: skip
    configs = {"denoiser": denoiser, "vae": WAN_VAE, "text_encoder_1": QWEN3, "text_encoder_2": conditioner}
    return write_tiny(
        folder, "anima", "AnimaModularPipeline", configs, {"text_encoder_1": "chat", "text_encoder_2": "t5"},
        seed=seed, index={"_blocks_class_name": "AnimaAutoBlocks"},
    )  # fmt: skip


def tiny_sd3(folder: Path, *, seed: int = 0, **transformer: Any) -> Path:
    """A block with two attentions of the image, and the last one, as 3.5 medium has them."""
    denoiser = {
        "num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 16,
        "caption_projection_dim": 32, "pooled_projection_dim": 16, "pos_embed_max_size": 8, "sample_size": 16,
        "dual_attention_layers": [0], "qk_norm": "rms_norm", **transformer,
    }  # fmt: skip
    small = clip(hidden_size=8, intermediate_size=16, projection_dim=8)
    configs = {
        "denoiser": denoiser, "vae": {**KL_VAE, "scaling_factor": 1.5305, "shift_factor": 0.0609},
        "text_encoder_1": small, "text_encoder_2": {**small, "hidden_act": "gelu"}, "text_encoder_3": T5,
    }  # fmt: skip
    words = {"text_encoder_1": "clip", "text_encoder_2": "clip", "text_encoder_3": "t5"}
    return write_tiny(folder, "sd3", "StableDiffusion3Pipeline", configs, words, seed=seed)


def as_json(path: Path) -> dict[str, Any]:
    """A JSON file of a model's folder."""
    return json.loads(path.read_text(encoding="utf-8"))
