"""Whether learning rates, their schedule and the moving average fit the method, the model and the length of the run."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor

from modules.check.context import CheckContext
from modules.check.run.common_rates import RateRange, common_rate, scale_of
from modules.check.run.plan import Plan
from modules.check.wording import component_name, one_figure
from modules.formats.metadata import base_name
from modules.messages import Finding
from modules.methods.training_adapters import used_adapters
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval, WarmUp
from modules.sentences.problem import problem
from modules.sentences.render import fix
from modules.trainer.step.ema import decay_at
from modules.trainer.step.schedule import scaled_rate

HIGH, FAR_HIGH = 2.0, 4.0  # times above the highest usual rate: worth a word, and harm
LOW, FAR_LOW = 3.0, 10.0  # times below the lowest
LONG_WARMUP = 0.4  # of the run
FIRST_WEIGHTS_SHARE = 0.01  # the share of the first weights in the average above which it is no average yet


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what the settings of the model say, without images."""
    preset = context.preset
    if context.family is not None:
        yield from _rates(preset, context.family.resolution)
    yield from _distilled(preset)
    yield from _same_rate(preset)
    yield from _pointless_ends(preset)


def length_findings(preset: Preset, plan: Plan) -> Iterator[Finding]:
    """Yield what only the length of the run can tell."""
    yield from _warmup(preset, plan)
    yield from _ema(preset, plan)
    yield from _ends(preset, plan)


def _distilled(preset: Preset) -> Iterator[Finding]:
    """A model of few steps that is trained as it is forgets how to draw in few steps."""
    model, laid = preset.model_called, used_adapters(preset)
    if preset.training.denoiser.train and preset.card.is_distilled(model) and not laid:
        yield Finding("model.distilled-training", "warning", "model.source", {"model": base_name(model)})


# Rates ----------------------------------------------------------------------------------------------------------------


def _rates(preset: Preset, resolution: int) -> Iterator[Finding]:
    training = preset.training
    if scaled := scaled_rate(preset):
        yield Finding(scaled.code, "info", scaled.path, scaled.values)
    clipped = training.clip_gradients > 0
    for component, path, rate in _trained(preset):
        usual = common_rate(preset, component, resolution)
        if usual is None:
            continue
        effective = rate * training.rate_scale
        above, below = effective / usual.high, usual.low / effective
        if above > HIGH:
            yield _unusual_rate(preset, component, path, rate, usual, above)
        elif below > LOW:
            yield _unusual_rate(preset, component, path, rate, usual, -below)
        if above > 1 and not clipped and not preset.optimizer.is_learning_rate_free:
            yield Finding(
                "arithmetic.clip",
                "info",
                "training.clip_gradients",
                {"component": component_name(component), "rate": rate},
                [fix("fix.clip", {"training.clip_gradients": 1.0})],
            )
            clipped = True


def _unusual_rate(preset: Preset, component: str, path: str, rate: float, usual: RateRange, times: float) -> Finding:
    """`times` above the highest usual rate, or with a minus below the lowest."""
    high, scale = times > 0, scale_of(preset)
    good = one_figure(usual.best / preset.training.rate_scale)
    far = FAR_HIGH if high else FAR_LOW
    return Finding(
        "arithmetic.rate:high" if high else "arithmetic.rate:low",
        "warning" if abs(times) > far else "info",
        path,
        {
            "component": component_name(component),
            "rate": rate * preset.training.rate_scale,
            "times": abs(times),
            "method": type(preset.method).__doc__,
            "optimizer": type(preset.optimizer).__doc__,
            "scale": [problem("rate.at-scale", scale=scale)] if scale != 1 else [],
            "low": one_figure(usual.low),
            "high": one_figure(usual.high),
        },
        [fix("fix.set-to", {path: good}, value=good)],
    )


def _trained(preset: Preset) -> Iterator[tuple[str, str, float]]:
    """Each trained part, the setting that its rate comes from, and the rate."""
    shared = preset.training.learning_rate
    for number, word in enumerate(preset.words):
        if word.train:
            own = word.learning_rate
            yield "words", f"words.{number}.learning_rate" if own else "training.learning_rate", own or shared
    for component in preset.trained_parts():
        own = preset.training.component(component).learning_rate
        yield component, f"training.{component}.learning_rate" if own else "training.learning_rate", own or shared


