"""What a file says about itself: modelspec.*, the ss_* of sd-scripts, and our recipe. All values are text.

No path of this machine and no name of its user may get in: of a model only its last name is told, of concepts none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PureWindowsPath

from modules.preset.files.store import shareable_values
from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter, LowRank
from modules.preset.text.interval import WarmUp

# Settings of adapters, in the words of sd-scripts' and LyCORIS's arguments of networks
ARGUMENTS = {
    "rank_dropout": "rank_dropout", "module_dropout": "module_dropout", "factor": "factor",
    "full_matrix": "full_matrix", "decompose_both": "decompose_both", "tucker": "use_tucker",
    "block_size": "block_size", "constraint": "constraint", "rate_ratio": "loraplus_lr_ratio",
}  # fmt: skip
LYCORIS_NAMES = {"oft": "diag-oft"}
MAX_TAGS = 1000  # of a large data set; the header would grow to megabytes
Texts = dict[str, str]


@dataclass(frozen=True)
class ConceptStats:
    """A concept, nameless."""

    images: int
    repeats: float = 1.0
    tags: Mapping[str, int] = field(default_factory=dict[str, int])  # tag -> how many images have it
    is_regularization: bool = False  # there to keep what the model knows: class and prior images


@dataclass(frozen=True)
class RunFacts:
    """What a preset does not know about its run."""

    name: str  # of the file, without its ending
    step: int
    steps: int
    epoch: int
    epochs: int
    steps_per_epoch: int
    started: float  # seconds since 1970
    finished: float
    concepts: tuple[ConceptStats, ...] = ()
    session: int = 0
    buckets: tuple[tuple[int, int, int], ...] = ()  # width, height, and how many images of it an epoch shows
    aspect_error: float = 0.0  # how far the aspect ratios of images are from those of their buckets, on average
    model_hashes: Mapping[str, str] = field(default_factory=dict[str, str])  # by sd-scripts' names, without "ss_"
    zero_terminal_snr: bool = False  # of the noise schedule


def file_metadata(preset: Preset, modelspec: Mapping[str, str], facts: RunFacts) -> Texts:
    """For the kind of file that the preset's method writes. `modelspec`: the family's."""
    if isinstance(preset.method, Adapter):
        return lora_metadata(preset, modelspec, facts)
    if preset.method.kind == "embedding":
        return embedding_metadata(preset, modelspec, facts)
    return model_metadata(preset, modelspec, facts)


def lora_metadata(preset: Preset, modelspec: Mapping[str, str], facts: RunFacts) -> Texts:
    """As sd-scripts writes it, so that A1111, Forge and others show it. The hashes come with the tensors."""
    assert isinstance(preset.method, Adapter)
    metadata = {**_modelspec(modelspec, preset, facts, "/lora"), **_network(preset.method)}
    if preset.words:
        metadata["modelspec.trigger_phrase"] = _trigger(preset)
    return {
        **metadata,
        **_preset_metadata(preset),
        **(_training(preset, facts) if preset.output.include_preset else {}),
    }


def bundled_embedding_metadata(metadata: Mapping[str, str], token: str) -> Texts:
    """Of a word's own file, from the metadata of what it was learnt beside."""
    kept = {name: text for name, text in metadata.items() if not name.startswith(("ss_network", "sshs"))}
    kept["modelspec.architecture"] = metadata["modelspec.architecture"].partition("/")[0] + "/textual-inversion"
    return {**kept, "modelspec.trigger_phrase": token}


def _trigger(preset: Preset) -> str:
    return ", ".join(word.token for word in preset.words)


def embedding_metadata(preset: Preset, modelspec: Mapping[str, str], facts: RunFacts) -> Texts:
    """The words are said as the trigger."""
    metadata = _modelspec(modelspec, preset, facts, "/textual-inversion")
    metadata["modelspec.trigger_phrase"] = _trigger(preset)
    return {**metadata, **_preset_metadata(preset)}


def model_metadata(preset: Preset, modelspec: Mapping[str, str], facts: RunFacts) -> Texts:
    """Of a whole model."""
    return {**_modelspec(modelspec, preset, facts, ""), **_preset_metadata(preset)}


