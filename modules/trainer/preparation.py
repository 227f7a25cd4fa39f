"""The steps before training that checks and caching share: open the model, look at the images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from modules.data.index import Index
from modules.data.scan.scan import scan
from modules.data.text.captions import undrawn_caption
from modules.diffusion.solvers import scheduler_for
from modules.errors import Problems, UserError
from modules.families import Family, LoadOptions, family_class
from modules.messages import Event, Stage, note
from modules.placement.holding import Holding
from modules.preset.preset import Preset
from modules.preset.setting import Section
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.system.bundled import is_bundled, resolve
from modules.system.devices import (
    DTYPES,
    best_dtype,
    device_named,
    is_card,
    limit_card_memory,
    multiplies_int8,
    use_tf32,
    use_threads,
)
from modules.trainer.control import Control
from modules.trainer.sampling.guided_denoiser import attention_layers

Tell = Callable[[Event], None]


def open_family(preset: Preset, tell: Tell) -> Family:
    """Open the base model: configs and tokenizers now, weights when they are needed.

    Raises:
        UserError: it cannot be found or read, or is of another architecture.
    """
    tell(Stage("stage.opening-model"))
    options = load_options(preset, tell)
    family = family_class(preset.model.family).load(model_location(preset.model.source), options)
    family.cache_dir = Path(preset.general.cache) if preset.general.cache else None
    code = "model.predicts:zero-snr" if family.noise_schedule.zero_terminal_snr else "model.predicts"
    if preset.model.dtype == "auto":
        tell(note(problem("precision.auto", dtype=with_precision(preset).model.dtype)))
    tell(note(problem(code, model=preset.card.title, what=Problem(family.noise_schedule.predicts))))
    for guessed in family.notes:
        tell(note(guessed, level="warning"))
    return family


def load_options(preset: Preset, tell: Tell = lambda _: None) -> LoadOptions:
    """How the settings want a model to be held.

    Raises:
        UserError: the device is not there.
    """
    use_threads(preset.general.threads)
    preset = without_plan(with_precision(preset))
    model, objective, device = preset.model, preset.objective, device_named(preset.general.device)
    use_tf32(device, preset.general.tf32)
    limit_card_memory(device, preset.general.card_memory)
    return LoadOptions(
        device=device,
        dtype=DTYPES[model.dtype],
        vae_dtype=DTYPES[model.vae_dtype],
        holding=_holding(preset, device),
        vae_tiling=model.vae_tiling,
        variant=model.variant,
        others={name: model_location(source) for name, source in preset.other_components().items()},
        clip_skip=model.clip_skip,
        max_chunks=model.max_chunks,
        weighted_captions=model.weighted_captions,
        offline=preset.general.offline,
        prediction=objective.prediction,
        flow_shift=objective.times.shift,
        zero_terminal_snr=objective.zero_terminal_snr,
        report=lambda said: tell(note(said)),
    )


def _holding(preset: Preset, device: torch.device) -> Holding:
    """How frozen weights are held; on what has no int8 products, weights are unpacked from int8."""
    model = preset.model
    kind = model.held_as if multiplies_int8(device) else model.quantization
    return Holding(kind.removeprefix("off"), model.offloaded if is_card(device) else 0.0)


def compiled(family: Family) -> Problem:
    """Compile the denoiser's blocks, where the compiler works; what to say of it."""
    from modules.placement.compiling import compile_blocks, why_not  # noqa: PLC0415 - few want it

    if why := why_not(family.options.device):
        return problem("compile.does-not-work", "general.compile", why=why)
    return problem("compile.blocks", "general.compile", count=compile_blocks(family.denoiser))


def model_location(source: str) -> str:
    """Where a model lies: a bundled one by its path, a file or a hub name as it is."""
    return str(resolve(source)) if is_bundled(source) else source


def resident_components(preset: Preset, family: Family, *, encodes_text: bool) -> set[str]:
    """The components that must stay in memory from the first step to the last.

    `encodes_text`: captions differ too much from view to view to be cached.
    """
    resident = {"denoiser", *preset.trained_parts()}
    if not caches_latents(preset, family):
        resident.add("vae")
    if encodes_text or not preset.caches_texts:
        resident.update(family.text_encoders)
    return resident


def caches_latents(preset: Preset, family: Family) -> bool:
    """Whether every image is encoded once, before the first step."""
    return not family.inpaints and not any(concept.enabled and concept.live for concept in preset.loaded_concepts)