def _same_rate(preset: Preset) -> Iterator[Finding]:
    rates = {component: rate for component, _, rate in _trained(preset)}
    same = [name for name in rates if name.startswith("text_encoder") and rates[name] == rates.get("denoiser")]
    if not same or preset.optimizer.is_learning_rate_free:
        return
    good = one_figure(rates["denoiser"] / 3)
    yield Finding(
        "arithmetic.text-rate",
        "warning" if preset.method.kind == "full" else "info",
        f"training.{same[0]}.learning_rate",
        {"components": [component_name(name) for name in same], "rate": rates["denoiser"]},
        [fix("fix.set-to", {f"training.{name}.learning_rate": good for name in same}, value=good)],
    )


# Length ---------------------------------------------------------------------------------------------------------------


def _warmup(preset: Preset, plan: Plan) -> Iterator[Finding]:
    warm = WarmUp.parse(preset.schedule.warmup).steps_of(plan.steps)
    if warm <= LONG_WARMUP * plan.steps:
        return
    whole = warm >= plan.steps
    yield Finding(
        "arithmetic.warmup:whole" if whole else "arithmetic.warmup",
        "warning" if whole else "info",
        "schedule.warmup",
        {"warm": warm, "steps": plan.steps, "share": warm / plan.steps},
        [fix("fix.warm-up", {"schedule.warmup": "5 %"})],
    )


def _ema(preset: Preset, plan: Plan) -> Iterator[Finding]:
    training = preset.training
    if not training.ema:
        return
    start = initial_weights_share(training.ema_decay, plan.steps, training.ema_every)
    reached = decay_at(training.ema_decay, plan.steps)
    if start > FIRST_WEIGHTS_SHARE:
        without = fix("fix.no-ema", {"training.ema": False})
        yield Finding("arithmetic.ema", "warning", "training.ema", {"steps": plan.steps, "share": start}, [without])
    elif reached < training.ema_decay:
        fitting = max(0.0, floor(1000 * reached) / 1000)
        yield Finding(
            "arithmetic.ema:decay",
            "info",
            "training.ema_decay",
            {
                "decay": training.ema_decay,
                "steps": plan.steps,
                "reached": reached,
                "span": round(1 / (1 - reached)),
                "wanted": round(1 / (1 - training.ema_decay)),
            },
            [fix("fix.set-to", {"training.ema_decay": fitting}, value=fitting)],
        )


def initial_weights_share(decay: float, steps: int, every: int = 1) -> float:
    """The share of the weights from before training in the average at the end; `every`: steps between its updates."""
    left = 1.0
    for step in range(every, steps + 1, every):
        left *= decay_at(decay, step) ** every
        if left < 1e-9:
            return 0.0
    return left


# Ends -----------------------------------------------------------------------------------------------------------------


def _stops(preset: Preset) -> dict[str, Interval]:
    return {
        component: Interval.parse(preset.training.component(component).stop_after)
        for component in preset.trained_parts()
    }


def _pointless_ends(preset: Preset) -> Iterator[Finding]:
    """A component that is to stop after minutes: only steps and epochs are counted for that."""
    for component, end in _stops(preset).items():
        if end.unit in ("second", "minute", "hour"):
            path = f"training.{component}.stop_after"
            to_the_end = fix("fix.train-to-the-end", {path: "never"})
            yield Finding("arithmetic.stop-after:time", "info", path, {"end": str(end)}, [to_the_end])


def _ends(preset: Preset, plan: Plan) -> Iterator[Finding]:
    at = {component: _step_of(end, plan) for component, end in _stops(preset).items()}
    for component, step in at.items():
        if step is not None and step >= plan.steps:
            path = f"training.{component}.stop_after"
            values = {"step": step, "steps": plan.steps}
            to_the_end = fix("fix.train-to-the-end", {path: "never"})
            yield Finding("arithmetic.stop-after:end", "info", path, values, [to_the_end])
    last = [step for step in at.values() if step is not None and step < plan.steps]
    if at and len(last) == len(at):
        yield Finding(
            "arithmetic.nothing-left",
            "warning",
            f"training.{next(iter(at))}.stop_after",
            {"step": max(last), "steps": plan.steps},
            [fix("fix.end-after", {"training.steps": max(last)}, steps=max(last))],
        )


def _step_of(end: Interval, plan: Plan) -> int | None:
    """After which step a part stops; None for never."""
    length = {"step": 1, "epoch": plan.steps_per_epoch}.get(end.unit)
    return None if length is None else int(end.amount * length)
