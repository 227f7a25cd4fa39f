"""What goes into the queue from the window: the run of the settings of now, a run that goes on, a tool.

What is added while something runs begins after it; what is added while nothing does waits until the queue is started.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from modules.errors import UserError
from modules.jobs.entry import Entry, NewEntry
from modules.language import plural, tr
from modules.messages import RunTool, Train
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.naming import run_name
from modules.preset.paths import Values
from modules.preset.validate import examine
from modules.tools import TOOLS
from modules.trials.estimates import images_in_a_step, pace_of

LIST = "list"  # what the page Queue is to show, where it shows the results of tried values


def run_entry(values: Values, resume: Path | None = None) -> NewEntry:
    """A run of these settings, afresh or in the folder of an earlier one."""
    values = with_full_paths(values)
    title = resume.name if resume else run_name(examine(values)[0])
    return NewEntry(Train(values, str(resume.absolute()) if resume else ""), title, estimate=estimate_of(values))


def with_full_paths(values: Values) -> Values:
    """The same for whoever runs it, who stands in another folder."""
    return with_absolute_paths(examine(values)[0]).model_dump(mode="json")


def tool_entry(name: str, settings: Values) -> NewEntry:
    """A tool with its settings."""
    return NewEntry(RunTool(name, settings), TOOLS[name].title)


def estimate_of(values: Values) -> float | None:
    """Seconds that a run of these settings takes, by one of before; None where nobody knows."""
    preset = examine(values)[0]
    steps = preset.training.steps
    pace = pace_of(preset) if steps else None
    return pace.seconds(steps, images_in_a_step(preset)) if pace else None


def goes_into_queue(context: AppContext) -> bool:
    """Whether a tool cannot begin now, and its button puts it into the queue instead. A look ends in a moment."""
    return context.running.busy and context.running.what != "check"


def queue_reason(context: AppContext) -> str:
    """Why, in words that stand beside the button."""
    if context.running.training:
        return tr("A training is running: this begins after it.")
    return tr("Something is running: this begins after it.")


def enqueue(context: AppContext, *new: NewEntry, after: bool = False) -> list[Entry]:
    """Put these at the end, and say so; nothing, and why, where the queue cannot be written.

    Args:
        after: they are to begin after what another window runs.
    """
    jobs = context.jobs
    begins = (context.running.busy or after) and not jobs.on and not jobs.interrupted and not jobs.of_state("waiting")
    try:
        added = jobs.act(lambda queue: queue.add(*new))
        if begins:
            turn(context, on=True)
    except UserError as error:
        context.notify(error.text(WORDS), role="error")
        return []
    _tell(context, [entry.title for entry in added])
    return added


def turn(context: AppContext, *, on: bool) -> None:
    """Start the queue, or let it rest after what runs."""
    try:
        context.jobs.act(lambda queue: setattr(queue, "on", on))
    except UserError as error:
        context.notify(error.text(WORDS), role="error")
        return
    if on:
        context.engine.warm()  # who runs the queue is there with it


def _tell(context: AppContext, titles: Sequence[str]) -> None:
    words = plural(len(titles), "“{name}” is in the queue", "{count} runs are in the queue", name=tr(titles[0]))
    if context.jobs.on:
        context.notify(words, tr("Show"), lambda: context.go("queue", LIST))
    else:
        context.notify(words, tr("Start the queue"), lambda: turn(context, on=True))
