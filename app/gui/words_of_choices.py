"""Friendly words for the choices of settings: "Schedule-free AdamW" for `schedule_free_adamw`."""

from __future__ import annotations

from functools import cache
from typing import Any

from modules.catalog import FAMILIES
from modules.preset.knobs import kind_of
from modules.preset.problems import UNIONS

# What a choice is called where its own name says too little. What is not here is shown as it stands in the preset.
WORDS: dict[str, dict[str, str]] = {
    "general.device": {"auto": "Automatic", "cpu": "CPU", "cuda": "Graphics card"},
    "output.model_format": {"folder": "Diffusers folder", "single_file": "Single file"},
    "output.lora_format": {"kohya": "Kohya", "diffusers": "Diffusers"},
    "output.parts": {"all": "The whole model", "trained": "Trained parts only"},
    "concepts.0.captions": {
        "file": "Text files", "filename": "File names", "prompt": "One text for all", "none": "No captions",
    },
    "schedule.kind": {
        "constant": "Constant", "linear": "Linear", "cosine": "Cosine", "cosine_restarts": "Cosine with restarts",
        "rex": "REX",
    },
    "objective.prediction": {"auto": "Automatic", "epsilon": "Epsilon", "v_prediction": "V-prediction"},
    "objective.zero_terminal_snr": {"auto": "Automatic", "on": "On", "off": "Off"},
    "objective.loss": {"mse": "MSE", "huber": "Huber"},
    "objective.weighting": {"none": "None", "min_snr": "Min-SNR"},
    "objective.times": {"uniform": "Uniform", "logit_normal": "Logit-normal"},
    "sampling.weights": {"ema": "Moving average", "live": "As they are"},
    "sampling.prompts.0.sampler": {
        "ddim": "DDIM", "euler": "Euler", "euler_a": "Euler a", "heun": "Heun", "dpmpp_2m": "DPM++ 2M",
        "dpmpp_2m_karras": "DPM++ 2M Karras", "dpmpp_2m_sde_karras": "DPM++ 2M SDE Karras", "unipc": "UniPC",
    },
}  # fmt: skip

# The groups that a family knows by name (modules.families.parts.names, which needs torch), in a hobbyist's words.
LAYER_GROUPS: dict[str, str] = {
    "all": "All layers",
    "attention-mlp": "Attention and MLP",
    "attention": "Attention",
    "cross-attention": "Cross-attention (text)",
    "self-attention": "Self-attention (image)",
    "resnets": "ResNets",
    "down": "Down blocks",
    "mid": "Middle block",
    "up": "Up blocks",
}


def title_of(member: Any) -> str:
    """The name of a method or an optimizer: the first line of its docstring."""
    return (member.__doc__ or "").strip().partition("\n")[0]


@cache
def _table(path: str) -> dict[str, str]:
    section, _, name = path.partition(".")
    if section in UNIONS and name == "kind":
        return {kind_of(member): title_of(member).partition(" (")[0] for member in UNIONS[section]}
    if path == "model.family":
        return {name: card.title for name, card in FAMILIES.items()}
    return WORDS.get(path, {})


def word_of(path: str, choice: Any) -> str:
    """What the form calls this choice of the setting at `path` (the path of the schema)."""
    return _table(path).get(str(choice), str(choice))
