"""Time, disk and energy of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from modules.check.context import CheckContext
from modules.check.run.plan import Plan, samplings, times_due, validations
from modules.check.run.probe import measure
from modules.check.run.sizes import PNG_SHARE, STEP_NOTES, Sizes, cache_bytes, latents_bytes, sizes_of
from modules.data.image.variants import variant_count
from modules.data.index import Index
from modules.families import Family
from modules.messages import Finding, Fix, Severity
from modules.preset.files.set_option import apply_overrides
from modules.preset.preset import Preset
from modules.preset.text.interval import SECONDS, Interval
from modules.preset.validate import preset_of
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix
from modules.system.disks import device_of, free_bytes
from modules.text import GB
from modules.trainer.preparation import with_planned
from modules.trainer.retention.schedule import extent_for
from modules.trainer.run_folder.model_paths import ModelPaths
from modules.trainer.run_folder.throughput import Speed, load_speed, shape_of

LARGE_CACHE = GB
OFTEN = 3  # times that an image is encoded without a cache
NEARLY_FULL = 0.9  # of what is free now
FORWARD_SHARE = 1 / 3  # of a step's work: the way back takes twice as long as the way there
PLANNED = -1.0  # when a speed was measured that was worked out
ASSUMED_SAMPLINGS = 20  # times that samples are drawn, where nobody knows how often


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what there is to say."""
    family, index, preset = context.family, context.index, context.preset
    if family is None or index is None or not len(index):
        return
    context.progress("stage.check-costs", 0, 0)
    sizes = sizes_of(family, preset)
    plan = Plan.of(preset, index)
    planned = context.plan.rungs[context.plan.chosen] if context.plan else None
    if planned:
        preset = with_planned(preset, planned.settings)
    speed = measure(replace(context, preset=preset), sizes.denoiser) if context.probe else None
    speed = speed or load_speed(Path(preset.general.cache), shape_of(preset, sizes.denoiser))
    if planned and (context.card or not speed):
        speed = Speed(planned.seconds, when=PLANNED) if planned.seconds else speed
    yield _time(preset, plan, speed, len(index.validation_images())) if speed else _unknown_time()
    cache = cache_bytes(family, preset, index, sizes, plan.steps)
    yield from _disk(context, plan, sizes, cache, plan.steps * speed.step if speed else None)
    yield from _caching(family, preset, plan, index)


# Time -----------------------------------------------------------------------------------------------------------------


def _unknown_time() -> Finding:
    return Finding("costs.time:unknown", "info", "training.steps")


def _time(preset: Preset, plan: Plan, speed: Speed, validation_images: int) -> Finding:
    """`validation_images`: how many images validation asks about."""
    steps = plan.steps * speed.step
    drawn = _samplings(preset, plan, steps)
    prompts = [prompt for prompt in preset.sampling.prompts if prompt.enabled]
    samples = drawn * sum(prompt.steps for prompt in prompts) * speed.drawing
    validating = _validating(preset, plan, speed, validation_images)
    measured = preset.examine.enabled and extent_for(preset, plan.steps)
    examining = steps * preset.examine.budget / 100 if measured else 0.0
    whole = steps + samples + validating + examining
    kwh = speed.watts * whole / 3.6e6
    undrawn = not speed.drawing and drawn and prompts
    return Finding(
        "costs.time",
        "info",
        "training.steps" if preset.training.steps else "training.epochs",
        {
            "whole": whole,
            "steps": plan.steps,
            "step": speed.step,
            "energy": [problem("time.energy", kwh=kwh)] if kwh else [],
            "source": Problem(_source(speed)),
            "samples": [Problem("time.samples-unknown")] if undrawn else [],
        },
        bars=[
            (Problem("bar.steps"), round(steps, 1)),
            *([(Problem("bar.samples"), round(samples, 1))] if samples else []),
            *([(Problem("bar.validation"), round(validating, 1))] if validating else []),
            *([(Problem("bar.retention"), round(examining, 1))] if examining else []),
        ],
        unit="seconds",
    )


def _source(speed: Speed) -> str:
    if speed.when == PLANNED:
        return "time.planned"
    return "time.measured" if speed.exact else "time.derived"


def _validating(preset: Preset, plan: Plan, speed: Speed, images: int) -> float:
    """Seconds that the validations take: a look at an image is the first of the three thirds of learning from it."""
    times = validations(preset, plan)
    if times is None:
        times = (_times(preset.validation.every, plan, plan.steps * speed.step) or 0) + 2
    return times * images * preset.validation.times * speed.step / plan.per_step * FORWARD_SHARE


def _samplings(preset: Preset, plan: Plan, seconds: float | None) -> int:
    """How often the prompts are drawn, in a run whose steps take so long."""
    drawn = samplings(preset, plan)
    if drawn is not None:
        return drawn
    by_the_clock = _times(preset.sampling.every, plan, seconds)
    return (
        by_the_clock + preset.sampling.first + preset.sampling.last if by_the_clock is not None else ASSUMED_SAMPLINGS
    )


def _times(interval: str, plan: Plan, seconds: float | None) -> int | None:
    """How often an interval falls due; None where it is one of time, and nobody knows how long the run takes."""
    due, every = times_due(interval, plan), Interval.parse(interval)
    if due is not None or seconds is None:
        return due
    return int(seconds / (every.amount * SECONDS[every.unit]))


# The cache ------------------------------------------------------------------------------------------------------------


