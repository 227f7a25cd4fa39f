"""sd-scripts' networks: kinds of LoRA, their sizes, and which parts of the model are trained at which rate."""

from __future__ import annotations

import re
from typing import Any, cast

from modules.catalog import FAMILIES
from modules.exchange import schedules
from modules.exchange.imported import Intake, as_number, shown_value
from modules.exchange.kohya.names import NETWORK_OPTIONS
from modules.exchange.optimizers import read_arguments
from modules.preset.paths import Values
from modules.sentences.problem import problem

LYCORIS_PRESETS = {"attn-only": "attention", "unet-convblock-only": "resnets"}
SWITCHES = {
    "lokr": (("decompose_both", "decompose_both"), ("use_tucker", "tucker"), ("use_cp", "tucker")),
    "loha": (("use_tucker", "tucker"), ("use_cp", "tucker")),
}  # fmt: skip
MODULATION = ("img_mod_dim", "txt_mod_dim", "single_mod_dim")  # of FLUX: 0 leaves these layers out
NO_MORE = (
    "train_norm", "rescaled", "bypass_mode", "use_scalar", "train_t5xxl", "split_qkv", "ggpo_beta",
    "block_lr_zero_threshold", "conv_block_dims", "conv_block_alphas", "in_dims", "rs_lora", "unbalanced",
)  # fmt: skip
ENCODERS_RATE, UNET_RATE = "text_encoder_lr", "unet_lr"


def put_network(intake: Intake, kind: str) -> None:
    """The method, the adapter's size, and what is trained at which rate."""
    intake.put("method.kind", kind, *([name] if (name := _says_kind(intake)) else ()))
    options = read_arguments(intake.raw("network_args"))
    if intake.has("network_args"):
        intake.spread("network_args", "method.kind")
    if kind == "embedding":
        _word(intake)
    elif kind == "full":
        _full_rates(intake)
    else:
        _adapter(intake, kind, options)
        _adapter_rates(intake)


def _says_kind(intake: Intake) -> str:
    return next((name for name in ("network_module", "token_string", "network_dim") if intake.has(name)), "")


def _adapter(intake: Intake, kind: str, options: Values) -> None:
    intake.put("training.learning_rate", intake.number("learning_rate") or 1e-4, "learning_rate")
    _size(intake, kind, options)
    if kind == "lora":
        intake.take_on("method.dropout", "network_dropout")
    for name in ("rank_dropout", "module_dropout"):
        intake.put(f"method.{name}", as_number(options.get(name)))
    if kind == "oft":
        intake.put("method.constraint", as_number(options.get("constraint", options.get("constrain"))))
    else:
        _low_rank(intake, kind, options)
    for name, value in options.items():
        if name not in NETWORK_OPTIONS or (name in NO_MORE and _on(value)):
            intake.note("import.network-argument", argument=shown_value(f"{name}={value}"))
    _layers(intake, options)
    if intake.take_on("method.start_from", "network_weights"):
        intake.take("method.rank_from_file", "dim_from_weights")


def _size(intake: Intake, kind: str, options: Values) -> None:
    rank = intake.whole("network_dim") or 4
    if kind == "oft":
        intake.put("method.block_size", max(2, rank), "network_dim")
    elif kind == "lokr" and (_on(options.get("full_matrix")) or rank >= 10_000):
        intake.put("method.full_matrix", True, "network_dim", why=problem("import.full-matrix"))
        intake.leave_out("network_alpha", problem("import.full-matrix"))
    else:
        intake.put("method.rank", rank, "network_dim")
        intake.put("method.alpha", intake.number("network_alpha") or float(rank), "network_alpha")


def _low_rank(intake: Intake, kind: str, options: Values) -> None:
    intake.take_on("method.max_norm", "scale_weight_norms")
    ratio = as_number(options.get("loraplus_unet_lr_ratio")) or as_number(options.get("loraplus_lr_ratio"))
    if ratio:
        intake.put("method.rate_ratio", ratio)
    if _on(options.get("dora_wd", options.get("weight_decompose"))):
        on_output = options.get("wd_on_output", options.get("wd_on_out", True))
        intake.put("method.dora", True)
        intake.put("method.dora_axis", "outputs" if _on(on_output) else "inputs")
    if kind == "lokr" and (factor := as_number(options.get("factor"))) is not None:
        intake.put("method.factor", int(max(0, min(1024, factor))))
    for name, ours in SWITCHES.get(kind, ()):
        if _on(options.get(name)):
            intake.put(f"method.{ours}", True)


