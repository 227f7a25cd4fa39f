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

from modules.preset.interval import WarmUp
from modules.preset.method import Embedding, Lora
from modules.preset.preset import Preset
from modules.preset.store import recipe_of

MOST_TAGS = 1000  # of a large data set; the header would grow to megabytes
Texts = dict[str, str]


@dataclass(frozen=True)
class ConceptFacts:
    """A concept, nameless."""

    images: int
    repeats: float = 1.0
    tags: Mapping[str, int] = field(default_factory=dict[str, int])  # tag -> how many images have it


@dataclass(frozen=True)
class Facts:
    """What a preset does not know about its run."""

    name: str  # of the file, without its ending
    step: int
    steps: int
    epoch: int
    epochs: int
    steps_per_epoch: int
    started: float  # seconds since 1970
    finished: float
    concepts: tuple[ConceptFacts, ...] = ()
    session: int = 0


def file_metadata(preset: Preset, modelspec: Mapping[str, str], facts: Facts) -> Texts:
    """For the kind of file that the preset's method writes. `modelspec`: the family's."""
    if preset.method.kind == "lora":
        return lora_metadata(preset, modelspec, facts)
    if preset.method.kind == "embedding":
        return embedding_metadata(preset, modelspec, facts)
    return model_metadata(preset, modelspec, facts)


def lora_metadata(preset: Preset, modelspec: Mapping[str, str], facts: Facts) -> Texts:
    """As sd-scripts writes it, so that A1111, Forge and others show it. The hashes come with the tensors."""
    assert isinstance(preset.method, Lora)
    told = {**_model_spec(modelspec, preset, facts, "/lora"), **_network(preset.method)}
    return {**told, **_recipe(preset), **(_training(preset, facts) if preset.output.include_preset else {})}


def embedding_metadata(preset: Preset, modelspec: Mapping[str, str], facts: Facts) -> Texts:
    """The words are said as the trigger."""
    assert isinstance(preset.method, Embedding)
    told = _model_spec(modelspec, preset, facts, "/textual-inversion")
    told["modelspec.trigger_phrase"] = ", ".join(word.token for word in preset.method.words)
    return {**told, **_recipe(preset)}


def model_metadata(preset: Preset, modelspec: Mapping[str, str], facts: Facts) -> Texts:
    """Of a whole model."""
    return {**_model_spec(modelspec, preset, facts, ""), **_recipe(preset)}


def _model_spec(modelspec: Mapping[str, str], preset: Preset, facts: Facts, kind: str) -> Texts:
    return {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.implementation": "diffusers",
        "modelspec.title": facts.name,
        "modelspec.date": datetime.fromtimestamp(facts.finished, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "modelspec.resolution": f"{preset.resolution}x{preset.resolution}",
        **modelspec,
        "modelspec.architecture": modelspec["modelspec.architecture"] + kind,
        "ss_output_name": facts.name,
    }


def _network(method: Lora) -> Texts:
    arguments: Texts = {}
    if method.conv:
        rank = method.conv_rank or method.rank
        alpha = method.conv_alpha or method.alpha * rank / method.rank
        arguments |= {"conv_dim": str(rank), "conv_alpha": str(alpha)}
    if method.dora:
        arguments |= {"dora_wd": "True", "wd_on_output": "True"}
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(method.rank),
        "ss_network_alpha": str(method.alpha),
        "ss_network_dropout": str(method.dropout or None),
        **({"ss_network_args": json.dumps(arguments)} if arguments else {}),
    }


def _training(preset: Preset, facts: Facts) -> Texts:
    training, encoders = preset.training, preset.card.text_encoders
    rate = training.learning_rate
    text_rates = [getattr(training, name).learning_rate or rate for name in encoders if getattr(training, name).train]
    batch = training.batch_size * training.accumulation
    values: dict[str, object] = {
        "session_id": facts.session, "training_started_at": facts.started, "training_finished_at": facts.finished,
        "learning_rate": rate, "unet_lr": training.denoiser.learning_rate or rate if training.denoiser.train else None,
        "text_encoder_lr": text_rates or None,
        "num_train_images": sum(round(concept.images * concept.repeats) for concept in facts.concepts),
        "num_reg_images": 0, "num_batches_per_epoch": facts.steps_per_epoch, "num_epochs": facts.epochs,
        "epoch": facts.epoch, "steps": facts.step, "max_train_steps": facts.steps,
        "batch_size_per_device": training.batch_size, "total_batch_size": batch,
        "gradient_checkpointing": training.gradient_checkpointing,
        "gradient_accumulation_steps": training.accumulation, "max_grad_norm": training.clip_gradients,
        "optimizer": type(preset.optimizer).__name__, "lr_scheduler": preset.schedule.kind,
        "lr_warmup_steps": WarmUp.parse(preset.schedule.warmup).steps_of(facts.steps),
        "mixed_precision": {"fp32": "no"}.get(preset.model.dtype, preset.model.dtype), "seed": preset.general.seed,
        "resolution": (preset.resolution, preset.resolution), "enable_bucket": True, "cache_latents": True,
        "clip_skip": preset.model.clip_skip or None, "max_token_length": 75 * preset.model.max_chunks,
        "flip_aug": any(concept.flip for concept in preset.concepts),
        "random_crop": any(concept.random_crop for concept in preset.concepts),
        "shuffle_caption": any(concept.shuffle_tags for concept in preset.concepts),
        "caption_dropout_rate": max((concept.caption_dropout for concept in preset.concepts), default=0.0),
        "noise_offset": preset.objective.noise_offset or None, "loss_type": _loss_type(preset),
        "min_snr_gamma": preset.objective.min_snr_gamma if preset.objective.weighting == "min_snr" else None,
        "sd_model_name": last_name(preset.model.source),
        **({"vae_name": last_name(preset.model.vae)} if preset.model.vae else {}),
    }  # fmt: skip
    return {f"ss_{name}": str(value) for name, value in values.items()} | _data(facts)


def _loss_type(preset: Preset) -> str:
    return {"mse": "l2"}.get(preset.objective.loss, preset.objective.loss)


def _data(facts: Facts) -> Texts:
    """Concepts are numbered: their folders may be called after somebody."""
    folders = {
        f"{concept.repeats:g}_concept {i}": {"n_repeats": concept.repeats, "img_count": concept.images}
        for i, concept in enumerate(facts.concepts, 1)
    }
    counts = Counter({(i, tag): n for i, concept in enumerate(facts.concepts) for tag, n in concept.tags.items()})
    tags: dict[str, dict[str, int]] = {name: {} for name in folders}
    for (i, tag), count in counts.most_common(MOST_TAGS):
        tags[list(folders)[i]][tag] = count
    return {
        "ss_dataset_dirs": json.dumps(folders),
        "ss_tag_frequency": json.dumps(tags, ensure_ascii=False),
    }


def _recipe(preset: Preset) -> Texts:
    """The settings that a preset file would hold, without the user's own words about them."""
    if not preset.output.include_preset:
        return {}
    values = recipe_of(preset)
    values.pop("note", None)
    for concept in values.get("concepts", []):
        concept.pop("name", None)
    return {"seachange.preset": json.dumps(values, ensure_ascii=False)}


def last_name(source: str) -> str:
    """The last name of a path of any system, or of a hub name: nobody learns where it lies."""
    return PureWindowsPath(source).name
