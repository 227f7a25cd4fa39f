"""Where a model lies, after it was downloaded if need be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from modules.errors import UserError
from modules.sentences.problem import Problem
from modules.system.bundled import resolve
from modules.system.hub import Wanted, download_model, looks_like_hub_name, missing_model

TOOLS_OWN = {"hub.offline": "hub.offline:tool"}  # a tool has an "offline" of its own


def find_model(
    name: str, path: str, *, offline: bool, report: Callable[[Problem], None], files: tuple[str, ...] = ()
) -> Path:
    """Where a model lies, after it was downloaded if need be. `path`: its setting. `files`: patterns; () for a model.

    Raises:
        UserError: it is not there, or cannot be fetched.
    """
    place = resolve(name)
    if place.exists() or not looks_like_hub_name(name):
        if missing := missing_model(name):
            raise UserError(replace(missing, path=path))
        return place.absolute()
    try:
        return download_model(name, Wanted((), alone=True, files=files), offline=offline, report=report)
    except UserError as error:
        code = TOOLS_OWN.get(error.problem.code, error.problem.code)
        raise UserError(replace(error.problem, code=code, path=path), fixes=error.fixes) from error