def resolved(preset: Preset, family: Family) -> Preset:
    """The preset with what it leaves open: the resolution that the model was made for, the precision of the device."""
    preset = with_precision(preset)
    if preset.training.resolution:
        return preset
    training = preset.training.model_copy(update={"resolution": family.resolution})
    return preset.model_copy(update={"training": training})


WITHOUT_PLAN = {
    "model.quantization": "off", "model.offload": "none", "training.gradient_checkpointing": "none",
    "training.gradients": "card", "general.compile": "off",
}  # fmt: skip


def without_plan(preset: Preset) -> Preset:
    """The preset with what "auto" comes to where nobody has planned: everything on the device, and nothing twice."""
    return with_planned(preset, WITHOUT_PLAN)


def with_planned(preset: Preset, settings: Mapping[str, Any]) -> Preset:
    """The preset with these values, by path, in the place of each "auto"."""
    for path, value in settings.items():
        name, _, setting = path.partition(".")
        section: Section = getattr(preset, name)
        if getattr(section, setting) == "auto":
            preset = preset.model_copy(update={name: section.model_copy(update={setting: value})})
    return preset


def with_precision(preset: Preset) -> Preset:
    """The preset with the precision that "auto" is here: the device's, or that of trained weights in bf16."""
    if preset.model.dtype != "auto":
        return preset
    dtype = "bf16" if preset.training.weights == "bf16" else best_dtype(device_named(preset.general.device))
    return preset.model_copy(update={"model": preset.model.model_copy(update={"dtype": dtype})})


def check_samplers(preset: Preset, family: Family) -> None:
    """Find out before training whether the samples can be drawn with this model.

    Raises:
        Problems: with every sampler that cannot.
    """
    prompts = [prompt for prompt in preset.sampling.prompts if prompt.enabled]
    asked: list[Callable[[], object]] = [
        partial(scheduler_for, name, family.noise_schedule, spacing)
        for name, spacing in sorted({(prompt.sampler, prompt.spacing) for prompt in prompts})
    ]
    if layers := {prompt.perturbation_layers for prompt in prompts if prompt.perturbation != "none"}:
        names = family.parameter_names("denoiser")
        asked += [partial(attention_layers, family.card, names, wanted) for wanted in sorted(layers)]
    problems: list[Problem] = []
    for ask in asked:
        try:
            ask()
        except UserError as error:
            problems.append(replace(error.problem, path=error.problem.path or "sampling.prompts"))
    if problems:
        raise Problems(Problem("samples.cannot-be-made"), problems)


def scan_images(preset: Preset, tell: Tell, control: Control) -> Index:
    """Look at every image and caption of the concepts; bad images are named and left out.

    Raises:
        UserError: a folder is missing or holds nothing to learn from.
    """
    tell(Stage("stage.scanning-images"))
    index = scan(
        preset,
        cache=Path(preset.general.cache) if preset.general.cache else None,
        report=lambda done, total: tell(Stage("stage.scanning-images", done, total)),
        stop=control.stop_requested,
    )
    control.check()
    report_bad_images(index, tell)
    for said in index.notes:
        tell(note(said))
    return index


def validation_images(index: Index) -> Index:
    """The images that validation asks about.

    Raises:
        UserError: there are none.
    """
    validation_images = index.validation_images()
    if not len(validation_images):
        raise UserError("validation.no-images", "validation.enabled")
    return validation_images


def check_embedding_tokens(preset: Preset, index: Index) -> None:
    """Find out before training whether the images' captions hold the words that are to be learnt.

    Raises:
        Problems: with every word that no caption holds: it would stay as it began.
    """
    if lost := tokens_without_caption(preset, index):
        raise Problems(
            Problem("tokens.without-caption"), [problem("token.without-caption", token=token) for token in lost]
        )


def tokens_without_caption(preset: Preset, index: Index) -> list[str]:
    """The words that are to be learnt and stand in no caption."""
    if not preset.words:
        return []
    captions = {undrawn_caption(text, index.concepts[item.concept]) for item in index for text in item.captions}
    read = "\n".join(captions).lower()  # CLIP reads without regard to case
    return [word.token for word in preset.words if word.train and word.token.lower() not in read]


def report_bad_images(index: Index, tell: Tell, known: int = 0) -> None:
    """Name each image that is left out, but for the first `known`, which were named before."""
    for bad in index.bad[known:]:
        tell(note(problem("image.left-out", file=printable(bad.place, line=True), reason=bad.reason), level="warning"))
