"""Old preset files, brought up to today's schema one version at a time.

A version is raised when a released file would otherwise be refused or mean something else; a new setting needs none.
Every version ever shipped has a file in tests/preset/shipped.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import cast

from modules.errors import UserError
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset


def migrate(values: Values) -> Values:
    """The same preset in today's words; `values` stay as they are.

    Raises:
        UserError: the version is missing, no version at all, or newer than this program.
    """
    version = values.get("version")
    if type(version) is not int or version < 0:
        raise UserError(
            "The file does not say which version of the settings it was written for, or says it in a wrong way.",
            advice=f'Write "version": {Preset.VERSION} into it.',
        )
    if version > Preset.VERSION:
        raise UserError(
            f"The file was written by a newer Seachange (settings version {version}; this one reads up to "
            f"{Preset.VERSION}).",
            advice="Update Seachange, or ask for the file in the older form.",
        )
    values = deepcopy(values)
    for old in range(version, Preset.VERSION):
        STEPS[old](values)
        values["version"] = old + 1
    return values


def rename(values: Values, old: str, new: str) -> None:
    """Move a setting to another name, if it is there: the most frequent migration."""
    above, _, name = old.rpartition(".")
    inside: object = get(values, above) if above else values
    if isinstance(inside, dict) and name in inside:
        put(values, new, cast("Values", inside).pop(name))


def _from_0(values: Values) -> None:
    """Before the first release the learning rate was abbreviated, and the batch stood in its own words."""
    rename(values, "training.lr", "training.learning_rate")
    rename(values, "training.batch", "training.batch_size")


STEPS: dict[int, Callable[[Values], None]] = {0: _from_0}  # from this version to the next; changes values in place
