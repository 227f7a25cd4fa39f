"""The table of contents: what each job does, step by step."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from modules.check.report import check, warnings
from modules.check.subject import Subject
from modules.data.batches import Feed
from modules.data.cache import Cache
from modules.data.index import Index
from modules.families import Family
from modules.messages import (
    Channel,
    CheckPreset,
    ConvertModel,
    Event,
    FillCache,
    Finished,
    Job,
    Mailbox,
    MakeImages,
    Note,
    Phase,
    Started,
    Train,
)
from modules.methods import Method, attach, check_layers, check_start_file
from modules.preset.preset import Preset
from modules.preset.rules import judged
from modules.preset.store import write_project
from modules.system.collecting import no_collections
from modules.tools.convert import convert
from modules.tools.sample import make_images
from modules.trainer import prior
from modules.trainer.asker import Asker
from modules.trainer.class_images import with_class_images
from modules.trainer.control import Control, Interrupted
from modules.trainer.encoders import FamilyEncoders
from modules.trainer.keeper import Keeper
from modules.trainer.learner import Learner
from modules.trainer.library import check_optimizer
from modules.trainer.memory import compute_twice
from modules.trainer.outputs import Outputs
from modules.trainer.past import Past
from modules.trainer.patience import Patience
from modules.trainer.preparation import (
    Tell,
    check_samplers,
    check_words,
    images_to_measure,
    open_family,
    scan_images,
    tell_bad,
    with_resolution,
)
from modules.trainer.prior import KeptAnswers
from modules.trainer.rates import told
from modules.trainer.records import Records, Told
from modules.trainer.sampler import Sampler
from modules.trainer.trainer import Trainer, length_of
from modules.trainer.validation import without_chance
from modules.trainer.validator import Validator
from modules.trainer.workspace import alone_in, anchored, check_writable, folder_to_continue, new_run_folder


def perform(job: Job, channel: Channel) -> None:
    """Do a job. Its last event is Finished; an error is the caller's to report."""
    control = Control(channel.commands)
    tell = channel.events.put
    try:
        match job:
            case Train():
                train(job, channel.events, control)
            case FillCache(values):
                fill_cache(values, tell, control)
            case CheckPreset(values, probe, start):
                tell(check(values, tell, control, probe=probe, start=start))
                tell(Finished())
            case MakeImages():
                tell(Finished(path=make_images(job, tell, control)))
            case ConvertModel():
                tell(Finished(path=convert(job, tell)))
    except Interrupted:
        tell(Finished(stopped=True))


def train(job: Train, events: Mailbox[Event], control: Control) -> None:
    """A run: it gets its folder when all that can be checked has been, and all that can be prepared is."""
    told = Told(events)
    preset = anchored(judged(job.preset))
    outputs = Outputs(preset)
    outputs.check_free()
    family = open_family(preset, told.tell)
    preset = with_resolution(preset, family)
    outputs.preset = preset
    check_samplers(preset, family)
    with ExitStack() as held:
        past = _past(preset, job.resume, held) if job.resume else None
        asked, preset = preset, with_class_images(preset, family, told.tell, control)
        index = scan_images(preset, told.tell, control)
        check_words(preset, index)
        for judge in (check_layers, check_start_file, check_optimizer):
            judge(family, preset)
        for note in warnings(Subject(preset, family, index, told.tell, control)):
            told.tell(note)
        patience = Patience(control, told.tell)
        cache = held.enter_context(patient_cache(preset, patience))
        prepared = filled_feeds(preset, family, index, cache, told.tell, control)
        told.tell(Phase("Loading the model"))
        kept = kept_answers(preset, family, prepared.feed, told.tell, control)
        method = attach(family, preset)
        outputs.folder = past.folder if past else _new_folder(preset, patience, held)
        if past is None or past.backup is None:
            _write_preset(asked, outputs.folder, patience)
        step, board = past.step if past else 0, preset.general.tensorboard
        records = held.enter_context(Records(outputs.folder, events, tensorboard=board, step=step))
        told.hand_over(records)
        _train(preset, method, prepared, outputs, records, control, past, kept)


def _past(preset: Preset, wanted: str, held: ExitStack) -> Past:
    """The run to continue, for this process alone before anything of it is read."""
    folder = folder_to_continue(preset, wanted)
    held.enter_context(alone_in(folder))
    return Past(folder)


def _new_folder(preset: Preset, patience: Patience, held: ExitStack) -> Path:
    folder = new_run_folder(preset)
    held.enter_context(patience.insist(lambda: alone_in(folder), "a lock", folder))
    return folder


def _write_preset(asked: Preset, folder: Path, patience: Patience) -> None:
    file = folder / "preset.json"
    patience.insist(lambda: write_project(asked, file), "preset.json", file)


class Prepared(NamedTuple):
    """Images and captions, encoded; and what draws samples."""

    feed: Feed
    measured: Feed | None  # for validation, if that is wanted
    sampler: Sampler


