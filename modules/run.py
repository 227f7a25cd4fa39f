"""The table of contents: what each job does, step by step."""

from __future__ import annotations

from pathlib import Path

from modules.check.report import check
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
from modules.methods import Method, attach, check_layers
from modules.preset.preset import Preset
from modules.preset.rules import judged
from modules.preset.store import write_project
from modules.system.collecting import no_collections
from modules.tools.convert import convert
from modules.tools.sample import make_images
from modules.trainer.backup import step_of
from modules.trainer.control import Control, Interrupted
from modules.trainer.encoders import FamilyEncoders
from modules.trainer.keeper import Keeper
from modules.trainer.learner import Learner
from modules.trainer.memory import compute_twice
from modules.trainer.outputs import Outputs
from modules.trainer.preparation import (
    Tell,
    check_samplers,
    check_words,
    note_long_captions,
    open_family,
    repeats_notes,
    scan_images,
    tell_bad,
    with_resolution,
)
from modules.trainer.records import Records, Told
from modules.trainer.sampler import Sampler
from modules.trainer.trainer import Trainer, length_of
from modules.trainer.workspace import anchored, folder_to_continue, new_run_folder


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
            case CheckPreset(values):
                tell(check(anchored(judged(values)), tell, control))
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
    continued = folder_to_continue(preset, job.resume) if job.resume else None
    index = scan_images(preset, told.tell, control)
    check_words(preset, index)
    check_layers(family, preset)
    note_long_captions(index, family, told.tell)
    with Cache(Path(preset.general.cache)) as cache:
        feed, sampler = filled_feed(preset, family, index, cache, told.tell, control)
        told.tell(Phase("Loading the model"))
        method = attach(family, preset)
        outputs.folder = continued[0] if continued else new_run_folder(preset)
        if not continued:
            write_project(preset, outputs.folder / "preset.json")
        step = step_of(continued[1]) if continued else 0
        with Records(outputs.folder, events, tensorboard=preset.general.tensorboard, step=step) as records:
            told.hand_over(records)
            _train(preset, method, feed, sampler, outputs, records, control, continued[1] if continued else None)


def _train(
    preset: Preset, method: Method, feed: Feed, sampler: Sampler, outputs: Outputs, records: Records, control: Control,
    backup: Path | None,
) -> None:  # fmt: skip
    family = method.family
    if preset.training.gradient_checkpointing:
        compute_twice(family, method.touched_parts | {"denoiser"})
    steps, epoch_length = length_of(preset, feed)
    outputs.describe(family, feed.index, steps, epoch_length)
    with no_collections():  # the first optimizer imports much of torch
        learner = Learner(preset, family, method, steps)
    keeper = Keeper(learner, sampler, outputs, records, control, held=held_parts(preset, family, feed))
    trainer = Trainer(learner, keeper, feed, records, control)
    if backup:
        learner.resume(backup)
    resumed_from = learner.clock.step if backup else -1
    records.tell(Started(str(outputs.folder), steps, -(-steps // epoch_length), epoch_length, resumed_from))
    records.text("preset", (outputs.folder / "preset.json").read_text(encoding="utf-8"))
    for note in (*method.notes(), *repeats_notes(preset, feed)):
        records.tell(Note(note))
    if learner.clock.step >= steps:
        ways = "Raise training.steps or training.epochs to go on."
        records.tell(Note(f"This run has done its {steps} steps: only its model is written. {ways}", "warning"))
    trainer.run()


def filled_feed(
    preset: Preset, family: Family, index: Index, cache: Cache, tell: Tell, control: Control
) -> tuple[Feed, Sampler]:
    """Encode what is not in the cache yet, read the samples' prompts, and let go of what training does not need."""
    caches_text = not preset.trains_text
    feed = Feed(
        index,
        preset,
        FamilyEncoders(family),
        cache,
        cache_latents=not family.inpaints,
        cache_text=caches_text,
        note=lambda text: tell(Note(text, "warning")),
    )
    feed.fill(lambda title, done, total: tell(Phase(title, done, total)), control.stop_wanted)
    control.check()
    tell_bad(feed.index, tell, known=len(index.bad))
    sampler = Sampler(family, preset.resolution, keep_texts=caches_text)
    if caches_text:
        sampler.read([prompt for prompt in preset.sampling.prompts if prompt.enabled])
    family.let_go(*(set(family.part_names) - held_parts(preset, family, feed)))
    return feed, sampler


def held_parts(preset: Preset, family: Family, feed: Feed) -> set[str]:
    """Parts that must stay in memory from the first step to the last."""
    held = {"denoiser", *preset.trained_parts()}
    if not feed.cache_latents:
        held.add("vae")
    if preset.trains_text or any(concept.enabled and concept.shuffle_tags for concept in preset.concepts):
        held.update(family.text_encoders)
    return held


def fill_cache(values: dict[str, object], tell: Tell, control: Control) -> None:
    """Only the preparation of a run: the next one starts at once."""
    preset = anchored(judged(values))
    family = open_family(preset, tell)
    preset = with_resolution(preset, family)
    index = scan_images(preset, tell, control)
    with Cache(Path(preset.general.cache)) as cache:
        filled_feed(preset, family, index, cache, tell, control)
    tell(Note(f"Everything is cached in {preset.general.cache}."))
    tell(Finished())