def _layers(intake: Intake, options: Values) -> None:
    """LyCORIS adapts convolutions unless it is told not to; sd-scripts' own LoRA where a size for them is given."""
    module = intake.text("network_module")
    lycoris, preset = module.startswith("lycoris"), str(options.get("preset") or "full")
    layers = LYCORIS_PRESETS.get(preset, "attention-mlp") if lycoris else "attention-mlp"
    if FAMILIES[intake.family].is_flow:
        without = all(as_number(options.get(name)) == 0 for name in MODULATION)
        flux = module.endswith("_flux") and not without
        whole = flux or module.endswith("_krea2") or layers not in FAMILIES[intake.family].layer_sets
        intake.put("method.layers", "all" if whole else layers)
        return
    intake.put("method.layers", layers)
    conv = as_number(options.get("conv_dim"))
    by_itself = lycoris and conv is None and preset in ("full", "unet-convblock-only")
    if conv or by_itself:
        intake.put("method.conv", True)
    if conv and intake.method != "oft":
        usual = intake.number("network_alpha") if lycoris else 1.0
        intake.put("method.conv_rank", int(min(conv, 1024)))
        intake.put("method.conv_alpha", as_number(options.get("conv_alpha")) or usual)
    _groups(intake, options)


def _groups(intake: Intake, options: Values) -> None:
    """Ranks of single blocks, and rates of the down, middle and up blocks, as layer groups."""
    rate = intake.number(UNET_RATE) or intake.number("learning_rate")
    names = _block_names(intake.family)
    parts = ("down_lr_weight", "mid_lr_weight", "up_lr_weight")
    dims, alphas = (_numbers(options.get(name)) for name in ("block_dims", "block_alphas"))
    weights = [weight for part in parts for weight in _numbers(options.get(part))]
    if intake.family == "sdxl" and len(weights) == len(names) - 2:  # without the time embedding and the last layers
        weights = [1.0, *weights, 1.0]
    groups: list[Values] = [{} for _ in names]
    if len(dims) == len(names):
        groups = [{"rank": int(dim), "train": dim > 0} for dim in dims]
    if len(dims) == len(alphas) == len(names):
        groups = [{**group, "alpha": alpha} for group, alpha in zip(groups, alphas, strict=True)]
    if len(weights) == len(names):
        pairs = zip(groups, weights, strict=True)
        groups = [group | ({"learning_rate": rate * weight} if weight else {"train": False}) for group, weight in pairs]
    known = FAMILIES[intake.family].layer_sets
    found = [{"layers": name, **group} for name, group in zip(names, groups, strict=True) if group and name in known]
    if found:
        intake.put("method.groups", found)
        intake.note("import.blocks", count=len(found))
    elif dims or any(options.get(part) for part in parts):
        intake.note("import.no-blocks")


def _block_names(family: str) -> list[str]:
    """Its blocks in its order, by the names of our sets of layers: 25 for Stable Diffusion, 23 for SDXL."""
    if family == "sd":
        return [*(f"input {n}" for n in range(12)), "mid", *(f"output {n}" for n in range(12))]
    middle = (f"middle {n}" for n in range(3))
    return ["time", *(f"input {n}" for n in range(9)), *middle, *(f"output {n}" for n in range(9)), "output end"]


def _numbers(value: Any) -> list[float]:
    words = value if isinstance(value, list | tuple) else re.split(r"[,\s]+", str(value or ""))
    found = [as_number(word) for word in cast("list[Any]", list(words)) if word not in ("", None)]
    return [] if any(number is None for number in found) else [number or 0.0 for number in found]


def _on(value: Any) -> bool:
    return str(value if value is not None else "").strip().lower() not in ("", "false", "0", "none", "no", "0.0")


