"""`python -m modules.host FOLDER NAME`: started by a window, without a terminal."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from modules.host.server import Host, run


def _obey(host: Host) -> None:
    """The system ends: the job is stopped with a backup. A terminal that is closed, or Ctrl-C in it, is no matter."""
    for name in ("SIGTERM", "SIGBREAK"):
        if number := getattr(signal, name, None):
            signal.signal(number, lambda *_: host.quit())
    for name in ("SIGHUP", "SIGINT"):
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], ready=_obey)
