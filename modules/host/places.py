"""Where hosts are found: a folder of the user's with a file for each that runs, which only the user can read.

The socket lies in a folder of its own, because the system allows such a path about 100 bytes.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from modules.system.bundled import ROOT
from modules.system.reading import read_text

LONGEST_SOCKET = 100  # bytes of a socket's path; the smallest limit of a system is 104
LIVE, ENDED, PRINTED = ".json", ".ended", ".log"


@dataclass(frozen=True)
class Address:
    """How a host is reached. It is of this machine and this installation, or it is none of ours."""

    socket: str
    key: str  # hexadecimal; who has it may use the host
    pid: int
    machine: str = platform.node()
    root: str = str(ROOT)

    @property
    def ours(self) -> bool:
        """A home may be shared by machines, and by installations."""
        return (self.machine, self.root) == (platform.node(), str(ROOT))


def made(folder: Path) -> Path:
    """The folder, which only its owner may look into."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def new_socket() -> str | None:
    """A path for a socket in a new folder of its own; None on Windows, which makes names for its pipes."""
    if os.name == "nt":
        return None
    folder = tempfile.mkdtemp(prefix="seachange-")
    if len(os.fsencode(folder)) + len("/host") > LONGEST_SOCKET:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="seachange-", dir="/tmp")
    return str(Path(folder) / "host")


def announce(path: Path, address: Address) -> None:
    """Write where a host is; whole or not at all."""
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(address), file)
    draft.replace(path)


def address_in(path: Path) -> Address | None:
    """None where there is no such file, or it is damaged."""
    try:
        return TypeAdapter(Address).validate_json(read_text(path))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def listed(folder: Path, ending: str) -> list[Path]:
    """The oldest first."""
    found: list[tuple[float, Path]] = []
    with suppress(OSError):
        for path in folder.iterdir():
            if path.suffix == ending:
                with suppress(OSError):
                    found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]


def remove(path: Path, address: Address | None) -> None:
    """What a host leaves behind, or left when it was killed."""
    for each in (path, path.with_suffix(PRINTED)):
        with suppress(OSError):
            each.unlink()
    if address is not None and os.name != "nt":
        socket = Path(address.socket)
        if socket.name == "host" and socket.parent.name.startswith("seachange-"):
            with suppress(OSError):
                socket.unlink(missing_ok=True)
                socket.parent.rmdir()
