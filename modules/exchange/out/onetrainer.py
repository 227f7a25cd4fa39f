"""A preset as OneTrainer's configuration: `modules.exchange.onetrainer` the other way round.

All that its importer knows a default of is written out, so that a later default of OneTrainer changes nothing.
"""

from __future__ import annotations

import json
from typing import Any

from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.exchange.onetrainer import configuration as importer
from modules.exchange.onetrainer.configuration import ENCODERS
from modules.exchange.onetrainer.names import METHODS
from modules.exchange.out.exported import Exported, missing, spelled_out
from modules.exchange.out.onetrainer_data import concepts, dropout, samples
from modules.exchange.out.onetrainer_objective import objective
from modules.exchange.out.optimizers import arguments as optimizer_arguments
from modules.exchange.out.optimizers import onetrainer_name
from modules.preset.paths import Values, put
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval, WarmUp
from modules.sentences.problem import Problem, problem

PROGRAM = "OneTrainer"
VERSION = 11  # of its configuration, as of August 2026
TYPES = {
    "sd": "STABLE_DIFFUSION_15", "sdxl": "STABLE_DIFFUSION_XL_10_BASE", "sd3": "STABLE_DIFFUSION_35",
    "flux1": "FLUX_DEV_1", "flux2": "FLUX_2", "flux2_klein": "FLUX_2", "chroma": "CHROMA_1", "qwen_image": "QWEN",
    "anima": "ANIMA", "krea2": "KREA_2", "zimage": "Z_IMAGE",
}  # fmt: skip
PEFT = {"lora": "LORA", "loha": "LOHA", "lokr": "LOKR", "oft": "OFT_2"}
DTYPES = {"fp32": "FLOAT_32", "fp16": "FLOAT_16", "bf16": "BFLOAT_16", "auto": "BFLOAT_16"}
QUANTIZED = {"fp8": "FLOAT_8", "int8": "INT_8", "nf4": "NFLOAT_4"}
LAYERS = {"all": "full", "attention-mlp": "attn-mlp", "attention": "attn-only", "blocks": "blocks"}
SCHEDULES = {
    "constant": "CONSTANT", "linear": "LINEAR", "cosine": "COSINE", "cosine_restarts": "COSINE_WITH_HARD_RESTARTS",
    "cosine_waves": "COSINE_WITH_RESTARTS", "rex": "REX", "adafactor": "ADAFACTOR", "polynomial": "LINEAR",
    "stable_decay": "CONSTANT", "inverse_sqrt": "LINEAR",
}  # fmt: skip
FORMATS = {"kohya": "KOHYA_LORA", "diffusers": "DIFFUSERS_LORA", "native": "COMFY_LORA"}
Flat = dict[str, Any]


def export(preset: Preset) -> Exported:
    """One file of JSON, with concepts and samples in it.

    Raises:
        UserError: OneTrainer does not train such a model.
    """
    if preset.model.family not in TYPES:
        raise UserError("export.no-family", "model.family", program=PROGRAM, name=preset.card.title)
    values = spelled_out(preset)
    config = configuration(values)
    found = [_of_steps(each, values) for each in missing(values, importer.read(config, None))]
    if not onetrainer_name(values["optimizer"]):
        found.insert(0, problem("export.no-optimizer", program=PROGRAM, kind=values["optimizer"]["kind"]))
    text = json.dumps(config, indent=4, ensure_ascii=False) + "\n"
    return Exported(PROGRAM, {"onetrainer.json": text}, tuple(found))


def _of_steps(said: Problem, values: Values) -> Problem:
    """Steps are no setting of its: how many epochs it is given instead."""
    if said.path != "training.steps":
        return said
    return problem("export.no-steps", said.path, program=PROGRAM, value=said.values["value"],
                   count=values["training"]["epochs"])  # fmt: skip


def configuration(values: Values) -> Values:
    """Its settings, nested as it has them."""
    flat: Flat = {
        **_model(values), **_method(values), **_length(values), **_parts(values), **_optimizer(values),
        **_schedule(values), **objective(values), **_averages(values), **_intervals(values), **_output(values),
    }  # fmt: skip
    nested: Values = {"__version": VERSION}
    for name, value in flat.items():
        put(nested, name, value)
    _words(values, nested)
    nested["concepts"], nested["samples"] = concepts(values), samples(values)
    return nested


