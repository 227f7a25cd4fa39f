"""invoke-training: the YAML of its pipelines. Its steps are updates; the alpha of its LoRAs is always 1."""

from __future__ import annotations

import re
from typing import Any, cast

from modules.catalog import FAMILIES
from modules.exchange import schedules
from modules.exchange.imported import Imported, Intake, flattened
from modules.exchange.optimizers import put_optimizer
from modules.exchange.samples import Common, put_prompts
from modules.preset.paths import Values
from modules.sentences.problem import problem

FAMILY_NAMES = {"SD": "sd", "SDXL": "sdxl", "FLUX": "flux1"}
KIND = re.compile(r"(SD|SDXL|FLUX)_(LORA|TEXTUAL_INVERSION|FINETUNE|LORA_AND_TEXTUAL_INVERSION"
                  r"|DIRECT_PREFERENCE_OPTIMIZATION_LORA)")  # fmt: skip
DTYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
DEFAULTS: dict[str, Any] = {
    "optimizer.optimizer_type": "AdamW", "lr_scheduler": "constant", "lr_warmup_steps": 0, "min_snr_gamma": 5.0,
    "lora_rank_dim": 4, "gradient_accumulation_steps": 1, "weight_dtype": "bfloat16", "mixed_precision": "no",
    "train_batch_size": 4, "train_unet": True, "train_text_encoder": True, "gradient_checkpointing": False,
    "num_vectors": 1, "data_loader.resolution": 512, "data_loader.center_crop": True,
    "data_loader.random_flip": False, "data_loader.class_data_loss_weight": 1.0, "use_masks": False,
    "num_validation_images_per_prompt": 4, "hf_variant": "fp16", "xformers": False, "cache_vae_outputs": False,
    "lora_checkpoint_format": "kohya", "data_loader.dataloader_num_workers": 0, "report_to": "tensorboard",
    "save_dtype": "float16", "data_loader.keep_original_captions": False,
}  # fmt: skip
OF_FLUX: dict[str, Any] = {
    "lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 10, "min_snr_gamma": None, "weight_dtype": "float16",
    "train_batch_size": 1, "train_text_encoder": False, "train_transformer": True, "text_encoder_learning_rate": 1e-4,
    "transformer_learning_rate": 4e-4, "timestep_sampler": "shift", "discrete_flow_shift": 3.0, "sigmoid_scale": 1.0,
    "guidance_scale": 1.0, "model": "black-forest-labs/FLUX.1-dev",
}  # fmt: skip
OF_BOTH = {"text_encoder_learning_rate": 1e-5, "unet_learning_rate": 1e-4, "textual_inversion_learning_rate": 1e-3}
MODELS = {"SD": "runwayml/stable-diffusion-v1-5", "SDXL": "stabilityai/stable-diffusion-xl-base-1.0"}
WITHOUT = {
    r"base_output_dir": "import.own-folders",
    r"report_to|hf_variant|max_checkpoints|num_validation_images_per_prompt|save_checkpoint_format"
    r"|data_loader\.(.*\.)?type|data_loader\.(.*\.)?hf_cache_dir": "import.of-its-window",
    r"mixed_precision|xformers|cache_\w+|enable_cpu_offload\w*|data_loader\.(.*\.)?(keep_in_memory|\w+_workers)":
        "import.memory-plan",
    r"lr_warmup_steps|save_dtype|guidance_scale|sigmoid_scale|discrete_flow_shift|min_snr_gamma":
        "import.not-used-there",
    r".*": "import.no-counterpart",
}  # fmt: skip


def recognizes(values: Values) -> bool:
    """Whether an object is one of its pipelines."""
    return bool(KIND.fullmatch(str(values.get("type", "")))) and isinstance(values.get("data_loader"), dict)


def read(values: Values) -> Imported:
    """What a pipeline comes to."""
    match = KIND.fullmatch(str(values["type"]))
    start, kind = (match[1], match[2]) if match else ("SD", "LORA")
    prompts, negatives = values.pop("validation_prompts", None), values.pop("negative_validation_prompts", None)
    more = {**({"model": MODELS[start]} if start in MODELS else OF_FLUX), **(OF_BOTH if "AND" in kind else {})}
    intake = Intake("invoke-training", flattened(values), {**DEFAULTS, **more})
    intake.put("model.family", FAMILY_NAMES[start], "type")
    _model(intake)
    _method(intake, kind)
    _length(intake)
    _optimizer(intake)
    _objective(intake)
    _sizes(intake)
    _concepts(intake)
    _samples(intake, prompts, negatives)
    return intake.finish(WITHOUT)


