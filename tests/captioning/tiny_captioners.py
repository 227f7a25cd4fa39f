"""Vision language models of a few thousand numbers, written as their authors' libraries write them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForImageTextToText, BertTokenizer, PreTrainedTokenizerFast

SIDE = 28
MARKS = [
    "<pad>", "<s>", "</s>", "<unk>", "<image>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>",
    "<IMG_CONTEXT>", "<img>", "</img>", "<video>", "<start_of_image>", "<end_of_image>", "<image_soft_token>",
    "<fake_token_around_image>", "<global-img>", "<row_1_col_1>", "<end_of_utterance>",
]  # fmt: skip
SPOKEN = """describe this image in one short sentence two or three detail a paragraph answer with the description alone
robot red balloon what does write for formal tone . ?"""
WORDS = [*MARKS, *SPOKEN.split()]
VOCABULARY = 96
ONE_IMAGE = {
    "llava": "<image>", "qwen2_5_vl": "<|vision_start|><|image_pad|><|vision_end|>",
    "qwen3_vl": "<|vision_start|><|image_pad|><|vision_end|>", "smolvlm": "<image>", "gemma3": "<start_of_image>",
    "internvl": "<IMG_CONTEXT>",
}  # fmt: skip
TEXT: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 8, "vocab_size": VOCABULARY, "max_position_embeddings": 1024,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
SEES: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": 14,
}  # fmt: skip


def place(mark: str) -> int:
    return WORDS.index(mark)


QWEN_SEES = {
    "depth": 1, "hidden_size": 16, "out_hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 14,
}  # fmt: skip
ROPE = {"rope_type": "default", "type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
CONFIGS: dict[str, dict[str, Any]] = {
    "blip": {
        "text_config": TEXT | {"encoder_hidden_size": 16, "sep_token_id": 2, "projection_dim": 16},
        "vision_config": SEES, "projection_dim": 16, "image_text_hidden_size": 16,
    },
    "blip-2": {
        "vision_config": SEES, "num_query_tokens": 3, "image_token_index": place("<image>"),
        "qformer_config": {
            "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
            "encoder_hidden_size": 16, "vocab_size": VOCABULARY,
        },
        "text_config": {
            "model_type": "opt", "hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
            "vocab_size": VOCABULARY, "word_embed_proj_dim": 16, "max_position_embeddings": 128,
            "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        },
    },
    "florence2": {
        "vision_config": {
            "depths": [1, 1, 1, 1], "embed_dim": [8, 8, 8, 8], "num_heads": [2, 2, 2, 2], "num_groups": [2, 2, 2, 2],
            "window_size": 2, "projection_dim": 16, "patch_size": [7, 3, 3, 3],
        },
        "text_config": {
            "model_type": "bart", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 24,
            "decoder_ffn_dim": 24, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
            "vocab_size": VOCABULARY, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2,
            "pad_token_id": 0, "decoder_start_token_id": 2,
        },
        "image_token_id": place("<image>"),
    },
    "llava": {
        "text_config": TEXT | {"model_type": "llama"}, "vision_config": SEES | {"model_type": "siglip_vision_model"},
        "image_token_index": place("<image>"), "vision_feature_select_strategy": "full", "image_seq_length": 4,
    },
    "qwen2_5_vl": {
        "text_config": TEXT | {"model_type": "qwen2_5_vl_text", "rope_scaling": ROPE},
        "vision_config": QWEN_SEES | {"fullatt_block_indexes": [0], "window_size": 56, "in_channels": 3},
        "image_token_id": place("<|image_pad|>"), "video_token_id": place("<|video_pad|>"),
        "vision_start_token_id": place("<|vision_start|>"), "vision_end_token_id": place("<|vision_end|>"),
    },
    "qwen3_vl": {
        "text_config": TEXT | {"model_type": "qwen3_vl_text", "rope_scaling": ROPE},
        "vision_config": QWEN_SEES | {"num_position_embeddings": 16, "deepstack_visual_indexes": [0]},
        "image_token_id": place("<|image_pad|>"), "video_token_id": place("<|video_pad|>"),
        "vision_start_token_id": place("<|vision_start|>"), "vision_end_token_id": place("<|vision_end|>"),
    },
    "smolvlm": {
        "text_config": TEXT | {"model_type": "llama"}, "vision_config": SEES, "scale_factor": 2,
        "image_token_id": place("<image>"),
    },
    "gemma3": {
        "text_config": TEXT | {"model_type": "gemma3_text", "sliding_window": 64},
        "vision_config": SEES | {"model_type": "siglip_vision_model"}, "mm_tokens_per_image": 4,
        "image_token_index": place("<image_soft_token>"), "boi_token_index": place("<start_of_image>"),
        "eoi_token_index": place("<end_of_image>"),
    },
    "internvl": {
        "text_config": TEXT | {"model_type": "qwen2"},
        "vision_config": SEES | {"image_size": [SIDE, SIDE], "patch_size": [14, 14]},
        "image_token_id": place("<IMG_CONTEXT>"), "image_seq_length": 1, "downsample_ratio": 0.5,
    },
}  # fmt: skip
NORMAL = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_rescale": True, "do_normalize": True}
SQUARE = NORMAL | {"do_resize": True, "size": {"height": SIDE, "width": SIDE}, "resample": 3}
IMAGES: dict[str, dict[str, Any]] = {
    "blip": SQUARE | {"image_processor_type": "BlipImageProcessor"},
    "blip-2": SQUARE | {"image_processor_type": "BlipImageProcessor"},
    "florence2": SQUARE
    | {"image_processor_type": "CLIPImageProcessor", "do_center_crop": False, "image_seq_length": 2},
    "llava": SQUARE | {"image_processor_type": "SiglipImageProcessor"},
    "qwen2_5_vl": NORMAL
    | {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}
    | {"min_pixels": 784, "max_pixels": 3136},
    "qwen3_vl": NORMAL
    | {"image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 14, "merge_size": 2}
    | {"temporal_patch_size": 2, "size": {"shortest_edge": 784, "longest_edge": 3136}},
    "smolvlm": NORMAL
    | {"image_processor_type": "SmolVLMImageProcessor", "do_image_splitting": False, "do_pad": True}
    | {"size": {"longest_edge": SIDE}, "max_image_size": {"longest_edge": SIDE}, "do_convert_rgb": True},
    "gemma3": SQUARE | {"image_processor_type": "Gemma3ImageProcessor", "image_seq_length": 4},
    "internvl": SQUARE | {"image_processor_type": "GotOcr2ImageProcessorFast", "crop_to_patches": False},
}
PROCESSORS: dict[str, dict[str, Any]] = {
    "blip": {"processor_class": "BlipProcessor"},
    "blip-2": {"processor_class": "Blip2Processor", "num_query_tokens": 3},
    "florence2": {"processor_class": "Florence2Processor", "num_additional_image_tokens": 0},
    "llava": {
        "processor_class": "LlavaProcessor", "patch_size": 14, "vision_feature_select_strategy": "full",
        "image_token": "<image>", "num_additional_image_tokens": 0,
    },
    "qwen2_5_vl": {"processor_class": "Qwen2_5_VLProcessor"},
    "qwen3_vl": {"processor_class": "Qwen3VLProcessor"},
    "smolvlm": {"processor_class": "SmolVLMProcessor", "image_seq_len": 1},
    "gemma3": {"processor_class": "Gemma3Processor", "image_seq_length": 4},
    "internvl": {"processor_class": "InternVLProcessor", "image_seq_length": 1},
}  # fmt: skip
# What SmolVLM was before it read videos: the same net under another name.
for about in (CONFIGS, ONE_IMAGE):
    about["idefics3"] = about["smolvlm"]
IMAGES["idefics3"] = IMAGES["smolvlm"] | {"image_processor_type": "Idefics3ImageProcessor"}
PROCESSORS["idefics3"] = {"processor_class": "Idefics3Processor", "image_seq_len": 1}
KINDS = tuple(CONFIGS)
SEEDS = {"florence2": 1}  # with which it says something


@cache
def model(kind: str) -> Path:
    """A folder with such a model, which says what its random weights say."""
    folder = Path(mkdtemp(prefix=f"tiny-{kind}-"))
    torch.manual_seed(SEEDS.get(kind, 0))
    made: Any = AutoModelForImageTextToText.from_config(AutoConfig.for_model(kind, **CONFIGS[kind]))
    for weights in made.parameters():  # so that another image is another caption
        weights.data = torch.randn_like(weights) * 0.4
    made.save_pretrained(folder)
    _tokenizer(kind, folder).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(IMAGES[kind] | {"processor_class": PROCESSORS[kind]["processor_class"]})
    )
    (folder / "processor_config.json").write_text(json.dumps(PROCESSORS[kind]))
    if kind in ONE_IMAGE:
        parts = "{% if part['type'] == 'image' %}IMAGE{% else %} {{ part['text'] }}{% endif %}"
        text = "{% for said in messages %}{% for part in said['content'] %}PARTS{% endfor %}{% endfor %}"
        (folder / "chat_template.jinja").write_text(text.replace("PARTS", parts).replace("IMAGE", ONE_IMAGE[kind]))
    return folder


def _tokenizer(kind: str, folder: Path) -> Any:
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    if kind == "blip":
        (folder / "vocab.txt").write_text("\n".join(WORDS))
        return BertTokenizer(
            vocab={word: n for n, word in enumerate(WORDS)},
            unk_token="<unk>",
            sep_token="</s>",
            pad_token="<pad>",
            cls_token="<s>",
            mask_token="<unk>",
        )
    whole = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    whole.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    named: dict[str, str] = {
        "image_token": "<image_soft_token>" if kind == "gemma3" else "<image>", "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>", "start_image_token": "<img>", "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>", "global_image_token": "<global-img>",
        "fake_image_token": "<fake_token_around_image>", "end_of_utterance_token": "<end_of_utterance>",
    }  # fmt: skip
    if kind == "blip-2":
        named = {}  # it adds its own
    if kind.startswith("qwen"):
        named |= {
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_bos_token": "<|vision_start|>",
            "vision_eos_token": "<|vision_end|>",
        }
    return PreTrainedTokenizerFast(
        tokenizer_object=whole, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        extra_special_tokens=named,
    )  # fmt: skip
