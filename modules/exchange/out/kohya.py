"""A preset as a command of sd-scripts, with the file of its images: `modules.exchange.kohya` the other way round."""

from __future__ import annotations

from typing import Any

from modules.errors import UserError
from modules.exchange.kohya import arguments as importer
from modules.exchange.kohya.command_line import SEVERAL
from modules.exchange.out.exported import Exported, missing, spelled_out
from modules.exchange.out.kohya_data import DATASET, PROMPTS, dataset_text, prompt_text, tables, trained
from modules.exchange.out.kohya_network import network, rates
from modules.exchange.out.kohya_objective import objective
from modules.exchange.out.optimizers import kohya_arguments, kohya_name, number_text
from modules.exchange.out.shell import Shell, command
from modules.preset.paths import Values
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval, WarmUp
from modules.sentences.problem import Problem, problem

PROGRAM = "sd-scripts"
NETWORKS = {
    "sd": "train_network", "sdxl": "sdxl_train_network", "flux1": "flux_train_network", "chroma": "flux_train_network",
    "sd3": "sd3_train_network", "anima": "anima_train_network",
}  # fmt: skip
WHOLE = {
    "sd": "train_db", "sdxl": "sdxl_train", "flux1": "flux_train", "chroma": "flux_train", "sd3": "sd3_train",
    "anima": "anima_train",
}  # fmt: skip
WORDS = {"sd": "train_textual_inversion", "sdxl": "sdxl_train_textual_inversion"}
SCHEDULES = {
    "constant": "constant", "linear": "linear", "cosine": "cosine", "cosine_restarts": "cosine_with_restarts",
    "cosine_waves": "cosine_with_restarts", "polynomial": "polynomial", "inverse_sqrt": "inverse_sqrt",
    "stable_decay": "warmup_stable_decay", "rex": "polynomial", "adafactor": "adafactor",
}  # fmt: skip
PRECISION = {"fp32": "no", "fp16": "fp16", "bf16": "bf16", "auto": "bf16"}
Arguments = dict[str, Any]


def export(preset: Preset, shell: Shell = "posix") -> Exported:
    """The command, the table of images, and the prompts of samples.

    Raises:
        UserError: sd-scripts does not train such a model, or not by this method.
    """
    script, values = script_of(preset), spelled_out(preset)
    left_out = (*trained(values), *_norms(values))
    given = arguments(values)
    sets, prompts = tables(values), prompt_text(values)
    read = {**given, **sets, **({"sample_prompts": f"{prompts}\n"} if prompts else {})}
    found = (*left_out, *missing(values, importer.read(read, None, program=PROGRAM, script=script)))
    given["dataset_config"] = DATASET
    files = {DATASET: dataset_text(sets)}
    if prompts:
        given["sample_prompts"], files[PROMPTS] = PROMPTS, prompts
    ending = "sh" if shell == "posix" else "bat"
    words = ["accelerate", "launch", "--num_cpu_threads_per_process=1", f"{script}.py"]
    return Exported(PROGRAM, {f"train.{ending}": command(words, _options(given), shell), **files}, found)


def _norms(values: Values) -> tuple[Problem, ...]:
    """The importer knows nothing of what is never done there."""
    if values["method"]["kind"] == "embedding" and any(word["keep_norm"] for word in values["words"]):
        return (problem("export.missing", "words.0.keep_norm", value="true", program=PROGRAM),)
    return ()


def script_of(preset: Preset) -> str:
    """Which of its programs trains this.

    Raises:
        UserError: none does.
    """
    family, kind = preset.model.family, preset.method.kind
    scripts = {"full": WHOLE, "embedding": WORDS}.get(kind, NETWORKS)
    if family not in NETWORKS:
        raise UserError("export.no-family", "model.family", program=PROGRAM, name=preset.card.title)
    if family not in scripts:
        raise UserError("export.no-method", "method.kind", program=PROGRAM, name=preset.card.title, kind=kind)
    return scripts[family]


def _options(given: Arguments) -> list[list[str]]:
    """Switches by themselves, and each other option with its value or values."""
    found: list[list[str]] = []
    for name, value in given.items():
        if value is True:
            found.append([f"--{name}"])
        elif isinstance(value, list) and name in SEVERAL:
            found.append([f"--{name}", *(number_text(each) for each in value)])
        elif value not in (None, False, ""):
            found.append([f"--{name}={number_text(value)}"])
    return found


def arguments(values: Values) -> Arguments:
    """Its options by their names."""
    return {
        **_model(values), **network(values), **rates(values), **_length(values), **_optimizer(values),
        **_schedule(values), **objective(values), **_files(values),
    }  # fmt: skip


