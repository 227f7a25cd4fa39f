"""Friendly words for the choices of settings: "Schedule-free AdamW" for `schedule_free_adamw`."""

from __future__ import annotations

from functools import cache
from typing import Any

from modules.catalog import FAMILIES
from modules.language import tr
from modules.preset.sections.sampling import SAMPLERS, SPACINGS
from modules.preset.setting_info import kind_of
from modules.preset.validate import UNIONS

# What a choice is called where its own name says too little. What is not here is shown as it stands in the preset.
WORDS: dict[str, dict[str, str]] = {
    "general.compile": {"auto": "Automatic", "on": "On", "off": "Off"},
    "general.device": {"auto": "Automatic", "cpu": "CPU", "cuda": "Graphics card"},
    "model.quantization": {
        "auto": "Automatic", "off": "Off", "int8": "int8", "fp8": "fp8 as in the file", "nf4": "nf4",
    },
    "model.dtype": {"auto": "Automatic", "fp32": "fp32", "bf16": "bf16", "fp16": "fp16"},
    "model.vae_tiling": {"auto": "Automatic", "off": "Off", "on": "On"},
    "output.model_format": {"folder": "Diffusers folder", "single_file": "Single file"},
    "output.lora_format": {"auto": "Automatic", "kohya": "Kohya", "diffusers": "Diffusers", "native": "Native"},
    "output.parts": {"all": "The whole model", "trained": "Trained parts only"},
    "concepts.0.captions": {
        "file": "Text files", "filename": "File names", "folder": "Folder names", "prompt": "One text for all",
        "none": "No captions",
    },
    "concepts.0.several": {"first": "The first there is", "pick": "Draw one", "join": "Join all"},
    "concepts.0.tags": {"all": "All sources", "first": "The first source", "more": "The other sources", "none": "None"},
    "concepts.0.tag_dropout_kind": {"each": "Each by itself", "weighted": "Later ones more", "all": "All at once"},
    "concepts.0.tag_list_use": {"none": "No list", "keep": "Never drop these", "only": "Drop only these"},
    "concepts.0.capitals": {
        "as_is": "As they are", "lower": "small letters", "upper": "CAPITALS", "title": "Each Word",
        "first": "First word", "random": "rAndoM", "any": "Any of these",
    },
    "prior.made.use": {"class": "Class images", "prior": "Prior prediction"},
    "concepts.0.kind": {
        "train": "Training", "class": "Class images", "prior": "Prior", "validation": "Validation",
    },
    "concepts.0.masks": {"none": "No masks", "file": "Files beside the images", "alpha": "Transparency"},
    "concepts.0.mask_crop": {"no": "As without masks", "keep": "Keep it in", "around": "Close around it"},
    "training.scale_rate": {
        "none": "None", "batch": "Batch size", "accumulation": "Gradient accumulation", "both": "Both",
    },
    "training.scale_by": {"root": "Root", "linear": "In proportion"},
    "training.guards.then": {
        "lower_rate": "Halve the learning rate", "continue": "Same learning rate", "pause": "Pause",
    },
    "schedule.kind": {
        "constant": "Constant", "linear": "Linear", "cosine": "Cosine", "cosine_restarts": "Cosine with hard restarts",
        "cosine_waves": "Cosine waves", "polynomial": "Polynomial", "rex": "REX",
        "stable_decay": "Stable, then decay (WSD)", "inverse_sqrt": "Inverse square root",
        "adafactor": "Adafactor's own", "piecewise_constant": "Stairs, drawn", "custom": "Lines, drawn",
    },
    "schedule.decay_shape": {"linear": "Line", "cosine": "Cosine", "root": "Root"},
    "objective.prediction": {
        "auto": "Automatic", "epsilon": "Epsilon", "v_prediction": "V-prediction", "flow": "Rectified flow",
    },
    "objective.zero_terminal_snr": {"auto": "Automatic", "on": "On", "off": "Off"},
    "objective.weighting": {
        "none": "None", "min_snr": "Min-SNR", "soft_min_snr": "Soft min-SNR", "p2": "P2", "debiased": "Debiased",
        "debiased_kohya": "Debiased (kohya)",
        "sigma": "Sigma",
    },
    "objective.loss.huber_schedule": {"constant": "Constant", "exponential": "Exponential", "snr": "SNR"},
    "objective.times.kind": {
        "uniform": "Uniform", "sigmoid": "Sigmoid", "logit_normal": "Logit-normal", "heavy_tail": "Heavy tail",
        "cosine_map": "Cosine map", "inverted_parabola": "Inverted parabola", "beta": "Beta",
    },
    "sampling.weights": {"ema": "Moving average", "live": "As they are", "both": "Both"},
    "training.gradients": {"auto": "Automatic", "card": "On the card", "main_memory": "Main memory"},
    "training.ema_device": {"same": "Where it trains", "cpu": "Main memory"},
    "training.ema_save": {"instead": "Instead", "beside": "Beside", "no": "Not saved"},
    "examine.points": {"auto": "Automatic", "drawings": "The base's drawings", "noise": "Pure noise"},
    "validation.best_by": {"balance": "Learnt less forgotten", "loss": "Lowest loss"},
    "validation.weights": {"ema": "Those that are saved", "live": "As they are"},
    "validation.then": {"tell": "Say so", "pause": "Pause", "stop": "End the run"},
    "method.dora_axis": {"inputs": "Inputs", "outputs": "Outputs"},
    "prior.made.sampler": SAMPLERS,
    "sampling.prompts.0.sampler": SAMPLERS,
    "sampling.prompts.0.spacing": {**SPACINGS, "default": "Default (SGM uniform)", "leading": "DDIM uniform"},
    "sampling.prompts.0.perturbation": {"none": "Off", "pag": "PAG", "seg": "SEG"},
}  # fmt: skip


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


def choice_label(path: str, choice: Any) -> str:
    """What the form calls this choice of the setting at `path` (the path of the schema)."""
    return tr(_table(path).get(str(choice), str(choice)))
