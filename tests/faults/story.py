"""A run (or two that share a cache) that is killed and continued until it ends, and what was wrong about it."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from modules.messages import Started
from modules.trainer.backup import all_backups, newest_backup, step_of
from tests.faults.child import command, ended, forked, import_as, shoot, train, window
from tests.faults.figures import Figures
from tests.faults.judge import (
    Told,
    events_of,
    step_told,
    unsaid,
    wrong_after_a_kill,
    wrong_in_the_cache,
    wrong_in_the_end,
)
from tests.faults.runs import STEPS, write_run
from tests.faults.trap import Shot, TensorBoardWriter, drawn

PATIENCE = 300.0  # seconds after which a process counts as hanging
STARTS_IN = 5.0  # seconds that a real command takes to load
REFUSED = "--resume"  # what tells to start anew names it
SIGNALS = {signal.SIGKILL: 14, signal.SIGTERM: 3, signal.SIGINT: 2, signal.SIGHUP: 2}


@dataclass(frozen=True)
class Known:
    """What is known of a kind of run before it is disturbed."""

    mode: str
    told: Told
    calls: Counter[str]
    seconds: float


def known_of(base: Path, mode: str) -> Known:
    """Do a run without a kill, count its calls, and take over what it had to import."""
    workspace = base / f"told {mode}"
    project, tally = write_run(workspace, mode, "told"), base / "tally.json"
    seconds, calls = 0.0, Counter[str]()
    for _ in range(2):  # the first has much to import; the second is what a kill has time for
        shutil.rmtree(workspace / "told", ignore_errors=True)
        shutil.rmtree(workspace / "cache", ignore_errors=True)
        began = time.monotonic()
        code = ended(
            forked(train(project, "", TensorBoardWriter(), Shot(), tally=tally), workspace / "output.txt"), wait=True
        )
        assert code == 0, (workspace / "output.txt").read_text()
        seconds = time.monotonic() - began
        calls = Counter[str](json.loads(tally.read_text())["calls"])
        import_as(tally)
    return Known(mode, Told(workspace / "told"), calls, seconds)


@dataclass
class Lane:
    """One run of a story, from its first start to its end."""

    known: Known
    name: str
    project: Path
    resume: bool = False
    done: bool = False
    starts: int = 0


@dataclass
class Attempt:
    """One process of a lane, and how it is to die."""

    lane: Lane
    kind: str  # "train", "engine", "window", "command"
    shot: Shot
    at: float | None  # seconds after which it is shot at from outside
    output: Path
    board: TensorBoardWriter = field(default_factory=TensorBoardWriter)
    process: int = 0
    began: float = field(default_factory=time.monotonic)
    shots: int = 0
    before: tuple[int, int, int] = (0, -1, 0)  # of the run that is continued: events, step of its backup, step told


class Story:
    """Runs in one workspace with one cache."""

    def __init__(self, workspace: Path, known: list[Known], dice: random.Random, figures: Figures, most: int) -> None:
        self.workspace, self.dice, self.figures = workspace, dice, figures
        self.wrong: list[str] = []
        self.left = min(most, dice.randint(3, 12) * len(known))  # kills to come
        self.lanes = [
            Lane(kind, name, write_run(workspace, kind.mode, name)) for name, kind in zip("ab", known, strict=False)
        ]

    def told(self) -> list[str]:
        """Play it to its end; gives what was wrong."""
        while not self.wrong and (open_lanes := [lane for lane in self.lanes if not lane.done]):
            attempts = [self._start(lane) for lane in open_lanes]
            while attempts:
                attempts = [attempt for attempt in attempts if not self._is_over(attempt)]
                time.sleep(0.001)
        if not self.wrong:
            keys = set().union(*(lane.known.told.keys for lane in self.lanes))
            self.wrong += wrong_in_the_cache(self.workspace / "cache", keys)
        self.figures.wrong += self.wrong
        return self.wrong

    def folder(self, lane: Lane) -> Path | None:
        """The newest folder of a run, if it has come so far."""
        found = [path for path in self.workspace.glob(f"{lane.name}*") if path.is_dir()]
        return max(found, key=lambda path: (len(path.name), path.name)) if found else None

    # One process

    def _start(self, lane: Lane) -> Attempt:
        output = self.workspace / f"{lane.name} output {lane.starts}.txt"
        attempt = self._planned(lane, output)
        resume = "newest" if lane.resume else ""
        if lane.resume and (folder := self.folder(lane)) and (folder / "events.jsonl").exists():
            backup = newest_backup(folder / "backups")
            seen = len(list(events_of(folder)))
            attempt.before = (seen, step_of(backup) if backup else -1, step_told(folder))
        given = (lane.project, resume, attempt.board, attempt.shot)
        match attempt.kind:
            case "command":
                work = command(lane.project, resume)
            case "train":
                work = train(*given)
            case _:
                work = window(*given)
        output.touch()  # a kill may come before the process has opened it
        attempt.process = forked(work, output)
        lane.starts += 1
        self.figures.starts += 1
        self.figures.resumes += lane.resume
        self.figures.anew += not lane.resume and lane.starts > 1
        return attempt

    def _planned(self, lane: Lane, output: Path) -> Attempt:
        dice = self.dice
        if self.left <= 0:
            return Attempt(lane, "train", Shot(), None, output)
        number = dice.choices(list(SIGNALS), list(SIGNALS.values()))[0]
        kind = dice.choices(["train", "engine", "window", "command"], [14, 3, 2, 1])[0]
        left = self._share_left(lane)
        if kind in ("train", "engine") and dice.random() < 0.65:
            # A run that is continued may never come to the chosen call: then it is shot at from outside.
            later = lane.known.seconds * left * (0.3 + 0.7 * dice.random())
            return Attempt(lane, kind, drawn(lane.known.calls, left, dice, number), later, output)
        twice = number != signal.SIGKILL and dice.random() < 0.25
        number = signal.SIGKILL if kind == "window" else number
        seconds = lane.known.seconds * left * dice.random() + (STARTS_IN * dice.random() if kind == "command" else 0.0)
        return Attempt(lane, kind, Shot(number, twice=twice), seconds, output)

    def _share_left(self, lane: Lane) -> float:
        """About which share of a whole run is still to be done; starting takes a third of one."""
        folder = self.folder(lane)
        done = step_told(folder) / STEPS if folder and (folder / "events.jsonl").exists() else 0.0
        return 1.0 - 0.65 * min(done, 1.0)

    def _is_over(self, attempt: Attempt) -> bool:
        age = time.monotonic() - attempt.began
        hit = "point" in attempt.board.read()
        if (
            attempt.at is not None
            and not hit
            and age > attempt.at + 0.02 * attempt.shots
            and attempt.shots <= attempt.shot.twice
        ):
            target = int(attempt.board.read().get("engine", 0)) if attempt.kind == "engine" else attempt.process
            if target:
                shoot(target, attempt.shot.signal)
                attempt.shots += 1
        code = ended(attempt.process, wait=False)
        if code is None and age > PATIENCE:
            shoot(attempt.process, signal.SIGKILL)
            self.wrong.append(f"{attempt.kind} hung: {attempt.shot}, {attempt.board.read()}, {attempt.output}")
        if code is None:
            return False
        if (
            attempt.kind == "window"
            and (engine := attempt.board.read().get("engine"))
            and not self._orphan_ends(int(engine))
        ):
            self.wrong.append(f"an engine did not end after its window: {attempt.output}")
        self._judge(attempt, code)
        return True

    def _orphan_ends(self, engine: int) -> bool:
        """Wait for an engine whose window was killed: it must back up and end by itself."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            try:
                if ended(engine, wait=False) is not None:
                    return True
            except ChildProcessError:  # the window ended in order and had waited for it
                return True
            time.sleep(0.005)
        shoot(engine, signal.SIGKILL)
        return False

    def _judge(self, attempt: Attempt, code: int) -> None:
        lane, said = attempt.lane, attempt.output.read_text(errors="replace")
        folder = self.folder(lane)
        aimed = bool(attempt.shots or attempt.board.read().get("point"))
        died = code < 0 or code > 100 or (aimed and code == 3)
        if died:
            self.left -= 1
            self._count(attempt)
        elif code == 2 and lane.resume and REFUSED in said.splitlines()[-1]:
            lane.resume = False
            return
        elif code == 0:
            lane.done = True
            self.figures.finished += 1
        else:
            self.wrong.append(f"exit code {code} of {attempt.kind}, {attempt.shot}: {said[-3000:]}")
        if "Traceback" in said and not (died and attempt.kind == "command"):
            self.wrong.append(f"a traceback: {said[-3000:]}")
        lane.resume = lane.resume or folder is not None
        if folder and (folder / "events.jsonl").exists():
            self.wrong += self._wrong_in(lane, folder)
            if attempt.before[0]:
                self.wrong += unsaid(folder, *attempt.before)
            begun = any(isinstance(event, Started) for event in islice(events_of(folder), attempt.before[0], None))
            twice = attempt.shot.twice or (attempt.shots and attempt.board.read().get("point"))
            if begun and code == 3 and not twice:
                self._is_nothing_lost(folder, attempt)

    def _wrong_in(self, lane: Lane, folder: Path) -> list[str]:
        look = wrong_in_the_end if lane.done else wrong_after_a_kill
        return [f"{folder.name} ({lane.known.mode}): {text}" for text in look(folder, lane.known.told)]

    def _is_nothing_lost(self, folder: Path, attempt: Attempt) -> None:
        """A gentle end backs up: no step is done a second time."""
        backups = all_backups(folder / "backups")
        if (told := step_told(folder)) > (step_of(backups[0]) if backups else 0):
            self.wrong.append(f"a gentle end lost steps: {told} were done, {backups[:1]}, {attempt.shot}")

    def _count(self, attempt: Attempt) -> None:
        seen = attempt.board.read()
        victim = {"train": "forked run", "command": "real command", "engine": "engine", "window": "window"}
        kinds = {
            "signal": attempt.shot.signal.name + (" twice" if attempt.shot.twice else ""),
            "victim": victim[attempt.kind],
            "doing": seen.get("doing", "Starting"),
            "mode": attempt.lane.known.mode,
            "runs at once": str(len(self.lanes)),
        }
        if point := seen.get("point"):
            kinds["call"] = point
        self.figures.kill(**kinds)
