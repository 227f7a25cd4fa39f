"""diffusion-pipe: its TOML, and the TOML of a dataset that it names. Its steps are updates; alpha is the rank."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any, cast

from modules.catalog import FAMILIES
from modules.exchange import schedules
from modules.exchange.imported import Imported, Intake, as_number, flattened
from modules.exchange.kohya.data import side_of
from modules.exchange.optimizers import kind_of_name, put_optimizer
from modules.preset.files.text_file import NotText, decoded
from modules.preset.paths import Values
from modules.sentences.problem import problem
from modules.system.reading import read_bytes

TYPES = {
    "sdxl": "sdxl", "flux": "flux1", "chroma": "chroma", "sd3": "sd3", "anima": "anima", "qwen_image": "qwen_image",
    "z_image": "zimage", "flux2": "flux2", "krea2": "krea2",
}  # fmt: skip
SOURCES = ("diffusers_path", "checkpoint_path", "transformer_path", "ckpt_path", "single_file_path", "diffusion_model")
DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
DEFAULTS: dict[str, Any] = {
    "micro_batch_size_per_gpu": 1, "gradient_accumulation_steps": 1, "gradient_clipping": 1.0, "warmup_steps": 0,
    "lr_scheduler": "constant", "activation_checkpointing": False, "model.timestep_sample_method": "logit_normal",
    "model.sigmoid_scale": 1.0, "model.guidance": 1.0, "adapter.type": "lora", "adapter.dropout": 0.0,
    "adapter.decompose_factor": -1, "adapter.rank_dropout": 0.0, "compile": False, "pipeline_stages": 1,
    "eval_before_first_step": True, "steps_per_print": 1, "logging_steps": 1,
}  # fmt: skip
DATASET: dict[str, Any] = {
    "enable_ar_bucket": False, "num_repeats": 1, "shuffle_tags": False, "caption_prefix": "", "cache_shuffle_num": 0,
    "cache_shuffle_delimiter": ", ", "skip_empty_caption": True,
}  # fmt: skip
WITHOUT = {
    r"output_dir": "import.own-folders",
    r"monitoring\..*|logging_steps|steps_per_print|x_axis_examples": "import.log",
    r"pipeline_stages|partition_\w+|reentrant_\w+": "import.no-many-cards",
    r"eval_\w+|image_eval\w*|disable_block_swap_for_eval": "import.other-validation",
    r"blocks_to_swap|caching_batch_size|map_num_proc|compile|activation_checkpointing|optimizer\.gradient_release"
    r"|adapter\.dtype|model\.(dtype|transformer_dtype|diffusion_model_dtype|cache_text_embeddings|\w*4bit)":
        "import.memory-plan",
    r"video_clip_mode|image_micro_batch_size_per_gpu|model\.(sigmoid_scale|timestep_sample_method|max_\w+length)":
        "import.other-family",
    r".*": "import.no-counterpart",
}  # fmt: skip
WITHOUT_DATASET = {
    r"num_ar_buckets|ar_buckets|size_buckets": "import.own-buckets",
    r"frame_buckets": "import.other-family", r".*": "import.no-counterpart",
}  # fmt: skip


def recognizes(values: Values) -> bool:
    """Whether an object is one of its configurations, or one of its datasets."""
    model, found = values.get("model"), values.get("directory")
    named = isinstance(model, dict) and "type" in cast("Values", model)
    return (named and bool({"optimizer", "dataset", "adapter"} & set(values))) or isinstance(found, list)


def read(values: Values, folder: Path | None) -> Imported:
    """What a configuration comes to."""
    dataset = {name: values.pop(name) for name in ("directory", "resolutions") if name in values}
    intake = Intake("diffusion-pipe", flattened(values), DEFAULTS)
    if isinstance(dataset.get("directory"), list):  # the file of a dataset alone
        _dataset(intake, {**values, **dataset})
        return intake.finish({r".*": "import.of-its-window"}, partial=True)
    found = _dataset_file(intake, folder)
    _model(intake)
    _method(intake)
    times = _dataset(intake, found) if found else 1
    _length(intake, times)
    _optimizer(intake)
    _objective(intake)
    return intake.finish(WITHOUT)


def _dataset_file(intake: Intake, folder: Path | None) -> Values:
    name = intake.text("dataset").replace("\\", "/")
    if not name:
        return {}
    for place in (Path(name).expanduser(), *((folder / name, folder / Path(name).name) if folder else ())):
        try:
            return tomllib.loads(decoded(read_bytes(place)).text)
        except (OSError, NotText, ValueError, RecursionError):
            continue
    intake.leave_out("dataset", problem("import.file-missing"))
    return {}


# The model ------------------------------------------------------------------------------------------------------------


def _model(intake: Intake) -> None:
    kind = intake.text("model.type")
    family = TYPES.get(kind, "")
    sources = [f"model.{name}" for name in SOURCES if intake.text(f"model.{name}")]
    if family == "flux2" and any("klein" in intake.text(name).lower() for name in sources):
        family = "flux2_klein"
    if family:
        intake.put("model.family", family, "model.type")
    else:
        intake.note("import.no-family", name=kind)
    files = [name for name in sources if name.endswith(("transformer_path", "diffusion_model"))]
    if sources:  # a file of the denoiser counts more than the folder around it
        source = (files or sources)[0]
        intake.put("model.source", intake.text(source), source)
    _parts_of_model(intake)


def _parts_of_model(intake: Intake) -> None:
    if intake.text("model.vae_path"):
        intake.take("model.vae", "model.vae_path")
    for name in ("text_encoder_path", "llm_path"):
        if intake.text(f"model.{name}"):
            intake.put("model.text_encoder_1", intake.text(f"model.{name}"), f"model.{name}")
    intake.put("model.dtype", DTYPES.get(intake.text("model.dtype")), "model.dtype")
    if intake.text("model.transformer_dtype").startswith("float8") and intake.has("adapter.rank"):
        why = problem("import.near-quantization")
        intake.put("model.quantization", "int8", "model.transformer_dtype", why=why)
    if intake.has("activation_checkpointing"):
        on = intake.yes("activation_checkpointing")
        intake.put("training.gradient_checkpointing", "all" if on else "auto", "activation_checkpointing",
                   why=None if on else problem("import.memory-plan"))  # fmt: skip
    if intake.yes("compile"):
        intake.put("general.compile", "on", "compile")


def _method(intake: Intake) -> None:
    if not any(name.startswith("adapter.") for name in intake.given):
        intake.put("method.kind", "full")
        intake.put("method.layers", "all")
        return
    kind = intake.text("adapter.type")
    intake.put("method.kind", kind if kind in ("lora", "lokr") else "lora", "adapter.type")
    rank = intake.number("adapter.rank")
    if kind == "lokr" and rank > 1024:
        intake.put("method.full_matrix", True, "adapter.rank", why=problem("import.full-matrix"))
    else:
        intake.put("method.rank", int(rank), "adapter.rank")
        intake.put("method.alpha", float(int(rank)))
    if kind == "lokr":
        intake.put("method.factor", max(0, intake.whole("adapter.decompose_factor")), "adapter.decompose_factor")
        intake.take("method.rank_dropout", "adapter.rank_dropout")
    elif intake.number("adapter.dropout"):
        intake.take("method.dropout", "adapter.dropout")
    if intake.text("adapter.init_from_existing"):
        intake.take("method.start_from", "adapter.init_from_existing")
    flow = FAMILIES[intake.family].is_flow
    intake.put("method.layers", "blocks" if flow else "attention-mlp")


# Length and rates -----------------------------------------------------------------------------------------------------


def _length(intake: Intake, times: int) -> None:
    """An epoch there shows each image once at each resolution, so that it is several of ours."""
    batch = intake.raw("micro_batch_size_per_gpu")
    several = cast("list[Any]", batch) if isinstance(batch, list) else []
    sizes = [as_number(each[-1]) for each in several if isinstance(each, list) and each]
    size = int(max((each for each in sizes if each), default=0)) or intake.whole("micro_batch_size_per_gpu") or 1
    intake.put("training.batch_size", size, "micro_batch_size_per_gpu",
               why=problem("import.one-batch-size") if several else None)  # fmt: skip
    intake.put("training.accumulation", intake.whole("gradient_accumulation_steps"), "gradient_accumulation_steps")
    why = problem("import.epochs-each-resolution", count=times) if times > 1 else None
    intake.put("training.epochs", max(1, intake.whole("epochs")) * times, "epochs", why=why)
    intake.put("training.steps", intake.whole("max_steps"), "max_steps")
    for path, start in (("backup.save_every", "save"), ("backup.every", "checkpoint"), ("validation.every", "eval")):
        for unit in ("step", "epoch", "minute"):
            name = f"{start}_every_n_{unit}s"
            if intake.number(name):
                amount = intake.number(name) * (times if unit == "epoch" else 1)
                intake.put(path, schedules.every(amount, unit), name)
    intake.put("training.clip_gradients", intake.number("gradient_clipping"), "gradient_clipping")
    intake.put("output.dtype", DTYPES.get(intake.text("save_dtype")), "save_dtype")


def _optimizer(intake: Intake) -> None:
    name = intake.text("optimizer.type") or "adamw"
    own = {
        key.removeprefix("optimizer."): value
        for key, value in intake.given.items()
        if key.startswith("optimizer.") and key not in ("optimizer.type", "optimizer.lr", "optimizer.gradient_release")
    }
    put_optimizer(intake, "optimizer.type", name, own, prefix="optimizer.")
    if isinstance(own.get("betas"), list):
        intake.spread("optimizer.betas", "optimizer.beta1")
    rate = intake.number("optimizer.lr") or (1.0 if kind_of_name(name)[0].startswith("prodigy") else 1e-4)
    intake.put("training.learning_rate", rate, "optimizer.lr")
    if intake.number("force_constant_lr"):
        intake.put("training.learning_rate", intake.number("force_constant_lr"), "force_constant_lr")
        intake.leave_out("lr_scheduler", problem("import.not-used-there"))
        return
    _schedule(intake, rate)
    if intake.family == TYPES["sdxl"]:
        _parts(intake, rate)


def _schedule(intake: Intake, rate: float) -> None:
    """Its schedules end with the epochs, whatever warm-up and `max_steps` say."""
    kind = intake.text("lr_scheduler")
    ours = kind if kind in ("constant", "linear", "cosine") else "constant"
    cut = ours != "constant" and bool(intake.whole("max_steps"))
    why = problem("import.ends-with-epochs") if cut else None
    intake.put("schedule.kind", ours, "lr_scheduler", why=why)
    if ours == "cosine":
        intake.put("schedule.minimum", min(1.0, 1e-6 / rate))
    if intake.whole("warmup_steps"):
        intake.put("schedule.warmup", schedules.steps_text(intake.number("warmup_steps")), "warmup_steps")


def _parts(intake: Intake, rate: float) -> None:
    names = {"denoiser": "unet_lr", "text_encoder_1": "text_encoder_1_lr", "text_encoder_2": "text_encoder_2_lr"}
    for ours, theirs in names.items():
        name = f"model.{theirs}"
        own = intake.number(name) if intake.has(name) else rate
        intake.put(f"training.{ours}.train", own > 0, name)
        if own not in (0.0, rate):
            intake.put(f"training.{ours}.learning_rate", own, name)


def _objective(intake: Intake) -> None:
    if intake.number("pseudo_huber_c"):
        intake.put("objective.loss.mse", 0.0)
        intake.put("objective.loss.pseudo_huber", 1.0)
        intake.put("objective.loss.huber_delta", intake.number("pseudo_huber_c"), "pseudo_huber_c")
    if not FAMILIES[intake.family].is_flow:
        _noise(intake)
        return
    _times(intake)
    if FAMILIES[intake.family].guidance_embed:
        intake.take("objective.embedded_guidance", "model.guidance")


def _times(intake: Intake) -> None:
    kind = intake.text("model.timestep_sample_method")
    normal = kind == "logit_normal"
    why = problem("import.sigmoid-of-normal") if normal else None
    intake.put("objective.times.kind", "logit_normal" if normal else "uniform", "model.timestep_sample_method", why=why)
    if normal:
        intake.take("objective.times.spread", "model.sigmoid_scale")
    if intake.number("model.shift"):
        intake.take("objective.times.shift", "model.shift")
    elif intake.yes("model.flux_shift"):
        intake.put("objective.times.dynamic_shift", True, "model.flux_shift")
    for ours, theirs in (("lower", "min_t"), ("upper", "max_t")):
        if intake.has(f"model.{theirs}"):
            intake.take(f"objective.times.{ours}", f"model.{theirs}")


def _noise(intake: Intake) -> None:
    if intake.yes("model.v_pred"):
        intake.put("objective.prediction", "v_prediction", "model.v_pred")
    if intake.number("model.min_snr_gamma"):
        intake.put("objective.weighting", "min_snr", "model.min_snr_gamma")
        intake.take("objective.min_snr_gamma", "model.min_snr_gamma")
    elif intake.yes("model.debiased_estimation_loss"):
        intake.put("objective.weighting", "debiased", "model.debiased_estimation_loss")


# Data -----------------------------------------------------------------------------------------------------------------


def _dataset(intake: Intake, found: Values) -> int:
    """The concepts of a dataset; how many resolutions each image has."""
    folders = [
        cast("Values", each) for each in cast("list[Any]", found.get("directory") or []) if isinstance(each, dict)
    ]
    above = {name: value for name, value in found.items() if name != "directory"}
    sides = _sides(above.get("resolutions"))
    if len(sides) == 1 and "x" not in sides[0]:
        intake.put("training.resolution", int(sides[0]))
    elif sides:
        intake.put("training.resolutions", ", ".join(sides))
    intake.put("training.buckets", bool(above.get("enable_ar_bucket", False)))
    most = len(sides) or 1
    for number, folder in enumerate(folders[:10_000]):
        own = _sides(folder.get("resolutions"))
        most = max(most, len(own))
        _concept(intake, number, {**above, **folder}, own if own != sides else [])
    return most


def _sides(given: Any) -> list[str]:
    """ "512", or "896" for the side of a square of as many pixels as a pair has."""
    found = [side_of(each) for each in (cast("list[Any]", given) if isinstance(given, list) else [])]
    return [
        str(round(math.sqrt(pair[0] * pair[1]) / 8) * 8 if pair[0] != pair[1] else pair[0]) for pair in found if pair
    ]


def _concept(intake: Intake, number: int, given: Values, sides: list[str]) -> None:
    own = Intake(intake.program, flattened(given), DATASET, intake.values, intake.rows, f"directory.{number}.")
    to = f"concepts.{number}"
    own.put(f"{to}.path", own.text("path"), "path")
    own.put(f"{to}.repeats", own.number("num_repeats") or 1.0, "num_repeats")
    if sides:
        own.put(f"{to}.resolutions", ", ".join(sides), "resolutions")
    for name in ("resolutions", "enable_ar_bucket"):
        own.raw(name)
    if own.has("min_ar") or own.has("max_ar"):
        own.leave_out_all(("min_ar", "max_ar"), "import.own-buckets")
    if own.text("caption_prefix"):
        own.put(f"{to}.prefix", str(own.raw("caption_prefix")), "caption_prefix")
    if own.yes("shuffle_tags") or own.whole("cache_shuffle_num"):
        name = "shuffle_tags" if own.yes("shuffle_tags") else "cache_shuffle_num"
        own.put(f"{to}.shuffle_tags", True, name)
        own.put(f"{to}.tag_separator", str(own.raw("cache_shuffle_delimiter")).strip() or ",")
    if own.text("mask_path"):
        own.put(f"{to}.masks", "file", "mask_path", why=problem("import.mask-folder"))
        own.put("training.masks.unmasked_weight", 0.0)
        own.put("training.masks.unmasked_probability", 0.0)
    own.finish(WITHOUT_DATASET)