def _modelspec(modelspec: Mapping[str, str], preset: Preset, facts: RunFacts, kind: str) -> Texts:
    return {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.implementation": "diffusers",
        "modelspec.title": facts.name,
        "modelspec.date": datetime.fromtimestamp(facts.finished, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "modelspec.resolution": f"{preset.resolution}x{preset.resolution}",
        **modelspec,
        "modelspec.architecture": modelspec["modelspec.architecture"] + kind,
        "ss_output_name": facts.name,
        **_read_and_drawn(preset),
        **_training_adapters(preset),
    }


def _read_and_drawn(preset: Preset) -> Texts:
    """The layer of the text encoder and the timesteps that it was trained with, where they are not the usual ones."""
    times, skip = preset.objective.times, preset.model.clip_skip
    found = {"modelspec.encoder_layer": str(skip)} if skip else {}
    if (times.lower, times.upper) != (0.0, 1.0):
        found["modelspec.timestep_range"] = f"{round(1000 * times.lower)},{round(1000 * times.upper)}"
    return found


def _training_adapters(preset: Preset) -> Texts:
    """What lay under the model while it was trained, and is not in the file."""
    used = [each for each in preset.model.training_adapters if each.enabled and each.path]
    names = [{"name": base_name(each.path), "strength": each.strength} for each in used]
    return {"ss_training_adapters": json.dumps(names)} if names else {}


def _network(method: Adapter) -> Texts:
    """LoRA as sd-scripts has it by itself; its relatives as LyCORIS, which it takes in, tells them."""
    values = method.model_dump()
    kind, own = values["kind"], {name: str(values[old]) for old, name in ARGUMENTS.items() if values.get(old)}
    if own.get("loraplus_lr_ratio") == "1.0":
        del own["loraplus_lr_ratio"]
    plain = kind == "lora"
    arguments = own if plain else {"algo": LYCORIS_NAMES.get(kind, kind), **own}
    rank, alpha = values.get("rank", values.get("block_size")), values.get("alpha", 0.0)
    if method.conv and isinstance(method, LowRank):
        conv_rank = method.conv_rank or method.rank
        arguments |= {"conv_dim": str(conv_rank), "conv_alpha": str(method.conv_alpha or alpha * conv_rank / rank)}
    if values.get("dora"):
        arguments |= {"dora_wd": "True", "wd_on_output": str(values["dora_axis"] == "outputs")}
    return {
        "ss_network_module": "networks.lora" if plain else "lycoris.kohya",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(alpha),
        "ss_network_dropout": str(values.get("dropout") or None),
        **({"ss_network_args": json.dumps(arguments)} if arguments else {}),
    }


def _training(preset: Preset, facts: RunFacts) -> Texts:
    training, encoders = preset.training, preset.card.text_encoders
    rate = training.learning_rate
    text_rates = [training.component(name).learning_rate or rate for name in encoders if training.component(name).train]
    batch = training.batch_size * training.accumulation
    values: dict[str, object] = {
        "session_id": facts.session, "training_started_at": facts.started, "training_finished_at": facts.finished,
        "learning_rate": rate, "unet_lr": training.denoiser.learning_rate or rate if training.denoiser.train else None,
        "text_encoder_lr": text_rates or None,
        "num_train_images": sum(round(c.images * c.repeats) for c in facts.concepts if not c.is_regularization),
        "num_reg_images": sum(round(c.images * c.repeats) for c in facts.concepts if c.is_regularization),
        "prior_loss_weight": preset.prior.weight,
        "num_batches_per_epoch": facts.steps_per_epoch, "num_epochs": facts.epochs,
        "epoch": facts.epoch, "steps": facts.step, "max_train_steps": facts.steps,
        "batch_size_per_device": training.batch_size, "total_batch_size": batch,
        "gradient_checkpointing": training.checkpointed > 0,
        "gradient_accumulation_steps": training.accumulation, "max_grad_norm": training.clip_gradients,
        "optimizer": preset.optimizer.signature, "lr_scheduler": preset.schedule.kind,
        "lr_warmup_steps": WarmUp.parse(preset.schedule.warmup).steps_of(facts.steps),
        "mixed_precision": {"fp32": "no"}.get(preset.model.dtype, preset.model.dtype), "seed": preset.general.seed,
        "resolution": (preset.resolution, preset.resolution), "enable_bucket": training.buckets,
        "bucket_no_upscale": not training.enlarge, "min_bucket_reso": training.min_side or None,
        "max_bucket_reso": training.max_side or None, "cache_latents": not any(c.live for c in preset.loaded_concepts),
        "clip_skip": preset.model.clip_skip or None,
        "max_token_length": preset.card.chunk_size * preset.model.max_chunks,
        "flip_aug": any(concept.flip for concept in preset.concepts),
        "color_aug": any(concept.augments_colors for concept in preset.concepts),
        "random_crop": any(concept.random_crop for concept in preset.concepts),
        "shuffle_caption": any(concept.shuffle_tags for concept in preset.concepts),
        "keep_tokens": max((concept.keep_tags for concept in preset.concepts), default=0),
        "caption_dropout_rate": max((concept.caption_dropout for concept in preset.concepts), default=0.0),
        "caption_dropout_every_n_epochs": max((concept.dropout_epochs for concept in preset.concepts), default=0),
        "caption_tag_dropout_rate": max((concept.tag_dropout for concept in preset.concepts), default=0.0),
        "scale_weight_norms": getattr(preset.method, "max_norm", 0.0) or None,
        "zero_terminal_snr": facts.zero_terminal_snr, **_losses_and_noise(preset),
        "training_comment": None,  # a preset's note is private
        "fp8_base": preset.model.quantization == "fp8", "full_fp16": False,
        "validation_split": preset.validation.share if preset.validation.enabled else 0.0,
        "adaptive_noise_scale": preset.objective.noise.adaptive or None,
        "sd_model_name": base_name(preset.model.source),
        **({"vae_name": base_name(preset.model.vae)} if preset.model.vae else {}), **facts.model_hashes,
    }  # fmt: skip
    return {f"ss_{name}": str(value) for name, value in values.items()} | _data(facts, tags=preset.output.include_tags)


def _losses_and_noise(preset: Preset) -> dict[str, object]:
    """In sd-scripts' words; None where it is off."""
    objective = preset.objective
    return {
        "noise_offset": objective.noise.offset or None, "loss_type": _loss_type(preset),
        "huber_c": objective.loss.huber_delta, "huber_scale": 1.0,
        "huber_schedule": objective.loss.huber_schedule,
        "min_snr_gamma": objective.min_snr_gamma if objective.weighting == "min_snr" else None,
        "ip_noise_gamma": objective.noise.perturbation or None,
        "ip_noise_gamma_random_strength": objective.noise.perturbation_random,
        "noise_offset_random_strength": objective.noise.offset_random,
        "multires_noise_iterations": objective.noise.pyramid_levels or None,
        "multires_noise_discount": objective.noise.pyramid_discount,
        "debiased_estimation": objective.weighting in ("debiased", "debiased_kohya"),
    }  # fmt: skip


def _loss_type(preset: Preset) -> str:
    """The measure that counts most, in kohya's words."""
    loss = preset.objective.loss
    shares = {
        "l2": loss.mse,
        "l1": loss.mae,
        "huber": loss.huber,
        "smooth_l1": loss.pseudo_huber,
        "log_cosh": loss.log_cosh,
    }
    return max(shares, key=lambda name: shares[name])


def _data(facts: RunFacts, *, tags: bool) -> Texts:
    """Concepts are numbered: their folders may be called after somebody. `tags`: whether those of captions are told."""
    names = [f"{concept.repeats:g}_concept {i}" for i, concept in enumerate(facts.concepts, 1)]
    folders: tuple[dict[str, object], dict[str, object]] = {}, {}  # those that are learnt, those for regularization
    for name, concept in zip(names, facts.concepts, strict=True):
        folders[concept.is_regularization][name] = {"n_repeats": concept.repeats, "img_count": concept.images}
    counts = Counter({(i, tag): n for i, concept in enumerate(facts.concepts) for tag, n in concept.tags.items()})
    told: dict[str, dict[str, int]] = {name: {} for name in names}
    for (i, tag), count in counts.most_common(MAX_TAGS):
        told[names[i]][tag] = count
    buckets = {i: {"resolution": [w, h], "count": count} for i, (w, h, count) in enumerate(facts.buckets)}
    bucket_info = {"buckets": buckets, "mean_img_ar_error": facts.aspect_error} if buckets else None
    return {
        "ss_dataset_dirs": json.dumps(folders[False]),
        "ss_reg_dataset_dirs": json.dumps(folders[True]),
        "ss_bucket_info": json.dumps(bucket_info),
        **({"ss_tag_frequency": json.dumps(told, ensure_ascii=False)} if tags else {}),
    }


def _preset_metadata(preset: Preset) -> Texts:
    """The settings that a preset file would hold, without the user's own words about them."""
    if not preset.output.include_preset:
        return {}
    values = shareable_values(preset)
    values.pop("note", None)
    for concept in values.get("concepts", []):
        concept.pop("name", None)
    return {"seachange.preset": json.dumps(values, ensure_ascii=False)}


def base_name(source: str) -> str:
    """The last name of a path of any system, or of a hub name: nobody learns where it lies."""
    return PureWindowsPath(source).name