def _caching(family: Family, preset: Preset, plan: Plan, index: Index) -> Iterator[Finding]:
    """A large cache of which nothing is used twice, or images that are encoded again and again without one."""
    if family.inpaints:
        return
    shown, setting = plan.steps * plan.per_step, "general.cache_latents"
    if not preset.general.cache_latents:
        times = shown / max(1, plan.images)
        if times >= OFTEN:
            yield Finding("costs.encoded-again", "info", setting, {"times": times}, [fix("fix.cache", {setting: True})])
        return
    trained = index.training_rows()
    size, counts = latents_bytes(family, trained), [variant_count(concept) for concept in trained.concepts]
    if size >= LARGE_CACHE and shown <= np.array(counts)[trained.concept_numbers].sum():
        yield Finding("costs.read-once", "info", setting, {"size": size}, [fix("fix.stream", {setting: False})])


# Disk -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DiskUse:
    """What a run writes of one kind, and where."""

    code: str  # of its row
    place: Path
    size: int


def _disk(context: CheckContext, plan: Plan, sizes: Sizes, cache: int, seconds: float | None) -> Iterator[Finding]:
    written = list(disk_use(context.preset, plan, sizes, cache, seconds))
    severity, worst = _worst_disk(written)
    free, needed = free_bytes(worst.place), _by_disk(written)[device_of(worst.place)]
    code = {"info": "costs.disk", "warning": "costs.disk:nearly-full", "error": "costs.disk:full"}[severity]
    if severity == "warning" and needed > free:
        code = "costs.disk:if-cached"
    yield Finding(
        code,
        severity,
        "general.workspace",
        {"total": sum(one.size for one in written), "needed": needed, "free": free, "folder": str(worst.place)},
        [] if severity == "info" else list(_smaller_fixes(context, plan, cache, seconds)),
        bars=[(Problem(one.code), float(one.size)) for one in written if one.size],
        unit="bytes",
    )


def disk_use(preset: Preset, plan: Plan, sizes: Sizes, cache: int, seconds: float | None) -> Iterator[DiskUse]:
    """Everything that is there at the end of a run, or at its fullest moment."""
    workspace = Path(preset.general.workspace)
    backups = _times(preset.backup.every, plan, seconds)
    # Of an interval in minutes nobody knows: as many as are kept. A new one is whole before an old one goes.
    made = preset.backup.keep + 1 if backups is None else backups + preset.backup.at_end
    intermediate = _times(preset.backup.save_every, plan, seconds) or 0
    drawn = _samplings(preset, plan, seconds)
    pictures = sum(_picture(preset, p.width, p.height) for p in preset.sampling.prompts if p.enabled)
    twice = 2 if preset.general.tensorboard else 1  # TensorBoard keeps pictures of its own
    yield DiskUse("bar.cache", Path(preset.general.cache), cache)
    yield DiskUse("bar.backups", workspace, min(made, preset.backup.keep + 1) * sizes.backup)
    yield DiskUse("bar.models", workspace, intermediate * sizes.model)
    beside = preset.training.ema and preset.training.ema_save == "beside"
    yield DiskUse("bar.finished-model", ModelPaths(preset).wanted.parent, sizes.model * (2 if beside else 1))
    if preset.validation.enabled and preset.validation.keep_best:  # a better one is whole before the last one goes
        yield DiskUse("bar.best-model", workspace, 2 * sizes.model)
    yield DiskUse("bar.samples", workspace, drawn * pictures * twice)
    yield DiskUse("bar.records", workspace, plan.steps * STEP_NOTES)


def _picture(preset: Preset, width: int, height: int) -> int:
    return int((width or preset.resolution) * (height or preset.resolution) * 3 * PNG_SHARE)


def _by_disk(written: list[DiskUse]) -> dict[int, int]:
    needed: dict[int, int] = defaultdict(int)
    for one in written:
        needed[device_of(one.place)] += one.size
    return needed


def _worst_disk(written: list[DiskUse]) -> tuple[Severity, DiskUse]:
    """How bad it is, and what lies on the disk where it is worst."""
    needed = _by_disk(written)
    worst = max(written, key=lambda one: (needed[device_of(one.place)] / max(1, free_bytes(one.place)), one.size))
    need, room = needed[device_of(worst.place)], free_bytes(worst.place)
    if need <= NEARLY_FULL * room:
        return "info", worst
    # What was encoded by an earlier run takes no more room.
    encoded = sum(
        one.size for one in written
        if one.code == "bar.cache" and any(one.place.glob("*.shard")) and device_of(one.place) == device_of(worst.place)
    )  # fmt: skip
    return ("error" if need - encoded > room else "warning"), worst


def _smaller_fixes(context: CheckContext, plan: Plan, cache: int, seconds: float | None) -> Iterator[Fix]:
    """Settings with which it would fit."""
    preset, family = context.preset, context.family
    assert family is not None
    ways: list[tuple[str, dict[str, Any]]] = []
    if preset.backup.keep > 1:
        ways.append(("fix.one-backup", {"backup.keep": 1}))
    if preset.backup.save_every != "never":
        ways.append(("fix.no-models-on-the-way", {"backup.save_every": "never"}))
    if len(ways) == 2:
        ways.append(("fix.one-backup-no-models", {**ways[0][1], **ways[1][1]}))
    found = False
    for code, changes in ways:
        if found and len(changes) > 1:
            return  # one of them is enough
        changed = preset_of(apply_overrides(preset.model_dump(mode="json"), [f"{k}={v}" for k, v in changes.items()]))
        if _worst_disk(list(disk_use(changed, plan, sizes_of(family, changed), cache, seconds)))[0] == "info":
            found = True
            yield fix(code, changes)
