"""musubi-tuner: sd-scripts' arguments with names and defaults of its own, and its tables of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from modules.exchange.imported import Imported
from modules.exchange.kohya import arguments as kohya
from modules.exchange.kohya.data import MUSUBI
from modules.preset.paths import Values

NAMES = {"dit": "pretrained_model_name_or_path"}
DEFAULTS: dict[str, Any] = {
    "discrete_flow_shift": 1.0, "guidance_scale": 1.0, "resolution": [960, 544], "timestep_sampling": "sigma",
    "mixed_precision": "bf16", "network_alpha": 1.0, "caption_extension": ".txt",
    "min_bucket_reso": 0, "max_bucket_reso": 0, "bucket_reso_steps": 0,
}  # fmt: skip
SCRIPTS = ("zimage_", "flux_2_", "qwen_image_", "krea2_", "flux_kontext_", "wan_", "hv_", "fpack_", "hidream_o1",
           "kandinsky5_", "ideogram4_")  # fmt: skip


def recognizes(values: Values, script: str = "") -> bool:
    """Whether arguments are those of one of its programs, or tables of its datasets."""
    sets = values.get("datasets")
    tables = [cast("Values", each) for each in cast("list[Any]", sets) if isinstance(each, dict)] if (
        isinstance(sets, list)) else []  # fmt: skip
    return "dit" in values or script.startswith(SCRIPTS) or any(set(MUSUBI) & set(each) for each in tables)


def read(arguments: Values, folder: Path | None, script: str = "") -> Imported:
    """What its arguments come to."""
    called = {new: old for old, new in NAMES.items() if old in arguments}
    given = {NAMES.get(name, name): value for name, value in arguments.items()}
    return kohya.read(given, folder, program="musubi-tuner", script=script, called=called, defaults=DEFAULTS)
