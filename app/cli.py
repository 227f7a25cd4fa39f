"""The command line: what can be typed, and what its help says."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from app import commands
from app.preset_options import add_preset, add_run
from app.queue.parser import add_queue
from app.tool_commands import add_tool
from modules.errors import UserError, system_error
from modules.exchange.out import programs
from modules.messages import Failed
from modules.tools import TOOLS, Tool
from modules.wire import encode

PROGRAM = "start-ui.bat" if os.name == "nt" else "./start-ui.sh"
EPILOG = f"""examples:
  {PROGRAM} train "presets/Starter/Robot LoRA.json"
  {PROGRAM} train "presets/SD 1.5/LoRA 8 GB.json" --concept ~/pictures/my-cat --name "my cat"
  {PROGRAM} train project.json --resume
  {PROGRAM} sample starter:model --prompt "cat face"

exit code: 0 finished, 1 a fault of the program, 2 something you can mend, 3 you stopped it"""

AddParser = Callable[..., argparse.ArgumentParser]


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for and give the exit code: 0 done, 1 a bug, 2 the user can mend it, 3 stopped."""
    options = parser().parse_args(arguments)
    try:
        return options.command(options)
    except UserError as error:
        return _report_error(error, options)
    except OSError as error:
        if said := system_error(error):
            return _report_error(said, options)
        raise


def _report_error(error: UserError, options: argparse.Namespace) -> int:
    sys.stderr.write(f"{error}\n")
    if getattr(options, "events", None) == "json":  # a program that reads events is told there, too
        sys.stdout.write(f"{encode(Failed(str(error), fixes=error.fixes, problems=error.report))}\n")
    return 2


def parser() -> argparse.ArgumentParser:
    """Every command with its options; `command` holds the function that does it."""
    top = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Seachange: fine-tune Stable Diffusion and its relatives on your own pictures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_parser = top.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser
    _train(add_parser)
    _check(add_parser)
    _machine(add_parser)
    for tool in TOOLS.values():
        _tool(add_parser, tool)
    add_queue(add_parser, _events_option)
    _import(add_parser)
    _export(add_parser)
    _settings(add_parser)
    _tools(add_parser)
    # The start script does this one itself, before Python runs; it stands here for the help.
    add_parser("test", help="run every check of the program itself").set_defaults(command=commands.test)
    return top


def _train(add_parser: AddParser) -> None:
    command = _command(add_parser, "train", commands.train, "train a model", "Train, with samples on the way.")
    add_preset(command)
    _events_option(command)
    add_run(command)
    on = "train on another machine, as ssh knows it: user@workstation, or workstation:/folder/of/seachange"
    command.add_argument("--on", default="", metavar="ADDRESS", help=on)


def _check(add_parser: AddParser) -> None:
    text = "Look for everything that would go wrong, without training."
    command = _command(add_parser, "check", commands.check, "look for mistakes without training", text)
    add_preset(command)
    _events_option(command)
    probe = "also load the model and measure a few steps, to know how long the run will take"
    command.add_argument("--probe", action="store_true", help=probe)
    card = 'plan the memory of another graphics card than this computer\'s, by its name: "RTX 3060"'
    command.add_argument("--card", default="", metavar="NAME", help=card)


def _machine(add_parser: AddParser) -> None:
    text = "Say whether another machine can train: it is reached by ssh, with your own keys and config."
    command = _command(add_parser, "machine", commands.machine, "look at another machine that is to train", text)
    command.add_argument("address", metavar="ADDRESS", help="user@workstation, or workstation:/folder/of/seachange")
    command.add_argument(
        "--set-up", action="store_true", help="first put this version of Seachange there, and install it"
    )


def _tool(add_parser: AddParser, tool: Tool) -> None:
    brief = f"{tool.title[:1].lower()}{tool.title[1:]}"
    command = _command(add_parser, tool.name, commands.tool, brief, tool.help)
    command.set_defaults(tool=tool)
    add_tool(command, tool)
    _events_option(command)


def _import(add_parser: AddParser) -> None:
    text = "Say what settings of OneTrainer, kohya_ss or sd-scripts are here, also of a LoRA; write a preset."
    command = _command(add_parser, "import", commands.import_settings, "take over settings of another program", text)
    command.add_argument(
        "file", type=Path, metavar="FILE", help="JSON, YAML, TOML, a command line in a text file, or a LoRA"
    )
    command.add_argument("-o", "--out", type=Path, metavar="PRESET", help="write a preset, or with folders a project")
    command.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def _export(add_parser: AddParser) -> None:
    text = "Write a preset as a command of sd-scripts (kohya) or as OneTrainer's JSON, and say what they do not have."
    command = _command(add_parser, "export", commands.export_settings, "write settings for another program", text)
    add_preset(command)
    command.add_argument("--as", dest="program", required=True, choices=programs.PROGRAMS, help="which program")
    command.add_argument(
        "--shell", choices=("posix", "windows"), default=programs.OWN_SHELL,
        help=f"whose quoting a command gets: that of Linux, or of a batch file ({programs.OWN_SHELL})",
    )  # fmt: skip
    out = "write the files into this folder; without it the first of them is printed"
    command.add_argument("-o", "--out", type=Path, metavar="FOLDER", help=out)
    command.add_argument("--overwrite", action="store_true", help="replace files that are there")


def _settings(add_parser: AddParser) -> None:
    text = "List every setting: its path for --set, its default, what it does, its limits."
    command = _command(add_parser, "settings", commands.settings, "list every setting", text)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json-schema", action="store_true", help="as a JSON schema, for editors and programs")
    form.add_argument(
        "--find", metavar="WORDS", help="those that are meant, also by what kohya, OneTrainer or diffusers call them"
    )
    form.add_argument("--markdown", action="store_true", help="as Markdown, as it stands in the manual")


def _tools(add_parser: AddParser) -> None:
    command = _command(add_parser, "tools", commands.tools, "list every tool", "List every tool and what it takes.")
    command.add_argument("--markdown", action="store_true", help="as Markdown, as it stands in the manual")


def _command(
    add_parser: AddParser, name: str, does: commands.Command, brief: str, text: str
) -> argparse.ArgumentParser:
    command = add_parser(name, help=brief, description=text)
    command.set_defaults(command=does)
    return command


def _events_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--events", choices=("json",), help="tell what happens as lines of JSON, for programs")
