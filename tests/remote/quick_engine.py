"""An engine that trains nothing: it counts steps, writes files where a run has them, and stops with a backup."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from pathlib import Path

from modules.messages import BackupSaved, Finished, ModelSaved, Progress, SampleReady, Started, Stop, Train
from modules.wire import decode, encode

STEPS = 60
stopping = threading.Event()
where: list[Path] = []  # the run's own record


def say(*events) -> None:
    for event in events:
        if where:
            with where[0].open("a") as file:
                file.write(f"{encode(event)}\n")
        sys.stdout.write(f"{encode(event)}\n")
        sys.stdout.flush()


def file(path: Path, content: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return str(path)


def train(job: Train) -> None:
    try:
        _train(job)
    except BaseException:  # noqa: BLE001 - the edge of the thread
        traceback.print_exc()
        os._exit(1)


def _train(job: Train) -> None:
    folder = Path(job.resume or Path(job.preset["general"]["workspace"]) / f"run {time.time_ns()}")
    kept = folder / "backups" / "step"
    first = int(kept.read_text()) if kept.exists() else 0
    folder.mkdir(parents=True, exist_ok=True)
    where[:] = [folder / "events.jsonl"]
    say(Started(str(folder), STEPS, 1, STEPS, first if job.resume else -1))
    for step in range(first + 1, STEPS + 1):
        time.sleep(0.02)
        say(Progress(step, STEPS, 1, 1, losses=[[step, 0.5]]))
        if step % 20 == 0:
            say(SampleReady(file(folder / "samples" / f"{step}.png", f"picture {step}"), "robot", 0, step))
        if stopping.is_set():
            say(BackupSaved(file(kept, str(step)), step), Finished(step, stopped=True))
            return
    say(ModelSaved(file(folder / "models" / "a.safetensors", "model" * 1000), STEPS), Finished(STEPS))


for line in sys.stdin:
    match decode(line):
        case Train() as job:
            stopping.clear()
            threading.Thread(target=train, args=(job,), daemon=True).start()
        case Stop():
            stopping.set()
        case _:
            pass
