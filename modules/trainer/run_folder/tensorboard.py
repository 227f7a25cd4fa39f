"""TensorBoard's file of a run. A disk that does not take it costs the curves, never the run."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2 as _messages
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.writer import SummaryWriter

event_pb2: Any = _messages  # made when it is imported: a type checker sees nothing in it


class TensorBoardWriter(SummaryWriter):
    """torch's writer over a plain file.

    The one that it makes by itself writes in a thread: a full disk ends that thread with a traceback on the terminal.
    """

    def __init__(self, folder: Path, purge_step: int | None) -> None:
        """`purge_step`: what an earlier file drew from there on is forgotten.

        Raises:
            OSError: the file cannot be made.
        """
        self._event_file = EventFile(folder)
        super().__init__(str(folder), purge_step=purge_step)

    def abandon(self) -> None:
        """Let go of the file, whatever of it is not written."""
        self._event_file.close()

    def _get_file_writer(self) -> Any:
        if self.all_writers is None:  # pyright: ignore[reportUnnecessaryComparison] - torch sets it so before it asks
            self.file_writer = self._event_file
            self.all_writers = {str(self._event_file.folder): self._event_file}
            if self.purge_step is not None:
                start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
                self._event_file.add_event(event_pb2.Event(step=self.purge_step, session_log=start))
        return self._event_file


class EventFile:
    """What torch asks of a FileWriter, without a thread."""

    FLUSH_EVERY = 2.0  # seconds: TensorBoard shows a run while it lives

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        # Made as TensorBoard names them: it reads the files of a folder in the order of their names.
        name = f"events.out.tfevents.{time.time_ns() / 1e9:017.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("wb", buffering=0)
        self._waiting = bytearray()
        self._records = RecordWriter(self)
        self._flushed = 0.0
        self.add_event(event_pb2.Event(file_version="brain.Event:2"))

    def add_event(self, event: Any, step: int | None = None, walltime: float | None = None) -> None:
        event.wall_time = time.time() if walltime is None else walltime
        if step is not None:
            event.step = int(step)
        self._records.write(event.SerializeToString())
        if time.monotonic() - self._flushed >= self.FLUSH_EVERY:
            self.flush()

    def add_summary(self, summary: Any, global_step: int | None = None, walltime: float | None = None) -> None:
        self.add_event(event_pb2.Event(summary=summary), global_step, walltime)

    def get_logdir(self) -> str:
        return str(self.folder)

    def write(self, data: bytes) -> None:
        self._waiting += data

    def flush(self) -> None:
        self._flushed = time.monotonic()
        rest = memoryview(bytes(self._waiting))
        self._waiting.clear()
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        self._file.close()
