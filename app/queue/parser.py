"""What can be typed after `queue`, and what its help says."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from app.preset_options import add_preset, add_run
from app.queue import commands
from app.queue.trying import TEXT as TRY_TEXT
from app.queue.trying import add_try
from modules.tools import TOOLS

TEXT = (
    "Runs and tools that wait in line, one after another; windows show the same list. Without an action: what is in it."
)
ON_ONE = {
    "pause": (commands.pause, "let it wait; what runs stops with a backup"),
    "resume": (commands.resume, "let it run again, from where it was"),
    "remove": (commands.remove, "take it out; what runs stops with a backup"),
    "retry": (commands.retry, "try what has failed once more, from its last backup"),
    "next": (commands.run_next, "run it before all others that wait"),
}


def add_queue(add_parser: Callable[..., argparse.ArgumentParser], events_option: Callable[..., Any]) -> None:
    """The command with its actions."""
    queue = add_parser("queue", help="let runs and tools wait in line", description=TEXT)
    queue.set_defaults(command=commands.show)
    queue.add_argument("--json", action="store_true", help="the list as JSON, for programs")
    actions = queue.add_subparsers(title="actions", metavar="ACTION")
    _add_run(actions.add_parser("add", help="put a run into line", description="The flags are those of train."))
    tried = actions.add_parser("try", help="put runs into line that differ in some values", description=TRY_TEXT)
    add_preset(tried)
    add_try(tried)
    _add_tool(actions.add_parser("add-tool", help="put a tool into line", description="Its flags are its own."))
    run = actions.add_parser("run", help="do what waits, here, until nothing is left", description=commands.RUN_TEXT)
    run.set_defaults(command=commands.run)
    events_option(run)
    rest = actions.add_parser("rest", help="begin nothing more; what runs goes on to its end")
    rest.set_defaults(command=commands.rest)
    for name, (does, text) in ON_ONE.items():
        action = actions.add_parser(name, help=text)
        action.set_defaults(command=does)
        action.add_argument("id", type=int, nargs="+" if name in ("remove", "retry") else None, metavar="ID")
    after = actions.add_parser("after", help="let one wait for another to finish")
    after.set_defaults(command=commands.after)
    after.add_argument("id", type=int, metavar="ID")
    after.add_argument("other", type=int, nargs="?", metavar="OTHER", help="left out: it waits for none")
    done = actions.add_parser("when-done", help="what the computer does, once, when nothing is left")
    done.set_defaults(command=commands.when_done)
    done.add_argument("what", choices=("nothing", "sleep", "shutdown"))


def _add_run(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=commands.add)
    add_preset(command)
    add_run(command)
    _add_place(command)


def _add_tool(command: argparse.ArgumentParser) -> None:
    command.set_defaults(command=commands.add_tool)
    _add_place(command)
    command.add_argument("tool", choices=tuple(TOOLS), metavar="TOOL", help="its name, as the command tools lists it")
    command.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="as after its own command")


def _add_place(command: argparse.ArgumentParser) -> None:
    command.add_argument("--after", type=int, metavar="ID", help="begin when this one has finished")
    command.add_argument("--first", action="store_true", help="before all that waits")
