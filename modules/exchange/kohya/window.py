"""kohya_ss: the JSON of its window, put into the arguments that it starts sd-scripts with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.exchange.imported import Imported, as_number
from modules.exchange.kohya import arguments as kohya
from modules.exchange.kohya import command_line
from modules.exchange.kohya.names import LORA_TYPES, NETWORK_OPTIONS
from modules.exchange.optimizers import read_arguments
from modules.preset.paths import Values

NAMES = {  # its window's -> sd-scripts'
    "optimizer": "optimizer_type", "max_resolution": "resolution", "caption_extension": "caption_extension",
    "lora_network_weights": "network_weights",  "max_train_epoch": "max_train_epochs",
    "conv_dims": "conv_dim", "conv_alphas": "conv_alpha", "learning_rate_te": "learning_rate_te",
    "sd_model": "pretrained_model_name_or_path", "sdxl_checkbox": "sdxl",
}  # fmt: skip
DEFAULTS: dict[str, Any] = {"learning_rate": 1e-4, "caption_extension": ".txt", "loss_type": "l2"}
MARKS = {
    "LoRA_type", "max_resolution", "optimizer", "lr_warmup", "epoch", "xformers", "noise_offset_type",
    "additional_parameters", "num_cpu_threads_per_process", "model_list", "stop_text_encoder_training",
}  # fmt: skip


def recognizes(values: Values) -> bool:
    """Whether flat names are those of its window."""
    plain = sum(1 for value in values.values() if not isinstance(value, dict))
    return plain >= 5 and len(MARKS & set(values)) >= 2 and ("LoRA_type" in values or kohya.recognizes(values)
                                                             or "learning_rate" in values)  # fmt: skip


def read(values: Values, folder: Path | None) -> Imported:
    """What its settings come to."""
    arguments, called = _renamed(values)
    _extra_line(arguments)
    _network(arguments, called)
    _length(arguments, called)
    _rates(arguments)
    script = ""
    return kohya.read(arguments, folder, program="kohya_ss", script=script, called=called, defaults=DEFAULTS)


def _renamed(values: Values) -> tuple[Values, dict[str, str]]:
    called = {new: old for old, new in NAMES.items() if old in values and old != new}
    arguments = {NAMES.get(name, name): value for name, value in values.items() if name not in called.values()}
    return {**arguments, **{new: values[old] for new, old in called.items()}}, called


def _extra_line(arguments: Values) -> None:
    """More arguments in one text, which count more than the fields."""
    extra = arguments.pop("additional_parameters", "")
    if isinstance(extra, str) and extra.strip():
        arguments |= command_line.arguments_of(extra)


def _network(arguments: Values, called: dict[str, str]) -> None:
    kind = arguments.pop("LoRA_type", None)
    if kind is None and not arguments.get("network_dim"):
        return
    module, algo = LORA_TYPES.get(str(kind or "Standard"), ("networks.unknown", str(kind)))
    locon = str(kind) in ("LoCon", "Kohya LoCon") or module.startswith("lycoris") or "Kohya Lo" in str(kind)
    options: Values = read_arguments(arguments.get("network_args"))
    for name in NETWORK_OPTIONS:
        if name in arguments:
            value = arguments.pop(name)
            if value not in (None, "", False, 0, "0") and (locon or not name.startswith("conv_")):
                options[name] = value
            elif name == "conv_dim" and module.startswith("lycoris") and as_number(value) == 0:
                options[name] = 0
    preset = arguments.pop("LyCORIS_preset", None)
    if preset and algo:
        options["preset"] = preset
    arguments |= {"network_module": module, "network_args": {**({"algo": algo} if algo else {}), **options}}
    called["network_module"] = "LoRA_type"
    arguments["network_module_type"] = kind
    del arguments["network_module_type"]


def _length(arguments: Values, called: dict[str, str]) -> None:
    """Steps and epochs as its window reckons them: 0 is none, and its own epochs count where nothing else is said."""
    for name in ("max_train_steps", "max_train_epochs"):
        if not as_number(arguments.get(name)):
            arguments.pop(name, None)
    epochs = as_number(arguments.pop("epoch", None))
    if epochs and not arguments.get("max_train_steps") and not arguments.get("max_train_epochs"):
        arguments["max_train_epochs"] = int(epochs)
        called["max_train_epochs"] = "epoch"
    share = as_number(arguments.pop("lr_warmup", None))
    if not as_number(arguments.get("lr_warmup_steps")):
        arguments.pop("lr_warmup_steps", None)
        if share is not None:
            arguments["lr_warmup_steps"] = share / 100
            called["lr_warmup_steps"] = "lr_warmup"
    stop = as_number(arguments.pop("stop_text_encoder_training", arguments.pop("stop_text_encoder_training_pct", None)))
    total = as_number(arguments.get("max_train_steps"))
    if stop and total:
        arguments["stop_text_encoder_training"] = int(total * stop / 100)
    elif stop:
        arguments["stop_text_encoder_training_pct"] = stop


def _rates(arguments: Values) -> None:
    """Its window trains one part alone where the rate of the other is 0; with both 0, both at the common rate."""
    encoder, unet = as_number(arguments.get("text_encoder_lr")), as_number(arguments.get("unet_lr"))
    if "network_module" not in arguments or isinstance(arguments.get("text_encoder_lr"), list):
        return
    if not encoder and not unet:
        for name in ("text_encoder_lr", "unet_lr"):
            arguments.pop(name, None)
        return
    if not unet:
        arguments |= {"unet_lr": 0, "network_train_text_encoder_only": True}
    if not encoder:
        arguments["text_encoder_lr"] = 0
    if not as_number(arguments.get("learning_rate")):
        arguments["learning_rate"] = unet or encoder


def table(values: Mapping[str, Any]) -> Values:
    """The flat settings of its `config.toml`, whose sections say only where they stand."""
    flat: Values = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= table(value)
        else:
            flat[name] = value
    return flat
