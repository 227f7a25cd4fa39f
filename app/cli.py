"""The command line: what can be typed, and what its help says."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from app import commands
from modules.catalog import FAMILIES
from modules.errors import UserError, system_error
from modules.messages import Failed, encode

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
        sys.stdout.write(f"{encode(Failed(str(error)))}\n")
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
    for add in (_train, _cache, _check, _sample, _convert, _settings):
        add(add_parser)
    # The start script does this one itself, before Python runs; it stands here for the help.
    add_parser("test", help="run every check of the program itself").set_defaults(command=commands.test)
    return top


def _train(add_parser: AddParser) -> None:
    command = _command(add_parser, "train", commands.train, "train a model", "Train, with samples on the way.")
    _preset_options(command)
    command.add_argument("--name", default="", metavar="RUN", help="name of the run, its folder and its files")
    command.add_argument(
        "--resume",
        nargs="?",
        const="newest",
        default="",
        metavar="RUN",
        help="continue the newest run of this name from its last backup, or the run in this folder",
    )


def _cache(add_parser: AddParser) -> None:
    text = "Encode the images and captions of a preset, so that a later run starts at once."
    _preset_options(_command(add_parser, "cache", commands.cache, "encode images and captions for later", text))


def _check(add_parser: AddParser) -> None:
    text = "Look for everything that would go wrong, without training."
    command = _command(add_parser, "check", commands.check, "look for mistakes without training", text)
    _preset_options(command)
    probe = "also load the model and measure a few steps, to know how long the run will take"
    command.add_argument("--probe", action="store_true", help=probe)


def _sample(add_parser: AddParser) -> None:
    text = "Make images with a model, or with the model and the prompts of a preset."
    command = _command(add_parser, "sample", commands.sample, "make images", text)
    command.add_argument("model", metavar="PRESET|MODEL", help="a preset (.json), or a file, folder or hub name")
    command.add_argument("--lora", action="append", default=[], metavar="FILE", help="a LoRA to use; may be repeated")
    command.add_argument(
        "--embedding", action="append", default=[], metavar="FILE",
        help="a new word to use, called as its file is; may be repeated",
    )  # fmt: skip
    command.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="what to draw; may be repeated")
    command.add_argument(
        "--prompts", type=Path, metavar="FILE", help="prompts in kohya's notation: .txt, .toml or .json"
    )
    command.add_argument("--negative", metavar="TEXT", help="what to keep away from")
    command.add_argument("--seed", metavar="N", help="the same seed gives the same image (42); -1: chance")
    command.add_argument("--steps", metavar="N", help="more are finer and slower (20)")
    command.add_argument("--size", metavar="WxH", help="in pixels, such as 512x768, or 512 for a square")
    command.add_argument("--sampler", metavar="NAME", help='what removes the noise (euler); also "DPM++ 2M Karras"')
    command.add_argument("--image", metavar="FILE", help="begin with this image instead of noise")
    command.add_argument("--strength", metavar="N", help="how much of that image is drawn anew (0.75)")
    command.add_argument("--mask", metavar="FILE", help="draw anew only what is white in this image")
    command.add_argument("--guidance", metavar="N", help="how strictly the prompt is followed (7)")
    command.add_argument(
        "--count", type=int, default=1, metavar="N", help="images of each prompt, with seeds that follow"
    )
    command.add_argument(
        "--out", type=Path, default=Path("samples"), metavar="DIR", help="folder for the images (samples)"
    )
    _family_option(command)
    _shared_options(command)


def _convert(add_parser: AddParser) -> None:
    text = "Write a model in another form, or put trained parts or a LoRA into a full model."
    command = _command(add_parser, "convert", commands.convert, "turn a model into another form", text)
    command.add_argument("model", metavar="MODEL", help="a file, a folder or a hub name")
    command.add_argument("out", type=Path, metavar="OUT", help="the file or folder to write")
    command.add_argument(
        "--format",
        choices=("folder", "single_file"),
        help="a diffusers folder or one .safetensors file (a file if OUT ends with .safetensors, else a folder)",
    )
    command.add_argument("--dtype", choices=("fp32", "fp16", "bf16"), default="", help="precision (as it is)")
    command.add_argument("--parts", default="", metavar="FILE", help="trained parts or a LoRA to put into the model")
    command.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    _family_option(command)
    _events_option(command)


def _settings(add_parser: AddParser) -> None:
    text = "List every setting: its path for --set, its default, what it does, its limits."
    command = _command(add_parser, "settings", commands.settings, "list every setting", text)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json-schema", action="store_true", help="as a JSON schema, for editors and programs")
    form.add_argument("--markdown", action="store_true", help="as Markdown, as it stands in the manual")


def _command(
    add_parser: AddParser, name: str, does: commands.Command, brief: str, text: str
) -> argparse.ArgumentParser:
    command = add_parser(name, help=brief, description=text)
    command.set_defaults(command=does)
    return command


def _preset_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "preset", type=Path, metavar="PRESET|PROJECT", help="a file of settings, yours or one from the folder presets"
    )
    command.add_argument(
        "--concept",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder of images to learn from, instead of the file's; may be repeated",
    )
    command.add_argument("--workspace", type=Path, metavar="DIR", help="the folder that holds every run (workspace)")
    _shared_options(command)


def _shared_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help=f"change a setting, such as training.steps=1000; may be repeated ({PROGRAM} settings lists them)",
    )
    _events_option(command)


def _family_option(command: argparse.ArgumentParser) -> None:
    names = ", ".join(f"{name}: {card.title}" for name, card in FAMILIES.items())
    command.add_argument("--family", choices=tuple(FAMILIES), help=f"type of the model (sd). {names}")


def _events_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--events", choices=("json",), help="tell what happens as lines of JSON, for programs")