def patient_cache(preset: Preset, patience: Patience) -> Cache:
    """The cache of the preset, which waits for a disk that takes nothing."""
    folder = Path(preset.general.cache)
    return Cache(folder, lambda work: patience.insist(work, "what is encoded", folder))


def _train(
    preset: Preset, method: Method, prepared: Prepared, outputs: Outputs, records: Records, control: Control,
    past: Past | None, kept: KeptAnswers | None,
) -> None:  # fmt: skip
    family, (feed, measured, sampler) = method.family, prepared
    if preset.training.gradient_checkpointing:
        compute_twice(family, method.touched_parts | {"denoiser"})
    steps, epoch_length = length_of(preset, feed)
    outputs.describe(family, feed.index, steps, epoch_length)
    with no_collections():  # the first optimizer imports much of torch
        learner = Learner(preset, family, method, steps, kept)
    keeper = Keeper(learner, sampler, outputs, records, control, held=held_parts(preset, family, feed))
    validator = Validator(keeper, measured) if measured else None
    trainer = Trainer(learner, keeper, feed, records, control, validator)
    resumed_from = learner.clock.step if past and past.resume(learner) else -1
    records.step = max(resumed_from, 0)
    records.tell(Started(str(outputs.folder), steps, -(-steps // epoch_length), epoch_length, resumed_from))
    records.text("preset", (outputs.folder / "preset.json").read_text(encoding="utf-8"))
    facts = [*method.notes(), *told(preset), *prior.notes(preset, feed.index), *learner.notes()]
    facts += validator.notes() if validator else ()
    for note in (*(past.story() if past else ()), *map(Note, facts)):
        records.tell(note)
    if learner.clock.step >= steps:
        ways = "Raise training.steps or training.epochs to go on."
        records.tell(Note(f"This run has done its {steps} steps: only its model is written. {ways}", "warning"))
    trainer.run()


def filled_feeds(preset: Preset, family: Family, index: Index, cache: Cache, tell: Tell, control: Control) -> Prepared:
    """Encode what is not in the cache yet, read the samples' prompts, and let go of what training does not need."""
    caches_text = not preset.trains_text
    feed = _filled(preset, family, index.learnt(), cache, tell, control)
    measured = None
    if preset.validation.enabled:
        measured = _filled(without_chance(preset), family, images_to_measure(index), cache, tell, control)
    sampler = Sampler(
        family, preset.resolution, keep_texts=caches_text, sampling=preset.sampling, seed=preset.general.seed
    )
    if caches_text:
        sampler.read([prompt for prompt in preset.sampling.prompts if prompt.enabled])
    family.let_go(*(set(family.part_names) - held_parts(preset, family, feed)))
    return Prepared(feed, measured, sampler)


def _filled(preset: Preset, family: Family, index: Index, cache: Cache, tell: Tell, control: Control) -> Feed:
    feed = Feed(
        index,
        preset,
        FamilyEncoders(family),
        cache,
        cache_latents=not family.inpaints,
        cache_text=not preset.trains_text,
        note=lambda text: tell(Note(text, "warning")),
    )
    feed.fill(lambda title, done, total: tell(Phase(title, done, total)), control.stop_wanted)
    control.check()
    tell_bad(feed.index, tell, known=len(index.bad))
    return feed


def kept_answers(preset: Preset, family: Family, feed: Feed, tell: Tell, control: Control) -> KeptAnswers | None:
    """What the model says of "prior" images, where a full fine-tune is about to change it."""
    if not prior.keeps_answers(preset):
        return None
    kept = KeptAnswers(Asker(preset, family), feed.cache)
    kept.fill(feed, lambda title, done, total: tell(Phase(title, done, total)), control.stop_wanted)
    control.check()
    return kept


def held_parts(preset: Preset, family: Family, feed: Feed) -> set[str]:
    """Parts that must stay in memory from the first step to the last."""
    held = {"denoiser", *preset.trained_parts()}
    if not feed.cache_latents or any(concept.enabled and concept.live for concept in preset.concepts):
        held.add("vae")
    if preset.trains_text or feed.encodes_text:
        held.update(family.text_encoders)
    return held


def fill_cache(values: dict[str, object], tell: Tell, control: Control) -> None:
    """Only the preparation of a run: the next one starts at once."""
    preset = anchored(judged(values))
    check_writable(Path(preset.general.cache))
    family = open_family(preset, tell)
    preset = with_resolution(preset, family)
    preset = with_class_images(preset, family, tell, control)
    index = scan_images(preset, tell, control)
    with patient_cache(preset, Patience(control, tell)) as cache:
        prepared = filled_feeds(preset, family, index, cache, tell, control)
        kept_answers(preset, family, prepared.feed, tell, control)
    tell(Note(f"Everything is cached in {preset.general.cache}."))
    tell(Finished())
