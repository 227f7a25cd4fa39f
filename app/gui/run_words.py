"""What a run is doing, in words: for the page, and wherever else it is said."""

from __future__ import annotations

from app.gui.engine import EngineDied
from app.gui.figures import stand_of, stand_of_phase
from app.gui.running import Running
from modules.messages import BackupSaved, Failed, Finished, ModelSaved, Note, Paused

STANDS = {"training": "Training", "paused": "Paused", "stopping": "Stopping after this step", "preparing": "Preparing"}


def standing(running: Running) -> str:
    """The state of the engine in one line."""
    if not running.busy:
        return ending(running)
    now = running.progress if running.what == "train" else None
    if running.hindrance:
        return f"Paused: {running.hindrance}"
    if phase := running.phase:
        return f"{stand_of_phase(phase)}   \u00b7   {stand_of(now)}" if now else stand_of_phase(phase)
    if now is None:
        return STANDS[running.stand]
    return f"{STANDS[running.stand]}: {stand_of(now)}"


def ending(running: Running) -> str:
    """How the last job ended."""
    match running.ended:
        case Finished() as end if running.what == "train":
            return f"{'Stopped' if end.stopped else 'Finished'} at step {end.step:,}"
        case Finished() if running.what == "check":
            return "Not running"
        case Finished() as end:
            return "Stopped" if end.stopped else "Finished"
        case Failed() | EngineDied():
            return f"Ended with an error: {running.ended.message}"
        case _:
            return "Not running"


def lately(event: object) -> str:
    """What an event adds to the line of things that happened: "" for most."""
    match event:
        case BackupSaved():
            return f"Backup at step {event.step:,}"
        case ModelSaved():
            return f"Model saved at step {event.step:,}"
        case Note(level="warning" | "error"):
            return event.text
        case Paused() if event.reason:
            return event.reason
        case _:
            return ""


def way_on(reason: str) -> str:
    """What the button says that lets a run go on which paused by itself: it asked something, or something is amiss."""
    return "Continue" if reason.endswith("?") else "Try again"
