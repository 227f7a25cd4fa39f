"""SimpleTuner's arguments. Its steps are updates; its repeats are those beside the first showing."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path
from typing import Any, cast

from modules.catalog import FAMILIES
from modules.exchange import schedules
from modules.exchange.imported import Imported, Intake, as_number
from modules.exchange.optimizers import put_optimizer, read_arguments
from modules.exchange.simpletuner.data import put_concepts, put_datasets, put_samples, read_beside
from modules.exchange.simpletuner.names import (
    ALGORITHMS,
    DEFAULTS,
    ENVIRONMENT,
    FAMILY_NAMES,
    FLAVOURS,
    QUANTIZED,
    RENAMED,
    WITHOUT,
)
from modules.preset.paths import Values
from modules.sentences.problem import problem

MARKS = {"model_family", "model_type", "data_backend_config", "lora_type", "model_flavour", "base_model_precision",
         "caption_dropout_probability", "aspect_bucket_rounding", "tracker_run_name", "checkpoints_total_limit",
         "validation_num_inference_steps", "lycoris_config", "hub_model_id"}  # fmt: skip
ASSIGNED = re.compile(
    r"^\s*(?:export\s+)?(MODEL_FAMILY|MODEL_TYPE|MODEL_NAME|DATALOADER_CONFIG|LR_SCHEDULE|MAX_NUM_STEPS"
    r"|TRAIN_BATCH_SIZE|CHECKPOINTING_STEPS|LEARNING_RATE|LORA_TYPE)=", re.MULTILINE
)  # fmt: skip
EPS = {kind: {"eps": 1e-6} for kind in ("adamw", "adamw8bit", "paged_adamw", "paged_adamw8bit")}


def recognizes(values: Values) -> bool:
    """Whether an object, or the words of a command line, are its arguments."""
    names = set(_plain(values))
    return len(MARKS & names) >= (2 if "model_family" in names else 4)


def recognizes_environment(text: str) -> bool:
    """Whether a text is its `config.env`."""
    return len(set(ASSIGNED.findall(text))) >= 3


def of_environment(text: str) -> Values:
    """The arguments of `config.env`: assignments, taken apart; nothing in them is run."""
    found: Values = {}
    for match in re.finditer(r"^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE):
        try:
            value = " ".join(shlex.split(match[2], comments=True))
        except ValueError:
            value = match[2].strip()
        if match[1] == "TRAINER_EXTRA_ARGS":
            for name, word in re.findall(r"--(\w+)(?:[=\s]+([^\s-]\S*))?", value):
                found[name] = word or True
        else:
            found[ENVIRONMENT.get(match[1], match[1].lower())] = value
    return found


def _plain(values: Values) -> Values:
    found = {name.lstrip("-"): value for name, value in values.items()}
    return {RENAMED.get(name, name): value for name, value in found.items()}


def read(values: Values, folder: Path | None) -> Imported:
    """What its arguments come to."""
    intake = Intake("SimpleTuner", _plain(values), DEFAULTS)
    _model(intake)
    _method(intake, folder)
    _length(intake)
    _optimizer(intake)
    _schedule(intake)
    _objective(intake)
    put_concepts(intake, folder)
    put_samples(intake, folder)
    return intake.finish(WITHOUT)


def of_datasets(found: list[Any]) -> Imported:
    """The concepts of a list of datasets alone."""
    intake = Intake("SimpleTuner", {}, DEFAULTS)
    put_datasets(intake, found)
    return intake.finish(WITHOUT, partial=True)


# The model ------------------------------------------------------------------------------------------------------------


def _model(intake: Intake) -> None:
    theirs, flavour = intake.text("model_family"), intake.text("model_flavour")
    family = FAMILY_NAMES.get(theirs, "")
    source = intake.text("pretrained_model_name_or_path")
    if family == "flux2" and "dev" not in (flavour or source).lower():
        family = "flux2_klein"
    if family:
        intake.put("model.family", family, "model_family")
    else:
        intake.note("import.no-family", name=theirs)
    _source(intake, theirs, flavour)
    dtype = {"bf16": "bf16", "fp16": "fp16", "no": "fp32", "fp32": "fp32"}.get(intake.text("mixed_precision"))
    intake.put("model.dtype", dtype, "mixed_precision") if dtype else None
    _memory(intake)
    if intake.has("seed"):
        intake.put("general.seed", max(0, intake.whole("seed")), "seed")
    if intake.text("tracker_run_name"):
        intake.put("general.name", intake.text("tracker_run_name")[:100], "tracker_run_name")


def _source(intake: Intake, theirs: str, flavour: str) -> None:
    """A file, a name, or the model that a flavour of its type stands for."""
    source = intake.text("pretrained_model_name_or_path")
    files = [name for name in ("pretrained_transformer_model_name_or_path", "pretrained_unet_model_name_or_path")
             if intake.text(name)]  # fmt: skip
    names = FLAVOURS.get(theirs, {})
    if files or source:
        name = files[0] if files else "pretrained_model_name_or_path"
        intake.put("model.source", intake.text(name), name)
    elif names:
        intake.put("model.source", names.get(flavour) or next(iter(names.values())), "model_flavour")
    if intake.text("pretrained_vae_model_name_or_path"):
        intake.take("model.vae", "pretrained_vae_model_name_or_path")


def _memory(intake: Intake) -> None:
    kind = intake.text("base_model_precision").partition("-")[0]
    if kind in QUANTIZED:
        intake.put("model.quantization", QUANTIZED[kind], "base_model_precision",
                   why=problem("import.near-quantization"))  # fmt: skip
    if intake.has("gradient_checkpointing"):
        on = intake.yes("gradient_checkpointing")
        intake.put("training.gradient_checkpointing", "all" if on else "auto", "gradient_checkpointing",
                   why=None if on else problem("import.memory-plan"))  # fmt: skip


# Method ---------------------------------------------------------------------------------------------------------------


def _method(intake: Intake, folder: Path | None) -> None:
    if intake.text("model_type") != "lora":
        intake.put("method.kind", "full", "model_type")
        intake.put("method.layers", "all")
        return
    if intake.text("lora_type") == "lycoris":
        _lycoris(intake, folder)
        return
    intake.put("method.kind", "lora", "model_type")
    rank = intake.whole("lora_rank") or 16
    intake.put("method.rank", rank, "lora_rank")
    intake.put("method.alpha", intake.number("lora_alpha") or float(rank), "lora_alpha")
    intake.take("method.dropout", "lora_dropout")
    if intake.yes("use_dora"):
        intake.put("method.dora", True, "use_dora")
    target = intake.text("flux_lora_target")
    layers = {"all+ffs": "attention-mlp", "ai-toolkit": "blocks"}.get(target, "attention")
    why = problem("import.layer-preset", name=target) if target not in ("", "all", "all+ffs", "ai-toolkit") else None
    intake.put("method.layers", layers, "flux_lora_target", why=why)
    if intake.text("init_lora"):
        intake.take("method.start_from", "init_lora")


def _lycoris(intake: Intake, folder: Path | None) -> None:
    found = read_beside(intake, "lycoris_config", folder)
    own: Values = cast("Values", found) if isinstance(found, dict) else {}
    algo = str(own.get("algo", "lokr")).lower()
    if algo not in ALGORITHMS:
        intake.note("import.no-method", name=algo)
    kind = ALGORITHMS.get(algo, "lora")
    intake.put("method.kind", kind, "lora_type")
    intake.put("method.layers", "all" if kind == "full" else "attention-mlp")
    if kind == "full" or not own:
        return
    rank = as_number(own.get("linear_dim"))
    if kind == "oft":
        intake.put("method.block_size", int(rank or 4), "lycoris_config")
    elif kind == "lokr" and (own.get("full_matrix") or (rank or 0) >= 10_000):
        intake.put("method.full_matrix", True, "lycoris_config")
    else:
        intake.put("method.rank", int(min(1024.0, rank or 4)), "lycoris_config")
        intake.put("method.alpha", as_number(own.get("linear_alpha")) or 1.0)
    factor = as_number(own.get("factor"))
    if kind == "lokr" and factor is not None:
        intake.put("method.factor", int(max(0, factor)))
    if kind == "lokr" and own.get("decompose_both"):
        intake.put("method.decompose_both", True)
    intake.spread("lycoris_config", "method.kind")


# Length and rates -----------------------------------------------------------------------------------------------------


def _length(intake: Intake) -> None:
    for path, name in (("training.batch_size", "train_batch_size"),
                       ("training.accumulation", "gradient_accumulation_steps")):  # fmt: skip
        intake.put(path, max(1, intake.whole(name)), name)
    steps, epochs = intake.whole("max_train_steps"), math.ceil(intake.number("num_train_epochs"))
    intake.put("training.steps", max(0, steps), "max_train_steps")
    if steps <= 0:
        intake.put("training.epochs", max(1, epochs), "num_train_epochs")
    else:
        intake.leave_out("num_train_epochs", problem("import.steps-count"))
    _intervals(intake)
    _parts(intake)


def _intervals(intake: Intake) -> None:
    for path, start in (("backup.every", "checkpoint"), ("sampling.every", "validation")):
        for unit in ("epoch", "step"):
            name = f"{start}_{unit}_interval"
            if intake.whole(name):
                intake.put(path, schedules.every(intake.whole(name), unit), name)
    if intake.has("checkpoints_total_limit"):
        intake.put("backup.keep", max(1, intake.whole("checkpoints_total_limit")), "checkpoints_total_limit")


def _parts(intake: Intake) -> None:
    if intake.text("grad_clip_method") == "norm":
        intake.take("training.clip_gradients", "max_grad_norm")
    else:
        intake.put("training.clip_gradients", 0.0, "max_grad_norm", why=problem("import.clip-by-value"))
    trained = intake.yes("train_text_encoder")
    for name in FAMILIES[intake.family].trainable[1:]:
        intake.put(f"training.{name}.train", trained, "train_text_encoder")
        if trained and intake.number("text_encoder_lr"):
            intake.take(f"training.{name}.learning_rate", "text_encoder_lr")
    if intake.yes("use_ema"):
        intake.put("training.ema", True, "use_ema")
        intake.take("training.ema_decay", "ema_decay")
        intake.put("training.ema_every", max(1, intake.whole("ema_update_interval")), "ema_update_interval")


def _optimizer(intake: Intake) -> None:
    intake.put("training.learning_rate", intake.number("learning_rate") or 4e-7, "learning_rate")
    name = re.sub(r"^(torch|bnb|ao|optimi)-", "", intake.text("optimizer"))
    own = read_arguments(intake.raw("optimizer_config"))
    if intake.number("optimizer_beta1") and intake.number("optimizer_beta2"):
        own |= {"beta1": intake.number("optimizer_beta1"), "beta2": intake.number("optimizer_beta2")}
    for ours, theirs in (("beta1", "adam_beta1"), ("beta2", "adam_beta2"), ("weight_decay", "adam_weight_decay"),
                         ("eps", "adam_epsilon")):  # fmt: skip
        if intake.has(theirs):
            own.setdefault(ours, intake.number(theirs))
    library = {} if intake.text("optimizer").startswith("torch-") else EPS
    lion = {"lion": {"beta2": 0.99, "weight_decay": 0.0}} if intake.text("optimizer").startswith("optimi-") else {}
    put_optimizer(intake, "optimizer", name.replace("-", "_"), own, defaults={**library, **lion})
    if intake.has("optimizer_config"):
        intake.spread("optimizer_config", "optimizer.kind")


def _schedule(intake: Intake) -> None:
    """Its own cosine and sine are waves whose half is as long as the warm-up; with restarts the rate never falls."""
    kind, rate = intake.text("lr_scheduler").lower(), intake.number("learning_rate") or 4e-7
    warm, steps = intake.whole("lr_warmup_steps"), intake.whole("max_train_steps")
    minimum = min(1.0, max(0.0, intake.number("lr_end") / rate))
    if kind in ("cosine", "sine"):
        half = warm if warm > 0 else 1000
        cycles = steps / (2 * half)
        if 0 < cycles <= 12:
            shift = 0.0 if kind == "cosine" else 0.5
            schedules.put_curve(intake, lambda done: minimum + (1 - minimum) * (0.5 + 0.5 * math.cos(
                math.pi * (2 * cycles * done - shift))), "lr_scheduler", "lr_warmup_steps", "lr_end")  # fmt: skip
        else:
            intake.put("schedule.kind", "cosine", "lr_scheduler", why=problem("import.waves-of-warm-up"))
        return
    if kind == "cosine_with_restarts":
        intake.put("schedule.kind", "constant", "lr_scheduler", why=problem("import.restarts-stay"))
        return
    ours = schedules.KINDS.get(kind)
    why = None if ours else problem("import.no-schedule", name=kind)
    intake.put("schedule.kind", ours or "constant", "lr_scheduler", why=why)
    if ours == "polynomial":
        intake.take("schedule.power", "lr_power")
        intake.put("schedule.minimum", minimum, "lr_end", why=problem("import.share-of-rate"))
    if kind != "constant" and warm > 0:
        intake.put("schedule.warmup", schedules.steps_text(warm), "lr_warmup_steps")


# Objective ------------------------------------------------------------------------------------------------------------


def _objective(intake: Intake) -> None:
    loss = {"l2": "mse", "l1": "mae", "huber": "pseudo_huber", "smooth_l1": "huber"}.get(
        intake.text("loss_type"), "mse"
    )
    if loss != "mse":
        intake.put("objective.loss.mse", 0.0)
    intake.put(f"objective.loss.{loss}", 1.0, "loss_type")
    if "huber" in loss:
        intake.take("objective.loss.huber_delta", "huber_c")
        intake.take("objective.loss.huber_schedule", "huber_schedule")
    if intake.number("input_perturbation"):
        intake.take("objective.noise.perturbation", "input_perturbation")
    if FAMILIES[intake.family].is_flow:
        _times(intake)
        return
    _noise(intake)


def _noise(intake: Intake) -> None:
    if intake.text("prediction_type"):
        intake.take("objective.prediction", "prediction_type")
    if intake.yes("rescale_betas_zero_snr"):
        intake.put("objective.zero_terminal_snr", "on", "rescale_betas_zero_snr")
    if intake.number("snr_gamma"):
        soft = intake.yes("use_soft_min_snr")
        intake.put("objective.weighting", "soft_min_snr" if soft else "min_snr", "snr_gamma")
        intake.put("objective.min_snr_gamma", intake.number("snr_gamma"))
    if intake.yes("offset_noise"):
        intake.put("objective.noise.offset", intake.number("noise_offset"), "noise_offset", "offset_noise",
                   why=problem("import.each-image"))  # fmt: skip


def _times(intake: Intake) -> None:
    start = "objective.times."
    if intake.yes("flow_use_uniform_schedule"):
        intake.put(f"{start}kind", "uniform", "flow_use_uniform_schedule")
    elif intake.yes("flow_use_beta_schedule"):
        intake.put(f"{start}kind", "beta", "flow_use_beta_schedule")
        intake.take(f"{start}alpha", "flow_beta_schedule_alpha")
        intake.take(f"{start}beta", "flow_beta_schedule_beta")
    else:
        intake.put(f"{start}kind", "logit_normal")
        intake.take(f"{start}spread", "flow_sigmoid_scale", why=problem("import.sigmoid-of-normal"))
    if intake.yes("flow_schedule_auto_shift"):
        intake.put(f"{start}dynamic_shift", True, "flow_schedule_auto_shift")
    elif intake.number("flow_schedule_shift"):
        intake.take(f"{start}shift", "flow_schedule_shift")
