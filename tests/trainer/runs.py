"""Small real runs for tests: the starter model on a few pictures, through the same door as the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modules.messages import BackupSaved, Channel, Command, Event, Finished, ModelSaved, Started, Stop, Train
from modules.preset.files.set_option import apply_overrides
from modules.preset.paths import Values
from modules.preset.rules.rules import validate
from modules.run import run_job
from modules.trainer.backup import newest_backup

ROBOT: Values = {
    "version": 2,
    "title": "test",
    "model": {"source": "starter:model"},
    "concepts": [{"path": "starter:robot", "flip": True, "caption_dropout": 0.2}],
    "training": {"steps": 8, "batch_size": 2, "resolution": 64, "learning_rate": 1e-3},
    "schedule": {"warmup": "3 steps", "kind": "constant"},
    "method": {"kind": "lora", "rank": 4, "alpha": 4, "layers": "attention"},
    "sampling": {"every": "never", "first": False, "last": False},
    "backup": {"every": "never"},
    "output": {"dtype": "fp32"},
    "general": {"tensorboard": False, "device": "cpu", "threads": 1},
}


def values(workspace: Path, *settings: str, base: Values = ROBOT) -> dict[str, Any]:
    """The values of a run in `workspace`, "path=value" settings laid over."""
    general = {**base["general"], "workspace": str(workspace)}
    return validate(apply_overrides({**base, "general": general}, list(settings))).model_dump(mode="json")


def run(
    preset: dict[str, Any], *, resume: str = "", answer: Callable[[Event], Command | None] | None = None
) -> list[Event]:
    """Do a run to its end and give its events. `answer` gives the command that an event moves its user to."""
    channel = Channel.open()
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if answer and (command := answer(event)):
            channel.commands.put(command)

    channel.events.put = listen  # type: ignore[method-assign]
    run_job(Train(preset, resume), channel)
    return events


def stop_after_a_backup(event: Event) -> Command | None:
    """The user who stops as soon as he sees a backup: the run ends one step later."""
    return Stop() if isinstance(event, BackupSaved) else None


def folder_of(events: list[Event]) -> Path:
    return next(Path(event.folder) for event in events if isinstance(event, Started))


def model_of(events: list[Event]) -> Path:
    return next(Path(event.path) for event in reversed(events) if isinstance(event, ModelSaved))


def end_of(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished), events[-1]
    return events[-1]


def trained(folder: Path, what: str = "method") -> dict[str, Tensor]:
    """What the newest backup of a run holds."""
    backup = newest_backup(folder / "backups")
    assert backup is not None
    return torch.load(backup / f"{what}.pt", weights_only=True)


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Bit for bit."""
    assert one.keys() == other.keys()
    different = [name for name, tensor in one.items() if not torch.equal(tensor, other[name])]
    assert not different, different[:5]
