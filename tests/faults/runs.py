"""The runs that are killed: small, and with everything in them that a run writes."""

from __future__ import annotations

from pathlib import Path

from modules.preset.files.store import write_project
from modules.preset.rules.rules import validate
from tests.trainer.runs import values

STEPS = 24
BUSY = (
    f"training.steps={STEPS}",
    "backup.every=3 steps",
    "backup.keep=2",
    "backup.save_every=10 steps",
    "sampling.every=8 steps",
    "sampling.first=true",
    "sampling.last=true",
    'sampling.prompts=[{"prompt": "robot", "steps": 2, "width": 64, "height": 64}]',
    "examine.budget=100",
    "examine.points=noise",
    "general.tensorboard=true",
)
MODES = {
    "LoRA": ("method.dropout=0.2",),
    "full, bf16, EMA": (
        "method.kind=full", "training.weights=bf16", "model.dtype=bf16", "training.learning_rate=1e-4",
        "training.ema=true", "training.ema_decay=0.9",
    ),
    "embedding": ("method.kind=embedding", "words.0.token=<new>", "concepts.0.prefix=<new> "),
    "schedule-free": ("optimizer.kind=schedule_free_adamw", "training.accumulation=2", "training.batch_size=1"),
}  # fmt: skip


def write_run(workspace: Path, mode: str, name: str) -> Path:
    """A project file of a run of that mode and name, and its path. Runs of one workspace share its cache."""
    workspace.mkdir(parents=True, exist_ok=True)
    path = workspace / f"{name}.json"
    write_project(validate(values(workspace, *BUSY, *MODES[mode], f"general.name={name}")), path)
    return path
