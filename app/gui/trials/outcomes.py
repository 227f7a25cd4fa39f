"""What came of tried values, run by run: numbers, curves and samples, read while the runs go on. No widgets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.gui.draft.choice_labels import choice_label
from app.gui.jobs.job_queue import JobQueue
from app.gui.jobs.trial_groups import label_of, tried_in
from app.gui.run.run_source import PastRun, SampleImage, sample_images
from app.gui.session.event_log import last_events
from app.gui.session.number_format import coarse
from app.gui.session.run_history import Run
from modules.jobs.entry import Entry
from modules.language import tr
from modules.messages import Progress
from modules.preset.validate import setting_at
from modules.text import in_bytes, percent_done
from modules.trials.values import short


@dataclass(frozen=True)
class Measure:
    """A column of numbers; `falls`: less is better."""

    key: str
    title: str
    falls: bool


MEASURES = (
    Measure("held_out", "Held-out loss", True), Measure("loss", "Loss", True), Measure("learnt", "Learnt", False),
    Measure("forgotten", "Forgotten", True), Measure("balance", "Balance", False), Measure("seconds", "Time", True),
    Measure("memory", "Memory", True),
)  # fmt: skip
BY_KEY = {measure.key: measure for measure in MEASURES}
USUAL = ("balance", "held_out", "loss")  # what the best is judged by: the first that is known


class TriedSource(PastRun):
    """A run that goes by what it tries."""

    def __init__(self, run: Run, label: str) -> None:
        super().__init__(run)
        self._label = label

    @property
    def title(self) -> str:
        return self._label

    def look_again(self) -> None:
        """Samples that were made since."""
        self.shots = sample_images(self.run)


@dataclass(frozen=True)
class Outcome:
    """One run of a set: what it tries, and what is known of it."""

    entry: Entry
    label: str  # "5e-5, 8"
    state: str  # in words, while it has not finished
    numbers: dict[str, float] = field(default_factory=dict[str, float])
    folder: Path | None = None


class Outcomes:
    """The runs of a set, in the order in which they were added; `update` reads on."""

    def __init__(self, jobs: JobQueue, group: str) -> None:
        self._jobs, self.group = jobs, group
        self.sources: dict[int, TriedSource] = {}  # by entry
        self._memory: dict[int, int] = {}
        self._steps: dict[int, int] = {}  # at which the samples were looked for

    @property
    def entries(self) -> list[Entry]:
        found = [entry for entry in self._jobs.entries if entry.group == self.group]
        return sorted(found, key=lambda entry: entry.id)

    @property
    def tried(self) -> dict[str, tuple[Any, ...]]:
        """The settings with more than one value among the runs."""
        tried = tried_in(self.entries)
        return {path: values for path, values in tried.items() if len(values) > 1} or tried

    def update(self) -> bool:
        """Read what has come. True: there is more to read at once."""
        more, tried = False, self.tried
        for entry in self.entries:
            if not entry.folder or not Path(entry.folder).is_dir():
                continue
            source = self.sources.get(entry.id)
            if source is None or str(source.folder) != entry.folder:
                source = self.sources[entry.id] = TriedSource(Run(Path(entry.folder)), label_of_run(entry, tried))
            before = source.lengths()
            more = source.update() or more
            if before != source.lengths():
                source.look_again()
                self._memory[entry.id] = max(self._memory.get(entry.id, 0), _memory_of(source.folder))
        return more

    def rows(self) -> list[Outcome]:
        tried = self.tried
        return [self._outcome(entry, tried) for entry in self.entries]

    def _outcome(self, entry: Entry, tried: dict[str, tuple[Any, ...]]) -> Outcome:
        source = self.sources.get(entry.id)
        numbers = numbers_of(source) if source else {}
        if memory := self._memory.get(entry.id):
            numbers["memory"] = memory
        if entry.started and entry.ended and entry.state == "finished":
            numbers["seconds"] = entry.ended - entry.started
        return Outcome(entry, label_of_run(entry, tried), state_of(entry), numbers, source.folder if source else None)

    def shots(self, outcome: Outcome, step: int) -> dict[int, SampleImage]:
        """The samples of the preset's prompts, by their numbers; `step` -1: the last."""
        source = self.sources.get(outcome.entry.id)
        shots = [shot for shot in source.shots if shot.number] if source else []
        last = max((shot.step for shot in shots), default=-1) if step < 0 else step
        return {shot.number: shot for shot in shots if shot.step == last}

    def steps(self) -> list[int]:
        """At which some run was sampled."""
        return sorted({shot.step for source in self.sources.values() for shot in source.shots if shot.number})


