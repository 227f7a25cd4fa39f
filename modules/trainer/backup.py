"""Backups: whole or absent, checked before they are trusted, and enough to continue bit for bit."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch

from modules.errors import UserError
from modules.preset.files.store import write_project
from modules.preset.preset import Preset
from modules.run_folders import BACKUP, all_backups, step_of
from modules.sentences.problem import Problem, problem
from modules.system.files import sha256_of, staged
from modules.system.reading import read_json

DRAFT = re.compile(rf"\.{BACKUP.pattern}\.(part|old)")  # of a writer that was killed


class Stateful(Protocol):
    """Whatever has something to remember. A trainer keeps these in a dict; a backup is a loop over it."""

    def state_dict(self) -> Any: ...
    def load_state_dict(self, state: Any, /) -> Any: ...


class UnreadableBackup(UserError):
    """A backup whose files are as they were written, and yet cannot be read."""

    def __init__(self, path: Path, error: Exception) -> None:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        step = step_of(path.parent)
        super().__init__("backup.skipped", step=step, file=path.name, reason=reason[:120])


def write_backup(folder: Path, step: int, preset: Preset, state: Mapping[str, Stateful]) -> Path:
    """Save every entry of `state` under its own name, beside the preset that made it."""
    final = folder / f"step-{step:08d}"
    if is_whole(final):
        return final  # same step, same state: asked twice, or asked again right after a resume
    with staged(final) as draft:
        for name, thing in state.items():
            with (draft / f"{name}.pt").open("wb") as file:  # by its name, torch would not say that a disk is full
                torch.save(thing.state_dict(), file)
        write_project(preset, draft / "preset.json")
        digests = {path.name: sha256_of(path) for path in sorted(draft.iterdir())}
        manifest = json.dumps({"step": step, "sha256": digests}, indent=2)
        (draft / "manifest.json").write_text(manifest, encoding="utf-8")
    return final


def read_backup(folder: Path, state: Mapping[str, Stateful], device: torch.device) -> None:
    """Give every entry of `state` back what it had.

    Raises:
        UnreadableBackup: a file cannot be read as torch writes it; entries before it have taken over what they had.
        UserError: the backup holds other things, or things of other shapes: it was made with other settings.
    """
    for name, thing in state.items():
        path = folder / f"{name}.pt"
        if not path.exists() and getattr(thing, "may_be_missing", False):
            continue
        if not path.exists():
            raise UserError("backup.lacks", folder=folder, part=name)
        # Optimizers keep counters on the CPU and move what belongs on the card themselves; so does an average.
        where = "cpu" if name in ("optimizer", "clock", "ema") else device
        held = read_entry(path, where)
        try:
            thing.load_state_dict(held)
        except (ValueError, LookupError, RuntimeError, TypeError, AttributeError) as error:
            raise UserError("backup.misfit", folder=folder, part=name, reason=str(error)) from error


def read_entry(path: Path, where: str | torch.device) -> Any:
    """What one entry of a state remembered, out of its file in a backup.

    Raises:
        UnreadableBackup: it cannot be read as torch writes it.
    """
    try:
        return torch.load(path, map_location=where, weights_only=True)
    except torch.OutOfMemoryError:
        raise
    except (
        OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, UnpicklingError
    ) as error:  # fmt: skip
        raise UnreadableBackup(path, error) from error


def size_of(state: Mapping[str, Stateful]) -> int:
    """How many bytes a backup has: those of its tensors; the rest does not count."""
    held: list[Any] = [thing.state_dict() for thing in state.values()]
    size = 0
    while held:
        match held.pop():
            case torch.Tensor() as tensor:
                size += tensor.numel() * tensor.element_size()
            case dict() as inside:
                held += inside.values()
            case list() | tuple() as inside:
                held += inside
            case _:
                continue
    return size


def newest_backup(folder: Path) -> Path | None:
    """The newest backup that is whole, reading no older one once it is found."""
    return next((path for path in all_backups(folder) if is_whole(path)), None)


def is_whole(folder: Path) -> bool:
    """Whether every file that the manifest names is there and unchanged."""
    return not damage_of(folder)


def damage_of(folder: Path) -> str:
    """What is wrong with a backup, in a few words; "" if it is whole."""
    try:
        digests = read_json(folder / "manifest.json")["sha256"]
        if not digests or any(Path(name).name != name for name in digests):
            return "its manifest lists no files"
        wrong = [name for name, digest in digests.items() if sha256_of(folder / name) != digest]
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "its manifest cannot be read"
    return f"the checksum of {', '.join(wrong[:3])} does not match" if wrong else ""


def whole_backups(folder: Path) -> Iterator[tuple[Path, list[Problem]]]:
    """The backups to continue from, newest first, each with what was wrong with those that were passed over before.

    Reads no older one before it is asked for: a check goes through gigabytes.
    """
    passed: list[Problem] = []
    for path in all_backups(folder):
        if damage := damage_of(path):
            passed.append(problem("backup.damaged", step=step_of(path), reason=damage))
        else:
            yield path, passed


def prune(folder: Path, keep: int, newest: Path) -> None:
    """Delete the oldest backups beyond `keep`, never the one that was just written; and drafts of a killed process.

    Raises:
        OSError: something could not be deleted; everything else of it was.
    """
    drafts = [path for path in folder.glob(".step-*") if DRAFT.fullmatch(path.name)]
    # A run that was continued from an older backup has damaged ones ahead of it: they count for nothing, and stay.
    behind = [path for path in all_backups(folder) if path.name <= newest.name]
    problem: OSError | None = None
    for path in (*drafts, *behind[keep:]):
        try:
            delete_backup(path)
        except OSError as error:
            problem = error
    if problem:
        raise problem


def delete_backup(path: Path) -> None:
    """Delete a backup, or a draft of one. It stops being a backup before it stops being whole.

    Raises:
        OSError: something of it could not be deleted.
    """
    doomed = path if path.name.startswith(".") else path.with_name(f".{path.name}.old")
    if doomed != path:
        path.replace(doomed)
    shutil.rmtree(doomed)
