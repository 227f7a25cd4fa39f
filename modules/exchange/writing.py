"""What was imported, as a file of ours: a preset, or a project where it names folders of a machine."""

from __future__ import annotations

from pathlib import Path

from modules.errors import UserError
from modules.exchange.imported import Imported
from modules.preset.files.store import write_preset, write_project


def write(imported: Imported, path: Path, *, overwrite: bool = False) -> None:
    """Write it whole or not at all.

    Raises:
        UserError: there is a file already, and `overwrite` was not said.
    """
    path = path.expanduser().absolute()
    if path.exists() and not overwrite:
        raise UserError("import.exists", file=path)
    preset = imported.preset.model_copy(update={"title": path.stem[:200]})
    if imported.is_project:
        write_project(preset, path)
    else:
        write_preset(preset, path)
