"""Optimizers by the names and arguments of other programs: `modules.exchange.optimizers` the other way round."""

from __future__ import annotations

from typing import Any

from modules.exchange.optimizers import LIBRARY_DEFAULTS, NAMES, plain_name, read_arguments
from modules.preset.optimizers import OPTIMIZERS
from modules.preset.paths import Values

CLASSES = {kind.model_fields["kind"].default: kind for kind in OPTIMIZERS}
# Classes that sd-scripts names itself; of others it takes library and class
OWN_OF_KOHYA = (
    "AdamW", "AdamW8bit", "PagedAdamW", "PagedAdamW8bit", "Lion", "Lion8bit", "PagedLion8bit", "DAdaptAdam",
    "DAdaptAdaGrad", "DAdaptAdan", "DAdaptLion", "DAdaptSGD", "Prodigy", "Adafactor", "AdamWScheduleFree",
    "RAdamScheduleFree", "SGDScheduleFree",
)  # fmt: skip
OF_ONETRAINER = (
    "ADAGRAD", "ADAGRAD_8BIT", "ADAM", "ADAM_8BIT", "ADAMW", "ADAMW_8BIT", "AdEMAMix", "ADOPT", "LAMB", "LION",
    "LION_8BIT", "RMSPROP", "RMSPROP_8BIT", "SGD", "SGD_8BIT", "SCHEDULE_FREE_ADAMW", "SCHEDULE_FREE_SGD",
    "DADAPT_ADA_GRAD", "DADAPT_ADAM", "DADAPT_ADAN", "DADAPT_LION", "DADAPT_SGD", "PRODIGY",
    "PRODIGY_PLUS_SCHEDULE_FREE", "ADAFACTOR", "CAME", "MUON", "YOGI", "TIGER", "AIDA", "ADABELIEF",
)  # fmt: skip
NOT_THEIRS = ("kernels_as_matrices",)
BETAS = ("beta1", "beta2", "beta3")


def kohya_name(values: Values) -> str:
    """As `--optimizer_type` wants it."""
    library, _, name = str(values.get("name") or CLASSES[values["kind"]].target).partition(":")
    return name if name in OWN_OF_KOHYA else f"{library}.{name}"


def onetrainer_name(values: Values) -> str:
    """Of its list; "" where it has none."""
    if values["kind"] == "other":
        asked = plain_name(str(values["name"]).partition(":")[2])
        return next((name for name in OF_ONETRAINER if plain_name(name) == asked), "")
    for name in OF_ONETRAINER:
        plain = plain_name(name)
        if NAMES.get(plain, plain) == plain_name(values["kind"]) or NAMES.get(plain) == values["kind"]:
            return name
    return ""


def arguments(values: Values) -> Values:
    """What its class is to be told: what differs from here, and what a library would take otherwise."""
    kind = values["kind"]
    if kind == "other":
        return read_arguments(values["arguments"])
    usual = CLASSES[kind]()
    always = {"weight_decay", *BETAS, *LIBRARY_DEFAULTS.get(kind, ())}
    return {
        name: value
        for name, value in values.items()
        if name not in ("kind", *NOT_THEIRS) and (name in always or value != getattr(usual, name))
    }


def kohya_arguments(values: Values) -> list[str]:
    """As words of `--optimizer_args`."""
    told = arguments(values)
    if values["kind"] == "adafactor":
        told |= {"relative_step": False, "warmup_init": False}
    betas = [told.pop(name) for name in BETAS if name in told]
    if len(betas) > 1:
        told["betas"] = ",".join(number_text(beta) for beta in betas)
    elif betas and betas[0]:
        told["beta1"] = betas[0]
    return [f"{name}={number_text(value)}" for name, value in told.items()]


def number_text(value: Any) -> str:
    """A number as a person would write it, and as it is read back."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
