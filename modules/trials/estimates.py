"""How long a run of some settings will take, by the runs of before: their own events say how fast they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from modules.messages import Progress
from modules.preset.preset import Preset
from modules.run_folders import is_run, last_used, recorded_preset
from modules.system.reading import open_file
from modules.text import DAY
from modules.wire import decode

TAIL = 16_000  # bytes at the end of a run's events that are read
STAMP = "2026-11-30 16:49:51"  # before each line of a log
MOST_RUNS = 40  # of the newest, that are asked


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run was: seconds for a step, and how many images were learnt from in each."""

    step: float
    images: int
    megabytes: float = 0.0  # of the models that it saved, each
    beside: float = 0.0  # seconds that it took beside its steps: to begin, for samples, backups and models

    def seconds(self, steps: int, images: int) -> float:
        """For so many steps of so many images."""
        return self.beside + steps * self.step * images / max(self.images, 1)


def pace_of(preset: Preset) -> Pace | None:
    """That of the newest run of the same model and method in the workspace; None where there is none."""
    for folder in _newest(Path(preset.general.workspace)):
        found = recorded_preset(folder)
        if found is None or _kind(found) != _kind(preset):
            continue
        speed, steps = _speed(folder)
        if speed:
            beside = max(_whole(folder) - steps / speed, 0.0)
            return Pace(1 / speed, images_in_a_step(found), _saved(folder), beside)
    return None


def images_in_a_step(preset: Preset) -> int:
    """That are learnt from in one step of the optimizer."""
    return preset.training.batch_size * preset.training.accumulation


def _kind(preset: Preset) -> tuple[str, ...]:
    """What makes the steps of two runs take about as long."""
    training = preset.training
    return preset.model.family, preset.model.source, preset.method.kind, str(training.resolution)


def _newest(workspace: Path) -> Iterator[Path]:
    try:
        folders = [path for path in workspace.iterdir() if is_run(path)]
    except OSError:
        return
    yield from sorted(folders, key=last_used, reverse=True)[:MOST_RUNS]


def _speed(folder: Path) -> tuple[float, int]:
    """Steps in a second, at last, and how many there were; 0 where nobody knows."""
    speed, steps = 0.0, 0
    for line in _last_lines(folder / "events.jsonl"):
        try:
            event = decode(line)
        except ValueError:
            continue
        if isinstance(event, Progress) and event.steps_per_second > 0:
            speed, steps = event.steps_per_second, event.step
    return speed, steps


def _whole(folder: Path) -> float:
    """Seconds from the first line of its log to the last; 0 where nobody knows, or it lay still for a day."""
    try:
        with open_file(folder / "log.txt") as stream:
            first = stream.read(len(STAMP)).decode("utf-8", "replace")
        stamps = [found for line in _last_lines(folder / "log.txt") if (found := _time_in(line))]
    except OSError:
        return 0.0
    whole = stamps[-1] - _time_in(first) if stamps and _time_in(first) else 0.0
    return whole if 0 < whole < DAY else 0.0


def _time_in(line: str) -> float:
    try:
        return datetime.strptime(line[: len(STAMP)], "%Y-%m-%d %H:%M:%S").timestamp()
    except ValueError:
        return 0.0


def _last_lines(file: Path) -> Iterable[str]:
    try:
        with open_file(file) as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - TAIL))
            lines = stream.read(TAIL).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return lines if size <= TAIL else lines[1:]


def _saved(folder: Path) -> float:
    sizes = [path.stat().st_size for path in (folder / "models").glob("*") if path.is_file()]
    return sum(sizes) / len(sizes) / 2**20 if sizes else 0.0
