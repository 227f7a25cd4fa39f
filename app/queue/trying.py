"""`queue try`: runs that differ in one or two settings, by the same code as the dialog of the window."""

from __future__ import annotations

import argparse
import sys

from app.preset_options import preset_values
from app.queue.listing import counted
from modules.errors import UserError
from modules.jobs.entry import NewEntry
from modules.jobs.queue import Queue, queue_file
from modules.messages import Train
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.naming import run_name
from modules.preset.validate import examine
from modules.text import duration
from modules.trials.estimates import images_in_a_step, pace_of
from modules.trials.groups import new_group
from modules.trials.runs import MANY, Trial, TriedRun, runs_of
from modules.trials.values import tried_of

TEXT = (
    "Put runs into line that differ in the given values alone: all their combinations, or each value by itself beside "
    "what the preset says. The page Queue of the window shows what came of them in one table."
)
Options = argparse.Namespace


def add_try(command: argparse.ArgumentParser) -> None:
    """Its flags, beside those of the preset."""
    command.set_defaults(command=try_values)
    value = "a setting and the values to try, such as training.learning_rate=5e-5,1e-4; may be repeated"
    command.add_argument("--value", action="append", required=True, metavar="PATH=A,B", help=value)
    command.add_argument("--one-by-one", action="store_true", help="each value alone, and not all combinations")
    command.add_argument("--steps", type=int, default=0, metavar="N", help="steps of each run (as the preset says)")
    command.add_argument("--seeds", action="store_true", help="another seed for each run, and not the same for all")
    command.add_argument("--many", action="store_true", help=f"more than {MANY} runs are meant")
    command.add_argument("--name", default="", metavar="NAME", help="before the values in the name of each run")
    command.add_argument("--list", action="store_true", help="only say which runs these are")


def try_values(options: Options) -> int:
    """Put them into line; how long they take, where an earlier run says it."""
    name, options.name = options.name, ""
    preset = with_absolute_paths(examine(preset_values(options))[0])  # who runs it stands in another folder
    values = preset.model_dump(mode="json")
    tried = [tried_of(option, values) for option in options.value]
    name = name or f"{run_name(preset)} values"
    runs = runs_of(values, Trial(name, tried, options.one_by_one, max(options.steps, 0), not options.seeds))
    if len(runs) > MANY and not (options.many or options.list):
        raise UserError("trials.many", count=len(runs))
    seconds = [estimate_of(run) for run in runs]
    whole = f", about {duration(sum(filter(None, seconds)))}" if all(seconds) else ""
    _say("\n".join(run.name for run in runs))
    _say(f"{len(runs)} runs{whole}.")
    if not options.list:
        group = new_group(name)
        new = [
            NewEntry(Train(run.values), run.name, group=group, changes=run.changes, estimate=each)
            for run, each in zip(runs, seconds, strict=True)
        ]
        _enqueue(new)
    return 0


def _enqueue(new: list[NewEntry]) -> None:
    queue = Queue(queue_file())
    try:
        queue.add(*new)
        _say(f"In the queue: {counted(queue.entries())}.{'' if queue.on else ' The queue rests: queue run.'}")
    finally:
        queue.close()


def estimate_of(run: TriedRun) -> float | None:
    """Seconds, by an earlier run of the same model."""
    preset = examine(run.values)[0]
    steps = preset.training.steps
    pace = pace_of(preset) if steps else None
    return pace.seconds(steps, images_in_a_step(preset)) if pace else None


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
