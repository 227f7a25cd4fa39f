"""Settings that were chosen and will do nothing in this run."""

from __future__ import annotations

from collections.abc import Iterator

from modules.check.context import CheckContext
from modules.check.run.plan import Plan
from modules.messages import Finding, Fix
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what there is to say."""
    yield from _alternation(context.preset)
    yield from _sizes_of_groups(context.preset)
    yield from _weightless_prior(context.preset)
    if context.index is not None:
        yield from _starts_too_late(context.preset, Plan.of(context.preset, context.index))


def _alternation(preset: Preset) -> Iterator[Finding]:
    if preset.training.turns != "never" and len(list(preset.trained_parts())) < 2:
        yield Finding(
            "idle.turns",
            "know",
            "Only one part is trained, so that nothing takes turns.",
            "Taking turns is for runs that also train a text encoder.",
            "training.turns",
            [Fix("Train all the time", {"training.turns": "never"})],
        )


def _sizes_of_groups(preset: Preset) -> Iterator[Finding]:
    groups = getattr(preset.method, "groups", ())
    if preset.method.kind == "full" and any(group.rank or group.alpha for group in groups):
        yield Finding(
            "idle.rank",
            "know",
            "Rank and alpha of a layer group do nothing in a full fine-tune.",
            "They are for adapters. The learning rate of the group counts.",
            "method.groups",
        )


def _weightless_prior(preset: Preset) -> Iterator[Finding]:
    kinds = {concept.kind for concept in preset.concepts if concept.enabled}
    if not preset.prior.weight and (kinds & {"class", "prior"} or preset.prior.made.count):
        yield Finding(
            "idle.prior",
            "hurt",
            "Prior images are shown and count for nothing: their weight is 0.",
            "They cost the time of a step each, and keep nothing as it was.",
            "prior.weight",
            [Fix("Let them count as much as others", {"prior.weight": 1.0})],
        )


def _starts_too_late(preset: Preset, plan: Plan) -> Iterator[Finding]:
    ends = {"step": plan.steps, "epoch": plan.epochs}
    parts = list(preset.trained_parts())
    for component in parts:
        path = f"training.{component}.start_after"
        start = Interval.parse(preset.training.component(component).start_after)
        if len(parts) > 1 and start.unit in ends and start.amount >= ends[start.unit]:
            yield Finding(
                f"idle.start.{component}",
                "hurt",
                f"A part that is to be trained never begins: the run ends after {plan.steps:,} steps.",
                f"{path} is {preset.training.component(component).start_after}.",
                path,
                [Fix("Train it from the beginning", {path: "never"})],
            )
