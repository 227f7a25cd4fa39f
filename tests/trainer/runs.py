"""Small real runs for tests: a tiny model on a few pictures, through the same door as the command line."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from functools import cache
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import mkdtemp
from typing import Any

import torch
from torch import Tensor

from modules.messages import BackupSaved, Channel, Command, Event, Finished, ModelSaved, RunTool, Started, Stop, Train
from modules.preset.files.set_option import apply_overrides
from modules.preset.paths import Values
from modules.preset.rules.rules import validate
from modules.run import run_job
from modules.trainer.backup import newest_backup
from tests.tiny import SMALLEST, tiny_sd

ROBOT: Values = {
    "version": 6,
    "title": "test",
    "model": {},
    "concepts": [{"path": "starter:robot", "flip": True, "caption_dropout": 0.2}],
    "training": {"steps": 8, "batch_size": 2, "resolution": 64, "learning_rate": 1e-3},
    "schedule": {"warmup": "3 steps", "kind": "constant"},
    "method": {"kind": "lora", "rank": 4, "alpha": 4, "layers": "attention"},
    "sampling": {"every": "never", "first": False, "last": False},
    "backup": {"every": "never"},
    "output": {"dtype": "fp32"},
    "general": {"tensorboard": False, "device": "cpu", "threads": 1},
}


STARTER = "model.source=starter:model"  # for what a model has to know, or to be, more than the smallest


def values(workspace: Path, *settings: str, base: Values = ROBOT) -> dict[str, Any]:
    """The values of a run in `workspace`, "path=value" settings laid over. A base without a model gets the smallest."""
    general = {**base["general"], "workspace": str(workspace)}
    model = base["model"] or {"source": str(smallest_model())}
    whole = {**base, "model": model, "general": general}
    return validate(apply_overrides(whole, list(settings))).model_dump(mode="json")


@cache
def smallest_model() -> Path:
    """Random weights: a step takes a quarter of the starter's. Who asks what a model knows names "starter:model"."""
    folder = Path(mkdtemp(prefix="smallest-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return tiny_sd(folder, unet=SMALLEST)


def run(
    preset: dict[str, Any], *, resume: str = "", answer: Callable[[Event], Command | None] | None = None,
    cold: bool = False,
) -> list[Event]:  # fmt: skip
    """Do a run to its end and give its events. `answer` gives the command that an event moves its user to.

    Where the workspace has no cache yet, it begins with what runs of ROBOT encode, unless `cold`: encoding is half the
    time of a small run, and keys are made of contents, so that whatever else a preset wants is encoded as ever.
    """
    place = Path(preset["general"]["cache"] or Path(preset["general"]["workspace"]) / "cache")
    if not cold and not place.exists():
        copytree(encoded(), place)
    return _run(preset, resume, answer)


@cache
def encoded() -> Path:
    """The cache of ROBOT's images and captions, made once in a test process (tests/conftest.py: before any test)."""
    folder = Path(mkdtemp(prefix="encoded-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    run_job(RunTool("cache", {"preset": values(folder)}), Channel.open())
    return folder / "cache"


def _run(preset: dict[str, Any], resume: str, answer: Callable[[Event], Command | None] | None) -> list[Event]:
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
