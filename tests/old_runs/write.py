"""Writes the folder of runs that later code must still resume, with the code of the commit whose runs are wanted.

`0e64b92` beside this file was written so, and lies there as that commit left it:

    git worktree add ../old 0e64b92 && cd ../old
    PYTHONPATH=$PWD python ../seachange/tests/old_runs/write.py /tmp/0e64b92

The presets in it name `/tmp/<commit>`: the test puts its own folder there. Locks may be deleted.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import torch
from modules.trainer.learner import Learner
from safetensors.torch import load_file, save_file

from modules.errors import UserError
from tests.tiny import tiny_sd
from tests.trainer.runs import folder_of, run, stop_after_a_backup, trained, values

IMAGES = ("blip_01", "blip_02", "blip_03", "blip_04")
ROBOTS = Path("resources/starter/concepts/robot")
STEPS = ("training.steps=7", "training.resolution=64", "training.batch_size=2")
KINDS: dict[str, tuple[str, ...]] = {
    "lora": (
        "method.rank=2", "method.alpha=2", "training.ema=true", "training.ema_decay=0.9", "validation.enabled=true",
        "validation.every=2 steps", "method.rank_dropout=0.3",
    ),
    "full": ("method.kind=full", "method.layers=up", "training.learning_rate=1e-4"),
}  # fmt: skip


def main(target: Path) -> None:
    torch.set_num_threads(1)
    model, images = target / "model", target / "images"
    with tempfile.TemporaryDirectory() as folder:
        tiny = tiny_sd(Path(folder), unet={"block_out_channels": [4, 8]})
        shutil.copytree(tiny, model, ignore=shutil.ignore_patterns("vocab.json", "merges.txt"))
    for file in (model / "vae", model / "text_encoder"):  # small, to be kept
        weights = next(file.glob("*.safetensors"))
        save_file({name: tensor.half() for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    images.mkdir()
    for name in IMAGES:
        for ending in (".png", ".txt"):
            shutil.copy(ROBOTS / f"{name}{ending}", images)
    for kind, settings in KINDS.items():
        write_run(target, kind, (*settings, *STEPS, f"model.source={model}", f"concepts.0.path={images}"))
    write_failure(target, (*STEPS, f"model.source={model}", f"concepts.0.path={images}"))
    made_with = {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}
    (target / "made_with.json").write_text(f"{json.dumps(made_with)}\n", encoding="utf-8")


def write_run(target: Path, kind: str, settings: tuple[str, ...]) -> None:
    """A run that was stopped at step 4, and the weights of one that was not."""
    settings = (*settings, f"general.cache={target / 'cache'}", f"general.name={kind}")
    with tempfile.TemporaryDirectory() as elsewhere:
        whole = folder_of(run(values(Path(elsewhere), *settings)))
        found = {what: trained(whole, what) for what in ("method", "ema") if what == "method" or kind == "lora"}
        save_file(
            {f"{what}|{name}": tensor.contiguous() for what, held in found.items() for name, tensor in held.items()},
            target / f"{kind}.safetensors",
        )
    stopped = values(target / "runs", *settings, "backup.every=3 steps", "backup.keep=1")
    run(stopped, answer=stop_after_a_backup)


def write_failure(target: Path, settings: tuple[str, ...]) -> None:
    """What a run leaves to read that was given up: its last event says which settings would help."""
    losses = Learner.losses
    Learner.losses = lambda *rest: losses(*rest) * float("nan")  # type: ignore[method-assign]
    guards = ("training.guards.returns=0", "training.guards.patience=2")
    with tempfile.TemporaryDirectory() as elsewhere, suppress(UserError):
        try:
            run(values(Path(elsewhere), *settings, *guards))
        finally:
            shutil.copy(Path(elsewhere) / "test" / "events.jsonl", target / "failed.jsonl")
            Learner.losses = losses  # type: ignore[method-assign]


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
