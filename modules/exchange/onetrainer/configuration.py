"""OneTrainer's configuration (JSON): its settings of every version, with its concepts and samples.

Its steps are micro-batches: one batch each, however many are accumulated. Ours are updates.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from modules.catalog import FAMILIES
from modules.exchange import schedules
from modules.exchange.imported import Imported, Intake, flattened
from modules.exchange.onetrainer.data import put_concepts, put_samples
from modules.exchange.onetrainer.history import current
from modules.exchange.onetrainer.names import DEFAULTS, FAMILY_NAMES, METHODS, OPTIMIZER_DEFAULTS, WITHOUT
from modules.exchange.onetrainer.objective import put_objective
from modules.exchange.optimizers import OPTIONS, kind_of_name, put_optimizer
from modules.preset.paths import Values
from modules.sentences.problem import problem

ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4")
DTYPES = {"FLOAT_32": "fp32", "FLOAT_16": "fp16", "BFLOAT_16": "bf16", "TFLOAT_32": "fp32"}
QUANTIZED = {
    "FLOAT_8": "fp8", "INT_8": "int8", "NFLOAT_4": "nf4", "INT_W8A8": "int8", "FLOAT_W8A8": "int8",
    "INT_W8A8_COMPRESSED": "int8", "FLOAT_W8A8_COMPRESSED": "int8", "GGUF": "auto", "GGUF_A8_FLOAT": "auto",
    "GGUF_A8_INT": "auto",
}  # fmt: skip
LAYERS = {"full": "all", "": "all", "attn-mlp": "attention-mlp", "attn-only": "attention", "blocks": "blocks"}


def recognizes(values: Values) -> bool:
    """Whether an object is one of its configurations: by names that no other program has."""
    marks = {"training_method", "model_type", "base_model_name", "output_model_format", "concept_file_name"}
    old = {"train_unet", "unet", "workspace_dir", "learning_rate_scheduler", "train_dtype", "timestep_distribution"}
    return len(marks & set(values)) >= 2 or len((marks | old) & set(values)) >= 3


def read(values: Values, folder: Path | None) -> Imported:
    """What a configuration comes to; `folder`: where its file lies, to find concepts and samples of other files."""
    values = current(values)
    concepts, samples = values.pop("concepts", None), values.pop("samples", None)
    intake = Intake("OneTrainer", flattened(values), DEFAULTS)
    _model(intake)
    _method(intake)
    _length(intake)
    _parts(intake)
    _optimizer(intake)
    _schedule(intake)
    put_objective(intake, trains_weights=_trains_weights(intake))
    _sizes(intake)
    _averages(intake)
    _words(intake, values)
    _intervals(intake)
    _output(intake)
    put_samples(intake, samples, folder)
    put_concepts(intake, concepts, folder)
    return intake.finish(WITHOUT)


def _family(intake: Intake) -> str:
    return str(intake.values.get("model", {}).get("family", "sd"))


def _steps_each(intake: Intake) -> int:
    """Of its steps in one of ours."""
    return max(1, intake.whole("gradient_accumulation_steps"))


def _model(intake: Intake) -> None:
    name = intake.text("model_type")
    family = FAMILY_NAMES.get(name)
    source = intake.text("base_model_name")
    if family == "flux2" and "klein" in source.lower():
        family = "flux2_klein"
    if family is None:
        intake.note("import.no-family", name=name)
    else:
        intake.put("model.family", family, "model_type")
    if source:
        intake.put("model.source", source, "base_model_name")
    if intake.text("vae.model_name"):
        intake.put("model.vae", intake.text("vae.model_name"), "vae.model_name")
    _precision(intake)
    skip = intake.whole("text_encoder_layer_skip")
    if skip and family in ("sd", "sdxl"):
        intake.put("model.clip_skip", skip + (2 if family == "sdxl" else 1), "text_encoder_layer_skip",
                   why=problem("import.clip-skip-from-last"))  # fmt: skip
    intake.leave_out("text_encoder_2_layer_skip", problem("import.one-clip-skip"))
    for name in ("huggingface_token", "secrets.huggingface_token"):
        intake.leave_out(name, problem("import.secret"))


def _denoiser(intake: Intake) -> str:
    """What it calls the part that draws."""
    return "unet" if _family(intake) in ("sd", "sdxl") else "transformer"


def _precision(intake: Intake) -> None:
    part = f"{_denoiser(intake)}.weight_dtype"
    dtype = DTYPES.get(intake.text("train_dtype"), "auto")
    weights = intake.text(part)
    if intake.text("train_dtype") == "FLOAT_16" and weights == "BFLOAT_16":
        dtype = "bf16"
    if _trains_weights(intake) and weights == "BFLOAT_16":
        intake.put("training.weights", "bf16", part)
        dtype = "bf16"
    elif not _trains_weights(intake):
        near = None if weights in ("FLOAT_8", "INT_8", "NFLOAT_4") else problem("import.near-quantization")
        if weights in QUANTIZED:
            intake.put("model.quantization", QUANTIZED[weights], part, why=near)
        else:
            intake.put("model.dtype", dtype, part, why=problem("import.frozen-dtype"))
        if weights.startswith("INT_W8A8"):
            intake.put("model.int8_products", True)
    intake.put("model.dtype", dtype, "train_dtype")
    vae = DTYPES.get(intake.text("vae.weight_dtype"))
    intake.put("model.vae_dtype", vae, "vae.weight_dtype") if vae else None


def _trains_weights(intake: Intake) -> bool:
    return intake.text("training_method").startswith("FINE_TUNE")


# Method ---------------------------------------------------------------------------------------------------------------


def _method(intake: Intake) -> None:
    method, kind = intake.text("training_method"), intake.text("peft_type")
    if method == "FINE_TUNE_VAE":
        intake.note("import.no-method", name=method)
    ours = METHODS.get(kind, "lora") if method == "LORA" else {"EMBEDDING": "embedding"}.get(method, "full")
    intake.put("method.kind", ours, "training_method")
    if method == "LORA":
        intake.put("method.kind", ours, "peft_type")
        _adapter(intake, ours)
    if ours != "embedding":
        _layers(intake, ours)


def _adapter(intake: Intake, kind: str) -> None:
    if kind == "oft":
        intake.put("method.block_size", intake.whole("oft_block_size"), "oft_block_size")
    else:
        rank = "lokr_dim" if kind == "lokr" else "lora_rank"
        intake.put("method.rank", intake.whole(rank), rank)
        intake.put("method.alpha", intake.number("lora_alpha"), "lora_alpha")
    if kind == "lora" and intake.number("dropout_probability"):
        intake.put("method.dropout", intake.number("dropout_probability"), "dropout_probability")
    dora = "lokr_weight_decompose" if kind == "lokr" else "lora_decompose"
    axis = "lokr_dora_on_output" if kind == "lokr" else "lora_decompose_output_axis"
    if kind in ("lora", "lokr") and intake.yes(dora):
        intake.put("method.dora", True, dora)
        intake.put("method.dora_axis", "outputs" if intake.yes(axis) else "inputs", axis)
    if kind == "lokr":
        factor = intake.whole("lokr_decompose_factor")
        intake.put("method.factor", max(0, factor), "lokr_decompose_factor")
        for name, theirs in (("decompose_both", "lokr_decompose_both"), ("tucker", "lokr_use_tucker"),
                             ("full_matrix", "lokr_full_matrix")):  # fmt: skip
            intake.put(f"method.{name}", intake.yes(theirs), theirs)
    if intake.text("lora_model_name"):
        intake.put("method.start_from", intake.text("lora_model_name"), "lora_model_name")


def _layers(intake: Intake, kind: str) -> None:
    """Its filter is a list of parts of names, or of expressions; "full" is every layer, convolutions too."""
    preset = intake.text("layer_filter_preset")
    words = intake.text("layer_filter")
    known = FAMILIES[_family(intake)].layer_sets
    by_name = LAYERS.get(preset, "")
    if preset == "custom" or (by_name not in known and words):
        parts = [part.strip() for part in words.split(",") if part.strip()]
        layers = ", ".join(part if intake.yes("layer_filter_regex") else re.escape(part) for part in parts) or "all"
        names = ("layer_filter", "layer_filter_preset", "layer_filter_regex")
    else:
        layers, names = by_name if by_name in known else "all", ("layer_filter_preset",)
        intake.leave_out("layer_filter", problem("import.by-preset"))
    why = (
        problem("import.layer-preset", name=preset) if preset and preset != "custom" and by_name not in known else None
    )
    intake.put("method.layers", layers, *names, why=why)
    if kind != "full" and _family(intake) in ("sd", "sdxl") and _holds_convolutions(layers):
        intake.put("method.conv", True)


def _holds_convolutions(layers: str) -> bool:
    return layers == "all" or bool(re.search(r"resnets|conv|blocks(\\?\.\d)?$|samplers", layers))


# Length and rates -----------------------------------------------------------------------------------------------------


def _length(intake: Intake) -> None:
    for path, name in (
        ("training.epochs", "epochs"), ("training.batch_size", "batch_size"),
        ("training.accumulation", "gradient_accumulation_steps"),
    ):  # fmt: skip
        intake.put(path, intake.whole(name), name)
    intake.put("training.steps", 0)
    intake.put("training.learning_rate", intake.number("learning_rate"), "learning_rate")
    scaler = intake.text("learning_rate_scaler")
    ours = scaler.removeprefix("GLOBAL_").lower().replace("gradient_accumulation", "accumulation")
    why = problem("import.one-card") if scaler.startswith("GLOBAL") else None
    intake.put("training.scale_rate", ours if ours in ("batch", "accumulation", "both") else "none",
               "learning_rate_scaler", why=why)  # fmt: skip
    clip = intake.number("clip_grad_norm") if intake.given.get("clip_grad_norm", "1") not in ("", None) else 0.0
    intake.put("training.clip_gradients", clip, "clip_grad_norm")


def _parts(intake: Intake) -> None:
    card = FAMILIES[_family(intake)]
    part = _denoiser(intake)
    names = dict(zip(card.text_encoders, ENCODERS, strict=False))
    for ours, theirs in {"denoiser": part, **names}.items():
        if ours not in card.trainable:
            intake.leave_out(f"{theirs}.train", problem("import.frozen-encoder"))
            continue
        trained = intake.yes(f"{theirs}.train") and intake.given.get(f"{theirs}.include", True) is not False
        if intake.values["method"]["kind"] == "embedding":
            continue
        intake.put(f"training.{ours}.train", trained, f"{theirs}.train")
        if intake.number(f"{theirs}.learning_rate"):
            intake.put(f"training.{ours}.learning_rate", intake.number(f"{theirs}.learning_rate"),
                       f"{theirs}.learning_rate")  # fmt: skip
        _stop(intake, ours, theirs) if trained else None


def _stop(intake: Intake, ours: str, theirs: str) -> None:
    after, unit = f"{theirs}.stop_training_after", f"{theirs}.stop_training_after_unit"
    words = schedules.every(intake.number(after), intake.text(unit), steps_each=_steps_each(intake))
    if words.endswith(("step", "steps", "epoch", "epochs")):
        intake.put(f"training.{ours}.stop_after", words, after, unit)


def _optimizer(intake: Intake) -> None:
    name = intake.text("optimizer.optimizer") or "ADAMW"
    intake.given.setdefault("optimizer.optimizer", name)
    own = {key.removeprefix("optimizer."): value for key, value in intake.given.items()
           if key.startswith("optimizer.") and value is not None}  # fmt: skip
    usual = f"optimizer_defaults.{name}."
    kept = {key.removeprefix(usual): value for key, value in intake.given.items()
            if key.startswith(usual) and value is not None}  # fmt: skip
    for key in kept:
        intake.raw(f"{usual}{key}")
    arguments = {key: value for key, value in {**kept, **own}.items() if not key.endswith(("optimizer", "__version"))}
    kind = kind_of_name(name)[0]
    wanted = {key: value for key, value in arguments.items() if key in OPTIONS[kind] or key in own}
    put_optimizer(intake, "optimizer.optimizer", name, wanted, prefix="optimizer.", defaults=OPTIMIZER_DEFAULTS)
    if kind == "adafactor" and intake.yes("optimizer.relative_step"):
        intake.put("schedule.kind", "adafactor", "optimizer.relative_step", why=problem("import.relative-step"))
        intake.put("training.learning_rate", 0.01)


def _schedule(intake: Intake) -> None:
    name = "learning_rate_scheduler"
    kind, cycles = intake.text(name), intake.number("learning_rate_cycles")
    minimum = min(1.0, max(0.0, intake.number("learning_rate_min_factor")))
    if str(intake.values["optimizer"]["kind"]).startswith(("schedule_free", "prodigy_schedule_free")):
        intake.put("schedule.kind", "constant", name, why=problem("import.schedule-free"))
        intake.leave_out("learning_rate_warmup_steps", problem("import.schedule-free"))
        return
    if intake.values.get("schedule", {}).get("kind") == "adafactor":
        return
    simple = {"CONSTANT": "constant", "LINEAR": "linear", "COSINE": "cosine", "ADAFACTOR": "adafactor"}
    names = (name, "learning_rate_cycles", "learning_rate_min_factor")
    if kind == "COSINE_WITH_HARD_RESTARTS" and cycles == int(cycles) and cycles >= 1:
        intake.put("schedule.kind", "cosine_restarts", name)
        intake.put("schedule.cycles", int(cycles), "learning_rate_cycles")
        intake.put("schedule.minimum", minimum, "learning_rate_min_factor")
    elif kind == "COSINE_WITH_HARD_RESTARTS":
        schedules.put_curve(intake, schedules.saws(cycles, minimum), *names)
    elif kind == "COSINE_WITH_RESTARTS":
        schedules.put_curve(intake, schedules.waves(cycles, minimum), *names)
    elif kind == "REX":
        schedules.put_curve(intake, schedules.rex(minimum), name, "learning_rate_min_factor")
    else:
        why = None if kind in simple else problem("import.no-schedule", name=kind)
        intake.put("schedule.kind", simple.get(kind, "constant"), name, why=why)
        intake.put("schedule.minimum", minimum, "learning_rate_min_factor")
    warm = intake.number("learning_rate_warmup_steps")
    each = _steps_each(intake)
    why = problem("import.micro-batches", program=intake.program, count=each) if warm > 1 and each > 1 else None
    intake.put("schedule.warmup", schedules.warmup_text(warm, steps_each=each), "learning_rate_warmup_steps", why=why)


def _sizes(intake: Intake) -> None:
    words = [word for word in re.split(r"[,;\s]+", intake.text("resolution")) if word]
    if len(words) == 1 and words[0].isdecimal():
        intake.put("training.resolution", int(words[0]), "resolution")
    elif words:
        why = problem("import.each-resolution") if len(words) > 1 else None
        intake.put("training.resolutions", ", ".join(words), "resolution", why=why)
    intake.put("training.buckets", intake.yes("aspect_ratio_bucketing"), "aspect_ratio_bucketing")
    if intake.yes("masked_training"):
        for ours, theirs in (("unmasked_weight", "unmasked_weight"), ("unmasked_probability", "unmasked_probability")):
            intake.put(f"training.masks.{ours}", intake.number(theirs), theirs)
        intake.put("training.masks.normalize", intake.yes("normalize_masked_area_loss"), "normalize_masked_area_loss")
    else:
        intake.leave_out_all(("unmasked_weight", "unmasked_probability", "normalize_masked_area_loss"),
                             "import.not-used-there")  # fmt: skip


def _averages(intake: Intake) -> None:
    ema = intake.text("ema")
    intake.put("training.ema", ema in ("GPU", "CPU"), "ema")
    if ema in ("GPU", "CPU"):
        intake.put("training.ema_device", "same" if ema == "GPU" else "cpu")
        intake.put("training.ema_decay", intake.number("ema_decay"), "ema_decay")
        intake.put("training.ema_every", intake.whole("ema_update_step_interval"), "ema_update_step_interval")
    else:
        intake.leave_out_all(("ema_decay", "ema_update_step_interval"), "import.not-used-there")
    name = f"{_denoiser(intake)}.gradient_checkpointing"
    if intake.has(name) or intake.has("gradient_checkpointing"):
        name = name if intake.has(name) else "gradient_checkpointing"
        on = str(intake.raw(name)).upper() not in ("OFF", "FALSE")
        intake.put("training.gradient_checkpointing", "all" if on else "none", name)


# Words, intervals, output ---------------------------------------------------------------------------------------------


def _words(intake: Intake, values: Values) -> None:
    entries: list[tuple[str, Values]] = []
    if intake.values["method"]["kind"] == "embedding" and isinstance(values.get("embedding"), dict):
        entries.append(("embedding", values["embedding"]))
    more = values.get("additional_embeddings")
    entries += [(f"additional_embeddings.{n}", each)
                for n, each in enumerate(cast("list[Any]", more) if isinstance(more, list) else [])
                if isinstance(each, dict)]  # fmt: skip
    intake.raw("additional_embeddings")
    for number, (name, entry) in enumerate(entries):
        own = Intake(intake.program, flattened(entry), {"placeholder": "<embedding>", "token_count": 1, "train": True})
        for ours, value, theirs in (
            ("token", own.text("placeholder"), "placeholder"), ("vectors", own.whole("token_count"), "token_count"),
            ("start", own.text("initial_embedding_text"), "initial_embedding_text"),
            ("file", own.text("model_name"), "model_name"), ("train", own.yes("train"), "train"),
        ):  # fmt: skip
            intake.given.setdefault(f"{name}.{theirs}", own.given.get(theirs))
            intake.put(f"words.{number}.{ours}", value, f"{name}.{theirs}")
        rate = intake.number("embedding_learning_rate")
        intake.put(f"words.{number}.learning_rate", rate, "embedding_learning_rate") if rate else None
        intake.put(f"words.{number}.keep_norm", intake.yes("preserve_embedding_norm"), "preserve_embedding_norm")
    if not entries:
        for name in [name for name in intake.given if name.startswith("embedding.")]:
            intake.leave_out(name, problem("import.not-used-there"))


def _intervals(intake: Intake) -> None:
    for path, name in (("sampling.every", "sample_after"), ("backup.every", "backup_after"),
                       ("backup.save_every", "save_every"), ("validation.every", "validate_after")):  # fmt: skip
        unit = f"{name}_unit"
        if not (intake.has(name) or intake.has(unit)):
            continue
        words = schedules.every(intake.number(name), intake.text(unit), steps_each=_steps_each(intake))
        halved = intake.text(unit) == "STEP" and _steps_each(intake) > 1
        why = problem("import.micro-batches", program=intake.program, count=_steps_each(intake)) if halved else None
        intake.put(path, words, name, unit, why=why)
    if intake.yes("validation"):
        intake.put("validation.enabled", True, "validation")
    if intake.yes("rolling_backup"):
        intake.put(
            "backup.keep", max(1, intake.whole("rolling_backup_count")), "rolling_backup_count", "rolling_backup"
        )
    else:
        intake.leave_out_all(("rolling_backup", "rolling_backup_count"), "import.always-rolling")
    intake.leave_out_all(("workspace_dir", "cache_dir", "output_model_destination"), "import.own-folders")


def _output(intake: Intake) -> None:
    if intake.has("output_dtype"):
        dtype = DTYPES.get(intake.text("output_dtype"))
        intake.put("output.dtype", dtype, "output_dtype") if dtype else None
    form = intake.text("output_model_format")
    lora = {"KOHYA_LORA": "kohya", "LEGACY_LORA": "kohya", "DIFFUSERS_LORA": "diffusers", "ORIGINAL_LORA": "native",
            "COMFY_LORA": "native"}.get(form)  # fmt: skip
    if intake.has("output_model_format") and intake.values["method"]["kind"] == "lora" and lora:
        allowed = FAMILIES[_family(intake)].lora_formats
        why = None if lora in allowed else problem("import.lora-format")
        intake.put("output.lora_format", lora if lora in allowed else "auto", "output_model_format", why=why)
    elif intake.has("output_model_format") and intake.values["method"]["kind"] == "full":
        intake.put("output.model_format", "folder" if form == "DIFFUSERS" else "single_file", "output_model_format")
    elif intake.has("output_model_format"):
        intake.leave_out("output_model_format", problem("import.one-format"))
    if intake.values["method"]["kind"] == "lora" and intake.has("bundle_additional_embeddings"):
        intake.put("output.bundle_words", intake.yes("bundle_additional_embeddings"), "bundle_additional_embeddings")
    if intake.has("include_train_config"):
        intake.put("output.include_preset", intake.text("include_train_config") != "NONE", "include_train_config")
