"""What is kept of the job under way, so that a window that comes later knows what one knows that was there."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from modules.event_stream import condense
from modules.host.frames import frame
from modules.messages import CheckPreset, Event, Job, Message, Progress, Train
from modules.system.files import staged_file
from modules.system.reading import open_file
from modules.wire import decode, encode

LOSSES_TOGETHER = 10  # steps in one message: a chart keeps the learning rate of every tenth step

Ended = dict[str, Any]  # how the engine's process ended: "code", "printed", "working"


def kind_of(job: Job) -> str:
    """As the window names it: "train", "check" or the tool's name."""
    return "train" if isinstance(job, Train) else "check" if isinstance(job, CheckPreset) else job.name


@dataclass
class JobRecord:
    """Its events in few messages, each with the time of the first that is in it. Of the settings nothing is kept."""

    what: str
    events: list[Message] = field(default_factory=list[Message])
    times: list[float] = field(default_factory=list[float])  # seconds since 1970
    died: Ended | None = None  # the engine's process ended before the job did
    queued: bool = False  # the queue began it, and no window

    def add(self, event: Event) -> None:
        last: Any = self.events[-1:]
        if last and isinstance(last[0], Progress) and len(last[0].losses) >= LOSSES_TOGETHER:
            last = []
        kept = len(self.events) - len(last)
        self.events[kept:] = condense([*last, event])
        self.times += [time.time()] * (len(self.events) - len(self.times))

    def packed(self) -> bytes:
        events = [[when, encode(event)] for when, event in zip(self.times, self.events, strict=True)]
        return frame("record", what=self.what, events=events, died=self.died, queued=self.queued)

    @classmethod
    def unpacked(cls, data: bytes | str) -> JobRecord:
        """Events of another release that are not understood are left out.

        Raises:
            ValueError: it is none.
        """
        values = from_json(data)
        try:
            record = cls(str(values["what"]), died=values["died"], queued=bool(values["queued"]))
            for when, line in values["events"]:
                with suppress(ValueError):
                    record.events.append(decode(line))
                    record.times.append(float(when))
        except (KeyError, TypeError) as error:
            raise ValueError("no record of a job") from error
        return record

    def write(self, path: Path) -> None:
        """For the next window: nobody has seen how the job ended."""
        with staged_file(path) as draft:
            draft.touch(mode=0o600)
            draft.write_bytes(self.packed())


def taken(path: Path) -> JobRecord | None:
    """The record in a file, which is removed: one window shows it. None where it is damaged or gone."""
    try:
        with open_file(path) as file:
            data = file.read()
        path.unlink()
        return JobRecord.unpacked(data)
    except (OSError, ValueError):
        with suppress(OSError):
            path.unlink()
        return None
