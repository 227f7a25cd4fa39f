"""One run as charts and galleries show it: the live one from its events, an old one from its folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.gui.session.event_log import RunSeries
from app.gui.session.run_history import Run
from app.gui.session.run_state import RunState
from modules.language import tr
from modules.messages import SampleReady, Started

BITE = 100_000  # bytes of an old run that are read in one tick of the window

Key = tuple[int, str]  # which prompt: its number in the preset, or 0 and the words of a prompt of the moment


@dataclass(frozen=True, slots=True)
class SampleImage:
    """A sample. `number` counts the preset's prompts from 1; 0 is a prompt of the moment."""

    path: Path
    step: int
    number: int
    prompt: str

    @property
    def key(self) -> Key:
        return self.number, "" if self.number else self.prompt


class RunSource(RunSeries, ABC):
    """What is shown. The lists only grow, until `generation` says that all of them began anew."""

    def __init__(self) -> None:
        super().__init__()
        self.generation = 0
        self.shots: list[SampleImage] = []

    @property
    @abstractmethod
    def resumed(self) -> list[Started]:
        """Where it was continued from a backup."""

    @property
    @abstractmethod
    def title(self) -> str: ...

    @property
    @abstractmethod
    def folder(self) -> Path | None: ...

    @property
    @abstractmethod
    def steps(self) -> int:
        """That it is to have in the end; 0 while nobody knows."""

    @abstractmethod
    def update(self) -> bool:
        """Take in what is new. True: there is more to read already, ask again soon."""


def by_prompt(shots: Sequence[SampleImage]) -> dict[Key, list[SampleImage]]:
    """The samples of each prompt by step: the preset's prompts in their order, then those of the moment."""
    found: dict[Key, list[SampleImage]] = {}
    for shot in sorted(shots, key=lambda shot: (shot.number == 0, shot.number, shot.prompt, shot.step)):
        found.setdefault(shot.key, []).append(shot)
    return found


class LiveRun(RunSource):
    """The run of this window. A run that goes on from a backup shows what came before it, too."""

    def __init__(self, running: RunState) -> None:
        super().__init__()
        self._running = running
        self.runs = running.runs
        self._resumed: list[Started] = []
        self._follows = running.losses
        self._started: Started | None = None
        self._earlier: Run | None = None
        self._known: tuple[int, ...] = self.lengths()
        self._samples = 0

    @property
    def title(self) -> str:
        return self.folder.name if self.folder else tr("This run")

    @property
    def folder(self) -> Path | None:
        return self._running.folder

    @property
    def resumed(self) -> list[Started]:
        return self._resumed

    @property
    def steps(self) -> int:
        return self._running.started.steps if self._running.started else 0

    def update(self) -> bool:
        self.runs = self._running.runs
        if self._running.losses is not self._follows:  # another run has begun, or this one goes on from a backup
            self._follows = self._running.losses
            self._begin()
        if self._running.started is not self._started:
            self._started = self._running.started
            if self._started is not None and self._started.resumed_from >= 0:
                self._earlier = Run(Path(self._started.folder))
        if self._earlier is not None:
            if self._earlier.records.update(BITE):
                return True
            self._take_earlier(self._earlier)
            self._earlier = None
        self._take_new()
        return False

    def _begin(self) -> None:
        self.forget()
        self.shots, self._resumed, self._known, self._samples = [], [], self.lengths(), 0
        self._earlier = None
        self.generation += 1

    def _take_earlier(self, run: Run) -> None:
        """What the run did before the backup that it continues."""
        last = self._started.resumed_from if self._started else 0
        self._begin()
        self._resumed = list(run.records.resumed)
        self.grow(run.records, self.lengths())
        self.cut(last)
        self.shots += [shot for shot in sample_images(run) if shot.step <= last]

    def _take_new(self) -> None:
        running = self._running
        self._known = self.grow(running, self._known)
        new, self._samples = running.samples[self._samples :], len(running.samples)
        known = {shot.path for shot in self.shots} if new else set[Path]()
        self.shots += [shot for shot in map(_shot, new) if shot.path not in known]


def is_model(path: Path) -> bool:
    """Whether images can be made with it: a file of weights, or a model as a folder."""
    return path.suffix == ".safetensors" or (path / "model_index.json").is_file()


class PastRun(RunSource):
    """A run from its folder; one that is under way elsewhere is followed."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.shots = sample_images(run)
        self.model = next((path for path in reversed(run.models()) if is_model(path)), None)
        self.newest_backup = next((step for step, _ in run.backups()), 0)
        self._follows: object = None
        self._known: tuple[int, ...] = self.lengths()

    @property
    def title(self) -> str:
        return self.run.name

    @property
    def folder(self) -> Path:
        return self.run.folder

    @property
    def resumed(self) -> list[Started]:
        return self.run.records.resumed

    @property
    def steps(self) -> int:
        return self.run.records.steps

    def update(self) -> bool:
        records = self.run.records
        more = records.update(BITE)
        if records.losses is not self._follows:  # it was continued from a backup: what came after that is gone
            self._follows = records.losses
            self.forget()
            self._known = self.lengths()
            self.generation += 1
        self._known = self.grow(records, self._known)
        return more


def sample_images(run: Run) -> list[SampleImage]:
    """Every sample in the folder of a run."""
    return [SampleImage(sample.path, sample.step, sample.number, run.prompt_of(sample)) for sample in run.samples()]


def _shot(event: SampleReady) -> SampleImage:
    return SampleImage(Path(event.path), event.step, event.number, event.prompt)