def _model(values: Values) -> Arguments:
    model, family = values["model"], values["model"]["family"]
    given: Arguments = {"pretrained_model_name_or_path": model["source"]}
    if family == "chroma":
        given["model_type"] = "chroma"
    for ours, theirs in {"vae": "ae" if family in ("flux1", "chroma") else "vae",
                         **importer.ENCODER_FILES.get(family, {})}.items():  # fmt: skip
        given[theirs] = model[ours]
    given["mixed_precision"] = PRECISION[model["dtype"]]
    given["full_bf16"] = values["method"]["kind"] == "full" and values["training"]["weights"] == "bf16"
    given["gradient_checkpointing"] = values["training"]["gradient_checkpointing"] != "none"
    if family in ("sd", "sdxl"):
        given["clip_skip"] = model["clip_skip"] if family == "sd" else 0
        given["max_token_length"] = {1: None, 2: 150}.get(model["max_chunks"], 225)
        given["weighted_captions"] = model["weighted_captions"]
    if family == "sdxl":
        given["no_half_vae"] = model["vae_dtype"] == "fp32"
    given["sdpa"] = True
    return given


def _length(values: Values) -> Arguments:
    training, general = values["training"], values["general"]
    steps = training["steps"]
    return {
        "max_train_steps": steps or None, "max_train_epochs": None if steps else training["epochs"],
        "train_batch_size": training["batch_size"], "gradient_accumulation_steps": training["accumulation"],
        "max_grad_norm": number_text(training["clip_gradients"]), "seed": str(general["seed"]),
        "prior_loss_weight": number_text(values["prior"]["weight"]) if values["prior"]["weight"] != 1 else None,
    }  # fmt: skip


def _optimizer(values: Values) -> Arguments:
    optimizer = values["optimizer"]
    return {"optimizer_type": kohya_name(optimizer), "optimizer_args": kohya_arguments(optimizer)}


def _schedule(values: Values) -> Arguments:
    schedule = values["schedule"]
    kind, warm = schedule["kind"], _share_or_steps(schedule["warmup"])
    name = SCHEDULES.get(kind, "constant")
    given: Arguments = {"lr_scheduler": name, "lr_warmup_steps": warm}
    if kind == "constant" and warm:
        given["lr_scheduler"] = "constant_with_warmup"
    elif kind == "cosine" and schedule["minimum"]:
        given |= {"lr_scheduler": "cosine_with_min_lr", "lr_scheduler_min_lr_ratio": schedule["minimum"]}
    elif kind in ("cosine_restarts", "cosine_waves"):
        given["lr_scheduler_num_cycles"] = schedule["cycles"]
    elif kind == "polynomial":
        given["lr_scheduler_power"] = schedule["power"]
    elif kind == "inverse_sqrt":
        given["lr_scheduler_timescale"] = schedule["timescale"] or None
    elif kind == "stable_decay":
        given |= {"lr_decay_steps": _share_or_steps(schedule["decay"]), "lr_scheduler_min_lr_ratio":
                  number_text(schedule["minimum"])}  # fmt: skip
    return given


def _share_or_steps(text: str) -> str | None:
    """Below 1 it is a share of the run there."""
    length = WarmUp.parse(text)
    if length.share >= 1:
        return None
    return number_text(round(length.share, 6)) if length.share else (str(length.steps) if length.steps else None)


def _files(values: Values) -> Arguments:
    name = values["general"]["name"] or values["title"] or "lora"
    full = values["method"]["kind"] == "full"
    as_folder = full and values["output"]["model_format"] == "folder"
    given: Arguments = {
        "output_dir": "output", "output_name": "".join(c for c in name if c not in '<>:"/\\|?*%').strip() or "lora",
        "save_model_as": "diffusers_safetensors" if as_folder else "safetensors",
        "save_precision": {"fp32": "float"}.get(values["output"]["dtype"], values["output"]["dtype"]),
        **_every("save", values["backup"]["save_every"]), **_every("sample", values["sampling"]["every"]),
    }  # fmt: skip
    if values["sampling"]["prompts"]:
        given["sample_at_first"] = values["sampling"]["first"]
    if not any(each["random_crop"] or each["hue"] for each in values["concepts"]):
        given["cache_latents"] = True
    return given


def _every(start: str, text: str) -> Arguments:
    """It counts steps and epochs, and no minutes."""
    every = Interval.parse(text)
    unit = {"step": "steps", "epoch": "epochs"}.get(every.unit)
    return {f"{start}_every_n_{unit}": int(every.amount)} if unit else {}
