"""What a run is doing, in words: for the page, and wherever else it is said."""

from __future__ import annotations

from app.gui.draft.problem_labels import failure_text
from app.gui.session.engine_client import EngineDied
from app.gui.session.number_format import stage_text
from app.gui.session.run_state import RunState
from modules.event_text import progress_text
from modules.language import tr
from modules.messages import BackupSaved, Failed, Finished, ModelSaved, Note, Paused

STATE_LABELS = {
    "training": "Training",
    "paused": "Paused",
    "stopping": "Stopping after this step",
    "preparing": "Preparing",
}


def status_text(running: RunState) -> str:
    """The state of the engine in one line."""
    if not running.busy:
        return end_text(running)
    now = running.progress if running.what == "train" else None
    if running.pause_reason:
        return tr("Paused: {reason}", reason=running.pause_reason)
    if stage := running.stage:
        return f"{stage_text(stage)}   \u00b7   {progress_text(now)}" if now else stage_text(stage)
    if now is None:
        return tr(STATE_LABELS[running.state])
    return f"{tr(STATE_LABELS[running.state])}: {progress_text(now)}"


def end_text(running: RunState) -> str:
    """How the last job ended."""
    match running.ended:
        case Finished() as end if running.what == "train":
            words = "Stopped at step {step:,}" if end.stopped else "Finished at step {step:,}"
            return tr(words, step=end.step)
        case Finished() if running.what == "check":
            return tr("Not running")
        case Finished() as end:
            return tr("Stopped") if end.stopped else tr("Finished")
        case Failed():
            return tr("Ended with an error: {message}", message=failure_text(running.ended))
        case EngineDied():
            return tr("Ended with an error: {message}", message=running.ended.message)
        case _:
            return tr("Not running")


def event_text(event: object) -> str:
    """What an event adds to the line of things that happened: "" for most."""
    match event:
        case BackupSaved():
            return tr("Backup at step {step:,}", step=event.step)
        case ModelSaved():
            return tr("Model saved at step {step:,}", step=event.step)
        case Note(level="warning" | "error"):
            return event.text
        case Paused() if event.reason:
            return event.reason
        case _:
            return ""


def pause_advice(*, retries: bool) -> str:
    """What the button says that lets a run go on which paused by itself: something is amiss, or it asked something."""
    return tr("Try again") if retries else tr("Continue")
