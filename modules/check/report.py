"""Everything that can be known of a run before it is started: the rooms of the check, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from modules.check.captions import findings as captions
from modules.check.context import CheckContext
from modules.check.images import buckets
from modules.check.images import findings as images
from modules.check.plan import findings as plan
from modules.check.run import costs, paths, precision, run_length, unused_settings, validation
from modules.check.run.run_length import Plan
from modules.check.start import Tell, finding_of, open_inputs, settings_findings
from modules.errors import Problems, UserError
from modules.messages import Event, Finding, MemoryPlan, Note, Result, Severity, Stage, note
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.rules.rules import validate
from modules.sentences.problem import Problem, problem
from modules.sentences.render import PLAIN
from modules.trainer.control import Control

Check = Callable[[CheckContext], Iterator[Finding]]

# A room is a function: it looks at the subject and yields what it finds. A new one is a file, a row here, and the title
# of its stage in sentences/tables/events.py. It says nothing where it cannot know: without a family, without an index.
CHECKS: dict[str, Check] = {
    "paths": paths.findings,
    "arithmetic": run_length.findings,
    "captions": captions.findings,
    "images": images.findings,
    "precision": precision.findings,
    "idle": unused_settings.findings,
    "validation": validation.findings,
    "memory": plan.findings,
    "costs": costs.findings,
}


class FindingCounter:
    """Passes everything on, counts what was found, and keeps the plan."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.found: Counter[Severity] = Counter()
        self.plan: MemoryPlan | None = None

    def tell(self, event: Event) -> None:
        if isinstance(event, Finding):
            self.found[event.severity] += 1
        elif isinstance(event, MemoryPlan):
            self.plan = event
        self._tell(event)


def check(
    values: Mapping[str, Any],
    tell: Tell,
    control: Control,
    *,
    probe: bool = False,
    start: bool = False,
    resume: str = "",
    card: str = "",
) -> Result:
    """Find everything that would go wrong, and tell each thing as it is found: a summary in words.

    `probe` measures a few real steps; `start` leaves out what costs time and is plainly no matter;
    `resume` is the folder of the run that is to go on; `card` names a graphics card that memory is planned for.

    Raises:
        Interrupted: the user wants no more of it.
    """
    counter = FindingCounter(tell)
    try:
        preset = with_absolute_paths(validate(dict(values)))
    except Problems as error:
        for finding in settings_findings(error.problems):
            counter.tell(finding)
        return _result(_counts("check.found:settings", counter))
    context = replace(open_inputs(preset, counter.tell, control, resume), probe=probe, start=start, card=card)
    for name in CHECKS:
        control.check()
        counter.tell(Stage(f"stage.check-{name}"))
        for finding in _findings_of(name, replace(context, plan=counter.plan), counter):
            control.check()
            counter.tell(finding)
    stops = counter.found["error"]
    code = "check.found" if stops else "check.starts" if counter.found.total() else "check.starts:clean"
    return _result(_counts(code, counter), *_summary(context))


def _bucket_findings(context: CheckContext) -> Iterator[Finding]:
    """The part of the images' room that decodes none."""
    if context.index is not None:
        yield from buckets.findings(context, context.index)


# What looks at nothing large: a run asks it too, so that who never opens the check is told.
QUICK_CHECKS: tuple[Check, ...] = (
    captions.findings,
    run_length.findings,
    unused_settings.findings,
    precision.findings,
    _bucket_findings,
)


def warnings(context: CheckContext) -> Iterator[Note]:
    """What a run says of itself before it loads anything: what the quick rooms find that will hurt."""
    for check_one in QUICK_CHECKS:
        for finding in check_one(context):
            if finding.severity != "info":
                yield note(finding.problem, level="warning")


def _findings_of(name: str, context: CheckContext, counter: FindingCounter) -> Iterator[Finding]:
    """What a room finds. What keeps it from looking is a finding as well, if it is the first that stops the run."""
    try:
        yield from CHECKS[name](context)
    except UserError as error:
        if not counter.found["error"]:
            yield finding_of(error, f"{name}.cannot-look", "", [])


def _result(*lines: Problem) -> Result:
    return Result("check", "\n".join(map(PLAIN.what, lines)), list(lines))


COUNTED: dict[Severity, str] = {"error": "count.problems", "warning": "count.warnings", "info": "count.notes"}


def _counts(code: str, counter: FindingCounter) -> Problem:
    """ "2 problems, 3 warnings, 4 notes." """
    found = [problem(row, count=counter.found[kind]) for kind, row in COUNTED.items() if counter.found[kind]]
    return problem(code, found=found)


def _summary(context: CheckContext) -> Iterator[Problem]:
    """What is trained, of what, and for how long: a line each."""
    preset, family, index = context.preset, context.family, context.index
    parts = [*preset.trained_parts()] or [Problem("check.words-only")]
    trained: dict[str, Any] = {"model": preset.card.title, "method": type(preset.method).__doc__, "parts": parts}
    if family is None:
        yield Problem("check.trained", values=trained)
    else:
        predicts = Problem(family.noise_schedule.predicts)
        yield Problem("check.trained:model", "", {**trained, "resolution": family.resolution, "predicts": predicts})
    if index is not None:
        buckets = Counter({bucket: len(rows) for bucket, rows in index.bucket_rows().items()})
        shapes = [f"{width}x{height}: {count}" for (height, width), count in buckets.most_common(12)]
        shapes += ["..."] if len(buckets) > 12 else []
        yield problem("check.images", images=index.images, buckets=len(buckets), shapes=shapes)
        yield Plan.of(preset, index).in_numbers
