"""What a run is doing, in words: for the page, and wherever else it is said."""

from __future__ import annotations

from app.gui.draft.problem_labels import failure_text
from app.gui.session.engine_client import EngineDied
from app.gui.session.number_format import clock
from app.gui.session.run_state import RunState
from modules.language import tr
from modules.messages import Failed, Finished
from modules.text import percent_done

STATE_LABELS = {
    "training": "Training",
    "paused": "Paused",
    "stopping": "Stopping after this step",
    "preparing": "Preparing",
}


def end_text(running: RunState) -> str:
    """How the last run ended."""
    match running.run_ended:
        case Finished() as end:
            words = "Stopped at step {step:,}" if end.stopped else "Finished at step {step:,}"
            return tr(words, step=end.step)
        case Failed() as end:
            return tr("Ended with an error: {message}", message=failure_text(end))
        case EngineDied() as end:
            return tr("Ended with an error: {message}", message=end.message)
        case _:
            return tr("Not running")


def window_title(running: RunState, name: str) -> str:
    """What the task bar says of the run: "42 %, 12:05 left - Robot LoRA"; "" for nothing."""
    now = running.progress
    if not running.busy or running.what != "train" or now is None:
        return ""
    share = percent_done(now.step, now.steps)
    left = tr("{share}, {time} left", share=share, time=clock(now.seconds_left)) if now.seconds_left > 0 else share
    return f"{left} - {name}"


def pause_advice(*, retries: bool) -> str:
    """What the button says that lets a run go on which paused by itself: something is amiss, or it asked something."""
    return tr("Try again") if retries else tr("Continue")
