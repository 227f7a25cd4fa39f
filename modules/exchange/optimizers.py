"""Optimizers by the names and arguments of other programs."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, cast

from modules.errors import BadValue
from modules.exchange.imported import Intake, as_number
from modules.preset.optimizers import OPTIMIZERS
from modules.preset.optimizers.other import checked_name
from modules.preset.paths import Values
from modules.sentences.problem import problem

# Letters and figures of their names -> ours. What stands behind "~" is near to theirs and not the same.
NAMES: dict[str, str] = {
    "sgdnesterov": "sgd", "sgdnesterov8bit": "~sgd8bit", "pagedadamw": "paged_adamw", "pagedadamw32bit": "paged_adamw",
    "pagedadamw8bit": "paged_adamw8bit", "pagedlion8bit": "paged_lion8bit", "pagedademamix8bit": "paged_ademamix8bit",
    "dadaptation": "dadapt_adam", "dadaptadampreprint": "dadapt_adam", "dadaptadam": "dadapt_adam",
    "dadaptadagrad": "dadapt_adagrad", "dadaptadan": "dadapt_adan", "dadaptadanip": "~dadapt_adan",
    "dadaptlion": "dadapt_lion", "dadaptsgd": "dadapt_sgd", "adamwschedulefree": "schedule_free_adamw",
    "radamschedulefree": "schedule_free_radam", "sgdschedulefree": "schedule_free_sgd",
    "schedulefreeadamw": "schedule_free_adamw", "schedulefreesgd": "schedule_free_sgd",
    "schedulefreeradam": "schedule_free_radam", "prodigyplusschedulefree": "prodigy_schedule_free",
    "prodigyopt": "prodigy", "prodigy8bit": "~prodigy", "came8bit": "~came", "lamb8bit": "~lamb",
    "adamwadv": "~adamw", "adamw4bit": "~adamw8bit", "adamw8bitao": "~adamw8bit", "adamwbf16": "adamw",
    "adamwoptimi": "~adamw", "stableadamw": "~adamw", "adamwkahan": "~adamw",
    "adam8": "adam8bit", "adamw8": "adamw8bit",
    "adam32bit": "adam", "adamw32bit": "adamw", "lion32bit": "lion", "optimiadamw": "~adamw", "optimilion": "~lion",
    "prodigyadv": "~prodigy", "lionadv": "~lion", "adoptadv": "~adopt", "muonadv": "~muon", "adamuonadv": "~muon",
    "simplifiedademamix": "~ademamix", "automagic": "~adamw8bit", "automagic2": "~adamw8bit",
    "transformersadafactor": "adafactor",
}  # fmt: skip
OTHERS = {
    name.lower(): f"pytorch_optimizer:{name}" for name in ("AdaBelief", "Tiger", "Aida", "Yogi", "Ranger", "SOAP")
}
OPTIONS = {kind.model_fields["kind"].default: set(kind.model_fields) - {"kind"} for kind in OPTIMIZERS}
# What the libraries take where nothing is said, where we take something else.
LIBRARY_DEFAULTS: dict[str, dict[str, Any]] = {
    "prodigy": {"beta2": 0.999, "weight_decay": 0.0, "use_bias_correction": False, "safeguard_warmup": False},
    "dadapt_lion": {"beta2": 0.99},
    "adafactor": {"scale_parameter": True},
    "sgd": {"momentum": 0.0},
}
INNER = {  # how an optimizer computes, which has no say in what comes out, or is always so here
    "fused", "foreach", "capturable", "differentiable", "fused_back_pass", "stochastic_rounding", "decouple",
    "weight_decouple", "min_8bit_size", "percentile_clipping", "block_wise", "is_paged", "optim_bits", "log_every",
    "fsdp_in_use", "decoupled_decay", "use_triton", "quant_block_size", "maximize", "no_prox", "fixed_decay",
    "unit_norm", "relative_step", "warmup_init", "max_unorm", "eps2", "compiled_optimizer", "kahan_sum",
    "initial_accumulator", "adam_w_mode", "beta_decay", "growth_rate",
}  # fmt: skip
ARGUMENT = re.compile(  # NAME=VALUE, where a value is a quoted text, a list, or a word
    r"([A-Za-z_]\w*)\s*=\s*(\"[^\"]*\"|'[^']*'|\([^)]*\)|\[[^\]]*\]|[^\s,]+(?:,[\d.][^\s]*)*)"
)


def plain_name(name: str) -> str:
    """ "bitsandbytes.optim.adamw.AdamW8bit" and "ADAMW_8BIT" are the same name."""
    return re.sub(r"[^a-z0-9]", "", name.lower().rpartition(".")[2])


def kind_of_name(name: str) -> tuple[str, bool, str]:
    """Ours, whether it is only near to theirs, and the class where it is one without a row here."""
    plain = plain_name(name)
    own = {plain_name(kind): kind for kind in OPTIONS if kind != "other"}
    found = NAMES.get(plain) or own.get(plain, "")
    if found:
        return found.removeprefix("~"), found.startswith("~"), ""
    if plain in OTHERS:
        return "other", False, OTHERS[plain]
    library, _, last = name.rpartition(".")
    for candidate in (f"{library}.{last}", f"{library.split('.')[0]}.{last}"):
        try:
            return "other", False, checked_name(candidate)
        except BadValue:
            continue
    return "adamw", True, ""


def put_optimizer(
    intake: Intake,
    where: str,
    name: str,
    given: Values,
    *,
    prefix: str = "",
    defaults: Mapping[str, Mapping[str, Any]] = LIBRARY_DEFAULTS,
) -> Values:
    """Lay down an optimizer and its arguments; `where`: the setting of theirs that names it.

    Args:
        given: its arguments as its class has them.
        prefix: before the names of the arguments among their settings ("optimizer."); "": they are part of one text.

    Returns:
        The arguments as they are read, for what the schedule must know of them.
    """
    kind, near, path = kind_of_name(name or "AdamW")
    why = problem("import.near-optimizer", name=name, kind=kind) if near else None
    intake.put("optimizer.kind", kind, where, why=why)
    if path:
        intake.put("optimizer.name", path)
    values = dict(defaults.get(kind, {}))
    if plain_name(name) == "sgdnesterov":
        values |= {"nesterov": True, "momentum": 0.9}
    values |= _as_ours(given)
    others: list[str] = []
    for key, value in values.items():
        if key in OPTIONS[kind]:
            intake.put(f"optimizer.{key}", _typed(value), *([f"{prefix}{key}"] if prefix and key in given else ()))
        elif key in given or key.startswith("beta"):
            others.append(key)
    if kind == "other":
        _put_arguments(intake, {key: given[key] for key in given if key not in INNER})
    else:
        _leave_out(intake, where, prefix, {key: values[key] for key in others})
    return values


def _as_ours(given: Values) -> Values:
    """Arguments with betas one by one."""
    found: Values = {}
    for name, value in given.items():
        if name == "betas" and isinstance(value, list | tuple):
            betas = cast("list[Any]", list(value))
            found |= {f"beta{number}": beta for number, beta in enumerate(betas, 1)}
        elif name == "eps" and isinstance(value, list | tuple):
            continue
        elif value is not None:
            found[name] = value
    return found


def _typed(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if isinstance(value, bool):
        return value
    number = as_number(value)
    return value if number is None else number


def _put_arguments(intake: Intake, given: Values) -> None:
    words = ", ".join(f"{name}={value!r}" for name, value in given.items() if name.isidentifier())
    if words:
        intake.put("optimizer.arguments", words)


def _leave_out(intake: Intake, where: str, prefix: str, arguments: Values) -> None:
    for name, value in arguments.items():
        code = "import.inner-optimizer" if name in INNER else "import.no-optimizer-option"
        if prefix:
            intake.leave_out(f"{prefix}{name}", problem(code))
        elif name not in INNER:
            intake.note("import.optimizer-argument", theirs=where, argument=f"{name}={value}")


def read_arguments(text: Any) -> Values:
    """What stands in "weight_decay=0.1 betas=.9,.99", as a text, a list of such words, or a table."""
    if isinstance(text, dict):
        return cast("Values", text)
    words = [str(each) for each in cast("list[Any]", text)] if isinstance(text, list) else [str(text or "")]
    found: Values = {}
    for word in words:
        for match in ARGUMENT.finditer(word):
            found[match[1]] = literal(match[2])
    return found


def literal(text: str) -> Any:
    """A number, a list of numbers, a switch, or the text itself: nothing in it is run."""
    text = text.strip().strip("\"'")
    if text.lower() in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text.lower()]
    if len(text) > 500:
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text
