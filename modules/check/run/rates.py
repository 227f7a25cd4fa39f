"""Whether learning rates, their schedule and the moving average fit the method, the model and the length of the run."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor

from modules.catalog import component_label
from modules.check.context import CheckContext
from modules.check.run.common_rates import RateRange, common_rate, scale_of
from modules.check.run.plan import Plan
from modules.check.wording import counted, one_figure, rounded
from modules.messages import Finding, Fix
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval, WarmUp
from modules.trainer.step.ema import decay_at
from modules.trainer.step.schedule import told

HIGH, FAR_HIGH = 2.0, 4.0  # times above the highest usual rate: worth a word, and harm
LOW, FAR_LOW = 3.0, 10.0  # times below the lowest
LONG_WARMUP = 0.4  # of the run
FIRST_WEIGHTS_SHARE = 0.01  # the share of the first weights in the average above which it is no average yet


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what the settings of the model say, without images."""
    preset = context.preset
    if context.family is not None:
        yield from _rates(preset, context.family.resolution)
    yield from _same_rate(preset)
    yield from _pointless_ends(preset)


def length_findings(preset: Preset, plan: Plan) -> Iterator[Finding]:
    """Yield what only the length of the run can tell."""
    yield from _warmup(preset, plan)
    yield from _ema(preset, plan)
    yield from _ends(preset, plan)


# Rates ----------------------------------------------------------------------------------------------------------------


def _rates(preset: Preset, resolution: int) -> Iterator[Finding]:
    for sentence in told(preset):
        yield Finding(
            "arithmetic.scaled-rate",
            "know",
            sentence,
            "Each part's own learning rate is scaled alike. What people use is meant for the rate that comes of it.",
            setting="training.scale_rate",
        )
    clipped = preset.training.clip_gradients > 0
    for component, path, rate in _trained(preset):
        usual = common_rate(preset, component, resolution)
        if usual is None:
            continue
        scaled = rate * preset.training.rate_scale
        above, below = scaled / usual.high, usual.low / scaled
        if above > HIGH:
            yield _unusual_rate(preset, component, path, rate, usual, above)
        elif below > LOW:
            yield _unusual_rate(preset, component, path, rate, usual, -below)
        if above > 1 and not clipped and not preset.optimizer.is_learning_rate_free:
            yield Finding(
                "arithmetic.clip",
                "know",
                f"Gradients are not clipped, and the learning rate of {_name(component)} is {rate:g}.",
                "At a high rate a single odd image can throw the run off. Clipping at 1 costs nothing.",
                setting="training.clip_gradients",
                fixes=[Fix("Clip gradients at 1", {"training.clip_gradients": 1.0})],
            )
            clipped = True


def _unusual_rate(preset: Preset, component: str, path: str, rate: float, usual: RateRange, times: float) -> Finding:
    """`times` above the highest usual rate, or with a minus below the lowest."""
    high, scale, good = times > 0, scale_of(preset), one_figure(usual.best / preset.training.rate_scale)
    rate *= preset.training.rate_scale
    far = FAR_HIGH if high else FAR_LOW
    where = f"for {type(preset.method).__doc__} with {type(preset.optimizer).__doc__}"
    if scale != 1:
        where += f" at alpha / rank {rounded(scale)}"
    harm = "Weights are moved too far at each step, and the model breaks down." if high else (
        "The run may end before anything is learnt."
    )  # fmt: skip
    return Finding(
        "arithmetic.rate",
        "hurt" if abs(times) > far else "know",
        f"The learning rate of {_name(component)}, {rate:.4g}, is {rounded(abs(times))} times "
        f"{'above' if high else 'below'} what people use.",
        f"Usual {where} is {one_figure(usual.low):g} to {one_figure(usual.high):g}. {harm}",
        setting=path,
        fixes=[Fix(f"Set it to {good:g}", {path: good})],
    )


def _name(component: str) -> str:
    return "the new words" if component == "words" else component_label(component)


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
    same = [
        component
        for component in rates
        if component.startswith("text_encoder") and rates[component] == rates.get("denoiser")
    ]
    if not same or preset.optimizer.is_learning_rate_free:
        return
    good = one_figure(rates["denoiser"] / 3)
    yield Finding(
        "arithmetic.text-rate",
        "hurt" if preset.method.kind == "full" else "know",
        f"{' and '.join(map(_name, same)).capitalize()} learn{'s' * (len(same) == 1)} at the rate of the "
        f"denoiser, {rates['denoiser']:g}.",
        "A text encoder forgets sooner what words mean: usual is a third to a tenth of the denoiser's rate.",
        setting=f"training.{same[0]}.learning_rate",
        fixes=[Fix(f"Set it to {good:g}", {f"training.{component}.learning_rate": good for component in same})],
    )


