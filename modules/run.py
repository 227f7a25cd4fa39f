"""The table of contents: what each job does, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from modules.check.context import CheckContext
from modules.check.plan.start import Decided, Earlier, decide, next_rung
from modules.check.report import check, warnings
from modules.data.index import Index
from modules.errors import UserError
from modules.families import Family
from modules.jobs.cards import held
from modules.messages import Channel, CheckPreset, Event, Finished, Job, Mailbox, RunTool, Stage, Started, Train, note
from modules.methods import Method, attach, check_layers, check_start_file, check_training_adapters
from modules.plan_text import way_problem
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.changes import Changes
from modules.preset.files.naming import run_name
from modules.preset.files.store import project_text, write_project
from modules.preset.preset import Preset
from modules.preset.rules.rules import validate
from modules.remote.fetching import elsewhere
from modules.run_folders import new_run_folder, passed_over, run_to_continue
from modules.sentences.problem import problem
from modules.system.card.names import card_name
from modules.system.devices import device_named
from modules.system.runtime import gc_paused
from modules.tools import tool_named
from modules.trainer.class_images import with_class_images
from modules.trainer.control import Control, Interrupted
from modules.trainer.preparation import (
    check_embedding_tokens,
    check_samplers,
    compiled,
    load_options,
    open_family,
    resident_components,
    resolved,
    scan_images,
)
from modules.trainer.prepared_data import Prepared, cache_with_retry, complete_cache, prepare_data, run_length
from modules.trainer.retention.examiner import Examiner
from modules.trainer.retention.preparing import base_asked
from modules.trainer.run_folder.disk_retry import DiskRetry
from modules.trainer.run_folder.model_paths import ModelPaths
from modules.trainer.run_folder.records import EarlyEvents, Records
from modules.trainer.run_folder.resume import ResumeState, settings_notes
from modules.trainer.run_folder.run_writer import RunWriter
from modules.trainer.run_folder.workspace import run_lock
from modules.trainer.step import prior_preservation
from modules.trainer.step.learner import Learner
from modules.trainer.step.optimizer_factory import check_optimizer
from modules.trainer.step.out_of_memory import use_gradient_checkpointing
from modules.trainer.step.prior_preservation import TeacherCache
from modules.trainer.step.schedule import scaled_rate
from modules.trainer.trainer import Trainer
from modules.trainer.validation import Validator


def run_job(job: Job, channel: Channel) -> None:
    """Do a job. Its last event is Finished; an error is the caller's to report."""
    control = Control(channel.commands)
    tell = channel.events.put
    try:
        match job:
            case Train():
                train(job, channel.events, control)
            case CheckPreset(values):
                tell(check(values, tell, control, probe=job.probe, start=job.start, resume=job.resume, card=job.card))
                tell(Finished())
            case RunTool(name, settings):
                tell(Finished(path=tool_named(name).run(settings, tell, control)))
    except (Interrupted, KeyboardInterrupt):
        tell(Finished(stopped=True))


def train(job: Train, events: Mailbox[Event], control: Control) -> None:
    """A run, to its end; where memory runs out, it goes on from its last step in a way that takes less."""
    preset, lower = validate(job.preset), None
    card = card_name(device_named(preset.general.device))
    with held(card, run_name(preset), share=job.share_card):
        while lower := _train_until(job, events, control, lower):
            job = replace(job, resume=lower.folder)


class Lower(NamedTuple):
    """The run in this folder is to go on with these settings in the place of what it had decided."""

    folder: str
    settings: Mapping[str, Any]


def _train_until(job: Train, events: Mailbox[Event], control: Control, lower: Lower | None) -> Lower | None:
    """A run gets its folder when all that can be checked has been, and all that can be prepared is."""
    early = EarlyEvents(events, again=lower is not None)
    preset = with_absolute_paths(validate(job.preset))
    with ExitStack() as stack:
        resumed = _resume_state(preset, job.resume, stack, early.tell) if job.resume else None
        outputs = ModelPaths(preset, resumed.folder if resumed else None)
        outputs.check_free()
        family = open_family(preset, early.tell)
        asked = resolved(preset, family)
        decide_now = partial(_decided, lower, _earlier(resumed, asked) if resumed else None)
        context, index, decided = _looked_at(asked, family, early.tell, control, decide_now)
        outputs.preset, preset = decided.applied(asked), decided.applied(context.preset)
        family.options = load_options(preset, early.tell)
        disk_retry = DiskRetry(control, early.tell)
        cache = stack.enter_context(cache_with_retry(preset, disk_retry))
        prepared = prepare_data(preset, family, index, cache, early.tell, control, resumed and resumed.backup)
        early.tell(Stage("stage.loading-model"))
        teacher = complete_cache(preset, family, prepared.loader, early.tell, control)
        prepared = prepared._replace(anchors=base_asked(prepared.anchors, early.tell, control))
        method = attach(family, preset)
        if resumed is None:
            outputs.use(_new_folder(preset, disk_retry, stack))
            file = outputs.folder / "preset.json"
            disk_retry.retry(lambda: write_project(outputs.preset, file), "written.preset", file)
        step, board = resumed.step if resumed else 0, preset.general.tensorboard
        records = stack.enter_context(Records(outputs.folder, events, tensorboard=board, step=step))
        early.write_to(records)
        trainer = _trainer(preset, method, prepared, outputs, records, control, resumed, teacher)
        if not decided.kept:
            trainer.learner.parts.restart(decided.at_once)
        return _run(trainer, context.preset, preset)


