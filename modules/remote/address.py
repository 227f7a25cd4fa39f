"""The other machine as `ssh` knows it, and the command lines that reach it. Keys and passwords are ssh's business."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modules.errors import UserError

FOLDER = "seachange"  # of the program on the other machine, in the home of the user there
# Nobody is there to be asked, and a line that is cut is noticed within a minute.
OPTIONS = ("BatchMode=yes", "ConnectTimeout=20", "ServerAliveInterval=15", "ServerAliveCountMax=3")
HOST = re.compile(r"[\w.%+~@\[\]-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """`user@workstation`, a name of the user's ssh config, or either with a folder: `workstation:/data/seachange`."""

    host: str
    folder: str = FOLDER

    def __str__(self) -> str:
        return self.host if self.folder == FOLDER else f"{self.host}:{self.folder}"

    def command(self, words: str, environment: Mapping[str, str] = os.environ) -> list[str]:
        """The command line that runs `words` in a shell there. `SEACHANGE_SSH` may name another ssh, with options."""
        program = shlex.split(environment.get("SEACHANGE_SSH", "")) or ["ssh"]
        options = [part for option in OPTIONS for part in ("-o", option)]
        return [*program, "-T", *options, "--", self.host, words]

    def python(self, module: str, *arguments: str) -> str:
        """What the shell there is to do: a module of the program there, by its own Python."""
        return self.inside(["exec", ".venv/bin/python", "-P", "-m", module, *arguments])

    def inside(self, words: Sequence[str]) -> str:
        """What the shell there is to do in the program's folder."""
        return f"cd -- {self.place} && {shlex.join(words)}"

    @property
    def place(self) -> str:
        """The folder, quoted for the shell there, which knows where "~" is."""
        folder = self.folder.removeprefix("~/")
        return shlex.quote(folder) if folder.startswith("/") else f'"$HOME"/{shlex.quote(folder)}'


def address_of(text: str) -> Address:
    """Read what the user wrote.

    Raises:
        UserError: it is no address of ssh.
    """
    host, _, folder = text.strip().partition(":")
    if not HOST.fullmatch(host) or host.startswith("-") or "\n" in folder or "\0" in folder:
        raise UserError("remote.address", text=text)
    return Address(host, folder or FOLDER)
