"""All runs of a workspace, from their folders alone: those of today, of last year, and of the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Literal

from PIL import Image

from app.gui.draft.preset_diff import Difference, differences
from app.gui.draft.problem_labels import failure_headline, failure_text
from app.gui.draft.state import values_of
from app.gui.session.event_log import EventLog, last_events
from modules.data.image_errors import FORMATS, UNREADABLE
from modules.language import tr
from modules.messages import Failed, Finished, Progress, SampleReady, Started, Validated
from modules.preset.preset import Preset
from modules.run_folders import all_backups, is_run, is_training, recorded_preset, step_of
from modules.system.reading import open_file, read_text

NAME = re.compile(r"(\d+) - (\d+) - (.*)\.png")
OVERVIEW = re.compile(r"(\d+) - grid(?: \(\d+\))?\.png")  # of all prompts of a step

STAMP = "2026-11-30 16:49:51"  # before each line of a log
LOG_END = 4000  # bytes

Status = Literal["finished", "stopped", "failed", "running", "cut off"]


@dataclass(frozen=True, slots=True)
class Sample:
    """An image that a run made. `number` counts the preset's prompts from 1; 0 is a prompt of the moment."""

    path: Path
    step: int
    number: int
    words: str  # the beginning of the prompt, as far as a file name can hold it


@dataclass(frozen=True, slots=True)
class Summary:
    """What one line of the list of runs says."""

    title: str
    status: Status
    step: int
    steps: int
    when: float  # seconds since 1970, of the last thing that happened
    failure: str = ""  # why it failed, whole
    reason: str = ""  # the same in one sentence
    best: int = -1  # step of the best validation; -1: none is known
    loss: float = 0.0  # smoothed, of the last step; 0: none is known
    pace: float = 0.0  # steps in a second, at last; 0: none is known


class Run:
    """One folder. Everything is read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._summary: tuple[tuple[int, int], Summary] | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def summary(self) -> Summary:
        """Read from the end of the events; cheap enough for a list of hundreds, and kept until they grow."""
        stamp = _stamp(self.folder / "events.jsonl")
        if self._summary is None or self._summary[0] != stamp or self._summary[1].status in ("running", "cut off"):
            self._summary = stamp, _summary(self, stamp)
        return self._summary[1]

    @cached_property
    def records(self) -> EventLog:
        """Losses, notes and ends; call its `update` now and then to follow a run that is under way."""
        return EventLog(self.folder / "events.jsonl")

    @cached_property
    def preset(self) -> Preset | None:
        """What it was trained with; None where neither its preset.json nor that of a backup can be read."""
        return recorded_preset(self.folder)

    def preset_text(self) -> str:
        """preset.json as it stands there; "" where there is none."""
        try:
            return read_text(self.folder / "preset.json")
        except (OSError, UnicodeDecodeError):
            return ""

    def samples(self) -> list[Sample]:
        """Every sample, by step and then by prompt."""
        found: list[Sample] = []
        for path in _listed(self.folder / "samples"):
            if name := NAME.fullmatch(path.name):
                found.append(Sample(path, int(name[1]), int(name[2]), name[3]))
            elif name := OVERVIEW.fullmatch(path.name):
                found.append(Sample(path, int(name[1]), 0, tr("All prompts")))
        return sorted(found, key=lambda sample: (sample.step, sample.number, sample.path.name))

    def prompt_of(self, sample: Sample) -> str:
        """The whole prompt: the preset's; of a prompt of the moment what the image says of itself, or its name."""
        if OVERVIEW.fullmatch(sample.path.name):
            return sample.words
        if sample.number == 0:
            return _prompt_in(sample.path) or sample.words
        prompts = [prompt for prompt in self.preset.sampling.prompts if prompt.enabled] if self.preset else []
        return prompts[sample.number - 1].prompt if 0 < sample.number <= len(prompts) else sample.words

    @cached_property
    def seconds(self) -> float:
        """From the first line of its log to the last; 0 where nobody knows."""
        try:
            with open_file(self.folder / "log.txt") as file:
                first = file.read(len(STAMP))
                file.seek(max(0, file.seek(0, 2) - LOG_END))
                lines = file.read(LOG_END).decode(errors="replace").splitlines()
            stamps = [found for line in lines if (found := _time_in(line))]
            return stamps[-1] - (_time_in(first.decode(errors="replace")) or stamps[-1]) if stamps else 0.0
        except OSError:
            return 0.0

    def backups(self) -> list[tuple[int, Path]]:
        """Steps to continue from, newest first: those written to the end. The engine checks every byte of one."""
        found = all_backups(self.folder / "backups")
        return [(step_of(path), path) for path in found if (path / "manifest.json").is_file()]

    def models(self) -> list[Path]:
        """What it saved, oldest first."""
        return sorted(_listed(self.folder / "models"), key=lambda path: path.stat().st_mtime)


