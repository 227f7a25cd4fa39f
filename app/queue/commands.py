"""What each action of `queue` does. Nothing here imports torch: the engine does, in its own process."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from app.flags import absolute_if_exists
from app.preset_options import run_of
from app.queue import listing
from app.tool_commands import add_tool as add_tool_flags
from app.tool_commands import message_of
from modules.host.server import Host
from modules.host.server import run as run_host
from modules.jobs.entry import Entry, NewEntry
from modules.jobs.queue import Queue, queue_file
from modules.messages import Event, Failed
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.naming import run_name
from modules.preset.validate import examine
from modules.sentences.render import PLAIN
from modules.tools import TOOLS
from modules.trials.estimates import images_in_a_step, pace_of

HOSTS = "engines"  # beside the queue, where windows look for what goes on
RUN_TEXT = (
    "Do what waits, one after another, in this terminal and without a window, until nothing is left that can begin. "
    "Ctrl-C stops after the step, with a backup. A window that is opened meanwhile shows it."
)
STOPPING = "Stopping after this step, with a backup. Press again to leave at once: the run backs up by itself then."
EXIT_DONE, EXIT_FAILED, EXIT_STOPPED, EXIT_KILLED = 0, 2, 3, 130
Options = argparse.Namespace


@contextmanager
def opened() -> Generator[Queue]:
    """The queue of this user."""
    queue = Queue(queue_file())
    try:
        if aside := queue.put_aside:
            _say(PLAIN.sentence(aside))
        queue.recover()
        yield queue
    finally:
        queue.close()


def show(options: Options) -> int:
    """What is in it."""
    with opened() as queue:
        _say(listing.as_json(queue) if options.json else listing.table(queue))
    return EXIT_DONE


def add(options: Options) -> int:
    """A run."""
    job = run_of(options)
    preset = with_absolute_paths(examine(job.preset)[0])  # who runs it stands in another folder
    resume = absolute_if_exists(job.resume) if len(Path(job.resume).parts) > 1 else job.resume
    job = replace(job, preset=preset.model_dump(mode="json"), resume=resume)
    title = Path(job.resume).name if job.resume not in ("", "newest") else run_name(preset)
    pace = pace_of(preset) if preset.training.steps else None
    estimate = pace.seconds(preset.training.steps, images_in_a_step(preset)) if pace else None
    return _add(NewEntry(job, title, options.after, estimate=estimate), options)


def add_tool(options: Options) -> int:
    """A tool, with its own flags behind its name."""
    tool = TOOLS[options.tool]
    parser = argparse.ArgumentParser(prog=f"queue add-tool {tool.name}", description=tool.help)
    add_tool_flags(parser, tool)
    return _add(NewEntry(message_of(tool, parser.parse_args(options.rest)), tool.title, options.after), options)


def _add(new: NewEntry, options: Options) -> int:
    with opened() as queue:
        [entry] = queue.add(new, first=options.first)
        begins = "" if queue.on else " The queue rests: queue run."
        _say(f"“{entry.title}” is in the queue ({entry.id}).{begins}")
    return EXIT_DONE


def pause(options: Options) -> int:
    """One that waits or runs."""
    with opened() as queue:
        queue.pause(options.id)
    return show_one(options.id)


def resume(options: Options) -> int:
    """One that is paused."""
    with opened() as queue:
        queue.resume(options.id)
    return show_one(options.id)


def run_next(options: Options) -> int:
    """Before the others."""
    with opened() as queue:
        queue.run_next(options.id)
    return show_one(options.id)


def retry(options: Options) -> int:
    """What has failed."""
    with opened() as queue:
        for number in options.id:
            queue.retry(number)
    return show_one(*options.id)


def remove(options: Options) -> int:
    """Out of the list."""
    with opened() as queue:
        queue.remove(*options.id)
        _say(listing.counted(queue.entries()))
    return EXIT_DONE


def after(options: Options) -> int:
    """One after another."""
    with opened() as queue:
        queue.set_after(options.id, options.other)
    return show_one(options.id)


def rest(_options: Options) -> int:
    """Begin nothing more."""
    with opened() as queue:
        queue.on = False
        _say(listing.table(queue))
    return EXIT_DONE


def when_done(options: Options) -> int:
    """What the computer does then."""
    with opened() as queue:
        queue.when_done = options.what
    return EXIT_DONE


def show_one(*numbers: int) -> int:
    """How these stand now."""
    with opened() as queue:
        entries = queue.entries()
        for entry in entries:
            if entry.id in numbers:
                _say(f"{entry.id}  {entry.state}  {entry.title}  {listing.said_of(entry, entries)}".rstrip())
    return EXIT_DONE


# Running it -----------------------------------------------------------------------------------------------------------


def run(options: Options) -> int:
    """Be a host that no window has started."""
    with opened() as queue:
        queue.on = True
        if not queue.can_go_on:
            _say(listing.table(queue))
            return EXIT_DONE
        began = time.time()
        watch = _Watch(as_json=options.events == "json")
        run_host(queue.file.with_name(HOSTS), uuid.uuid4().hex, ready=watch.begin, heard=watch.heard)
        watch.display.close()
        ended = [entry for entry in queue.entries() if (entry.ended or 0) >= began]
        _report(queue, ended, as_json=options.events == "json")
    if watch.stopped:
        return EXIT_STOPPED
    return EXIT_FAILED if any(entry.state == "failed" for entry in ended) else EXIT_DONE


def _report(queue: Queue, ended: list[Entry], *, as_json: bool) -> None:
    if not as_json:
        _say("\n".join([f"{listing.counted(ended)}.", *(_line(entry, queue) for entry in ended)]))


def _line(entry: Entry, queue: Queue) -> str:
    return f"{entry.state:8}  {entry.title}  {listing.said_of(entry, queue.entries())}".rstrip()


class _Watch:
    """Shows what the host hears, and ends it when the person asks for that."""

    def __init__(self, *, as_json: bool) -> None:
        from app.terminal import display  # noqa: PLC0415  brings the progress bar, which a list does not need

        self.display = display(as_json)
        self.stopped = False
        self._host: Host | None = None
        self._title = ""

    def begin(self, host: Host) -> None:
        self._host = host
        host.expect_nobody()
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if number := getattr(signal, name, None):
                signal.signal(number, self._asked_to_end)

    def heard(self, event: Event) -> None:
        """Where nobody reads any more, the queue goes on."""
        try:
            title = self._host.queue.title if self._host else ""
            if title and title != self._title:
                self.display.say(title)
            self._title = title
            self.display.show(event)
            if isinstance(event, Failed):
                sys.stderr.write(f"{event.message}\n")
        except OSError:
            return

    def _asked_to_end(self, *_: object) -> None:
        if self.stopped or self._host is None:
            os._exit(EXIT_KILLED)
        self.stopped = True
        self._host.quit()
        self.display.say(STOPPING)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