def _earlier(resumed: ResumeState, asked: Preset) -> Earlier | None:
    """What a run had decided, if that is still asked for."""
    settings = resumed.planned(asked)
    return None if settings is None else Earlier(settings, *resumed.planned_for())


def _decided(lower: Lower | None, earlier: Earlier | None, context: CheckContext) -> Decided:
    """How a run holds its model: in the way that memory has left, as before, or by the plan."""
    return Decided(lower.settings) if lower else decide(context, earlier)


def _looked_at(
    asked: Preset, family: Family, tell: Callable[[Event], None], control: Control,
    decide_now: Callable[[CheckContext], Decided],
) -> tuple[CheckContext, Index, Decided]:  # fmt: skip
    """The images of a run, everything about it that can be judged without weights, and how it holds its model."""

    def progress(event: Event) -> None:
        if isinstance(event, Stage):
            tell(event)

    def hold() -> None:
        """Class images are drawn with the model as it will be trained, so that there is room for them."""
        context = CheckContext(asked, family, scan_images(asked, progress, control), progress, control)
        family.options = load_options(decide_now(context).applied(asked), tell)

    check_samplers(asked, family)
    preset = with_class_images(asked, family, tell, control, hold)
    index = scan_images(preset, tell, control)
    check_embedding_tokens(preset, index)
    for judge in (check_layers, check_start_file, check_training_adapters, check_optimizer):
        judge(family, preset)
    context = CheckContext(preset, family, index, tell, control)
    for said in warnings(context):
        tell(said)
    return context, index, decide_now(context)


def _run(trainer: Trainer, asked: Preset, preset: Preset) -> Lower | None:
    """Train to the end, or until memory runs out and something is left that takes less."""
    try:
        trainer.run()
    except UserError as error:
        rung = next_rung(asked, preset) if error.problem.code in OUT_OF_MEMORY else None
        if rung is None:
            raise
        step, writer = trainer.clock.step, trainer.writer
        if error.problem.code == "memory.step" and step:  # an update may have been half done
            writer.back_up()
        writer.note(problem("plan.next", step=step + 1, how=way_problem(rung)), level="warning")
        return Lower(str(writer.folder), rung)
    return None


OUT_OF_MEMORY = ("memory.step", "memory.update")


def _resume_state(preset: Preset, wanted: str, stack: ExitStack, tell: Callable[[Event], None]) -> ResumeState:
    """The run to continue, for this process alone before anything of it is read."""
    folder = run_to_continue(preset, wanted)
    if where := elsewhere(folder):
        raise UserError("remote.other-machine", run=folder.name, address=where.address)
    stack.enter_context(run_lock(folder))
    if wanted == "newest":
        tell(note(passed_over(preset, folder)))
    return ResumeState(folder)


def _new_folder(preset: Preset, disk_retry: DiskRetry, stack: ExitStack) -> Path:
    folder = new_run_folder(preset)
    stack.enter_context(disk_retry.retry(lambda: run_lock(folder), "written.lock", folder))
    return folder


def _trainer(
    preset: Preset, method: Method, prepared: Prepared, outputs: ModelPaths, records: Records, control: Control,
    resumed: ResumeState | None, teacher: TeacherCache | None,
) -> Trainer:  # fmt: skip
    family, loader, sampler = method.family, prepared.loader, prepared.sampler
    use_gradient_checkpointing(family, method.modified_components | {"denoiser"}, preset.training.checkpointed)
    if preset.general.compiles:
        records.tell(note(compiled(family)))
    steps, epoch_length = run_length(preset, loader)
    outputs.describe(family, loader.index, steps, epoch_length, control.check)
    with gc_paused():  # the first optimizer imports much of torch
        learner = Learner(preset, family, method, steps, teacher)
    writer = RunWriter(
        learner,
        sampler,
        outputs,
        records,
        control,
        resident=resident_components(preset, family, encodes_text=loader.encodes_text),
    )
    validator, examiner = _measuring(writer, prepared, steps)
    trainer = Trainer(learner, writer, loader, records, control, validator, examiner)
    learner.state["started"] = outputs
    resumed_from, changes = -1, Changes()
    if resumed and resumed.resume(learner):
        resumed_from, changes = learner.clock.step, resumed.changes(preset)
    if resumed:
        writer.disk_retry.retry(lambda: resumed.record(outputs.preset), "written.preset", outputs.folder)
    records.step = max(resumed_from, 0)
    records.tell(Started(str(outputs.folder), steps, -(-steps // epoch_length), epoch_length, resumed_from, changes))
    records.text("preset", project_text(outputs.preset))
    scaled = scaled_rate(preset)
    facts = [
        *method.notes(),
        *(method.training_adapters.notes() if method.training_adapters else ()),
        *([scaled] if scaled else []),
        *prior_preservation.notes(preset, loader.index),
        *learner.notes(),
    ]
    facts += [*(validator.notes() if validator else ()), *(examiner.notes() if examiner else ())]
    for said in (*(resumed.notes() if resumed else ()), *settings_notes(changes), *map(note, facts)):
        records.tell(said)
    if learner.clock.step >= steps:
        records.tell(note(problem("resume.done", count=steps), level="warning"))
    return trainer


def _measuring(writer: RunWriter, prepared: Prepared, steps: int) -> tuple[Validator | None, Examiner | None]:
    """What measures a run on its way; one of the two says which model is the best."""
    anchors, measured = prepared.anchors, prepared.measured
    validator = Validator(writer, measured) if measured else None
    examiner = Examiner(writer, anchors, steps, prepared.practised, measured) if anchors else None
    if validator and examiner and examiner.keeps_best:
        validator.keeps_best = False
    return validator, examiner