def _model(intake: Intake) -> None:
    intake.take("model.source", "model")
    for ours, theirs in (("vae", "vae_model"), ("text_encoder_1", "text_encoder_1_path"),
                         ("text_encoder_2", "text_encoder_2_path")):  # fmt: skip
        if intake.text(theirs):
            intake.take(f"model.{ours}", theirs)
    if intake.text("transformer_path"):
        intake.put("model.source", intake.text("transformer_path"), "transformer_path")
    intake.put("model.dtype", DTYPES.get(intake.text("weight_dtype")), "weight_dtype")
    if intake.text("prediction_type"):
        intake.take("objective.prediction", "prediction_type")
    if intake.yes("gradient_checkpointing"):
        intake.put("training.gradient_checkpointing", "all", "gradient_checkpointing")
    if intake.has("seed"):
        intake.take("general.seed", "seed")


# Method ---------------------------------------------------------------------------------------------------------------


def _method(intake: Intake, kind: str) -> None:
    if "PREFERENCE" in kind:
        intake.note("import.no-method", name=kind)
    ours = {"FINETUNE": "full", "TEXTUAL_INVERSION": "embedding"}.get(kind, "lora")
    intake.put("method.kind", ours)
    if "TEXTUAL_INVERSION" in kind:
        _word(intake)
    if ours == "full":
        intake.put("method.layers", "all")
        intake.put("output.dtype", DTYPES.get(intake.text("save_dtype")), "save_dtype")
    if ours != "lora":
        return
    rank = intake.whole("lora_rank_dim") or 4
    intake.put("method.rank", rank, "lora_rank_dim")
    intake.put("method.alpha", 1.0)
    intake.note("import.alpha-of-one", rank=rank)
    flux = intake.family == FAMILY_NAMES["FLUX"]
    form = {"kohya": "kohya", "invoke_peft": "diffusers"}.get(intake.text("lora_checkpoint_format"))
    intake.put("output.lora_format", form, "lora_checkpoint_format")
    _layers(intake, "flux_lora_target_modules" if flux else "unet_lora_target_modules", flux)
    if intake.has("text_encoder_lora_target_modules"):
        intake.leave_out("text_encoder_lora_target_modules", problem("import.no-counterpart"))


def _layers(intake: Intake, name: str, flux: bool) -> None:
    """The modules whose names end so; its usual ones hold the convolutions of a U-Net too."""
    raw = intake.raw(name)
    ends = [str(each) for each in cast("list[Any]", raw)] if isinstance(raw, list) else []
    words = [f"(^|\\.){re.escape(end)}$" for end in ends]
    intake.put("method.layers", ", ".join(words) or ("blocks" if flux else "all"), *([name] if words else ()))
    if not flux and (not ends or any(end.startswith("conv") for end in ends)):
        rank = intake.whole("lora_rank_dim") or 4
        for path, value in (("conv", True), ("conv_rank", rank), ("conv_alpha", 1.0)):
            intake.put(f"method.{path}", value)


def _word(intake: Intake) -> None:
    intake.put("words.0.token", intake.text("placeholder_token"), "placeholder_token")
    intake.put("words.0.vectors", max(1, intake.whole("num_vectors")), "num_vectors")
    for ours, theirs in (("start", "initializer_token"), ("start", "initial_phrase"),
                         ("file", "initial_embedding_file")):  # fmt: skip
        if intake.text(theirs):
            intake.take(f"words.0.{ours}", theirs)
    if intake.number("textual_inversion_learning_rate"):
        intake.take("words.0.learning_rate", "textual_inversion_learning_rate")
    if intake.has("train_ti"):
        intake.take("words.0.train", "train_ti")


# Length and rates -----------------------------------------------------------------------------------------------------


def _length(intake: Intake) -> None:
    intake.put("training.batch_size", intake.whole("train_batch_size"), "train_batch_size")
    intake.put("training.accumulation", intake.whole("gradient_accumulation_steps"), "gradient_accumulation_steps")
    if intake.whole("max_train_epochs") and not intake.whole("max_train_steps"):
        intake.put("training.steps", 0)
        intake.take("training.epochs", "max_train_epochs")
    else:
        intake.take("training.steps", "max_train_steps")
    for path, start in (("backup.save_every", "save"), ("sampling.every", "validate")):
        for unit in ("step", "epoch"):
            name = f"{start}_every_n_{unit}s"
            if intake.whole(name):
                intake.put(path, schedules.every(intake.whole(name), unit), name)
    intake.put("training.clip_gradients", intake.number("max_grad_norm"), "max_grad_norm")


