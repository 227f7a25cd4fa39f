"""`python -m modules.remote.there.bridge FOLDER SECONDS [--new]`: joins the line with the host of a run.

A frame or message is a line. The host and its engine go on when the line ends. Both sides say something every so many
seconds, if only an empty line: one that was cut without a word is given up, and the next bridge finds the host free.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from modules.host import client
from modules.host.frames import frame

SILENCES = 4  # so many times in a row without a word, and the other side is gone


class Bridge:
    """One connection to a host, from the first frame to the end of either side."""

    def __init__(self, lines: IO[bytes], out: IO[bytes], seconds: float) -> None:
        self._lines, self._out, self._seconds = lines, out, seconds
        self._saying = threading.Lock()
        self._heard = time.monotonic()

    def join(self, connection: Connection) -> None:
        """Until the host is gone; the end of the line ends the process."""
        threading.Thread(target=self._forward, args=(connection,), daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()
        try:
            while True:
                self.say(connection.recv_bytes())
        except (EOFError, OSError):
            return

    def _forward(self, connection: Connection) -> None:
        try:
            for line in self._lines:
                self._heard = time.monotonic()
                if line.strip():
                    connection.send_bytes(line.rstrip(b"\n"))
        except (OSError, ValueError):
            pass
        os._exit(0)  # the line has ended: the host keeps the run

    def _watch(self) -> None:
        while time.monotonic() - self._heard < SILENCES * self._seconds:
            time.sleep(self._seconds)
            self.say(b"")
        os._exit(0)

    def say(self, data: bytes) -> None:
        """A line; where nobody reads any more, the reader of the other pipe notices."""
        with self._saying, suppress(OSError):
            self._out.write(data + b"\n")
            self._out.flush()


def main() -> None:
    """Find the run that goes on, or begin a host; say which, then join."""
    private = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    folder, bridge = Path(sys.argv[1]), Bridge(sys.stdin.buffer, private, float(sys.argv[2]))
    left = client.found(folder)
    bridge.say(frame("bridge", found=left.connection is not None, ended=len(left.ended)))
    for record in left.ended:
        bridge.say(record.packed())
    connection = left.connection or (client.started(folder) if "--new" in sys.argv else None)
    if connection is not None:
        bridge.join(connection)


if __name__ == "__main__":
    main()
