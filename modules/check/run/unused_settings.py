"""Settings that were chosen and will do nothing in this run, or in the programs that read its file."""

from __future__ import annotations

from collections.abc import Iterator

from modules.check.context import CheckContext
from modules.check.run.plan import Plan
from modules.messages import Finding
from modules.preset.preset import Preset
from modules.preset.sections.method import LowRank
from modules.preset.text.interval import Interval
from modules.preset.usual_sampling import better_sampling
from modules.sentences.render import fix


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what there is to say."""
    yield from _alternation(context.preset)
    yield from _sizes_of_groups(context.preset)
    yield from _weightless_prior(context.preset)
    yield from _unsuited_samples(context.preset)
    yield from _unread_negatives(context.preset)
    yield from _not_read_elsewhere(context.preset)
    if context.index is not None:
        yield from _starts_too_late(context.preset, Plan.of(context.preset, context.index))


def _alternation(preset: Preset) -> Iterator[Finding]:
    if preset.training.turns != "never" and len(list(preset.trained_parts())) < 2:
        train_all = fix("fix.no-turns", {"training.turns": "never"})
        yield Finding("idle.turns", "info", "training.turns", fixes=[train_all])


def _sizes_of_groups(preset: Preset) -> Iterator[Finding]:
    groups = getattr(preset.method, "groups", ())
    if preset.method.kind == "full" and any(group.rank or group.alpha for group in groups):
        yield Finding("idle.rank", "info", "method.groups")


def _weightless_prior(preset: Preset) -> Iterator[Finding]:
    kinds = {concept.kind for concept in preset.concepts if concept.enabled}
    if not preset.prior.weight and (kinds & {"class", "prior"} or preset.prior.made.count):
        yield Finding("idle.prior", "warning", "prior.weight", fixes=[fix("fix.prior-weight", {"prior.weight": 1.0})])


def _unsuited_samples(preset: Preset) -> Iterator[Finding]:
    """Samplers are judged where the model is opened."""
    values = preset.model_dump(mode="json")
    usual = preset.card.usual_sampling(preset.model_called)
    better = {path: value for path, value in better_sampling(values).items() if not path.endswith(".sampler")}
    if better:
        facts = {"steps": usual.steps, "guidance": usual.guidance}
        yield Finding("samples.unsuited", "warning", next(iter(better)), facts, [fix("fix.usual-sampling", better)])


def _unread_negatives(preset: Preset) -> Iterator[Finding]:
    unread = [
        number
        for number, prompt in enumerate(preset.sampling.prompts)
        if prompt.enabled and prompt.negative and not prompt.reads_negative
    ]
    if unread:
        yield Finding("idle.negative", "info", f"sampling.prompts.{unread[0]}.negative", {"count": len(unread)})


def _not_read_elsewhere(preset: Preset) -> Iterator[Finding]:
    """What other programs leave out of the file, or draw otherwise than it was trained."""
    method = preset.method
    if method.kind == "oft":
        yield Finding("readers.oft", "info", "method.kind")
    dotted = preset.lora_format != "kohya"
    if method.kind == "lora" and dotted and preset.card.lora_formats[0] == "kohya":
        kohya = fix("fix.kohya-names", {"output.lora_format": "kohya", "method.dora_axis": "inputs"})
        yield Finding("readers.diffusers-names", "warning", "output.lora_format", fixes=[kohya])
    elif isinstance(method, LowRank) and method.dora and dotted:
        auto = fix("fix.auto-names", {"output.lora_format": "auto", "method.dora_axis": "inputs"})
        yield Finding("readers.diffusers-dora", "warning", "output.lora_format", fixes=[auto])
    elif isinstance(method, LowRank) and method.dora:
        if method.dora_axis == "outputs":
            inputs = fix("fix.dora-inputs", {"method.dora_axis": "inputs"})
            yield Finding("readers.dora-outputs", "warning", "method.dora_axis", fixes=[inputs])
        code = "readers.dora" if method.kind == "lora" else "readers.dora-kind"
        yield Finding(code, "info", "method.dora", {"method": type(method).__doc__})


def _starts_too_late(preset: Preset, plan: Plan) -> Iterator[Finding]:
    ends = {"step": plan.steps, "epoch": plan.epochs}
    parts = list(preset.trained_parts())
    for component in parts:
        path = f"training.{component}.start_after"
        start = Interval.parse(preset.training.component(component).start_after)
        if len(parts) > 1 and start.unit in ends and start.amount >= ends[start.unit]:
            always = fix("fix.train-from-the-start", {path: "never"})
            yield Finding("idle.start", "warning", path, {"start": str(start), "steps": plan.steps}, [always])