def _optimizer(intake: Intake) -> None:
    where, start = "optimizer.optimizer_type", "optimizer."
    name = intake.text(where)
    if intake.yes("optimizer.use_8bit"):
        name = f"{name}8bit"
    called = {"beta1": "beta1", "beta2": "beta2", "weight_decay": "weight_decay", "epsilon": "eps",
              "use_bias_correction": "use_bias_correction", "safeguard_warmup": "safeguard_warmup"}  # fmt: skip
    own = {ours: intake.raw(start + theirs) for theirs, ours in called.items() if intake.has(start + theirs)}
    put_optimizer(intake, where, name, own)
    rate = intake.number("optimizer.learning_rate") or (1.0 if name == "Prodigy" else 1e-4)
    intake.put("training.learning_rate", rate, "optimizer.learning_rate")
    _rates(intake, rate)
    kind = intake.text("lr_scheduler")
    ours = schedules.KINDS.get(kind)
    why = None if ours else problem("import.no-schedule", name=kind)
    intake.put("schedule.kind", ours or "constant", "lr_scheduler", why=why)
    if ours == "polynomial":
        intake.put("schedule.power", 1.0)
        intake.put("schedule.minimum", min(1.0, 1e-7 / rate))
    if kind == "constant":
        intake.leave_out("lr_warmup_steps", problem("import.not-used-there"))
    else:
        intake.put("schedule.warmup", schedules.steps_text(intake.number("lr_warmup_steps")), "lr_warmup_steps")


def _rates(intake: Intake, rate: float) -> None:
    if intake.method != "lora":
        intake.put("training.denoiser.train", True)
        for name in FAMILIES[intake.family].trainable[1:]:
            intake.put(f"training.{name}.train", False)
        return
    part = "transformer" if intake.family == FAMILY_NAMES["FLUX"] else "unet"
    intake.put("training.denoiser.train", intake.yes(f"train_{part}"), f"train_{part}")
    if intake.number(f"{part}_learning_rate") not in (0.0, rate):
        intake.take("training.denoiser.learning_rate", f"{part}_learning_rate")
    for number, name in enumerate(FAMILIES[intake.family].trainable[1:]):
        said = () if number else ("train_text_encoder",)
        intake.put(f"training.{name}.train", intake.yes("train_text_encoder"), *said)
        if intake.yes("train_text_encoder") and intake.number("text_encoder_learning_rate") not in (0.0, rate):
            said = () if number else ("text_encoder_learning_rate",)
            intake.put(f"training.{name}.learning_rate", intake.number("text_encoder_learning_rate"), *said)


def _objective(intake: Intake) -> None:
    if not FAMILIES[intake.family].is_flow:
        gamma = intake.number("min_snr_gamma") if intake.raw("min_snr_gamma") is not None else 0.0
        if "min_snr_gamma" in intake.given and intake.given["min_snr_gamma"] is None:
            gamma = 0.0
        why = (
            problem("import.other-snr-of-v", program=intake.program)
            if intake.text("prediction_type") == "v_prediction"
            else None
        )
        intake.put("objective.weighting", "min_snr" if gamma else "none", "min_snr_gamma", why=why)
        intake.put("objective.min_snr_gamma", gamma) if gamma else None
        return
    sampler = intake.text("timestep_sampler")
    if sampler == "shift":
        why = problem("import.sigmoid-of-normal")
        intake.put("objective.times.kind", "logit_normal", "timestep_sampler", why=why)
        intake.take("objective.times.spread", "sigmoid_scale")
        intake.take("objective.times.shift", "discrete_flow_shift")
    else:
        intake.put("objective.times.kind", "uniform", "timestep_sampler")
    intake.take("objective.embedded_guidance", "guidance_scale")


# Data -----------------------------------------------------------------------------------------------------------------


def _sizes(intake: Intake) -> None:
    start = "data_loader.aspect_ratio_buckets."
    raw = intake.raw("data_loader.resolution")
    if intake.has(f"{start}target_resolution"):
        intake.put("training.buckets", True)
        for ours, theirs in (("resolution", "target_resolution"), ("min_side", "start_dim"), ("max_side", "end_dim"),
                             ("bucket_step", "divisible_by")):  # fmt: skip
            intake.put(f"training.{ours}", intake.whole(start + theirs), start + theirs)
    elif isinstance(raw, list):
        sides = [int(side) for side in cast("list[Any]", raw) if isinstance(side, int)]
        intake.put("training.resolutions", "x".join(map(str, reversed(sides))), "data_loader.resolution")
    else:
        intake.put("training.resolution", intake.whole("data_loader.resolution"), "data_loader.resolution")
        intake.put("training.buckets", False)


