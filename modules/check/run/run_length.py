"""What the numbers of a preset come to: steps, batches, rates, averages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, inf

from modules.check.context import CheckContext
from modules.check.run import rates
from modules.check.run.common_rates import MAX_USUAL_VIEWS, kind_of
from modules.check.run.plan import Plan, most_shown, never_shown, samplings, times_due, validations
from modules.check.wording import part_of, short
from modules.data.index import Index
from modules.messages import Finding, Fix
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix

LONG_RUN = 1000  # steps that one would not like to do again
MANY_MORE_VIEWS = 3.0  # times the showings at which repeating begins
FEW_VIEWS = 400  # images shown in a whole run, below which hardly anything is learnt


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what there is to say; what depends on the images only where there are some."""
    preset, index = context.preset, context.index
    yield from rates.findings(context)
    if index is None or not len(index):
        return
    plan = Plan.of(preset, index)
    yield from rates.length_findings(preset, plan)
    yield from _last_step(plan)
    yield from _length(preset, index, plan)
    yield from _upcoming(preset, index, plan)


# Batches --------------------------------------------------------------------------------------------------------------


def _last_step(plan: Plan) -> Iterator[Finding]:
    rest = plan.batches % plan.accumulation
    if rest:
        yield Finding(
            "arithmetic.last-step",
            "info",
            "training.accumulation",
            {
                "rest": rest * plan.at_once,
                "per_step": plan.per_step,
                "batches": plan.batches,
                "accumulation": plan.accumulation,
            },
            _dividing(plan),
        )


def _dividing(plan: Plan) -> list[Fix]:
    """An accumulation near the wanted one that divides the epoch, if there is any."""
    near = range(plan.accumulation, ceil(plan.accumulation / 2) - 1, -1)
    fit = next((n for n in near if plan.batches % n == 0), None)
    return [fix("fix.accumulate", {"training.accumulation": fit}, count=fit)] if fit else []


# Length ---------------------------------------------------------------------------------------------------------------


def _length(preset: Preset, index: Index, plan: Plan) -> Iterator[Finding]:
    yield from _unseen(preset, index, plan)
    yield from _often_shown(preset, index, plan)
    total = plan.steps * plan.per_step
    if total < FEW_VIEWS:
        more = ceil(FEW_VIEWS / plan.per_step)
        yield Finding(
            "arithmetic.short",
            "info",
            _length_setting(preset),
            {"total": total, "few": FEW_VIEWS},
            [fix("fix.train-for", {"training.steps": more}, steps=more)],
        )


def _often_shown(preset: Preset, index: Index, plan: Plan) -> Iterator[Finding]:
    number, shown = most_shown(index, plan)
    usual = MAX_USUAL_VIEWS.get(kind_of(preset), inf)
    if shown <= usual:
        return
    fewer = max(1, int(plan.steps * usual / shown))
    concept = _concept_name(index, number)
    yield Finding(
        "arithmetic.showings:concept" if concept else "arithmetic.showings",
        "warning" if shown > MANY_MORE_VIEWS * usual else "info",
        _length_setting(preset),
        {"times": round(shown), "concept": concept, "method": type(preset.method).__doc__, "usual": usual},
        [fix("fix.end-after", {"training.steps": fewer}, steps=fewer)],
    )


def _length_setting(preset: Preset) -> str:
    return "training.steps" if preset.training.steps else "training.epochs"


def _concept_name(index: Index, number: int) -> str:
    """What a concept is called; "" if it is the only one."""
    concept = index.concepts[number]
    name = concept.name or index.sources[number].title
    return short(name, 40) if len(set(index.concept_numbers.tolist())) > 1 else ""


def _unseen(preset: Preset, index: Index, plan: Plan) -> Iterator[Finding]:
    unseen = never_shown(preset, index, plan)
    if not unseen:
        return
    early = plan.steps < plan.steps_per_epoch
    reason = problem("arithmetic.unseen.early", epoch=plan.steps_per_epoch, steps=plan.steps)
    yield Finding(
        "arithmetic.unseen",
        "warning",
        _length_setting(preset),
        {**part_of(unseen, plan.images), "reason": reason if early else Problem("arithmetic.unseen.repeats")},
        _long_enough(preset, index, plan),
    )


def _long_enough(preset: Preset, index: Index, plan: Plan) -> list[Fix]:
    """The fewest whole epochs, in steps, that show every image."""
    for epochs in (1, 2, 4, 8, 16, 32):
        longer = replace(plan, steps=epochs * plan.steps_per_epoch)
        if longer.steps > plan.steps and not never_shown(preset, index, longer):
            return [fix("fix.train-for", {"training.steps": longer.steps}, steps=longer.steps)]
    return []


# What will come -------------------------------------------------------------------------------------------------------


def _upcoming(preset: Preset, index: Index, plan: Plan) -> Iterator[Finding]:
    times = plan.steps * plan.per_step / plan.images
    upcoming = {"plan": plan.in_numbers, "outputs": _outputs(preset, plan), "times": times}
    yield Finding("arithmetic.plan", "info", "training", upcoming)
    if plan.steps < LONG_RUN:
        return
    if times_due(preset.backup.every, plan) == 0:
        never = preset.backup.every == "never"
        yield Finding(
            "arithmetic.no-backups" if never else "arithmetic.no-backups:rare",
            "info",
            "backup.every",
            {"steps": plan.steps, "every": preset.backup.every},
            [fix("fix.back-up-often", {"backup.every": "30 minutes"})],
        )
    yield from _no_samples(preset, index, plan)


def _no_samples(preset: Preset, index: Index, plan: Plan) -> Iterator[Finding]:
    every, drawn = preset.sampling.every, any(prompt.enabled for prompt in preset.sampling.prompts)
    due = times_due(every, plan) != 0
    if drawn and due:
        return
    changes: dict[str, object] = {} if due else {"sampling.every": "100 steps"}
    if not drawn:
        caption = next((text for text in index[0].captions if text), "")
        concept = index.concepts[index[0].concept]
        changes["sampling.prompts"] = [{"prompt": f"{concept.prefix}{caption}{concept.suffix}"}]
    reason = "no-samples.no-prompt" if not drawn else f"no-samples.{'never' if every == 'never' else 'too-rare'}"
    yield Finding(
        "arithmetic.no-samples",
        "info",
        "sampling.prompts" if not drawn else "sampling.every",
        {"steps": plan.steps, "reason": problem(reason, every=str(Interval.parse(every)))},
        [fix("fix.sample-caption" if not drawn else "fix.sample-often", changes)],
    )


def _outputs(preset: Preset, plan: Plan) -> list[Problem]:
    """Samples, backups and models that the run will write."""
    prompts, models = (
        sum(prompt.enabled for prompt in preset.sampling.prompts),
        times_due(preset.backup.save_every, plan),
    )
    rows: list[tuple[str, int | None, str]] = [
        ("samples", samplings(preset, plan), preset.sampling.every),
        ("backups", times_due(preset.backup.every, plan), preset.backup.every),
        ("models", None if models is None else models + 1, preset.backup.save_every),
        ("validations", validations(preset, plan), preset.validation.every),
    ]
    found: list[Problem] = []
    for name, count, every in rows:
        if (name == "samples" and not prompts) or (name == "validations" and count == 0):
            continue
        if count is None:
            found.append(problem(f"outputs.{name}-every", every=every))
        else:
            found.append(problem(f"outputs.{name}", count=count * prompts if name == "samples" else count))
    return found
