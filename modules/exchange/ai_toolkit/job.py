"""ai-toolkit's jobs: the settings of their first process.

A step there is an update with all the batches of `gradient_accumulation`; with the older `gradient_accumulation_steps`
it is a batch.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from modules.catalog import FAMILIES
from modules.exchange import schedules
from modules.exchange.ai_toolkit.data import put_concepts, put_samples
from modules.exchange.ai_toolkit.names import (
    ARCHITECTURES,
    DEFAULTS,
    DTYPES,
    OPTIMIZER_DEFAULTS,
    QUANTIZED,
    SWITCHES,
    WITHOUT,
)
from modules.exchange.imported import Imported, Intake, flattened
from modules.exchange.optimizers import kind_of_name, put_optimizer
from modules.preset.paths import Values
from modules.sentences.problem import problem

LISTS = ("datasets", "sample.prompts", "sample.samples")


def recognizes(values: Values) -> bool:
    """Whether an object is one of its jobs, or the one process of a job."""
    config = values.get("config")
    return bool("job" in values and isinstance(config, dict) and cast("Values", config).get("process"))


def read(values: Values, folder: Path | None) -> Imported:
    """What a job comes to."""
    config = cast("Values", values["config"])
    name = str(config.get("name") or "")
    processes = config["process"] if isinstance(config["process"], list) else [config["process"]]
    first = next((each for each in cast("list[Any]", processes) if isinstance(each, dict)), {})
    process = cast("Values", _named(first, name))
    lists = {each: _taken(process, each) for each in LISTS}
    intake = Intake("ai-toolkit", {**flattened(process), **_plain(lists)}, DEFAULTS)
    if name:
        intake.given["name"] = name
        intake.put("general.name", name[:100], "name")
    for key in lists:
        intake.raw(key)
    _model(intake)
    _method(intake)
    _length(intake)
    _optimizer(intake)
    _schedule(intake)
    _objective(intake)
    _output(intake)
    put_concepts(intake, lists["datasets"])
    put_samples(intake, lists)
    return intake.finish(WITHOUT)


def _named(value: Any, name: str) -> Any:
    """With [name] replaced, as it does itself; ${VARIABLES} stay as they are, for nobody is to read those."""
    if isinstance(value, str):
        return value.replace("[name]", name)
    if isinstance(value, list):
        return [_named(each, name) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _named(each, name) for key, each in cast("Values", value).items()}
    return value


def _taken(process: Values, name: str) -> list[Any]:
    """A list of it, taken out."""
    above, _, last = name.rpartition(".")
    place = process.get(above) if above else process
    found = cast("Values", place).pop(last, None) if isinstance(place, dict) else None
    return cast("list[Any]", found) if isinstance(found, list) else []


def _plain(lists: dict[str, list[Any]]) -> Values:
    return {name: f"({len(each)})" for name, each in lists.items() if each}


def steps_each(intake: Intake) -> int:
    """Of its steps in one of ours."""
    return max(1, intake.whole("train.gradient_accumulation_steps"))


# The model ------------------------------------------------------------------------------------------------------------


def _model(intake: Intake) -> None:
    arch = intake.text("model.arch").partition(":")[0]
    name = "model.arch" if arch else ""
    if not arch:
        name = next((f"model.{switch}" for switch in SWITCHES if intake.yes(f"model.{switch}")), "")
        arch = SWITCHES.get(name.removeprefix("model."), "sd1")
    family = ARCHITECTURES.get(arch, "")
    if family:
        intake.put("model.family", family, *([name] if name else ()))
    else:
        intake.note("import.no-family", name=arch)
    if intake.text("model.name_or_path"):
        intake.put("model.source", intake.text("model.name_or_path"), "model.name_or_path")
    if intake.text("model.vae_path"):
        intake.put("model.vae", intake.text("model.vae_path"), "model.vae_path")
    if intake.text("model.assistant_lora_path"):
        path = intake.text("model.assistant_lora_path")
        intake.put("model.training_adapters.0.path", path, "model.assistant_lora_path")
    if intake.yes("model.is_v_pred"):
        intake.put("objective.prediction", "v_prediction", "model.is_v_pred")
    dtype = DTYPES.get(intake.text("train.dtype"))
    intake.put("model.dtype", dtype, "train.dtype") if dtype else None
    _memory(intake)


def _memory(intake: Intake) -> None:
    if intake.yes("model.quantize"):
        kind = re.sub(r"^(q|u|torchao_?)*", "", intake.text("model.qtype").partition("|")[0].lower())
        ours = QUANTIZED.get(kind, "auto")
        intake.put("model.quantization", ours, "model.qtype", why=problem("import.near-quantization"))
    if intake.yes("model.layer_offloading"):
        share = min(1.0, max(0.0, intake.number("model.layer_offloading_transformer_percent")))
        intake.put("model.offload", "all" if share == 1 else schedules.warmup_text(share), "model.layer_offloading")
    if intake.yes("model.compile"):
        intake.put("general.compile", "on", "model.compile")
    if intake.has("train.gradient_checkpointing"):
        on = intake.yes("train.gradient_checkpointing")
        intake.put("training.gradient_checkpointing", "all" if on else "auto", "train.gradient_checkpointing",
                   why=None if on else problem("import.memory-plan"))  # fmt: skip


# Method ---------------------------------------------------------------------------------------------------------------


def _method(intake: Intake) -> None:
    nets = [name for name in intake.given if name.startswith("network.")]
    if intake.has("embedding.trigger") and not nets:
        intake.put("method.kind", "embedding", "embedding.trigger")
    elif not nets:
        intake.put("method.kind", "full")
        intake.put("method.layers", "all")
    else:
        kind = intake.text("network.type").lower()
        ours = {"lora": "lora", "locon": "lora", "lokr": "lokr", "dora": "lora"}.get(kind)
        if ours is None:
            intake.note("import.no-method", name=kind)
        intake.put("method.kind", ours or "lora", "network.type")
        _adapter(intake, ours or "lora", kind)
    if any(name.startswith("embedding.") for name in intake.given):
        for ours, theirs in (("token", "trigger"), ("start", "init_words")):
            intake.put(f"words.0.{ours}", intake.text(f"embedding.{theirs}"), f"embedding.{theirs}")
        intake.put("words.0.vectors", intake.whole("embedding.tokens"), "embedding.tokens")


def _adapter(intake: Intake, kind: str, theirs: str) -> None:
    rank = "network.rank" if intake.has("network.rank") else "network.linear"
    if kind == "lokr":
        intake.put("method.factor", max(0, intake.whole("network.lokr_factor")), "network.lokr_factor")
    if kind == "lokr" and intake.yes("network.lokr_full_rank"):
        intake.put("method.full_matrix", True, "network.lokr_full_rank")
        intake.leave_out_all((rank, "network.linear_alpha", "network.alpha"), "import.full-matrix")
    else:
        alpha = "network.linear_alpha" if intake.has("network.linear_alpha") else "network.alpha"
        intake.put("method.rank", intake.whole(rank), rank)
        intake.put("method.alpha", intake.number(alpha) or 1.0, alpha)
    if kind == "lora" and intake.number("network.dropout"):
        intake.take("method.dropout", "network.dropout")
    if theirs == "dora":
        intake.put("method.dora", True)
    if intake.whole("network.conv") > 0 and kind == "lora":
        intake.put("method.conv", True)
        intake.put("method.conv_rank", intake.whole("network.conv"), "network.conv")
        own = intake.number("network.conv_alpha") or intake.number("network.conv")
        intake.put("method.conv_alpha", own, "network.conv_alpha")
    if intake.text("network.pretrained_lora_path"):
        intake.put("method.start_from", intake.text("network.pretrained_lora_path"), "network.pretrained_lora_path")
    _layers(intake)


def _layers(intake: Intake) -> None:
    sets = FAMILIES[intake.family].layer_sets
    wanted, unwanted = (f"network.network_kwargs.{name}" for name in ("only_if_contains", "ignore_if_contains"))
    blocks = "blocks" if "blocks" in sets and intake.yes("network.transformer_only") else "all"
    layers = blocks if FAMILIES[intake.family].is_flow else "attention-mlp"
    only, without = (_parts(intake.raw(name)) for name in (wanted, unwanted))
    if only:
        intake.put("method.layers", ", ".join(only), wanted)
    elif without:
        intake.put("method.layers", f"^(?!.*({'|'.join(without)})).*$", unwanted)
    else:
        intake.put("method.layers", layers)
    if only and without:
        intake.leave_out(unwanted, problem("import.no-counterpart"))


def _parts(value: Any) -> list[str]:
    """Parts of names, as parts of ours: the denoiser's own name in front is none."""
    words = cast("list[Any]", value) if isinstance(value, list) else [value] if value else []
    return [re.escape(re.sub(r"^(transformer|unet|diffusion_model)\.", "", str(word))) for word in words if word]


