"""The way in: no arguments open the window, any others are the command line."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def main(arguments: list[str]) -> int:
    """Run a command and give its exit code."""
    if not arguments:
        from app.gui import open_window  # noqa: PLC0415  commands need no window

        return open_window()
    from app.cli import run  # noqa: PLC0415  the window opens without the command line

    try:
        code = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # `settings | head`: who reads has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:  # before there is a job; a job answers Ctrl-C itself
        return 3
    return code


def leave(code: int) -> NoReturn:
    """End the process with this code, whatever signal comes while Python unloads: what was asked for is done."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
