"""The runs of the workspace: which one is shown, and two of them beside one another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import failure_text, note_text
from app.gui.kit import Card, Frame, ImageView, Label, Option, ScrollArea, Slider, px
from app.gui.run.charts import LossCard
from app.gui.run.retention_card import RetentionCard
from app.gui.run.run_source import PastRun, SampleImage
from app.gui.run.samples.image_viewer import ImageViewer
from app.gui.session.run_history import Run, Runs, Status, Summary, pairs_between, settings_between
from app.gui.session.run_state import Line
from app.gui.session.worker import Worker
from modules.language import plural, tr
from modules.messages import Failed
from modules.system.bundled import in_program_folder
from modules.text import ago

LIVE = "live"
STATUS_LABELS: dict[Status, str] = {
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "running": "running",
    "cut off": "interrupted",
}
ROOM = 48  # letters beside the name of a run in a list


class RunList:
    """The runs and their summaries, read in a thread: hundreds take a while."""

    def __init__(self, context: AppContext, changed: Callable[[], object]) -> None:
        self.context, self._changed = context, changed
        self._runs: Runs | None = None
        self._reading: Worker[list[tuple[Run, Summary]]] | None = None
        self.found: list[tuple[Run, Summary]] = []

    def look(self) -> None:
        """Read the workspace anew; `changed` is called in a later tick."""
        workspace = in_program_folder(str(self.context.draft.get("general.workspace")))
        if self._runs is None or self._runs.workspace != workspace:
            self._runs = Runs(workspace)
        runs = self._runs
        self.close()  # what is being read now may be of before
        self._reading = Worker(lambda report, stop: [(run, run.summary) for run in runs.list() if not stop()])

    def tick(self) -> None:
        if self._reading is None or self._reading.running:
            return
        reading, self._reading = self._reading, None  # before it is asked: a fault in it is told once
        done = reading.outcome()
        if done is not None and done.result is not None and done.result != self.found:
            self.found = done.result
            self._changed()

    def run(self, folder: str) -> Run:
        return next((run for run, _ in self.found if str(run.folder) == folder), None) or Run(Path(folder))

    def options(self, without: Path | None = None) -> list[Option]:
        """Lines for a list: name, and at the right how it ended and when."""
        return [
            Option(str(run.folder), run.name, option_note(summary), words=f"{summary.title} {summary.failure}")
            for run, summary in self.found
            if run.folder != without
        ]

    def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()


def summary_text(summary: Summary) -> str:
    """How a run stands, in a few words."""
    best = tr(", best at {step:,}", step=summary.best) if summary.best > 0 else ""
    status, when = tr(STATUS_LABELS[summary.status]), ago(time.time() - summary.when)
    return tr("{status} at step {step:,}{best}, {when}", status=status, step=summary.step, best=best, when=when)


def stopped_text(summary: Summary, *, closed: bool) -> str:
    """How a run ended, for the line over its charts. `closed`: the end of the window stopped it."""
    if summary.status not in ("stopped", "cut off"):
        return summary_text(summary)
    words = tr("stopped at {step:,} of {steps:,}", step=summary.step, steps=summary.steps)
    return tr("{stopped} when the window closed", stopped=words) if closed else words


def option_note(summary: Summary) -> str:
    """The same for a line of a list; of a run that failed the reason, as far as there is room beside its name."""
    if not summary.reason:
        return summary_text(summary)
    words = tr("failed {when}: {reason}", when=ago(time.time() - summary.when), reason=summary.reason)
    return words if len(words) <= ROOM else f"{words[: ROOM - 1].rstrip()}\u2026"


def log_lines(run: Run) -> list[Line]:
    """What is known of an old run, as lines of a log."""
    records, run_summary = run.records, run.summary
    status = tr(STATUS_LABELS[run_summary.status]).capitalize()
    lines = [Line(0, note.level, note_text(note)) for note in records.notes]
    lines += [Line(0, "info", tr("Backup at step {step:,}", step=step)) for step, _ in reversed(run.backups())]
    lines += [Line(0, "info", tr("Model saved: {name}", name=path.name)) for path in run.models()]
    if isinstance(records.end, Failed):
        lines.append(Line(0, "error", failure_text(records.end)))
    return [
        *lines,
        Line(
            0,
            "info",
            tr("{status} at step {step:,} of {steps:,}", status=status, step=run_summary.step, steps=run_summary.steps),
        ),
    ]


class Comparison(Frame):
    """Two runs: their curves, the settings that differ, and their samples in pairs."""

    def __init__(self, master: Any, context: AppContext, one: Run, other: Run) -> None:
        super().__init__(master)
        self.context = context
        self.sources = (PastRun(one), PastRun(other))
        self.pairs = pairs_between(one, other)
        self.columnconfigure(0, weight=58, uniform="both")
        self.columnconfigure(1, weight=42, uniform="both")
        self.rowconfigure((0, 1), weight=1, uniform="rows")
        self.losses = LossCard(self)
        self.losses.grid(row=0, column=0, sticky="nsew", padx=(0, px(14)), pady=(0, px(14)))
        self.retention = RetentionCard(self)
        self.retention.follow(self.sources)
        self._settings(one, other)
        self._samples(one, other)
        self.losses.follow(self.sources)

    def tick(self) -> bool:
        """Read on. True: there is more to read at once."""
        more = [source.update() for source in self.sources]
        self.losses.refresh()
        self.retention.refresh()
        measured = any(source.retentions for source in self.sources)
        if measured and not self.retention.winfo_manager():  # it takes the upper half of the samples' place
            self.samples.grid(row=1, column=1, rowspan=1, sticky="nsew")
            self.retention.grid(row=0, column=1, sticky="nsew", pady=(0, px(14)))
        return any(more)

    def _settings(self, one: Run, other: Run) -> None:
        found = settings_between(one, other)
        self.settings = Card(self, plural(len(found), "1 setting differs", "{count} settings differ"))
        self.settings.grid(row=1, column=0, sticky="nsew", padx=(0, px(14)))
        if not found:
            known = one.preset is not None and other.preset is not None
            words = (
                tr("Both runs have the same settings.") if known else tr("One of the runs left no readable settings.")
            )
            Label(self.settings.body, words, role="text2").pack(fill="x")
            return
        area = ScrollArea(self.settings.body)
        area.pack(fill="both", expand=True)
        heads = (tr("Setting"), one.name, other.name)
        rows = [heads, *((each.label, each.old or "\u2013", each.new or "\u2013") for each in found)]
        area.body.columnconfigure((0, 1, 2), weight=1, uniform="words")
        for row, cells in enumerate(rows):
            for column, words in enumerate(cells):
                role = "text3" if row == 0 else "text2" if column == 0 else "text"
                label = Label(area.body, words, font="small" if row == 0 else "body", role=role, wrap=True)
                label.grid(row=row, column=column, sticky="new", padx=(0, px(12)), pady=px(3))

    def _samples(self, one: Run, other: Run) -> None:
        self.samples = card = Card(self, tr("Samples side by side"))
        card.grid(row=0, column=1, rowspan=2, sticky="nsew")
        if not self.pairs:
            words = tr("The runs have no sample of the same prompt.")
            Label(card.body, words, role="text2", wrap=True).pack(fill="x")
            return
        self.prompt = Label(card.body, "", font="small", role="text2", wrap=True)
        self.prompt.pack(side="bottom", fill="x", pady=(px(6), 0))
        if len(self.pairs) > 1:
            last = len(self.pairs) - 1
            self.slider = Slider(card.body, 0, last, last, lambda value: self.show_pair(round(value)))
            self.slider.pack(side="bottom", fill="x", pady=(px(8), 0))
        self.views: list[tuple[Label, ImageView]] = []
        for run in (one, other):
            half = Frame(card.body)
            half.pack(side="left", fill="both", expand=True, padx=(0, px(8)), pady=(0, px(8)))
            words = Label(half, run.name, font="small_bold", wrap=True)
            words.pack(fill="x")
            view = ImageView(half, self.context.pictures, on_open=self._open, height=120)
            view.pack(fill="both", expand=True)
            self.views.append((words, view))
        self.show_pair(len(self.pairs) - 1)

    def show_pair(self, number: int) -> None:
        """Show a pair of samples."""
        pair = self.pairs[number]
        for (words, view), sample, source in zip(self.views, pair, self.sources, strict=True):
            words.set(tr("{title}, step {step:,}", title=source.title, step=sample.step))
            view.show(sample.path)
        self.prompt.set(
            tr(
                "“{prompt}”   ·   pair {number} of {count}",
                prompt=self.sources[0].run.prompt_of(pair[0]),
                number=number + 1,
                count=len(self.pairs),
            )
        )

    def _open(self, path: Path) -> None:
        shots: Sequence[SampleImage] = [shot for source in self.sources for shot in source.shots]
        found = next((shot for shot in shots if shot.path == path), None)
        if found is not None:
            source = self.sources[0] if found in self.sources[0].shots else self.sources[1]
            ImageViewer(self, self.context, source.shots, found)
