"""What would keep a run from starting, each found by itself: what can be opened is opened, the rest is a finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from modules.check.context import CheckContext
from modules.data.source.kinds import source_of
from modules.diffusion.solvers import scheduler_for
from modules.errors import Problems, UserError
from modules.families import Family
from modules.messages import Event, Finding, Fix, Stage
from modules.methods import check_layers, check_start_file, check_training_adapters
from modules.methods.textual_inversion import existing_tokens, token_problems
from modules.preset.preset import Preset
from modules.preset.validate import setting_at
from modules.sentences.problem import Problem
from modules.sentences.render import PLAIN, fix
from modules.system.devices import device_named
from modules.trainer.control import Control
from modules.trainer.preparation import (
    check_samplers,
    open_family,
    resolved,
    scan_images,
    tokens_without_caption,
)
from modules.trainer.run_folder.model_paths import ModelPaths

Tell = Callable[[Event], None]
T = TypeVar("T")
MAX_ITEMS = 20


def open_inputs(preset: Preset, tell: Tell, control: Control, resume: str = "") -> CheckContext:
    """Everything that can be opened without weights, as far as it can be; what cannot is told as a finding.

    `resume`: the folder of the run that is to go on.
    """

    def progress(event: Event) -> None:
        """What a run would note while it opens things, the rooms find themselves, and say more of it."""
        if isinstance(event, Stage):
            tell(event)

    outputs = ModelPaths(preset, Path(resume) if resume else None)
    finding_on_error(tell, "output.taken", "output.path", outputs.check_overwrite)
    family, asked_preset = None, preset
    if _device_is_there(preset, tell):
        family = finding_on_error(tell, "model.cannot-open", "model.source", lambda: open_family(preset, progress))
    if family is not None:
        asked, preset = preset.model.dtype, resolved(preset, family)
        if asked == "auto":
            tell(Finding("precision.auto", "info", "model.dtype", {"dtype": preset.model.dtype}))
        _check_model(preset, family, tell)
    index = finding_on_error(
        tell, "images.cannot-read", _first_missing_folder(preset), lambda: scan_images(preset, progress, control)
    )
    context = CheckContext(preset, family, index, tell, control, asked=asked_preset)
    _check_tokens(context)
    return context


def finding_on_error(
    tell: Tell, name: str, setting: str, work: Callable[[], T], fixes: list[Fix] | None = None
) -> T | None:
    """What `work` gives; None where the user must mend something first, which is told as a finding."""
    try:
        return work()
    except UserError as error:
        tell(finding_of(error, name, setting, fixes or []))
        return None


def finding_of(error: UserError, name: str, path: str, fixes: list[Fix]) -> Finding:
    """An error that would end a run before it begins, as a finding of the check."""
    problems = error.problems if isinstance(error, Problems) else ()
    what = problems[0] if len(problems) == 1 else error.problem
    items = [PLAIN.line(each) for each in problems[:MAX_ITEMS]] if len(problems) > 1 else []
    return Finding(name, "error", what.path or path, {"problem": what}, [*fixes, *error.fixes], items=items)


def settings_findings(problems: Sequence[Problem]) -> list[Finding]:
    """Settings that no run could begin with, one finding each."""
    return [
        Finding("settings", "error", each.path if setting_at(each.path) else "", {"problem": each}) for each in problems
    ]


# The model ------------------------------------------------------------------------------------------------------------


def _device_is_there(preset: Preset, tell: Tell) -> bool:
    ways = [fix("fix.device-auto", {"general.device": "auto"})]
    found = finding_on_error(
        tell, "device.missing", "general.device", lambda: device_named(preset.general.device), ways
    )  # fmt: skip
    return found is not None


def _check_model(preset: Preset, family: Family, tell: Tell) -> None:
    for note in family.notes:
        tell(Finding("model.guessed", "info", "objective.prediction", {"problem": note}))
    able = _usable_sampler(family)
    changes: dict[str, Any] = {
        f"sampling.prompts.{n}.{name}": value
        for n, prompt in enumerate(preset.sampling.prompts)
        if prompt.enabled and not _can_sample(prompt.sampler, family, prompt.spacing)
        for name, value in {"sampler": able, "spacing": "default"}.items()
    }
    fixes = [fix("fix.sampler", changes, sampler=able)] if able else []
    finding_on_error(tell, "samples.cannot-draw", "sampling.prompts", lambda: check_samplers(preset, family), fixes)
    if preset.prior.made.count:
        sampler, path = preset.prior.made.sampler, "prior.made.sampler"
        fixes = [fix("fix.sampler", {path: able}, sampler=able)] if able else []
        finding_on_error(
            tell, "samples.cannot-draw", path, lambda: scheduler_for(sampler, family.noise_schedule), fixes
        )  # fmt: skip
    if preset.method.kind != "embedding":
        usual = {"method.layers": type(preset.method).model_fields["layers"].default}
        fixes = [fix("fix.usual-layers", usual)]
        finding_on_error(tell, "layers.none", "method.layers", lambda: check_layers(family, preset), fixes)
    finding_on_error(tell, "start.cannot-use", "method.start_from", lambda: check_start_file(family, preset))
    laid = "model.training_adapters"
    finding_on_error(tell, "start.cannot-use", laid, lambda: check_training_adapters(family, preset))


def _can_sample(sampler: str, family: Family, spacing: str = "default") -> bool:
    try:
        scheduler_for(sampler, family.noise_schedule, spacing)
    except UserError:
        return False
    return True


def _usable_sampler(family: Family) -> str:
    return next((name for name in ("euler", "ddim") if _can_sample(name, family)), "")


# Images and words -----------------------------------------------------------------------------------------------------


def _first_missing_folder(preset: Preset) -> str:
    """The setting that a failed look at the images is most likely about."""
    for number, concept in enumerate(preset.concepts):
        folder = source_of(concept, number).folder
        if concept.enabled and folder is not None and not folder.is_dir():
            return f"concepts.{number}.path"
    return "concepts"


def _check_tokens(context: CheckContext) -> None:
    """New tokens that could not be learned: wrongly spelt, known to the model, or in no caption."""
    preset, tell = context.preset, context.tell
    for each in token_problems(preset.words):
        tell(Finding("words.spelling", "error", "words", {"problem": each}))
    known = existing_tokens(context.family, preset.words) if context.family else []
    for number, word in enumerate(preset.words):
        if word in known:
            other = f"<{word.token.strip('<>')}-1>"
            tell(Finding("words.known", "error", f"words.{number}.token", {"token": word.token, "other": other}))
    for token in tokens_without_caption(preset, context.index) if context.index else []:
        prefixes = {
            f"concepts.{n}.prefix": f"{token} {concept.prefix}"
            for n, concept in enumerate(preset.concepts)
            if concept.enabled
        }
        ways = [fix("fix.prefix", prefixes, token=token)]
        tell(Finding("words.lost", "error", "concepts.0.prefix", {"token": token}, ways))