# Length ---------------------------------------------------------------------------------------------------------------


def _warmup(preset: Preset, plan: Plan) -> Iterator[Finding]:
    warm = WarmUp.parse(preset.schedule.warmup).steps_of(plan.steps)
    if warm <= LONG_WARMUP * plan.steps:
        return
    whole = warm >= plan.steps
    what = f"is longer than the run of {plan.steps:,}" if warm > plan.steps else f"fills the run of {plan.steps:,}"
    yield Finding(
        "arithmetic.warmup",
        "hurt" if whole else "know",
        f"The warm-up of {counted(warm, 'step')} "
        f"{what if whole else f'takes {100 * warm / plan.steps:.0f} % of the run of {plan.steps:,}'}.",
        "The learning rate never reaches its value." if whole else "Usual is 5 %.",
        setting="schedule.warmup",
        fixes=[Fix("Warm up for 5 % of the run", {"schedule.warmup": "5 %"})],
    )


def _ema(preset: Preset, plan: Plan) -> Iterator[Finding]:
    training = preset.training
    if not training.ema:
        return
    start = initial_weights_share(training.ema_decay, plan.steps, training.ema_every)
    reached = decay_at(training.ema_decay, plan.steps)
    if start > FIRST_WEIGHTS_SHARE:
        yield Finding(
            "arithmetic.ema",
            "hurt",
            f"After {counted(plan.steps, 'step')} the moving average is still {100 * start:.0f} % the first weights.",
            "What is sampled and saved is then mostly the model as it was. So short a run needs no average.",
            setting="training.ema",
            fixes=[Fix("Switch the moving average off", {"training.ema": False})],
        )
    elif reached < training.ema_decay:
        fitting = max(0.0, floor(1000 * reached) / 1000)
        yield Finding(
            "arithmetic.ema",
            "know",
            f"The EMA decay of {training.ema_decay:g} is not reached in {counted(plan.steps, 'step')}.",
            f"It rises with the steps and ends at {reached:.3g}: the average then looks back over about "
            f"{counted(round(1 / (1 - reached)), 'step')}, not {round(1 / (1 - training.ema_decay)):,}.",
            setting="training.ema_decay",
            fixes=[Fix(f"Set it to {fitting:g}", {"training.ema_decay": fitting})],
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
    """A part that is to stop after minutes: only steps and epochs are counted for that."""
    for component, end in _stops(preset).items():
        if end.unit in ("second", "minute", "hour"):
            path = f"training.{component}.stop_after"
            yield Finding(
                "arithmetic.stop-after",
                "know",
                f"{_name(component).capitalize()} is to stop after {end}, which never happens.",
                "Only steps and epochs count here, because the same run must end the same way on every machine.",
                setting=path,
                fixes=[Fix("Let it train to the end", {path: "never"})],
            )


def _ends(preset: Preset, plan: Plan) -> Iterator[Finding]:
    at = {component: _step_of(end, plan) for component, end in _stops(preset).items()}
    for component, step in at.items():
        if step is not None and step >= plan.steps:
            path = f"training.{component}.stop_after"
            yield Finding(
                "arithmetic.stop-after",
                "know",
                f"{_name(component).capitalize()} is to stop after step {step:,}, and the run has {plan.steps:,}.",
                "The setting changes nothing.",
                setting=path,
                fixes=[Fix("Let it train to the end", {path: "never"})],
            )
    last = [step for step in at.values() if step is not None and step < plan.steps]
    if at and len(last) == len(at):
        yield Finding(
            "arithmetic.nothing-left",
            "hurt",
            f"Nothing is left to train after step {max(last):,} of {plan.steps:,}: the run ends there.",
            "Every part has its end before that of the run, and the schedule of the learning rate is cut off.",
            setting=f"training.{next(iter(at))}.stop_after",
            fixes=[Fix(f"End the run after {max(last):,} steps", {"training.steps": max(last)})],
        )


def _step_of(end: Interval, plan: Plan) -> int | None:
    """After which step a part stops; None for never."""
    length = {"step": 1, "epoch": plan.steps_per_epoch}.get(end.unit)
    return None if length is None else int(end.amount * length)
