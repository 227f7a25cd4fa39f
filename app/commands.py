"""What each command does: read the preset, lay the options over it, judge it, and give the engine a job.

Nothing here imports torch: that happens inside the job, so that a typing error is answered at once.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from app import manual
from app.preset_options import preset_values, run_of
from app.tool_commands import message_of
from modules.catalog.gpus import GPUS, gpu_named
from modules.errors import UserError
from modules.exchange import reading
from modules.exchange.out import programs
from modules.exchange.writing import write
from modules.messages import CheckPreset, Job
from modules.preset.paths import get, put
from modules.preset.validate import preset_of
from modules.remote.address import address_of
from modules.remote.link import Link, ready
from modules.remote.session import RemoteSession
from modules.remote.setting_up import set_up
from modules.sentences.problem import problem
from modules.sentences.render import PLAIN

if TYPE_CHECKING:
    from app.follow import JobSession

Command = Callable[[argparse.Namespace], int]
Options = argparse.Namespace


def train(options: Options) -> int:
    """One run, to its end."""
    job = run_of(options)
    if get(job.preset, "validation.then") == "pause":  # nobody is there to go on
        put(job.preset, "validation.then", "tell")
    return _follow(RemoteSession(address_of(options.on), job), options) if options.on else _run_job(job, options)


def check(options: Options) -> int:
    """Everything that can be validated without training."""
    if options.card and not gpu_named(options.card):
        raise UserError("check.no-such-card", card=options.card, names=[*GPUS])
    return _run_job(CheckPreset(preset_values(options), options.probe, card=options.card), options)


def tool(options: Options) -> int:
    """Any tool of the table."""
    return _run_job(message_of(options.tool, options), options)


def machine(options: Options) -> int:
    """What another machine has; before that, if wanted, Seachange put on it."""
    address = address_of(options.address)
    if options.set_up:
        set_up(address, lambda line: sys.stderr.write(f"{line}\n"))
    link = Link(address)
    link.close()
    sys.stdout.write(f"{PLAIN.what(ready(address, link.machine))}\n")
    return 0


def settings(options: Options) -> int:
    """The list of all settings."""
    if options.find is not None:
        text = manual.found(options.find)
    elif options.json_schema:
        text = json.dumps(manual.schema(), indent=2, ensure_ascii=False)
    else:
        text = manual.markdown() if options.markdown else manual.plain_text()
    sys.stdout.write(text.rstrip("\n") + "\n")
    return 0


def import_settings(options: Options) -> int:
    """What became of each of another program's settings; and our file of them."""
    imported = reading.read(options.file)
    said = imported.of("none", "other", "default", "taken")
    sys.stdout.write("".join(f"{PLAIN.line(row.problem)}\n" for row in said) + f"{PLAIN.what(imported.summary)}.\n")
    if options.out:
        write(imported, options.out, overwrite=options.overwrite)
        written = problem("import.written", file=options.out)
        sys.stdout.write(f"{PLAIN.what(written)}\n")
    return 0


def export_settings(options: Options) -> int:
    """A preset as another program has it; and what that program has nothing for."""
    exported = programs.export(preset_of(preset_values(options, trains=False)), options.program, options.shell)
    said = "".join(f"{PLAIN.line(each)}\n" for each in exported.missing) + f"{PLAIN.what(exported.summary)}\n"
    if options.out:
        paths = programs.write(exported, options.out, overwrite=options.overwrite)
        written = [problem("export.written", file=path) for path in paths]
        sys.stdout.write(said + "".join(f"{PLAIN.what(each)}\n" for each in written))
        return 0
    sys.stderr.write(said)
    sys.stdout.write(next(iter(exported.files.values())))
    return 0


def tools(options: Options) -> int:
    """The list of all tools."""
    sys.stdout.write(manual.tools_markdown() if options.markdown else manual.tools_plain())
    return 0


def test(_options: Options) -> int:
    """Only said: the start script runs the checks, because they need more than the program does."""
    raise UserError("command.test")


def _run_job(job: Job, options: Options) -> int:
    from modules.session import Session  # noqa: PLC0415

    return _follow(Session(job), options)


def _follow(session: JobSession, options: Options) -> int:
    from app.follow import follow  # noqa: PLC0415  brings the progress bar, which a list of settings does not need
    from app.terminal import display  # noqa: PLC0415

    return follow(session, display(options.events == "json"))