def numbers_of(source: PastRun) -> dict[str, float]:
    """What a run has measured, at last."""
    found: dict[str, float] = {}
    if source.validations:
        found["held_out"] = source.validations[-1].mean
    if source.losses:
        last = source.losses[-max(len(source.losses) // 20, 1) :]
        found["loss"] = sum(loss for _, loss in last) / len(last)
    if source.retentions:
        latest = source.retentions[-1]
        found |= {"forgotten": latest.forgotten, "balance": latest.balance}
        found["learnt"] = latest.balance + latest.forgotten
    return found


def _memory_of(folder: Path) -> int:
    """The most that the last steps say the process held: of the card where there is one."""
    events = [event for event in last_events(folder / "events.jsonl") if isinstance(event, Progress)]
    return max((event.card_memory or event.memory for event in events), default=0)


def state_of(entry: Entry) -> str:
    """ "waiting", "41 %", "failed"; "" of one that has finished."""
    if entry.state == "running":
        return percent_done(entry.step, entry.total) if entry.total else tr("running")
    words = {"waiting": "waiting", "paused": "paused", "failed": "failed", "skipped": "skipped"}
    return tr(words[entry.state]) if entry.state in words else ""


def value_words(path: str, value: Any) -> str:
    """A value as the table says it."""
    setting = setting_at(path)
    if setting is not None and setting.choices:
        return choice_label(path, value)
    return short(value)


def label_of_run(entry: Entry, tried: dict[str, tuple[Any, ...]]) -> str:
    """What a run tries, in the fewest words."""
    return ", ".join(value_words(path, entry.changes[path]) for path in tried if path in entry.changes)


def number_words(key: str, value: float | None) -> str:
    """A number of the table."""
    if value is None:
        return ""
    if key == "seconds":
        return coarse(value)
    if key == "memory":
        return in_bytes(value)
    if key == "balance":
        return f"{value:+.2f}".replace("-", "\u2212")
    return f"{value:.4f}" if key in ("held_out", "loss") else f"{value:.2f}"


def known(rows: Sequence[Outcome]) -> list[Measure]:
    """The columns in which something stands."""
    return [measure for measure in MEASURES if any(measure.key in row.numbers for row in rows)]


def best_of(rows: Sequence[Outcome], key: str) -> Outcome | None:
    """The run that is best by a measure; None where fewer than two can be compared."""
    found = [row for row in rows if key in row.numbers]
    if len(found) < 2 or key not in BY_KEY:
        return None
    return (min if BY_KEY[key].falls else max)(found, key=lambda row: row.numbers[key])


def sorted_by(rows: Sequence[Outcome], key: str) -> list[Outcome]:
    """The best first; what has no number comes last. "" leaves the order in which they were added."""
    if key not in BY_KEY:
        return list(rows)
    sign = 1 if BY_KEY[key].falls else -1
    return sorted(rows, key=lambda row: (key not in row.numbers, sign * row.numbers.get(key, 0.0)))


def table_text(rows: Sequence[Outcome], tried: Sequence[str]) -> str:
    """All of it as CSV."""
    text, measures = io.StringIO(), known(rows)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*map(label_of, tried), *(tr(measure.title) for measure in measures), tr("Folder")])
    for row in rows:
        values = [row.entry.changes.get(path, "") for path in tried]
        writer.writerow([*values, *(row.numbers.get(m.key, "") for m in measures), row.folder or ""])
    return text.getvalue()
