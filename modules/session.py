"""One job in the background: owns the thread, and turns every way a job can end into an event."""

from __future__ import annotations

import sys
import threading

from modules.messages import Channel, Job
from modules.system.failures import failure_of
from modules.system.runtime import enable_huge_pages, gc_paused, let_card_memory_grow


class Session:
    """A job with its channel. The window's engine and the headless command line use the same."""

    def __init__(self, job: Job, channel: Channel | None = None) -> None:
        self.channel = channel or Channel.open()
        self._job = job
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end, or so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        enable_huge_pages()
        let_card_memory_grow()
        try:
            with gc_paused():  # imports torch: in the thread, while the front end shows
                from modules.run import run_job  # noqa: PLC0415

            run_job(self._job, self.channel)
        except BaseException as error:  # noqa: BLE001 - the edge of the thread: nothing may end in silence
            self.channel.events.put(failure_of(error))
        if "torch" in sys.modules:
            from modules.system.devices import release_card_memory  # noqa: PLC0415

            release_card_memory()
