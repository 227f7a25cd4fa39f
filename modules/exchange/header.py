"""Settings in the header of a model or LoRA file: what sd-scripts, OneTrainer and this program write there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

from modules.errors import UserError
from modules.exchange.imported import Imported, Row
from modules.exchange.kohya import arguments as kohya
from modules.exchange.onetrainer import configuration as onetrainer
from modules.exchange.weights.tell import tell
from modules.preset.files.migrate import migrate
from modules.preset.paths import Values
from modules.preset.validate import examine
from modules.sentences.problem import problem
from modules.system.reading import open_file, safetensors_header

RENAMED = {
    "batch_size_per_device": "train_batch_size", "num_epochs": "max_train_epochs", "optimizer": "optimizer_type",
    "sd_model_name": "pretrained_model_name_or_path", "vae_name": "vae", "multires_noise_iterations":
    "multires_noise_iterations", "debiased_estimation": "debiased_estimation_loss", "lr_scheduler": "lr_scheduler",
}  # fmt: skip
FACTS = re.compile(  # of the run and its file, and no settings
    r"(session_id|training_\w+_at|num_\w+|steps|epoch|\w*hash|tag_frequency|dataset_dirs|reg_dataset_dirs|bucket_info"
    r"|sd_scripts_commit_hash|total_batch_size|output_name|new_\w+|training_comment|text_encoder_lr_list"
    r"|training_adapters|lowram|cache_latents)"
)


def read(path: Path) -> Imported:
    """The settings in a file's header.

    Raises:
        UserError: it cannot be read, or it is neither a LoRA nor a model that is known, and has no settings.
    """
    with open_file(path) as file:
        header, start = safetensors_header(file, path)
    found = header.get("__metadata__")
    texts = {str(name): str(text) for name, text in cast("Values", found if isinstance(found, dict) else {}).items()}
    if own := _object(texts.get("seachange.preset")):
        return _own(own)
    if config := _object(texts.get("ot_config")):
        return onetrainer.read(config, None)
    if any(name in texts for name in ("ss_learning_rate", "ss_network_dim", "ss_network_module", "ss_lr_scheduler")):
        return _kohya(texts)
    who = _writer(texts, header)
    if told := tell(path, header, texts, start, who):
        return told
    raise UserError("import.no-settings-in-header", file=path, who=who)


def _writer(texts: dict[str, str], header: Values) -> Any:
    """What is known of who wrote it."""
    software = _object(texts.get("software"))
    name = str(software.get("name", "")) if software else ""
    name = name or ("OneTrainer" if "ot_branch" in texts else texts.get("modelspec.implementation", ""))
    if not name and "format" in texts and any(".lora_A." in key for key in header):
        return problem("import.program-like", name="diffusers")
    return problem("import.program-named", name=name[:60]) if name else problem("import.program-unknown")


def _object(text: str | None) -> Values | None:
    if not text or len(text) > 5_000_000:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("Values", found) if isinstance(found, dict) else None


def _own(values: Values) -> Imported:
    """A recipe of this program: all of it is taken."""
    values = migrate(values)
    _, wrong = examine(values)
    return Imported("Seachange", values, tuple(Row("none", path, each) for path, each in wrong.items()))


def _kohya(texts: dict[str, str]) -> Imported:
    """The arguments of sd-scripts as its header has them: texts, with None for what was not given."""
    given: Values = {}
    for name, text in texts.items():
        key = name.removeprefix("ss_")
        if key != name and not FACTS.fullmatch(key) and text not in ("None", ""):
            given[RENAMED.get(key, key)] = _typed(key, text)
    epochs = texts.get("ss_num_epochs", "")
    if epochs.isdecimal():
        given["max_train_epochs"] = int(epochs)
        given.pop("max_train_steps", None)
    _signature(given)
    _data(given, texts)
    if texts.get("ss_text_encoder_lr", "None") in ("None", "[]", "0", "0.0", "[0.0]", "[0.0, 0.0]"):
        given["network_train_unet_only"] = True
        given.pop("text_encoder_lr", None)
    called = {name: f"ss_{old}" for old, name in RENAMED.items()}
    called |= {name: f"ss_{name}" for name in given if name not in called}
    return kohya.read(given, None, program="sd-scripts", called=called)


def _typed(name: str, text: str) -> Any:
    if text in ("True", "False"):
        return text == "True"
    if name in ("network_args", "resolution", "text_encoder_lr"):
        return _object(text) if text.startswith("{") else text.strip("[]()")
    return text


def _signature(given: Values) -> None:
    """ "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=(0.9, 0.99))"."""
    match = re.fullmatch(r"([\w.]+)(?:\((.*)\))?", str(given.get("optimizer_type", "")), re.DOTALL)
    if match:
        given["optimizer_type"] = match[1]
        if match[2]:
            given["optimizer_args"] = match[2]


def _data(given: Values, texts: dict[str, str]) -> None:
    """Of the first set of images where there was a file of them."""
    try:
        sets = json.loads(texts.get("ss_datasets", "null"))
    except (ValueError, RecursionError):
        return
    first = sets[0] if isinstance(sets, list) and sets and isinstance(sets[0], dict) else {}
    subsets = first.get("subsets")
    subset = subsets[0] if isinstance(subsets, list) and subsets and isinstance(subsets[0], dict) else {}
    names = ("resolution", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_no_upscale")
    given |= {name: first[name] for name in names if first.get(name) is not None}
    if first.get("batch_size_per_device"):
        given["train_batch_size"] = first["batch_size_per_device"]
    wanted = ("shuffle_caption", "keep_tokens", "caption_dropout_rate", "flip_aug", "color_aug", "random_crop",
              "caption_prefix", "caption_suffix", "caption_tag_dropout_rate")  # fmt: skip
    given |= {name: subset[name] for name in wanted if subset.get(name)}
