"""The programs that a preset can be written for, and their files on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from modules.errors import UserError
from modules.exchange.out import kohya, onetrainer
from modules.exchange.out.exported import Exported
from modules.exchange.out.shell import Shell
from modules.preset.preset import Preset
from modules.system.files import staged_file

Program = Literal["kohya", "onetrainer"]
PROGRAMS: tuple[Program, ...] = ("kohya", "onetrainer")
OWN_SHELL: Shell = "windows" if os.name == "nt" else "posix"


def export(preset: Preset, program: Program, shell: Shell = OWN_SHELL) -> Exported:
    """The preset in the words of another program.

    Raises:
        UserError: that program does not train such a model.
    """
    return kohya.export(preset, shell) if program == "kohya" else onetrainer.export(preset)


def write(exported: Exported, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write its files into a folder; where they are.

    Raises:
        UserError: one of them is there already, and `overwrite` was not said.
    """
    folder = folder.expanduser().absolute()
    paths = [folder / name for name in exported.files]
    for path in paths:
        if path.exists() and not overwrite:
            raise UserError("export.exists", file=path)
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in zip(paths, exported.files.values(), strict=True):
        with staged_file(path) as draft:
            draft.write_bytes(text.encode())  # as bytes: the ends of lines are those of its shell
    return paths
