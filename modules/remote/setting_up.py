"""Seachange put on another machine: this program's own files sent, and the README's own command run there."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from modules.errors import UserError
from modules.remote.address import Address
from modules.sentences.printable import printable
from modules.system.bundled import ROOT

# What makes the program: no run, no setting and no picture of the user's is among it.
PARTS = ("app", "modules", "presets", "resources", "pyproject.toml", "README.md", "LICENSE", "start-ui.sh")
LEFT_OUT = ("__pycache__", ".pyc")


def program(root: Path = ROOT) -> bytes:
    """A gzipped tar of this program."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for part in PARTS:
            archive.add(root / part, part, filter=_ours)
    return packed.getvalue()


def set_up(address: Address, said: Callable[[str], object], root: Path = ROOT) -> None:
    """Send the program and install what it needs there. A workspace that is there stays.

    Args:
        said: told each line that the installation prints.

    Raises:
        UserError: the machine cannot be reached, or the installation did not succeed.
    """
    words = (
        f"mkdir -p -- {address.place} && tar -xzf - -C {address.place} && {address.inside(['./start-ui.sh', 'tools'])}"
    )
    process = subprocess.Popen(
        address.command(words), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stdin is not None and process.stderr is not None
    last = ""
    try:
        process.stdin.write(program(root))
        process.stdin.close()
    except OSError:
        pass  # why stands in what it says
    with process.stderr as lines:
        for line in lines:
            last = printable(line.decode("utf-8", "replace").strip(), line=True) or last
            said(last)
    if code := process.wait():
        raise UserError("remote.no-setup", address=str(address), reason=last.rstrip(". ") or f"exit code {code}")


def _ours(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Nothing that Python made, and no name of the user who sends it."""
    if entry.name.rpartition("/")[2].endswith(LEFT_OUT):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