# Length and rates -----------------------------------------------------------------------------------------------------


def _length(intake: Intake) -> None:
    each, common = steps_each(intake), intake.number("train.lr")
    why = problem("import.micro-batches", program=intake.program, count=each) if each > 1 else None
    intake.put("training.steps", max(1, intake.whole("train.steps") // each), "train.steps", why=why)
    intake.put("training.batch_size", max(1, intake.whole("train.batch_size")), "train.batch_size")
    name = "train.gradient_accumulation_steps" if each > 1 else "train.gradient_accumulation"
    intake.put("training.accumulation", max(each, intake.whole("train.gradient_accumulation")), name)
    intake.put("training.learning_rate", common or 1e-6, "train.lr")
    intake.put("training.denoiser.train", intake.yes("train.train_unet"), "train.train_unet")
    if intake.number("train.unet_lr") not in (0.0, common):
        intake.take("training.denoiser.learning_rate", "train.unet_lr")
    for name in [name for name in FAMILIES[intake.family].trainable if name != "denoiser"]:
        intake.put(f"training.{name}.train", intake.yes("train.train_text_encoder"), "train.train_text_encoder")
        if intake.yes("train.train_text_encoder") and intake.number("train.text_encoder_lr") not in (0.0, common):
            intake.take(f"training.{name}.learning_rate", "train.text_encoder_lr")
    if intake.has("train.reg_weight"):
        intake.take("prior.weight", "train.reg_weight")
    if intake.yes("train.ema_config.use_ema"):
        intake.put("training.ema", True, "train.ema_config.use_ema")
        intake.take("training.ema_decay", "train.ema_config.ema_decay")


def _optimizer(intake: Intake) -> None:
    name, where = intake.text("train.optimizer"), "train.optimizer"
    start = f"{where}_params."
    own = {key.removeprefix(start): value for key, value in intake.given.items() if key.startswith(start)}
    own |= {f"beta{n}": beta for n, beta in enumerate(_list(own.pop("betas", None)), 1)}
    put_optimizer(intake, where, name, own, prefix=start, defaults=OPTIMIZER_DEFAULTS)
    intake.raw(f"{start}betas")
    kind = kind_of_name(name)[0]
    if kind.startswith(("prodigy", "dadapt")) and intake.number("train.lr") < 0.1:
        intake.put("training.learning_rate", 1.0, "train.lr", why=problem("import.rate-of-one"))
    clip = 0.0 if name.lower() == "adafactor" else intake.number("train.max_grad_norm")
    intake.put("training.clip_gradients", clip, "train.max_grad_norm")


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _schedule(intake: Intake) -> None:
    """PyTorch's own schedules; of those that it would ask diffusers for, the name decides."""
    name, start = "train.lr_scheduler", "train.lr_scheduler_params."
    kind = intake.text(name).lower()
    if kind == "linear":  # climbs, from a third where nothing else is said
        low, high = (_share(intake, f"{start}{key}", usual) for key, usual in (("start_factor", 1 / 3),
                                                                               ("end_factor", 1.0)))  # fmt: skip
        intake.put("schedule.kind", "custom", name, why=problem("import.linear-climbs"))
        intake.put("schedule.points", f"0:{low:.6f}, 1:{high:.6f}")
        return
    ours = schedules.KINDS.get(kind)
    single = kind == "cosine_with_restarts"  # its first cycle is as long as the run
    intake.put("schedule.kind", "cosine" if single else ours or "constant", name,
               why=None if ours else problem("import.no-schedule", name=kind))  # fmt: skip
    if kind in ("cosine", "cosine_with_restarts") and intake.number(f"{start}eta_min"):
        share = min(1.0, intake.number(f"{start}eta_min") / (intake.number("train.lr") or 1e-6))
        intake.put("schedule.minimum", share, f"{start}eta_min", why=problem("import.share-of-rate"))
    warm = f"{start}num_warmup_steps"
    if intake.has(warm) or kind == "constant_with_warmup":
        amount = intake.number(warm) if intake.has(warm) else 1000
        intake.put("schedule.warmup", schedules.steps_text(amount / steps_each(intake)), warm)


def _share(intake: Intake, name: str, usual: float) -> float:
    return min(1.0, max(0.0, intake.number(name))) if intake.has(name) else usual


# Objective ------------------------------------------------------------------------------------------------------------


def _objective(intake: Intake) -> None:
    loss = {"mse": "mse", "mae": "mae", "l1": "mae", "l2": "mse", "pseudo_huber": "pseudo_huber"}
    kind = loss.get(intake.text("train.loss_type"))
    why = None if kind else problem("import.no-counterpart")
    if kind not in (None, "mse"):
        intake.put("objective.loss.mse", 0.0)
    intake.put(f"objective.loss.{kind or 'mse'}", 1.0, "train.loss_type", why=why)
    if kind == "pseudo_huber":
        intake.put("objective.loss.huber_delta", 0.01)
    gamma = next((f"train.{name}" for name in ("snr_gamma", "min_snr_gamma") if intake.number(f"train.{name}")), "")
    if gamma:
        intake.put("objective.weighting", "min_snr", gamma)
        intake.put("objective.min_snr_gamma", intake.number(gamma))
    if not FAMILIES[intake.family].is_flow:
        intake.take_on("objective.noise.offset", "train.noise_offset")
    else:
        _times(intake)
    low, high = intake.whole("train.min_denoising_steps"), intake.whole("train.max_denoising_steps")
    counted = problem("import.from-the-noisiest")
    if 0 < low < 1000:
        intake.put("objective.times.upper", 1 - low / 1000, "train.min_denoising_steps", why=counted)
    if 0 < high < 999:
        intake.put("objective.times.lower", 1 - (high + 1) / 1000, "train.max_denoising_steps", why=counted)
    if intake.text("train.content_or_style") != "balanced":
        intake.leave_out("train.content_or_style", problem("import.no-counterpart"))


def _times(intake: Intake) -> None:
    name = next((f"train.linear_timesteps{n}" for n in ("", "2") if intake.yes(f"train.linear_timesteps{n}")), "")
    kind = "linear" if name else intake.text("train.timestep_type")
    name = name or "train.timestep_type"
    if kind == "sigmoid":
        intake.put("objective.times.kind", "logit_normal", name, why=problem("import.sigmoid-of-normal"))
    elif kind.endswith("shift"):
        intake.put("objective.times.kind", "uniform", name)
        intake.put("objective.times.dynamic_shift", True)
    else:
        plain = kind == "linear"
        why = None if plain else problem("import.weighted-times")
        intake.put("objective.times.kind", "uniform", name, why=why)


def _output(intake: Intake) -> None:
    each = steps_each(intake)
    dtype = DTYPES.get(intake.text("save.dtype"))
    intake.put("output.dtype", dtype, "save.dtype") if dtype else None
    every = schedules.every(intake.number("save.save_every"), "step", steps_each=each)
    intake.put("backup.save_every", every, "save.save_every")
    off = intake.yes("train.disable_sampling")
    every = "never" if off else schedules.every(intake.number("sample.sample_every"), "step", steps_each=each)
    intake.put("sampling.every", every, "sample.sample_every", *(["train.disable_sampling"] if off else ()))
    if intake.has("train.skip_first_sample"):
        intake.put("sampling.first", not (off or intake.yes("train.skip_first_sample")), "train.skip_first_sample")