def denoiser(values: Values) -> str:
    """What it calls the part that draws."""
    return "unet" if values["model"]["family"] in ("sd", "sdxl") else "transformer"


def _model(values: Values) -> Flat:
    model, full = values["model"], values["method"]["kind"] == "full"
    family, dtype, skip = model["family"], DTYPES[model["dtype"]], model["clip_skip"]
    weights = QUANTIZED.get(model["quantization"], dtype)
    if full:
        weights = DTYPES[values["training"]["weights"]]
    given: Flat = {
        "model_type": TYPES[family], "base_model_name": model["source"], "train_dtype": dtype,
        f"{denoiser(values)}.weight_dtype": weights, "vae.weight_dtype": DTYPES[model["vae_dtype"]],
        "vae.model_name": model["vae"],
    }  # fmt: skip
    if weights == "INT_8" and model["int8_products"]:
        given[f"{denoiser(values)}.weight_dtype"] = "INT_W8A8"
    if skip and family in ("sd", "sdxl"):
        given["text_encoder_layer_skip"] = max(0, skip - (2 if family == "sdxl" else 1))
    return given


def _method(values: Values) -> Flat:
    method = values["method"]
    kind = method["kind"]
    given: Flat = {"training_method": {"full": "FINE_TUNE", "embedding": "EMBEDDING"}.get(kind, "LORA")}
    if kind != "embedding":
        given |= _layers(method)
    if kind not in METHODS.values():
        return given
    given |= {"peft_type": PEFT[kind], "lora_model_name": method["start_from"]}
    if kind == "oft":
        return given | {"oft_block_size": method["block_size"]}
    given |= {"lokr_dim" if kind == "lokr" else "lora_rank": method["rank"], "lora_alpha": method["alpha"]}
    given["dropout_probability"] = method.get("dropout", 0.0)
    if kind == "lokr":
        given |= {
            "lokr_decompose_factor": method["factor"] or -1, "lokr_decompose_both": method["decompose_both"],
            "lokr_use_tucker": method["tucker"], "lokr_full_matrix": method["full_matrix"],
            "lokr_weight_decompose": method["dora"],
            "lokr_dora_on_output": method.get("dora_axis") == "outputs",
        }  # fmt: skip
    elif kind == "lora":
        given |= {"lora_decompose": method["dora"], "lora_decompose_output_axis": method["dora_axis"] == "outputs"}
    return given


def _layers(method: Values) -> Flat:
    """A set by name where it has one of the kind, else the expressions."""
    if method["layers"] in LAYERS:
        return {"layer_filter_preset": LAYERS[method["layers"]], "layer_filter": "", "layer_filter_regex": False}
    return {"layer_filter_preset": "custom", "layer_filter": method["layers"], "layer_filter_regex": True}


def _length(values: Values) -> Flat:
    training = values["training"]
    sizes = training["resolutions"] or str(training["resolution"])
    return {
        "epochs": training["epochs"], "batch_size": training["batch_size"],
        "gradient_accumulation_steps": training["accumulation"], "learning_rate": training["learning_rate"],
        "learning_rate_scaler": {"accumulation": "GRADIENT_ACCUMULATION"}.get(
            training["scale_rate"], training["scale_rate"].upper()),
        "clip_grad_norm": training["clip_gradients"] or None, "resolution": sizes,
        "aspect_ratio_bucketing": training["buckets"],
        "masked_training": any(each["masks"] != "none" for each in values["concepts"]),
        "unmasked_weight": training["masks"]["unmasked_weight"],
        "unmasked_probability": training["masks"]["unmasked_probability"],
        "normalize_masked_area_loss": training["masks"]["normalize"],
    }  # fmt: skip


def _parts(values: Values) -> Flat:
    """All parts that a model of this type has there, those that are not trained, too."""
    training, card = values["training"], FAMILIES[values["model"]["family"]]
    given: Flat = {}
    for ours, theirs in {"denoiser": denoiser(values), **dict(zip(card.text_encoders, ENCODERS, strict=False))}.items():
        part = training[ours]
        trained = part["train"] and ours in card.trainable and values["method"]["kind"] != "embedding"
        amount, unit = _interval(part["stop_after"], values)
        given |= {
            f"{theirs}.train": trained,
            f"{theirs}.learning_rate": part["learning_rate"] if trained else None,
            f"{theirs}.stop_training_after": amount, f"{theirs}.stop_training_after_unit": unit,
        }  # fmt: skip
    if given.get("text_encoder.train") is not None:
        given["text_encoder.dropout_probability"] = dropout(values)
    return given


