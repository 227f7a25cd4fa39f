"""Models that are usual for captions, and what can be asked of each kind. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modules.system.bundled import resolve
from modules.system.hub import is_downloaded, looks_like_hub_name
from modules.text import GB, MB

Length = Literal["short", "medium", "long"]
CATEGORIES = ("general", "character", "copyright", "artist", "meta", "year", "rating", "other")  # of tags
# What counts as told where neither a person nor the model's files say: the official spaces' values.
USUAL = {"general": 0.35, "character": 0.85, "copyright": 0.85}
OFF = 1.0  # a threshold that no tag reaches
LEAST = 0.1  # tags below are not kept

WD_EVA = "SmilingWolf/wd-eva02-large-tagger-v3"
SMOL = "HuggingFaceTB/SmolVLM-256M-Instruct"
TAGGER_FILES = ("model.onnx", "selected_tags.csv", "preprocess.json", "threshold.json", "thresholds.csv",
                "categories.json")  # fmt: skip
SENTENCE_FILES = ("*.json", "model*.safetensors", "*.jinja", "merges.txt", "vocab.txt", "*.model")

PICKLED = "pytorch_model*.bin*"  # read without running code


@dataclass(frozen=True)
class CaptionModel:
    """A model that is usual. The exact size is asked for, and said, before a download."""

    name: str  # on Hugging Face
    title: str
    size: int  # bytes of its files, about
    licence: str
    note: str = ""


TAGGERS = (
    CaptionModel(WD_EVA, "WD EVA02 tagger v3", 1260 * MB, "Apache-2.0"),
    CaptionModel("SmilingWolf/wd-vit-tagger-v3", "WD ViT tagger v3", 380 * MB, "Apache-2.0"),
    CaptionModel("SmilingWolf/wd-swinv2-tagger-v3", "WD SwinV2 tagger v3", 470 * MB, "Apache-2.0"),
    CaptionModel("SmilingWolf/wd-convnext-tagger-v3", "WD ConvNeXt tagger v3", 395 * MB, "Apache-2.0"),
    CaptionModel("SmilingWolf/wd-vit-large-tagger-v3", "WD ViT large tagger v3", 1260 * MB, "Apache-2.0"),
    CaptionModel("SmilingWolf/wd-v1-4-moat-tagger-v2", "WD MOAT tagger v2", 330 * MB, "Apache-2.0"),
    CaptionModel("deepghs/pixai-tagger-v0.9-onnx", "PixAI tagger v0.9", 1270 * MB, "Apache-2.0"),
)
CAPTIONERS = (
    CaptionModel(SMOL, "SmolVLM 256M", 520 * MB, "Apache-2.0", "the smallest"),
    CaptionModel("HuggingFaceTB/SmolVLM2-2.2B-Instruct", "SmolVLM2 2.2B", round(9 * GB), "Apache-2.0"),
    CaptionModel("florence-community/Florence-2-base", "Florence-2 base", 930 * MB, "MIT", "no prompt of one's own"),
    CaptionModel("florence-community/Florence-2-large", "Florence-2 large", 3100 * MB, "MIT", "no prompt of one's own"),
    CaptionModel("Salesforce/blip-image-captioning-large", "BLIP large", 1880 * MB, "BSD-3-Clause", "one short line"),
    CaptionModel("Salesforce/blip2-opt-2.7b", "BLIP-2 OPT 2.7B", round(15 * GB), "MIT", "one short line"),
    CaptionModel("Qwen/Qwen3-VL-2B-Instruct", "Qwen3-VL 2B", 4260 * MB, "Apache-2.0"),
    CaptionModel("Qwen/Qwen3-VL-4B-Instruct", "Qwen3-VL 4B", 8880 * MB, "Apache-2.0"),
    CaptionModel("Qwen/Qwen3-VL-8B-Instruct", "Qwen3-VL 8B", round(17.5 * GB), "Apache-2.0"),
    CaptionModel("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL 7B", round(16.6 * GB), "Apache-2.0"),
    CaptionModel("OpenGVLab/InternVL3-2B-hf", "InternVL3 2B", 4200 * MB, "MIT, Apache-2.0"),
    CaptionModel("fancyfeast/llama-joycaption-beta-one-hf-llava", "JoyCaption Beta One", round(17 * GB),
                 "Llama 3.1 community"),
    CaptionModel("google/gemma-3-4b-it", "Gemma 3 4B", 8600 * MB, "Gemma terms", "asks for an account"),
)  # fmt: skip


def usual_model(name: str) -> CaptionModel | None:
    """What is known of a model by its name."""
    return next((model for model in (*TAGGERS, *CAPTIONERS) if model.name == name), None)


def model_is_here(name: str) -> bool:
    """Whether a model needs no download: a file or folder, or one that was fetched before. Asks no network."""
    if not looks_like_hub_name(name) or Path(name).exists():
        return resolve(name).exists()
    return is_downloaded(name)


def is_florence(kind: str) -> bool:
    """Whether a `model_type` takes tasks and no prompts."""
    return kind == "florence2"


FLORENCE: dict[Length, str] = {
    "short": "<CAPTION>", "medium": "<DETAILED_CAPTION>", "long": "<MORE_DETAILED_CAPTION>",
}  # fmt: skip
CHAT: dict[Length, str] = {
    "short": "Describe this image in one short sentence. Answer with the description alone.",
    "medium": "Describe this image in two or three sentences. Answer with the description alone.",
    "long": "Describe this image in detail, in one paragraph. Answer with the description alone.",
}
JOY: dict[Length, str] = {
    "short": "Write a short descriptive caption for this image in a formal tone.",
    "medium": "Write a medium-length descriptive caption for this image in a formal tone.",
    "long": "Write a long descriptive caption for this image in a formal tone.",
}
LENGTHS: dict[Length, str] = {
    "short": "Answer in one short sentence.", "medium": "Answer in two or three sentences.",
    "long": "Answer in one detailed paragraph.",
}  # fmt: skip
JOY_SYSTEM = "You are a helpful image captioner."  # as JoyCaption was trained
PLAIN = ("blip", "blip-2")  # `model_type` of what goes on from words and takes no instruction


def is_joy(name: str) -> bool:
    """Whether a model's name says that it is JoyCaption, which was trained with words of its own."""
    return "joycaption" in name.lower().replace("-", "").replace("_", "")


def prompt_for(kind: str, name: str, asked: str, length: Length) -> str:
    """What a model is asked, by its `model_type` and name; `asked` is the user's own prompt, or ""."""
    if is_florence(kind):
        return FLORENCE[length]
    if kind == "blip-2":
        return f"Question: {asked} Answer:" if asked else ""
    if kind in PLAIN:
        return asked
    if asked:
        return f"{asked} {LENGTHS[length]}"
    return JOY[length] if is_joy(name) else CHAT[length]