# Rates ----------------------------------------------------------------------------------------------------------------


def _encoder_rates(intake: Intake) -> list[float | None]:
    """A rate for each text encoder: several in a list, one for all, or None where nothing is said."""
    raw = intake.raw(ENCODERS_RATE)
    rates = _numbers(raw if isinstance(raw, list) else str(raw if raw is not None else "").strip("[] "))
    return list(rates) or [None]


def _trained_encoders(intake: Intake) -> list[str]:
    return [name for name in FAMILIES[intake.family].trainable if name != "denoiser"]


def _adapter_rates(intake: Intake) -> None:
    """A rate of 0 switches a part off there; here it would mean the rate of the run."""
    common, own = intake.number("learning_rate") or 1e-4, intake.number(UNET_RATE)
    off = problem("import.rate-zero") if intake.has(UNET_RATE) and not own else None
    encoders_only = intake.yes("network_train_text_encoder_only")
    if encoders_only or (off and not intake.yes("network_train_unet_only")):
        name = "network_train_text_encoder_only" if encoders_only and not off else UNET_RATE
        intake.put("training.denoiser.train", False, name, why=off)
    elif own:
        intake.put("training.denoiser.learning_rate", own if own != common else 0.0, UNET_RATE)
    encoders = _trained_encoders(intake)
    for number, name in enumerate(encoders):
        _encoder_rate(intake, name, number, common)
    if not encoders:
        intake.leave_out(ENCODERS_RATE, problem("import.frozen-encoder"))
    _stop(intake, encoders)


def _encoder_rate(intake: Intake, name: str, number: int, common: float) -> None:
    """One rate counts for all text encoders, a list for each; rows speak of it once."""
    given = _encoder_rates(intake)
    rate = given[min(number, len(given) - 1)]
    unet_only = intake.yes("network_train_unet_only")
    trained = not unet_only and rate != 0
    said = "network_train_unet_only" if unet_only else ENCODERS_RATE
    zero = problem("import.rate-zero") if rate == 0 and not unet_only else None
    intake.put(f"training.{name}.train", trained, *([said] if not number else ()), why=zero)
    if trained and rate and rate != common:
        intake.put(f"training.{name}.learning_rate", rate, *([ENCODERS_RATE] if not number else ()))


def _stop(intake: Intake, encoders: list[str]) -> None:
    steps = intake.whole("stop_text_encoder_training")
    for name in encoders if steps > 0 else ():
        intake.put(f"training.{name}.stop_after", schedules.every(steps, "step"), "stop_text_encoder_training")


def _full_rates(intake: Intake) -> None:
    """Full fine-tunes train text encoders where they are told to, by a switch or by a rate."""
    intake.put("training.learning_rate", intake.number("learning_rate") or 2e-6, "learning_rate")
    intake.put("method.layers", "all")
    encoders = _trained_encoders(intake)
    for number, name in enumerate(encoders):
        theirs = f"learning_rate_te{number + 1}" if intake.has(f"learning_rate_te{number + 1}") else "learning_rate_te"
        rate = intake.number(theirs) if intake.has(theirs) else None
        told = intake.yes("train_text_encoder") if intake.has("train_text_encoder") else bool(rate)
        trained = told and rate != 0
        intake.put(f"training.{name}.train", trained, *(["train_text_encoder"] if number == 0 else ()))
        if trained and rate:
            intake.put(f"training.{name}.learning_rate", rate, theirs)
        elif rate == 0:
            intake.leave_out(theirs, problem("import.rate-zero"))
    _stop(intake, encoders)
    if any(_numbers(intake.raw("block_lr"))):
        intake.note("import.no-blocks")


def _word(intake: Intake) -> None:
    intake.put("training.learning_rate", intake.number("learning_rate") or 2e-6, "learning_rate")
    for ours, theirs in (("token", "token_string"), ("start", "init_word"), ("file", "weights")):
        if intake.has(theirs):
            intake.put(f"words.0.{ours}", intake.text(theirs), theirs)
    intake.put("words.0.vectors", max(1, intake.whole("num_vectors_per_token")), "num_vectors_per_token")
