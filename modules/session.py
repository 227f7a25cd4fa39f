"""One job in the background: owns the thread, and turns every way a job can end into an event."""

from __future__ import annotations

import threading
import traceback

from modules.errors import UserError, system_error
from modules.messages import Channel, Failed, Fix, Job
from modules.system.collecting import gc_paused
from modules.system.pages import enable_huge_pages


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
        try:
            with gc_paused():  # imports torch: in the thread, while the front end shows
                from modules.run import run_job  # noqa: PLC0415

            run_job(self._job, self.channel)
        except UserError as error:
            self.channel.events.put(Failed(str(error), fixes=[Fix(**mend) for mend in error.fixes]))
        except OSError as error:
            said = system_error(error)
            words = str(said) if said else f"{type(error).__name__}: {error}"
            self.channel.events.put(Failed(words, "" if said else traceback.format_exc()))
        except Exception as error:  # noqa: BLE001 - the edge of the thread: nothing may die in silence
            self.channel.events.put(Failed(f"{type(error).__name__}: {error}", traceback.format_exc()))
