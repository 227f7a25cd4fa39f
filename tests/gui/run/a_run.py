"""A small run for pages that show one: its events, and the folder that it leaves."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from modules.messages import BackupSaved, Event, Finished, Note, Progress, SampleReady, Started
from modules.wire import encode

PROMPTS = ("a red robot", "a robot on a beach")
STEPS = 200


def events_of(folder: Path, steps: int = STEPS, resumed_from: int = -1) -> list[Event]:
    """Started, losses, samples every 100 steps, a backup, a warning; no end."""
    first = max(resumed_from, 0)
    told: list[Event] = [Started(str(folder), steps, 4, 50, resumed_from)]
    for step in range(first, steps, 20):
        losses = [[float(each), 1.0 / each] for each in range(step + 1, step + 21)]
        told.append(Progress(step + 20, steps, 1, 4, losses, 0.1, {"denoiser": 1e-4}, 2.0, 60.0))
    for step in range(first, steps + 1, 100):
        for number, prompt in enumerate(PROMPTS, 1):
            path = folder / "samples" / f"{step:06d} - {number} - {prompt}.png"
            told.append(SampleReady(str(path), prompt, step, number))
    backup = folder / "backups" / f"step-{steps:08}"
    return [*told, BackupSaved(str(backup), steps), Note("No caption: x.png", "warning")]


def draw(events: list[Event]) -> None:
    """Make the pictures that the events speak of."""
    for event in events:
        if isinstance(event, SampleReady):
            path = Path(event.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64), (event.step % 256, 90, 90 * event.number % 256)).save(path)


def leave(folder: Path, steps: int = STEPS, **optimizer: Any) -> Path:
    """The folder of a finished run with these prompts."""
    events = events_of(folder, steps)
    draw(events)
    (folder / "backups" / f"step-{steps:08}").mkdir(parents=True)
    (folder / "backups" / f"step-{steps:08}" / "manifest.json").write_text("{}", encoding="utf-8")
    lines = [encode(event) for event in [*events, Finished(steps)]]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    prompts = [{"prompt": prompt} for prompt in PROMPTS]
    preset = {"kind": "project", "version": 6, "sampling": {"prompts": prompts}, "training": optimizer}
    (folder / "preset.json").write_text(json.dumps(preset), encoding="utf-8")
    return folder
