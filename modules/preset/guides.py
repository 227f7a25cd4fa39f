"""Choices that set several settings at once, because they only work together.

A guide is a row. The window offers it as a dialog; on a command line its settings are those of the presets in
presets/SDXL that do the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modules.preset.paths import Values, get
from modules.preset.sections.training import encoder_names


@dataclass(frozen=True)
class Guide:
    """A change of what the model predicts, and all that goes with it."""

    title: str
    what: str  # what it is good for
    expect: tuple[str, ...]  # what will happen, a sentence each
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    samplers: Sequence[str] = ()  # those that can draw with such a model; the first replaces the others


NO_TEXT = {f"training.{name}.train": False for name in encoder_names()}
QUIET = {"objective.noise.offset": 0.0, "objective.noise.adaptive": 0.0, "objective.noise.pyramid_levels": 0}

GUIDES: dict[str, Guide] = {
    "v_prediction": Guide(
        "To v-prediction, down to pure noise",
        "Lets the model draw truly dark and truly bright pictures, which epsilon cannot.",
        (
            "The first samples are noise or a single colour. On a small data set shapes come back after some hundred "
            "steps, on SDXL after some thousand.",
            "All layers of the denoiser have to learn: take a full fine-tune, or a LoRA with all layers and "
            "convolutions. Text encoders stay as they are: trained along, they make the pictures blurred.",
            "The file is marked, so that ComfyUI and others sample it rightly. A guidance of 4 to 6 is enough; more "
            "burns the colours.",
        ),
        {
            "objective.prediction": "v_prediction",
            "objective.zero_terminal_snr": "on",
            "objective.weighting": "none",
            "objective.times.kind": "uniform",
            "objective.times.shift": 1.0,
            **QUIET,
            **NO_TEXT,
        },
        ("euler", "euler_a", "ddim", "dpmpp_2m", "unipc"),
    ),
    "flow": Guide(
        "To rectified flow",
        "Teaches the model the straight path from noise to picture of SD 3 and Flux: few sampling steps, even "
        "brightness.",
        (
            "The first samples are noise. It is the largest change of the three, and wants a large data set and a long "
            "run of all layers.",
            "Times are practised more in the middle and moved towards noise (shift 3), as SD 3 was made.",
            "No mark for it exists in files: in ComfyUI a node (ModelSamplingSD3, with the same shift) has to say "
            "that the model is a flow. diffusers reads it from a folder.",
        ),
        {
            "objective.prediction": "flow",
            "objective.zero_terminal_snr": "auto",
            "objective.weighting": "none",
            "objective.times.kind": "logit_normal",
            "objective.times.mean": 0.0,
            "objective.times.spread": 1.0,
            "objective.times.shift": 3.0,
            **QUIET,
            **NO_TEXT,
        },
        ("euler", "heun", "dpmpp_2m", "unipc"),
    ),
    "own": Guide(
        "As the model was made",
        "Takes both back: the model goes on predicting what it did.",
        ("Nothing new is taught about noise. Right for nearly every run.",),
        {
            "objective.prediction": "auto",
            "objective.zero_terminal_snr": "auto",
            "objective.times.kind": "uniform",
            "objective.times.shift": 1.0,
        },
    ),
}


def changes_of(guide: Guide, values: Values) -> dict[str, Any]:
    """What would change in these values: only settings that differ, samplers that cannot follow included."""
    changes = {path: value for path, value in guide.changes.items() if get(values, path) != value}
    prompts = get(values, "sampling.prompts") or []
    for number, prompt in enumerate(prompts):
        if guide.samplers and prompt.get("sampler", "euler") not in guide.samplers:
            changes[f"sampling.prompts.{number}.sampler"] = guide.samplers[0]
    return changes
