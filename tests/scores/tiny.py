"""Tiny models of each kind that scores are computed with, written as their publishers write them; and images."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from shutil import copyfile
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file

from modules.system.bundled import ROOT

SIDE = 32
TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SEES = {**TOWER, "image_size": SIDE, "patch_size": 8}
CLIP_WORDS = ROOT / "resources" / "models" / "clip"
WORDS = ["[UNK]", "<pad>", "</s>", "a", "cat", "red", "dog"]


def clip(folder: Path, width: int = 8, seed: int = 0) -> Path:
    from transformers import CLIPConfig, CLIPModel

    reads = {**TOWER, "vocab_size": 49408, "eos_token_id": 49407, "bos_token_id": 49406}
    config = CLIPConfig(text_config=reads, vision_config=SEES, projection_dim=width)
    written(folder, CLIPModel, config, seed)
    about = {
        "do_resize": True, "size": {"shortest_edge": SIDE}, "resample": 3, "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE}, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(about))
    for name in ("vocab.json", "merges.txt"):
        copyfile(CLIP_WORDS / name, folder / name)
    return folder


def siglip(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipModel

    reads = {**TOWER, "vocab_size": len(WORDS), "max_position_embeddings": 6, "bos_token_id": 2, "eos_token_id": 2}
    written(folder, SiglipModel, SiglipConfig(text_config=reads, vision_config=SEES))
    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="[UNK]"
    ).save_pretrained(folder)
    about = {"size": {"height": SIDE, "width": SIDE}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(about))
    return folder


def dino(folder: Path, kind: str = "dinov2") -> Path:
    from transformers import AutoConfig, AutoModel

    registers = {"num_register_tokens": 4} if kind == "dinov3_vit" else {}  # as published; there may be none by default
    larger = {"image_size": 48} if kind.startswith("dinov2") else {}  # as published, where 518 is asked with 224
    config = AutoConfig.for_model(kind, **{**SEES, **larger}, **registers)
    written(folder, type(AutoModel.from_config(config)), config)
    about = {
        "size": {"shortest_edge": 40}, "resample": 3, "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE}, "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(about))
    return folder


def written(folder: Path, kind: Any, config: Any, seed: int = 0) -> None:
    """Save random weights that are large enough for images to differ."""
    torch.manual_seed(seed)
    model = kind(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
            if "logit" in name:
                parameter.fill_(3.0)
    folder.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors")
    config.save_pretrained(folder)


@cache
def models() -> dict[str, Path]:
    """One of each, made once."""
    folder = Path(mkdtemp(prefix="scores-"))
    return {"clip": clip(folder / "clip"), "dino": dino(folder / "dino")}


def head(path: Path, width: int = 8) -> Path:
    """A predictor as LAION's file has it: five layers, names of `nn.Sequential`."""
    torch.manual_seed(3)
    sizes = [width, 6, 5, 4, 3, 1]
    tensors = {}
    for number, place in enumerate((0, 2, 4, 6, 7)):
        tensors[f"layers.{place}.weight"] = torch.randn(sizes[number + 1], sizes[number])
        tensors[f"layers.{place}.bias"] = torch.randn(sizes[number + 1])
    torch.save(tensors, path)
    return path


def picture(path: Path, seed: int, prompt: str | None = None, size: tuple[int, int] = (48, 36)) -> Path:
    """A smooth random image; `prompt` as A1111 writes it."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    about = PngInfo()
    if prompt is not None:
        about.add_itxt("parameters", f"{prompt}\nNegative prompt: bad\nSteps: 2, Sampler: Euler, Seed: 1")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, pnginfo=about)
    return path


def pictures(folder: Path, seeds: Iterable[int]) -> list[Path]:
    return [picture(folder / f"{seed}.png", seed) for seed in seeds]
