"""Headers as lines of JSON over a pipe, each followed by as many bytes as its "bytes" says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import IO, Any

from pydantic_core import from_json

CHUNK = 1 << 18
LONGEST_HEADER = 1 << 26  # a list of 100,000 files takes 8 MB

Header = dict[str, Any]


class Broken(OSError):
    """The line has ended, or what comes is no header: whatever was under way is asked for again over a new one."""


class Stream:
    """One side of the line. Whoever asks waits for the answer; nothing is sent unasked."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        self._reader, self._writer = reader, writer

    def send(self, header: Header, data: Iterable[bytes] = ()) -> None:
        """A header and its bytes: as many as it says.

        Raises:
            Broken: nobody reads.
        """
        try:
            self._writer.write(json.dumps(header, ensure_ascii=True).encode() + b"\n")
            for piece in data:
                self._writer.write(piece)
            self._writer.flush()
        except (OSError, ValueError) as error:
            raise Broken(str(error)) from error

    def receive(self) -> Header:
        """Wait for a header.

        Raises:
            Broken: the line has ended.
        """
        try:
            line = self._reader.readline(LONGEST_HEADER)
            header = from_json(line) if line.endswith(b"\n") else None
        except (OSError, ValueError) as error:
            raise Broken(str(error)) from error
        if not isinstance(header, dict):
            raise Broken("the line has ended")
        return header

    def take(self, size: int, use: Callable[[bytes], object]) -> None:
        """Read the bytes that follow a header.

        Raises:
            Broken: fewer came.
        """
        while size:
            try:
                piece = self._reader.read(min(size, CHUNK))
            except (OSError, ValueError) as error:
                raise Broken(str(error)) from error
            if not piece:
                raise Broken("the line has ended")
            size -= len(piece)
            use(piece)
