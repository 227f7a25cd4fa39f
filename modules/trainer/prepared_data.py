"""What is encoded before the first step: images and captions, prompts of the samples, targets of the prior."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from modules.data.batches import BatchLoader
from modules.data.cache.store import Cache
from modules.data.index import Index
from modules.data.order import epoch_length
from modules.families import Family
from modules.messages import Stage, note
from modules.methods.training_adapters import TrainingAdapters
from modules.preset.preset import Preset
from modules.sentences.problem import problem
from modules.text import GB
from modules.trainer.control import Control
from modules.trainer.preparation import Tell, report_bad_images, resident_components, validation_images
from modules.trainer.retention.anchors import Anchors
from modules.trainer.retention.preparing import anchors_for, timed
from modules.trainer.retention.series import earlier_extent
from modules.trainer.run_folder.disk_retry import DiskRetry
from modules.trainer.sampling.sampler import Sampler
from modules.trainer.step import prior_preservation
from modules.trainer.step.denoising_task import DenoisingTask
from modules.trainer.step.encoders import FamilyEncoders
from modules.trainer.step.prior_preservation import TeacherCache
from modules.trainer.validation import without_randomness


class Prepared(NamedTuple):
    """Images and captions, encoded; and what draws samples."""

    loader: BatchLoader
    measured: BatchLoader | None  # for validation, if that is wanted
    sampler: Sampler
    anchors: Anchors | None  # what is measured of forgetting, and
    practised: BatchLoader | None  # the images on which it is of learning


def run_length(preset: Preset, loader: BatchLoader) -> tuple[int, int]:
    """Steps in all, and steps of an epoch. The last step of an epoch may take fewer batches than the others."""
    epoch = -(-epoch_length(loader.index, preset.training.batch_size) // preset.training.accumulation)
    return preset.training.steps or epoch * preset.training.epochs, epoch


def cache_with_retry(preset: Preset, disk_retry: DiskRetry) -> Cache:
    """The cache of the preset, which waits for a disk that takes nothing."""
    folder = Path(preset.general.cache)
    return Cache(folder, lambda work: disk_retry.retry(work, "written.cache", folder))


def prepare_data(
    preset: Preset, family: Family, index: Index, cache: Cache, tell: Tell, control: Control,
    backup: Path | None = None,
) -> Prepared:  # fmt: skip
    """Encode what is not in the cache yet, read the samples' prompts, and let go of what training does not need.

    `backup`: that a run goes on from.
    """
    caches_text = not preset.trains_text
    loader = _filled(preset, family, index.training_rows(), cache, tell, control)
    measured = None
    if preset.validation.enabled:
        measured = _filled(without_randomness(preset), family, validation_images(index), cache, tell, control)
    sampler = Sampler(
        family, preset.resolution, cache_texts=caches_text, sampling=preset.sampling, seed=preset.general.seed
    )
    if caches_text:
        sampler.read([prompt for prompt in preset.sampling.prompts if prompt.enabled])
    steps, practised = run_length(preset, loader)[0], None
    anchors = anchors_for(preset, family, steps, cache, tell, earlier_extent(backup))
    if anchors and len(images := loader.index.practised_images(anchors.extent.images)):
        with timed(anchors):
            practised = _filled(without_randomness(preset), family, images, cache, tell, control)
    resident = resident_components(preset, family, encodes_text=loader.encodes_text)
    family.unload(*(set(family.component_names) - resident))
    return Prepared(loader, measured, sampler, anchors, practised)


def _filled(preset: Preset, family: Family, index: Index, cache: Cache, tell: Tell, control: Control) -> BatchLoader:
    loader = BatchLoader(
        index,
        preset,
        FamilyEncoders(family),
        cache,
        cache_latents=not family.inpaints,
        cache_text=preset.caches_texts,
        note=lambda what: tell(note(what, level="warning")),
    )
    loader.fill(lambda stage, done, total: tell(Stage(stage, done, total)), control.stop_requested)
    control.check()
    report_bad_images(loader.index, tell, known=len(index.bad))
    return loader


def complete_cache(
    preset: Preset, family: Family, loader: BatchLoader, tell: Tell, control: Control
) -> TeacherCache | None:
    """The last that a run encodes: what its model says of "prior" images, where a full fine-tune is about to change it.

    Then it is known what the run needs, and the cache is brought within its limit.
    """
    teacher = _teacher_cache(preset, family, loader, tell, control)
    _keep_within_limit(preset, loader.cache, tell)
    return teacher


def _teacher_cache(
    preset: Preset, family: Family, loader: BatchLoader, tell: Tell, control: Control
) -> TeacherCache | None:
    if not prior_preservation.needs_teacher_cache(preset):
        return None
    teacher = TeacherCache(DenoisingTask(preset, family), loader.cache)
    with TrainingAdapters(family, preset):
        teacher.fill(loader, lambda stage, done, total: tell(Stage(stage, done, total)), control.stop_requested)
    control.check()
    return teacher


def _keep_within_limit(preset: Preset, cache: Cache, tell: Tell) -> None:
    limit = round(preset.general.cache_limit * GB)
    if not limit:
        return
    freed, taken = cache.keep_within(limit)
    if freed:
        tell(note(problem("cache.trimmed", freed=freed, taken=taken)))
    if taken > limit:
        tell(note(problem("cache.over-limit", "general.cache_limit", taken=taken, limit=limit), level="warning"))
