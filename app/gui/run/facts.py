"""The facts of the status card: of a run under way from its last step, of one that is over from its folder."""

from __future__ import annotations

import time

from app.gui.draft.problem_labels import failure_headline
from app.gui.run.run_list import STATUS_LABELS, stopped_text
from app.gui.run.run_source import LiveRun, PastRun, RunSource
from app.gui.run.status import Fact
from app.gui.session.engine_client import EngineDied
from app.gui.session.number_format import clock, done_at, stage_text
from app.gui.session.run_history import Run
from app.gui.session.run_labels import STATE_LABELS
from app.gui.session.run_state import RunState
from modules.language import tr
from modules.messages import Failed, Finished
from modules.text import ago, rate, time_left

NONE = "-"


def images_in_step(run: Run | None) -> int:
    """Of a run with these settings; 0 where nobody knows."""
    training = run.preset.training if run and run.preset else None
    return training.batch_size * training.accumulation if training else 0


def live_facts(source: LiveRun, running: RunState, run: Run | None) -> list[Fact]:
    """Of this window's run; `run` is its folder, once it has one."""
    now = running.progress
    pace = now.steps_per_second if now else 0.0
    loss = now.smooth_loss if now else 0.0
    tail = [*_pace(pace, images_in_step(run)), *_loss(loss, source)]
    if not running.busy or running.what != "train":
        return [_end(source, running, run), *tail]
    state = tr(STATE_LABELS[running.state])
    if running.pause_reason:
        return [Fact(tr("Paused"), running.pause_reason, "changed"), *tail]
    if now is None:
        return [Fact(state, stage_text(running.stage) if running.stage else NONE), Fact(tr("Time left"), NONE), *tail]
    left = NONE if now.seconds_left <= 0 else f"{clock(now.seconds_left)} \u00b7 {done_at(now.seconds_left)}"
    return [_steps(state, now.step, now.steps), Fact(tr("Time left"), left), *tail]


def past_facts(source: PastRun, *, closed: bool) -> list[Fact]:
    """Of a run from its folder. `closed`: the end of the window stopped it."""
    run, summary = source.run, source.run.summary
    when = f"{source.title} \u00b7 {ago(time.time() - summary.when)}"
    tail = [*_pace(summary.pace, images_in_step(run)), *_loss(summary.loss, source)]
    if summary.status == "running":
        return [Fact(when, tr("Training elsewhere")), _steps(tr("Training"), summary.step, summary.steps), *tail]
    if summary.status == "finished":
        took = 0.0 if source.resumed else run.seconds
        return [Fact(when, _finished(took)), _steps(tr("Steps"), summary.step, summary.steps), *tail]
    if summary.reason:
        return [Fact(when, tr("Failed: {reason}", reason=summary.reason), "error"), *tail]
    words = stopped_text(summary, closed=closed)
    return [Fact(when, words[:1].upper() + words[1:]), *tail]


def short(value: float) -> str:
    """9.2e-5"""
    return f"{value:.3g}".replace("e-0", "e-")


def _steps(label: str, step: int, steps: int) -> Fact:
    return Fact(label, tr("{step:,} of {steps:,} steps", step=step, steps=steps))


def _pace(pace: float, images: int) -> list[Fact]:
    each = tr("{count:.3g} / s", count=pace * images) if pace > 0 and images else NONE
    return [Fact(tr("Speed"), rate(pace) or NONE), Fact(tr("Images"), each)]


def _loss(loss: float, source: RunSource) -> list[Fact]:
    learning = short(source.rates[-1][1]) if source.rates else NONE
    return [Fact(tr("Loss"), f"{loss:.4f}" if loss else NONE), Fact(tr("Learning rate"), learning)]


def _finished(seconds: float) -> str:
    return (
        tr("Finished, {time}", time=time_left(seconds)) if seconds >= 1 else tr(STATUS_LABELS["finished"]).capitalize()
    )


def _end(source: LiveRun, running: RunState, run: Run | None) -> Fact:
    match running.run_ended:
        case Finished(stopped=True, step=step):
            return Fact(source.title, tr("Stopped at {step:,} of {steps:,}", step=step, steps=source.steps))
        case Finished():
            took = run.seconds if run and not source.resumed else 0.0
            return Fact(source.title, _finished(took))
        case Failed() as end:
            return Fact(source.title, tr("Failed: {reason}", reason=failure_headline(end)), "error")
        case EngineDied() as end:
            return Fact(source.title, tr("Failed: {reason}", reason=end.message), "error")
        case _:
            return Fact(tr("Training"), NONE)
