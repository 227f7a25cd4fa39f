"""sd-scripts: its arguments, from a command line, a TOML file, kohya_ss's JSON, or the header of a LoRA."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.catalog import FAMILIES
from modules.exchange import schedules
from modules.exchange.imported import Imported, Intake
from modules.exchange.kohya.data import put_concepts, put_samples, put_sizes, tables_of, with_dataset_file
from modules.exchange.kohya.names import DEFAULTS, KINDS, MODULES, SCRIPTS, WITHOUT
from modules.exchange.kohya.network import put_network
from modules.exchange.kohya.objective import put_objective
from modules.exchange.optimizers import kind_of_name, plain_name, put_optimizer, read_arguments
from modules.preset.paths import Values
from modules.sentences.problem import problem

ENCODER_FILES = {  # their options for the files of text encoders, by our settings
    "flux1": {"text_encoder_1": "clip_l", "text_encoder_2": "t5xxl"}, "chroma": {"text_encoder_1": "t5xxl"},
    "sd3": {"text_encoder_1": "clip_l", "text_encoder_2": "clip_g", "text_encoder_3": "t5xxl"},
    "anima": {"text_encoder_1": "qwen3"},
}  # fmt: skip
OF_MUSUBI = {"llm": ("text_encoder",), "t5": ("text_encoder1",), "clip": ("text_encoder2",)}  # by kind
XL = re.compile(r"xl(?![a-z])|pony|illustrious|noob|animagine|sdxl|juggernaut", re.IGNORECASE)


MARKS = {
    "pretrained_model_name_or_path", "network_module", "train_batch_size", "max_train_steps", "train_data_dir",
    "optimizer_type", "max_train_epochs", "network_dim", "lr_scheduler", "unet_lr", "datasets", "save_model_as",
    "mixed_precision", "dataset_config", "in_json",
}  # fmt: skip


def recognizes(values: Values) -> bool:
    """Whether flat names are arguments of sd-scripts."""
    return len(MARKS & set(values)) >= 3 or isinstance(values.get("datasets"), list)


def read(
    arguments: Values,
    folder: Path | None,
    *,
    program: str = "sd-scripts",
    script: str = "",
    called: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Imported:
    """What its arguments come to.

    Args:
        folder: where their file lies, from which files that they name are sought.
        script: the name of its program ("sdxl_train_network.py"), which says the family.
        called: names that rows show for those of the arguments.
    """
    tables = tables_of(arguments)
    flat = {name: value for name, value in arguments.items() if name not in tables}
    intake = Intake(program, flat, {**DEFAULTS, **(defaults or {})}, called=called or {})
    if not flat and tables["datasets"]:  # a file of datasets alone
        tables = with_dataset_file(intake, tables, folder)
        intake.put("training.batch_size", max(1, intake.whole("train_batch_size")), "train_batch_size")
        put_sizes(intake, tables)
        put_concepts(intake, tables)
        return intake.finish(WITHOUT, partial=True)
    tables = with_dataset_file(intake, tables, folder)
    _model(intake, script)
    put_network(intake, _method(intake, script))
    _length(intake)
    _optimizer(intake)
    _schedule(intake)
    put_objective(intake)
    put_sizes(intake, tables)
    put_concepts(intake, tables)
    put_samples(intake, folder)
    _intervals(intake)
    return intake.finish(WITHOUT)


# The model ------------------------------------------------------------------------------------------------------------


def _model(intake: Intake, script: str) -> None:
    source = intake.text("pretrained_model_name_or_path")
    family, name = _family(intake, script, source)
    if family in FAMILIES:
        why = problem("import.guessed-family") if name == "pretrained_model_name_or_path" else None
        intake.put("model.family", family, *([name] if name else ()), why=why)
    else:
        intake.note("import.no-family", name=script or name)
    if source:
        intake.put("model.source", source, "pretrained_model_name_or_path")
    _other_files(intake, family)
    precision = intake.text("mixed_precision")
    dtype = {"fp16": "fp16", "bf16": "bf16", "no": "fp32"}.get(precision)
    if intake.yes("full_bf16") and not _adapts(intake):
        intake.put("training.weights", "bf16", "full_bf16")
        dtype = "bf16"
    intake.put("model.dtype", dtype, "mixed_precision") if dtype else None
    _text(intake, str(family))
    if intake.has("gradient_checkpointing"):
        on = intake.yes("gradient_checkpointing")
        intake.put("training.gradient_checkpointing", "all" if on else "auto", "gradient_checkpointing",
                   why=None if on else problem("import.memory-plan"))  # fmt: skip
    if intake.has("seed") and intake.whole("seed") > 0:
        intake.put("general.seed", intake.whole("seed"), "seed")


def _other_files(intake: Intake, family: str) -> None:
    """The VAE and the text encoders, where they are named; musubi-tuner has other words for the encoders."""
    vae = "ae" if family in ("flux1", "chroma") and intake.has("ae") else "vae"
    for ours, theirs in {"vae": vae, **ENCODER_FILES.get(family, {})}.items():
        if intake.text(theirs):
            intake.put(f"model.{ours}", intake.text(theirs), theirs)
    for spec in FAMILIES[intake.family].components:
        for name in OF_MUSUBI.get(spec.kind, ()):
            if intake.text(name):
                intake.put(f"model.{spec.name}", intake.text(name), name)


def _text(intake: Intake, family: str) -> None:
    skip = intake.whole("clip_skip")
    if family == "sdxl":
        intake.leave_out("clip_skip", problem("import.no-clip-skip-in-sdxl"))
    elif skip:
        intake.put("model.clip_skip", skip, "clip_skip")
    length = intake.whole("max_token_length")
    if family in ("sd", "sdxl"):
        chunks = max(1, round(length / 75)) if length else 1
        why = problem("import.longer-captions") if chunks == 1 else None
        intake.put("model.max_chunks", chunks, "max_token_length", why=why)
    if intake.yes("weighted_captions"):
        intake.put("model.weighted_captions", True, "weighted_captions")


FLAGS = {
    "sdxl": "sdxl", "flux1_checkbox": "flux1", "sd3_checkbox": "sd3", "anima_checkbox": "anima", "lumina_checkbox": "",
    "hunyuan_image_checkbox": "", "v2": "sd",
}  # fmt: skip
VERSIONS = {  # how the names of models begin in headers
    "sdxl": "sdxl", "flux1": "flux1", "chroma": "chroma", "sd3": "sd3", "anima": "anima", "sd": "sd",
    "qwen": "qwen_image", "lumina": "", "hunyuan": "",
}  # fmt: skip


def _family(intake: Intake, script: str, source: str) -> tuple[str, str]:
    """The family, and the setting of theirs that says so; "" for one that is not trained here."""
    module, base = intake.text("network_module").rpartition(".")[2], intake.text("base_model_version")
    flag = next((name for name in FLAGS if intake.yes(name)), "")
    by_script = [start for start in sorted(SCRIPTS, key=len, reverse=True) if script.startswith(start)]
    if intake.text("model_type") == "chroma":
        return "chroma", "model_type"
    if module in MODULES:
        return MODULES[module], "network_module"
    if flag:
        return FLAGS[flag], flag
    if script:
        return SCRIPTS[by_script[0]] if by_script else "sd", ""
    if base:
        return next((VERSIONS[start] for start in VERSIONS if base.startswith(start)), ""), "base_model_version"
    named = XL.search(Path(source.replace("\\", "/")).name)
    return "sdxl" if named else "sd", "pretrained_model_name_or_path" if source else ""


def _adapts(intake: Intake) -> bool:
    return intake.has("network_module") or intake.has("network_dim")


def _method(intake: Intake, script: str) -> str:
    """The kind of method here."""
    if intake.has("token_string") or "textual_inversion" in script:
        return "embedding"
    if not _adapts(intake) and "network" not in script:
        return "full"
    module = intake.text("network_module").rpartition(".")[2]
    options = read_arguments(intake.raw("network_args"))
    algo = str(options.get("algo", "lora")).lower() if module == "kohya" else module or "lora"
    kind = KINDS.get(algo)
    if kind is None:
        intake.note("import.no-method", name=algo)
    return kind or "lora"


# Length and rates -----------------------------------------------------------------------------------------------------


def _length(intake: Intake) -> None:
    intake.put("training.batch_size", max(1, intake.whole("train_batch_size")), "train_batch_size")
    accumulation = max(1, intake.whole("gradient_accumulation_steps"))
    intake.put("training.accumulation", accumulation, "gradient_accumulation_steps")
    epochs, steps = intake.whole("max_train_epochs"), intake.whole("max_train_steps")
    if epochs > 0:
        intake.put("training.epochs", epochs, "max_train_epochs")
        intake.put("training.steps", 0)
        intake.leave_out("max_train_steps", problem("import.epochs-count"))
    else:
        intake.put("training.steps", steps, "max_train_steps")
    clip = intake.number("max_grad_norm")
    intake.put("training.clip_gradients", clip, "max_grad_norm")
    if intake.has("prior_loss_weight"):
        intake.put("prior.weight", intake.number("prior_loss_weight"), "prior_loss_weight")


def _optimizer(intake: Intake) -> None:
    name, where = intake.text("optimizer_type"), "optimizer_type"
    for flag, other in (("use_8bit_adam", "AdamW8bit"), ("use_lion_optimizer", "Lion")):
        if intake.yes(flag):
            name, where = other, flag
    arguments = read_arguments(intake.raw("optimizer_args"))
    values = put_optimizer(intake, where, name, arguments)
    if intake.has("optimizer_args"):
        intake.spread("optimizer_args", "optimizer.kind")
    relative = kind_of_name(name)[0] == "adafactor" and values.get("relative_step", plain_name(name) == "adafactor")
    if relative:
        intake.put("schedule.kind", "adafactor", where, why=problem("import.relative-step"))
        intake.put("training.learning_rate", 0.01)


def _schedule(intake: Intake) -> None:
    name = "lr_scheduler"
    kind = intake.text(name).lower().partition(":")[0]
    if str(intake.values["optimizer"]["kind"]).startswith(("schedule_free", "prodigy_schedule_free")):
        intake.put("schedule.kind", "constant", name, why=problem("import.schedule-free"))
        return
    if intake.values.get("schedule", {}).get("kind") == "adafactor":
        intake.leave_out_all((name, "lr_warmup_steps"), "import.relative-step")
        return
    ours = schedules.KINDS.get(kind)
    unknown = ours in (None, "piecewise_constant")
    intake.put("schedule.kind", "constant" if unknown else ours, name,
               why=problem("import.no-schedule", name=kind) if unknown else None)  # fmt: skip
    _warmup(intake, kind)
    _shape(intake, kind, str(ours))


def _shape(intake: Intake, kind: str, ours: str) -> None:
    """What the schedules have besides."""
    if ours == "cosine_restarts":
        intake.put("schedule.cycles", max(1, intake.whole("lr_scheduler_num_cycles")), "lr_scheduler_num_cycles")
    elif ours == "polynomial":
        intake.take("schedule.power", "lr_scheduler_power")
    elif ours == "inverse_sqrt":
        scale = intake.whole("lr_scheduler_timescale") or intake.whole("lr_warmup_steps") or 10_000
        intake.put("schedule.timescale", scale, "lr_scheduler_timescale")
    elif ours == "stable_decay":
        intake.put("schedule.decay", schedules.warmup_text(intake.number("lr_decay_steps")), "lr_decay_steps")
        intake.put("schedule.decay_shape", "cosine")
    if ours == "stable_decay" or kind == "cosine_with_min_lr":
        intake.take("schedule.minimum", "lr_scheduler_min_lr_ratio")


def _warmup(intake: Intake, kind: str) -> None:
    amount = intake.number("lr_warmup_steps")
    if kind == "constant" and amount:
        intake.leave_out("lr_warmup_steps", problem("import.no-warm-up"))
        return
    share = schedules.warmup_text(amount) if amount != 1 else "1 step"  # below 1 it is a share of the run
    intake.put("schedule.warmup", share, "lr_warmup_steps")


def _intervals(intake: Intake) -> None:
    for path, start in (("sampling.every", "sample"), ("backup.save_every", "save")):
        steps, epochs = f"{start}_every_n_steps", f"{start}_every_n_epochs"
        if intake.whole(steps) > 0:
            intake.put(path, schedules.every(intake.whole(steps), "step"), steps)
        elif intake.whole(epochs) > 0:
            intake.put(path, schedules.every(intake.whole(epochs), "epoch"), epochs)
        elif path == "sampling.every" and (intake.has(steps) or intake.has(epochs)):
            intake.put(path, "never", steps, epochs)
    precision = {"float": "fp32", "fp32": "fp32", "fp16": "fp16", "bf16": "bf16"}.get(intake.text("save_precision"))
    intake.put("output.dtype", precision, "save_precision") if precision else None
    if intake.has("output_name"):
        intake.put("general.name", intake.text("output_name")[:100], "output_name")
    if intake.values["method"]["kind"] == "full" and intake.has("save_model_as"):
        folder = intake.text("save_model_as").startswith("diffusers")
        intake.put("output.model_format", "folder" if folder else "single_file", "save_model_as")
    if intake.has("training_comment"):
        intake.put("note", intake.text("training_comment")[:5000], "training_comment")
