"""What the numbers of a preset come to: steps, batches, rates, averages."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, inf

from modules.check.context import CheckContext
from modules.check.run import rates
from modules.check.run.common_rates import MAX_USUAL_VIEWS, kind_of
from modules.check.run.plan import Plan, most_shown, never_shown, samplings, times_due, validations
from modules.check.wording import counted, listed, rounded, share, short
from modules.data.index import Index
from modules.messages import Finding, Fix
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval

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
            "know",
            f"The last step of each epoch learns from {counted(rest * plan.at_once, 'image')} instead of "
            f"{plan.per_step}.",
            f"An epoch has {counted(plan.batches, 'batch', 'batches')}, which accumulation {plan.accumulation} does "
            "not divide. It does no harm in a long epoch.",
            setting="training.accumulation",
            fixes=_dividing(plan),
        )


def _dividing(plan: Plan) -> list[Fix]:
    """An accumulation near the wanted one that divides the epoch, if there is any."""
    near = range(plan.accumulation, ceil(plan.accumulation / 2) - 1, -1)
    fit = next((n for n in near if plan.batches % n == 0), None)
    return [Fix(f"Accumulate {counted(fit, 'batch', 'batches')}", {"training.accumulation": fit})] if fit else []


# Length ---------------------------------------------------------------------------------------------------------------


def _length(preset: Preset, index: Index, plan: Plan) -> Iterator[Finding]:
    yield from _unseen(preset, index, plan)
    number, shown = most_shown(index, plan)
    usual = MAX_USUAL_VIEWS.get(kind_of(preset), inf)
    if shown > usual:
        fewer = max(1, int(plan.steps * usual / shown))
        yield Finding(
            "arithmetic.showings",
            "hurt" if shown > MANY_MORE_VIEWS * usual else "know",
            f"Each image{_of_concept(index, number)} is shown {round(shown):,} times.",
            f"With {type(preset.method).__doc__}, models begin to repeat images instead of learning from them at about "
            f"{usual}. Watch the samples, save models on the way, or take fewer steps or more images.",
            setting="training.steps" if preset.training.steps else "training.epochs",
            fixes=[Fix(f"End after {fewer:,} steps", {"training.steps": fewer})],
        )
    total = plan.steps * plan.per_step
    if total < FEW_VIEWS:
        more = ceil(FEW_VIEWS / plan.per_step)
        yield Finding(
            "arithmetic.short",
            "know",
            f"The whole run shows {counted(total, 'image')}.",
            f"Hardly anything is learnt from fewer than {FEW_VIEWS}; usual is 1,000 to 5,000.",
            setting="training.steps" if preset.training.steps else "training.epochs",
            fixes=[Fix(f"Train for {more:,} steps", {"training.steps": more})],
        )


def _of_concept(index: Index, number: int) -> str:
    concept = index.concepts[number]
    name = concept.name or index.sources[number].title
    return f" of {short(name, 40)}" if len(set(index.concept_numbers.tolist())) > 1 else ""


def _unseen(preset: Preset, index: Index, plan: Plan) -> Iterator[Finding]:
    unseen = never_shown(preset, index, plan)
    if not unseen:
        return
    early = plan.steps < plan.steps_per_epoch
    why = (
        f"An epoch has {counted(plan.steps_per_epoch, 'step')}, and the run ends after {plan.steps:,}."
        if early
        else "Repeats below 1, or a number of samples, leave images to later epochs, and the run ends before."
    )
    yield Finding(
        "arithmetic.unseen",
        "hurt",
        f"{share(unseen, plan.images, 'images')} are never shown.",
        f"{why} Train longer, or take them out.",
        setting="training.steps" if preset.training.steps else "training.epochs",
        fixes=_long_enough(preset, index, plan),
    )


def _long_enough(preset: Preset, index: Index, plan: Plan) -> list[Fix]:
    """The fewest whole epochs, in steps, that show every image."""
    for epochs in (1, 2, 4, 8, 16, 32):
        longer = Plan(plan.images, plan.batches, plan.steps_per_epoch, epochs * plan.steps_per_epoch, plan.at_once,
                      plan.accumulation)  # fmt: skip
        if longer.steps > plan.steps and not never_shown(preset, index, longer):
            return [Fix(f"Train for {longer.steps:,} steps", {"training.steps": longer.steps})]
    return []


# What will come -------------------------------------------------------------------------------------------------------


def _upcoming(preset: Preset, index: Index, plan: Plan) -> Iterator[Finding]:
    yield Finding("arithmetic.plan", "know", plan.sentence, _output_summary(preset, plan), setting="training")
    if plan.steps < LONG_RUN:
        return
    if times_due(preset.backup.every, plan) == 0:
        never = preset.backup.every == "never"
        yield Finding(
            "arithmetic.no-backups",
            "know",
            f"No backup is made in {plan.steps:,} steps" + ("." if never else f": every {preset.backup.every}."),
            "After a power cut the run would begin anew.",
            setting="backup.every",
            fixes=[Fix("Back up every 30 minutes", {"backup.every": "30 minutes"})],
        )
    yield from _no_samples(preset, index, plan)


def _no_samples(preset: Preset, index: Index, plan: Plan) -> Iterator[Finding]:
    drawn = [prompt for prompt in preset.sampling.prompts if prompt.enabled]
    if drawn and times_due(preset.sampling.every, plan) != 0:
        return
    changes: dict[str, object] = {} if times_due(preset.sampling.every, plan) != 0 else {"sampling.every": "100 steps"}
    if not drawn:
        caption = next((text for text in index[0].captions if text), "")
        concept = index.concepts[index[0].concept]
        changes["sampling.prompts"] = [{"prompt": f"{concept.prefix}{caption}{concept.suffix}"}]
    why = "no prompt is given" if not drawn else f"samples are made every {Interval.parse(preset.sampling.every)}"
    if drawn and preset.sampling.every == "never":
        why = "samples are switched off"
    yield Finding(
        "arithmetic.no-samples",
        "know",
        f"Nothing is drawn in {plan.steps:,} steps: {why}.",
        "Samples show when a run goes wrong, and when it is good enough to stop.",
        setting="sampling.prompts" if not drawn else "sampling.every",
        fixes=[Fix("Draw the first image's caption" if not drawn else "Draw every 100 steps", changes)],
    )


def _output_summary(preset: Preset, plan: Plan) -> str:
    """Samples, backups and models that the run will write, in words."""
    prompts = sum(prompt.enabled for prompt in preset.sampling.prompts)
    times = samplings(preset, plan)
    said: list[str] = []
    if prompts:
        said.append(f"samples every {preset.sampling.every}" if times is None else counted(times * prompts, "sample"))
    backups = times_due(preset.backup.every, plan)
    said.append(f"backups every {preset.backup.every}" if backups is None else counted(backups, "backup"))
    models = times_due(preset.backup.save_every, plan)
    said.append(f"models every {preset.backup.save_every}" if models is None else counted(models + 1, "model"))
    measured = validations(preset, plan)
    if measured is None:
        said.append(f"validations every {preset.validation.every}")
    elif measured:
        said.append(counted(measured, "validation"))
    return f"On the way: {listed(said)}. {_shown(plan)}"


def _shown(plan: Plan) -> str:
    return f"Each image is shown {rounded(plan.steps * plan.per_step / plan.images)} times on average."