def _optimizer(values: Values) -> Flat:
    optimizer = values["optimizer"]
    name = onetrainer_name(optimizer)
    if not name:
        return {"optimizer.optimizer": "ADAMW"}
    every = {key: value for key, value in optimizer.items() if key not in ("kind", "name", "arguments")}
    told = optimizer_arguments(optimizer) if optimizer["kind"] == "other" else every
    more = {"relative_step": False, "warmup_init": False} if name == "ADAFACTOR" else {}
    return {"optimizer.optimizer": name, **{f"optimizer.{key}": value for key, value in {**told, **more}.items()}}


def _schedule(values: Values) -> Flat:
    schedule = values["schedule"]
    kind = schedule["kind"]
    cycles = {"cosine_restarts": float(schedule["cycles"]), "cosine_waves": schedule["cycles"] - 0.5}.get(kind, 1.0)
    warm = WarmUp.parse(schedule["warmup"])
    steps = warm.steps * values["training"]["accumulation"]
    return {
        "learning_rate_scheduler": SCHEDULES.get(kind, "CONSTANT"), "learning_rate_cycles": cycles,
        "learning_rate_min_factor": schedule["minimum"],
        "learning_rate_warmup_steps": warm.share or (float(steps) if steps > 1 else 0.0),
    }  # fmt: skip


def _averages(values: Values) -> Flat:
    training = values["training"]
    on = {"same": "GPU", "cpu": "CPU"}.get(training["ema_device"], "GPU")
    return {
        "ema": on if training["ema"] else "OFF", "ema_decay": training["ema_decay"],
        "ema_update_step_interval": training["ema_every"],
        f"{denoiser(values)}.gradient_checkpointing": training["gradient_checkpointing"] != "none",
    }  # fmt: skip


def _interval(text: str, values: Values) -> tuple[float, str]:
    """Its steps are batches, of which one of ours has several."""
    every = Interval.parse(text)
    each = values["training"]["accumulation"] if every.unit == "step" else 1
    amount = every.amount * each
    return (int(amount) if amount == int(amount) else amount), every.unit.upper()


def _intervals(values: Values) -> Flat:
    given: Flat = {"validation": values["validation"]["enabled"]}
    for text, name in ((values["sampling"]["every"], "sample_after"), (values["backup"]["every"], "backup_after"),
                       (values["backup"]["save_every"], "save_every"),
                       (values["validation"]["every"], "validate_after")):  # fmt: skip
        given[name], given[f"{name}_unit"] = _interval(text, values)
    return given | {"rolling_backup": True, "rolling_backup_count": values["backup"]["keep"]}


def _output(values: Values) -> Flat:
    output, full = values["output"], values["method"]["kind"] == "full"
    card = FAMILIES[values["model"]["family"]]
    form = output["lora_format"] if output["lora_format"] != "auto" else card.lora_formats[0]
    folder = "DIFFUSERS" if output["model_format"] == "folder" else "SAFETENSORS"
    name = values["general"]["name"] or values["title"] or "model"
    return {
        "output_dtype": DTYPES[output["dtype"]], "output_model_format": folder if full else FORMATS[form],
        "output_model_destination": f"models/{name}{'' if full and folder == 'DIFFUSERS' else '.safetensors'}",
        "bundle_additional_embeddings": output["bundle_words"],
        "include_train_config": "SETTINGS" if output["include_preset"] else "NONE",
    }  # fmt: skip


def _words(values: Values, nested: Values) -> None:
    """The first of the words is the embedding where nothing else is trained; others come beside."""
    entries = [
        {"placeholder": word["token"], "token_count": word["vectors"], "initial_embedding_text": word["start"],
         "model_name": word["file"], "train": word["train"]}
        for word in values["words"]
    ]  # fmt: skip
    first = next(iter(values["words"]), None)
    if first:
        nested["embedding_learning_rate"] = first["learning_rate"] or None
        nested["preserve_embedding_norm"] = first["keep_norm"]
    if values["method"]["kind"] == "embedding" and entries:
        nested["embedding"] = entries.pop(0)
    nested["additional_embeddings"] = entries
