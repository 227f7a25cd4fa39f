"""Prompts on the command line: in words, from a file or from a preset, and flags for the settings of all of them."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import cast

from app.flags import add_flag, typed_value
from modules.errors import UserError
from modules.preset.files.prompt_file import read_prompts
from modules.preset.paths import Values, get
from modules.preset.rules.live_changes import prompt_of
from modules.preset.sections.sampling import Prompt, sampler_named
from modules.preset.setting_info import settings_of
from modules.preset.usual_sampling import size_step_of, usual_prompt
from modules.sentences.render import PLAIN

OF_ALL = [setting for setting in settings_of(Prompt) if setting.path not in ("prompt", "enabled")]


def add_prompts(command: argparse.ArgumentParser) -> None:
    """`--prompt`, and a flag for each setting that a prompt has."""
    command.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="what to draw; may be repeated")
    command.add_argument(
        "--prompts", type=Path, metavar="FILE", help="prompts in kohya's notation: .txt, .toml or .json"
    )
    command.add_argument("--size", metavar="WxH", help="in pixels, such as 512x768, or 512 for a square")
    more = command.add_argument_group("more settings of the prompts")
    for setting in OF_ALL:
        add_flag(command if setting.level == "basic" else more, setting)


def prompts_of(options: argparse.Namespace, preset: Values | None = None) -> list[Values]:
    """What was asked for, or the preset's prompts, with the flags over them.

    Raises:
        UserError: there are none, or one cannot be drawn.
    """
    over = {setting.path: typed_value(options, setting) for setting in OF_ALL} | _parsed_size(options.size)
    over |= _parsed_sampler(options.sampler)
    over = {name: value for name, value in over.items() if value is not None}
    asked = [{"prompt": text} for text in options.prompt] + (
        _prompts_from_file(options.prompts, size_step_of(preset or {})) if options.prompts else []
    )
    drawn: list[Values] = asked or cast("list[Values]", get(preset or {}, "sampling.prompts") or [])
    if not drawn:
        raise UserError("option.no-prompt")
    usual = usual_prompt(preset or {}) if asked else {}
    family = str(get(preset or {}, "model.family") or "")
    return [prompt_of({**usual, **prompt, **over}, family).model_dump(mode="json") for prompt in drawn]


def _parsed_sampler(name: str | None) -> Values:
    """Also "DPM++ 2M Karras", as other programs say it; what nothing is called is left for the schema to refuse."""
    return {} if name is None else sampler_named(name) or {"sampler": name}


def _prompts_from_file(path: Path, size_step: int) -> list[Values]:
    found = read_prompts(path.expanduser(), size_step)
    for note in found.notes:
        sys.stderr.write(f"{path.name}, {PLAIN.sentence(note)}\n")
    return found.prompts


def _parsed_size(text: str | None) -> Values:
    if text is None:
        return {}
    match = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", text)
    if not match:
        raise UserError("option.size", size=text)
    return {"width": int(match[1]), "height": int(match[2] or match[1])}
