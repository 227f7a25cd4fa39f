"""What a job shows on the way: a progress bar on a terminal, plain lines in a log, or lines of JSON for programs."""

from __future__ import annotations

import os
import shutil
import sys
import time
from array import array
from typing import Any, Protocol, TextIO

from tqdm import tqdm

from app.findings import report
from modules import messages as m
from modules.event_text import progress_text, sentence, trend_text
from modules.plan_text import plan_lines
from modules.text import in_bytes, rate, time_left
from modules.trend import AVERAGE, latest_trend, moving_average
from modules.wire import encode

MIN_LINE_GAP_S = 10.0  # no two lines of progress in a log stand closer,
MAX_LINE_GAP_S = 60.0  # none further apart,
MIN_LINE_SHARE = 0.05  # and between these each one tells of so much more work


class Display(Protocol):
    """Shows events; `say` adds a sentence of the command line itself."""

    def show(self, event: m.Event) -> None: ...
    def say(self, text: str) -> None: ...
    def close(self) -> None: ...


def display(as_json: bool) -> Display:
    """The display that fits where the output goes."""
    if as_json:
        return JsonLines(_private_stdout())
    return ProgressBar(sys.stdout) if sys.stdout.isatty() else LogLines(sys.stdout)


def _private_stdout() -> TextIO:
    """The real stdout, for events alone: what libraries print from now on goes to stderr."""
    sys.stdout.flush()
    private = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return private


class NullDisplay:
    """For when nobody reads any more."""

    def show(self, event: m.Event) -> None: ...
    def say(self, text: str) -> None: ...
    def close(self) -> None: ...


class JsonLines:
    """One event per line, as `modules.wire.decode` reads them."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: m.Event) -> None:
        self._out.write(encode(event) + "\n")
        self._out.flush()

    def say(self, text: str) -> None:
        sys.stderr.write(text + "\n")

    def close(self) -> None:
        self._out.close()


class FindingsCollector:
    """Those of a check, until they can be told together, the worst first."""

    def __init__(self) -> None:
        self._found: list[m.Finding] = []

    def add(self, finding: m.Finding) -> None:
        self._found.append(finding)

    def report_text(self) -> str:
        """All of them as text, once; "" for none."""
        text, self._found = report(self._found), []
        return f"\n{text}\n" if text else ""


class LossSummary:
    """The losses of a run, for a line at its end."""

    def __init__(self) -> None:
        self._losses = array("d")

    def add(self, event: m.Progress) -> None:
        self._losses.extend(loss for _, loss in event.losses)

    def words(self, event: m.Event) -> str:
        """At the end of a run its average loss, and whether it still falls; "" else."""
        found = latest_trend(self._losses) if isinstance(event, m.Finished) else None
        if found is None:
            return ""
        steps = min(AVERAGE, len(self._losses))
        return f"Loss {moving_average(self._losses):.4f} over the last {steps:,} steps, {trend_text(found)}"


class LogLines:
    """Time and text, for logs; progress only now and then."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._findings, self._losses = out, FindingsCollector(), LossSummary()
        self._title, self._last_line_at, self._last_line_share = "", -MAX_LINE_GAP_S, 0.0

    def show(self, event: m.Event) -> None:
        if isinstance(event, m.Progress):
            self._losses.add(event)
            self._is_new_stage("Training")
            self._log_progress(event.step, event.steps, f"{progress_text(event)}, {progress_words(event)}")
        elif isinstance(event, m.Stage):
            if self._is_new_stage(event.title):
                self.say(event.title)
            elif event.done < event.total:
                self._log_progress(event.done, event.total, f"{event.title}: {event.done} of {event.total}")
        elif isinstance(event, m.Finding):
            self._findings.add(event)
        else:
            self._tell(event)

    def _tell(self, event: m.Event) -> None:
        if isinstance(event, m.Result):
            self.close()
        for text in filter(None, (self._losses.words(event), _line(event))):
            self.say(text)

    def say(self, text: str) -> None:
        self._out.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        self._out.flush()

    def close(self) -> None:
        if found := self._findings.report_text():
            self._out.write(f"{found}\n")
            self._out.flush()

    def _is_new_stage(self, title: str) -> bool:
        """Whether something else is going on than before: its share of work is counted anew."""
        if title == self._title:
            return False
        self._title, self._last_line_share = title, -1.0
        return True

    def _log_progress(self, done: int, total: int, text: str) -> None:
        """Write a line if there is enough to tell since the last one; the end of the training is always told."""
        now, share = time.monotonic(), done / max(total, 1)
        since, more = now - self._last_line_at, share - self._last_line_share
        if done >= total or since >= MAX_LINE_GAP_S or (since >= MIN_LINE_GAP_S and more >= MIN_LINE_SHARE):
            self._last_line_at, self._last_line_share = now, share
            self.say(text)


class ProgressBar:
    """A bar at the bottom of a terminal for what is going on, and sentences above it."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._findings, self._losses = out, FindingsCollector(), LossSummary()
        self._bar: tqdm[Any] | None = None
        self._title = ""

    def show(self, event: m.Event) -> None:
        if isinstance(event, m.Progress):
            self._losses.add(event)
            self._update_bar("Training", event.step, event.steps, progress_words(event))
        elif isinstance(event, m.Stage):
            self._update_bar(event.title, event.done, event.total, "")
        elif isinstance(event, m.Finding):
            self._findings.add(event)
        else:
            self._tell(event)

    def _tell(self, event: m.Event) -> None:
        if isinstance(event, m.Result):
            self.close()
        for text in filter(None, (self._losses.words(event), _line(event))):
            self.say(text)

    def close(self) -> None:
        self._clear()
        if found := self._findings.report_text():
            self.say(found)

    def say(self, text: str) -> None:
        if self._bar is None:
            self._out.write(text + "\n")
            self._out.flush()
        else:
            self._bar.write(text, file=self._out)

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None

    def _update_bar(self, title: str, done: int, total: int, words: str) -> None:
        if title != self._title or self._bar is None:
            self._clear()
            self._title = title
            counted = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
            self._bar = tqdm(
                total=total or None,
                desc=title,
                file=self._out,
                leave=False,
                nrows=24,  # tqdm hides its bar where a terminal says it has no rows, as those of containers do
                mininterval=0.0,
                bar_format=counted if total else "{desc} ...",
            )
        self._bar.n = done
        self._bar.ncols = shutil.get_terminal_size().columns - 1
        self._bar.set_postfix_str(words, refresh=False)  # its own rate would count the time of the samples as well
        self._bar.refresh()


# Words ----------------------------------------------------------------------------------------------------------------


def progress_words(event: m.Progress) -> str:
    """Rate, time left, loss and memory."""
    words = [f"loss {event.smooth_loss:.4f}"]
    if event.steps_per_second > 0:
        words += [rate(event.steps_per_second), f"{time_left(event.seconds_left)} left"]
    if event.memory:
        words.append(in_bytes(event.memory))
    if event.card_memory:
        words.append(f"{in_bytes(event.card_memory)} on the card")
    return ", ".join(words)


def _line(event: m.Event) -> str:
    """What an event says, with paths to copy. A failure is said on stderr, by who follows the job."""
    if isinstance(event, m.MemoryPlan):
        return "\n".join(plan_lines(event))
    return "" if isinstance(event, m.Failed) else sentence(event, full_paths=True)