class Runs:
    """The runs of a workspace, newest first."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._known: dict[Path, Run] = {}

    def list(self) -> Sequence[Run]:
        """The runs that are there now. Reads names and dates only; a run keeps what it has read."""
        folders = [path for path in _listed(self.workspace) if is_run(path)]
        self._known = {path: self._known.get(path) or Run(path) for path in folders}
        return sorted(self._known.values(), key=lambda run: _stamp(run.folder / "events.jsonl"), reverse=True)

    def search(self, text: str) -> Sequence[Run]:
        """The runs whose name or title holds every word."""
        words = text.lower().split()
        return [run for run in self.list() if all(word in f"{run.name} {run.summary.title}".lower() for word in words)]


def settings_between(one: Run, other: Run) -> list[Difference]:
    """Which settings two runs do not share. Empty where one of them left no preset."""
    if one.preset is None or other.preset is None:
        return []
    return differences(values_of(one.preset), values_of(other.preset))


def pairs_between(one: Run, other: Run) -> list[tuple[Sample, Sample]]:
    """Samples to look at side by side: of the same prompt, each step of one with the nearest of the other."""
    theirs: dict[str, list[Sample]] = {}
    for sample in other.samples():
        theirs.setdefault(other.prompt_of(sample), []).append(sample)
    return [
        (sample, min(alike, key=lambda candidate: abs(candidate.step - sample.step)))
        for sample in one.samples()
        if (alike := theirs.get(one.prompt_of(sample)))
    ]


def parameters_in(path: Path) -> str:
    """Prompt and settings, as they stand in the image for every program that reads them; "" if they do not."""
    try:
        with open_file(path) as file, Image.open(file, formats=FORMATS) as image:
            return str(image.info.get("parameters", ""))
    except UNREADABLE:
        return ""


def _time_in(line: str) -> float:
    """Of a line of a log, in seconds; 0 for a line without one."""
    try:
        return datetime.strptime(line[: len(STAMP)], "%Y-%m-%d %H:%M:%S").timestamp()
    except ValueError:
        return 0.0


def _prompt_in(path: Path) -> str:
    return re.split(r"\n(?:Negative prompt|Steps): ", parameters_in(path))[0]


def _summary(run: Run, stamp: tuple[int, int]) -> Summary:
    events = last_events(run.folder / "events.jsonl")
    alive: Status = "running" if is_training(run.folder) else "cut off"
    status, step, steps, failed, best, loss = alive, 0, 0, list[Failed](), -1, 0.0
    pace = 0.0
    for event in events:
        match event:
            case Progress() | Started():
                step = event.step if isinstance(event, Progress) else max(event.resumed_from, 0)
                steps = event.steps
                loss, pace = (
                    (event.smooth_loss, event.steps_per_second) if isinstance(event, Progress) else (loss, pace)
                )
            case Finished():
                status, step = ("stopped" if event.stopped else "finished"), event.step
            case Failed():
                status, failed = "failed", [event]
            case SampleReady():
                step = max(step, event.step)
            case Validated():
                best = event.best_step
            case _:
                continue
        if isinstance(event, Started | Progress):
            status, failed = alive, []
    title = _title(run)
    failure, reason = "".join(map(failure_text, failed)), "".join(map(failure_headline, failed))
    return Summary(title, status, step, steps or step, stamp[0] / 1e9, failure, reason, best, loss, pace)


def _title(run: Run) -> str:
    """Straight from the file: judging two hundred presets to show their titles would take too long."""
    found = re.search(r'"title": "((?:[^"\\]|\\.)*)"', run.preset_text()[:2000])
    return found[1].replace('\\"', '"') if found and found[1] else run.name


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return []


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size
