"""When a disk is full, gone, read-only or failing: training stands still, says why, and goes on by itself.

What is written goes to a draft and takes its name only when it is whole (modules/system/files.py), so that it can be
written again from the beginning as often as need be, and what was there before stays until then.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError

from modules.errors import UserError
from modules.messages import Continued, Event, Paused, note
from modules.sentences.problem import Problem, problem
from modules.sentences.render import PLAIN
from modules.system.files import FULL, disk_error
from modules.trainer.control import Control, Interrupted

T = TypeVar("T")
FORBIDDEN = {errno.EACCES, errno.EPERM}
GONE = {errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO}


class GaveUp(UserError):
    """The user stopped the run while a disk took nothing; its text says what was not written, and why."""


class DiskRetry:
    """Does what writes to a disk, again and again until the disk takes it or the user has had enough."""

    RETRY = 5.0  # seconds between two attempts; Continue tries at once
    LAST = 8.0  # seconds for a run that is to stop: who shuts a machine down does not wait much longer

    def __init__(self, control: Control, tell: Callable[[Event], None], step: Callable[[], int] = lambda: 0) -> None:
        """`step`: the one that the run stands at."""
        self.control, self.tell, self._step = control, tell, step

    def retry(self, work: Callable[[], T], what: str, place: Path, size: Callable[[], int] = lambda: 0) -> T:
        """What `work` gives, once it could be done. `what` it writes ("written.backup"), where, how many bytes.

        Raises:
            GaveUp: the run is to stop and it could not be written.
            Interrupted: the run is to stop at once, or it is only being prepared.
        """
        reported = ""
        while True:
            try:
                done = work()
            except (OSError, RuntimeError, SafetensorError) as error:
                trouble = disk_error(error)
                if trouble is None:
                    raise
            else:
                if reported:
                    self.tell(Continued(self._step()))
                return done
            reported = self._wait(trouble, disk_problem(trouble, what, place, size()), what, reported)

    def _wait(self, trouble: OSError, wrong: Problem, what: str, reported: str) -> str:
        """Stand still until it is time for another attempt. Says why once for each cause, and each time one asks."""
        cause = str(trouble.errno)
        if reported != cause:
            waits = problem("disk.waits", reason=wrong, advice=Problem(f"disk.{_kind(trouble)}-advice"))
            self.tell(Paused(self._step(), PLAIN.what(waits), retries=True, problems=[waits]))
        asked, stops = self.control.continue_count, self.control.stop_count
        wait = self.LAST if self.control.stopping else self.RETRY
        until = time.monotonic() + wait
        while time.monotonic() < until:
            self.control.read()
            if self.control.continue_count > asked:
                return "asked for"  # answered anew if it fails again
            if self.control.stop_count > stops:
                break
            time.sleep(0.02)
        if self.control.stopping:
            self._give_up(wrong, what)
        return cause

    def _give_up(self, wrong: Problem, what: str) -> None:
        not_written = problem("disk.not-written", what=Problem(what), reason=wrong)
        if self.control.stop_now or not self.control.finishes_step:
            self.tell(note(not_written, level="warning"))
            raise Interrupted
        raise GaveUp(not_written)


def disk_problem(trouble: OSError, what: str, place: Path, size: int = 0) -> Problem:
    """What is wrong with the disk, and in figures how far it is from taking what is to be written."""
    kind, named = _kind(trouble), Problem(what)
    if kind == "full":
        free = _free(place)  # names and headers come on top
        code = "disk.full" if not size else "disk.full-needs" if size > free else "disk.full-needs-more"
        return problem(code, place=str(place), free=free, what=named, size=size)
    where = trouble.filename or place if kind == "gone" else place
    return problem(f"disk.{kind}", place=str(where), what=named, reason=trouble.strerror or str(trouble))


def _kind(trouble: OSError) -> str:
    if trouble.errno in FULL:
        return "full"
    if trouble.errno in FORBIDDEN:
        return "forbidden"
    if trouble.errno in GONE:
        return "gone"
    return "read-only" if trouble.errno == errno.EROFS else "failing"


def _free(place: Path) -> int:
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free