def _concepts(intake: Intake) -> None:
    names = ["instance_dataset", "class_dataset"] if intake.has("data_loader.instance_caption") else ["dataset"]
    for number, name in enumerate(names):
        start, to = f"data_loader.{name}.", f"concepts.{number}"
        theirs = next((start + each for each in ("dataset_dir", "jsonl_path") if intake.has(start + each)), "")
        if not theirs:
            if intake.has(f"{start}dataset_name"):
                intake.leave_out(f"{start}dataset_name", problem("import.hub-data"))
            continue
        intake.put(f"{to}.path", intake.text(theirs), theirs)
        if theirs.endswith("jsonl_path"):
            column = intake.text(f"{start}caption_column") or "text"
            intake.put(f"{to}.caption_ending", f".{column}", f"{start}caption_column")
        intake.put(f"{to}.kind", "class" if name == "class_dataset" else "train")
        _captions(intake, to, name)
        flip = intake.yes("data_loader.random_flip")
        intake.put(f"{to}.flip", flip, "data_loader.random_flip") if flip else None
        if not intake.yes("data_loader.center_crop"):
            intake.put(f"{to}.random_crop", True, "data_loader.center_crop")
        if intake.yes("use_masks"):
            intake.put(f"{to}.masks", "file", "use_masks", why=problem("import.mask-folder"))
            intake.put("training.masks.unmasked_weight", 0.0)
            intake.put("training.masks.unmasked_probability", 0.0)
            intake.put("training.masks.normalize", False)


def _captions(intake: Intake, to: str, name: str) -> None:
    whose = "data_loader." + ("class_caption" if name == "class_dataset" else "instance_caption")
    if name != "dataset" and intake.text(whose):
        intake.put(f"{to}.captions", "prompt", whose)
        intake.put(f"{to}.prompt", intake.text(whose), whose)
        if name == "class_dataset":
            intake.take(f"{to}.loss_weight", "data_loader.class_data_loss_weight")
    if intake.text("data_loader.caption_prefix"):
        intake.put(f"{to}.prefix", str(intake.raw("data_loader.caption_prefix")), "data_loader.caption_prefix")
    if intake.text("data_loader.shuffle_caption_delimiter"):
        intake.put(f"{to}.shuffle_tags", True, "data_loader.shuffle_caption_delimiter")
        intake.put(f"{to}.tag_separator", str(intake.raw("data_loader.shuffle_caption_delimiter")))
    _templates(intake, to)


def _templates(intake: Intake, to: str) -> None:
    """Captions of embeddings: sentences around the word, of its own lists or of those that are named."""
    token = intake.text("placeholder_token")
    preset, own = intake.text("data_loader.caption_preset"), intake.raw("data_loader.caption_templates")
    if not token or not (preset or own):
        return
    if intake.yes("data_loader.keep_original_captions"):
        intake.put(f"{to}.prefix", f"{token} ", "data_loader.keep_original_captions")
        return
    lines = [str(each).replace("{}", token) for each in cast("list[Any]", own)] if isinstance(own, list) else []
    usual = f"a painting in the style of {token}" if preset == "style" else f"a photo of {token}"
    name = "data_loader.caption_templates" if lines else "data_loader.caption_preset"
    why = None if lines else problem("import.one-template")
    intake.put(f"{to}.captions", "prompt", name, why=why)
    intake.put(f"{to}.prompt", "\n".join(lines) or usual)


def _samples(intake: Intake, prompts: Any, negatives: Any) -> None:
    texts = [str(each) for each in cast("list[Any]", prompts)] if isinstance(prompts, list) else []
    if texts:
        intake.given["validation_prompts"] = f"({len(texts)})"
    buckets = intake.whole("data_loader.aspect_ratio_buckets.target_resolution")
    common = Common(
        size=buckets or intake.raw("data_loader.resolution"), steps=20 if FAMILIES[intake.family].is_flow else 30,
        seed=intake.whole("seed") if intake.has("seed") else None,
    )  # fmt: skip
    put_prompts(intake, texts, common, "validation_prompts")
    for number, text in enumerate(cast("list[Any]", negatives) if isinstance(negatives, list) else []):
        if number < len(texts):
            intake.put(f"sampling.prompts.{number}.negative", str(text))
