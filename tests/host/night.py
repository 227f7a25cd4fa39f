"""A night in small: real runs of the starter in the queue, one of which fails, in one engine.

`python -m tests.host.night --runs 20` says what it took; `test_night.py` does a few of them.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from modules.host.server import Host, run
from modules.jobs.entry import NewEntry
from modules.jobs.queue import FILE, Queue
from modules.messages import Train
from modules.preset.files import store
from modules.preset.files.set_option import apply_overrides
from modules.system.bundled import ROOT

SHORT = (
    "training.steps=2", "sampling.first=false", "sampling.last=false", "sampling.every=never", "examine.enabled=false",
    "general.tensorboard=false", "general.device=cpu",
)  # fmt: skip


def settings(folder: Path, name: str, *more: str) -> dict[str, Any]:
    """A run of two steps."""
    values = store.load(ROOT / "presets/Starter/Robot LoRA.json").values
    return apply_overrides(values, [*SHORT, f"general.workspace={folder / 'runs'}", f"general.name={name}", *more])


def fill(queue: Queue, folder: Path, runs: int) -> None:
    """So many runs; the one in the middle has no images."""
    for number in range(runs):
        fails = ["concepts.0.path=/nowhere"] if number == runs // 2 else []
        queue.add(NewEntry(Train(settings(folder, f"run {number}", *fails)), f"run {number}"))
    queue.on = True


def night(folder: Path) -> None:
    """A host without a window does what is in the queue."""

    def alone(host: Host) -> None:
        host.expect_nobody()

    work = threading.Thread(target=run, args=(folder / "engines", "night"), kwargs={"ready": alone})
    work.start()
    work.join()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.host.night", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        queue = Queue(folder / FILE)
        fill(queue, folder, runs)
        began = time.monotonic()
        night(folder)
        states = [entry.state for entry in queue.entries()]
        queue.close()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {state: states.count(state) for state in sorted(set(states))}
    print(f"{told}, {time.monotonic() - began:.0f} s")  # noqa: T201 - a program of its own
    print(f"The engine: {used.ru_utime + used.ru_stime:.1f} CPU seconds, {used.ru_maxrss / 1024:.0f} MB at most")  # noqa: T201


if __name__ == "__main__":
    main()
