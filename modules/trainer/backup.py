"""Backups: whole or absent, checked before they are trusted, and enough to continue bit for bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from modules.errors import UserError
from modules.preset.preset import Preset
from modules.preset.store import write_project
from modules.system.files import sha256_of, staged


class Stateful(Protocol):
    """Whatever has something to remember. A trainer keeps these in a dict; a backup is a loop over it."""

    def state_dict(self) -> Any: ...
    def load_state_dict(self, state: Any, /) -> Any: ...


def write_backup(folder: Path, step: int, preset: Preset, state: Mapping[str, Stateful]) -> Path:
    """Save every entry of `state` under its own name, beside the preset that made it."""
    final = folder / f"step-{step:08d}"
    if is_whole(final):
        return final  # same step, same state: asked twice, or asked again right after a resume
    with staged(final) as draft:
        for name, thing in state.items():
            torch.save(thing.state_dict(), draft / f"{name}.pt")
        write_project(preset, draft / "preset.json")
        digests = {path.name: sha256_of(path) for path in sorted(draft.iterdir())}
        manifest = json.dumps({"step": step, "sha256": digests}, indent=2)
        (draft / "manifest.json").write_text(manifest, encoding="utf-8")
    return final


def read_backup(folder: Path, state: Mapping[str, Stateful], device: torch.device) -> None:
    """Give every entry of `state` back what it had.

    Raises:
        UserError: the backup holds other things, or things of other shapes: it was made with other settings.
    """
    for name, thing in state.items():
        path = folder / f"{name}.pt"
        if not path.exists():
            raise UserError(
                f"The backup {folder} holds no {name}: it was made with other settings.",
                advice="Continue with the preset of that run (preset.json in its folder), or start a new run.",
            )
        # Optimizers keep counters on the CPU and move what belongs on the card themselves.
        where = "cpu" if name in ("optimizer", "clock") else device
        try:
            thing.load_state_dict(torch.load(path, map_location=where, weights_only=True))
        except (ValueError, KeyError, RuntimeError) as error:
            raise UserError(
                f"The backup {folder} does not fit these settings: {name}: {error}",
                advice="Continue with the preset of that run (preset.json in its folder), or start a new run.",
            ) from error


def all_backups(folder: Path) -> list[Path]:
    """Every folder that is named as a backup, newest first."""
    return sorted((path for path in folder.glob("step-*") if path.is_dir()), reverse=True)


def step_of(backup: Path) -> int:
    """The step at which a backup was made, by its name."""
    return int(backup.name.removeprefix("step-"))


def newest_backup(folder: Path) -> Path | None:
    """The newest backup that is whole, reading no older one once it is found."""
    return next((path for path in all_backups(folder) if is_whole(path)), None)


def is_whole(folder: Path) -> bool:
    """Whether every file that the manifest names is there and unchanged."""
    try:
        digests = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["sha256"]
        return bool(digests) and all(sha256_of(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def prune(folder: Path, keep: int, newest: Path) -> None:
    """Delete the oldest backups beyond `keep`, never the one that was just written; and drafts of a killed process."""
    for draft in (*folder.glob(".step-*.part"), *folder.glob(".step-*.old")):
        shutil.rmtree(draft)
    # A run that was continued from an older backup has damaged ones ahead of it: they count for nothing, and stay.
    behind = [path for path in all_backups(folder) if path.name <= newest.name]
    for path in behind[keep:]:
        shutil.rmtree(path)
