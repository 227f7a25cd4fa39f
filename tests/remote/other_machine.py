"""Another machine for tests: a real sshd on the loopback address, with a copy of the program for whoever comes in."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from modules.remote.address import Address
from modules.system.bundled import ROOT

SSHD = shutil.which("sshd") or ("/usr/sbin/sshd" if Path("/usr/sbin/sshd").exists() else "")
MISSING = "" if SSHD and shutil.which("ssh") and os.name == "posix" else "no OpenSSH server on this machine"
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
SetEnv PYTHONPATH={program} OMP_NUM_THREADS=1 HOME={folder}/home
"""
CLIENT = """
Host other
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking accept-new
  LogLevel ERROR
"""


class OtherMachine:
    """Up, it lets in whoever has the key that lies in `folder`. `engine`: a file in the place of the program's own."""

    def __init__(self, folder: Path, engine: Path | None = None) -> None:
        self.folder, self.program = folder, folder / "program"
        (folder / "home").mkdir(parents=True)
        for name in ("key", "host_key"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)]
            subprocess.run(words, check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        names = {"port": self.port, "folder": folder, "program": self.program}
        (folder / "sshd_config").write_text(CONFIG.format(**names))
        (folder / "ssh_config").write_text(CLIENT.format(**names))
        self._copy_program(engine)
        if os.geteuid() == 0:  # what Debian's service makes before it starts
            Path("/run/sshd").mkdir(exist_ok=True)
        self._server: subprocess.Popen[bytes] | None = None
        self.up()

    @property
    def ssh(self) -> str:
        """For SEACHANGE_SSH."""
        return f"ssh -F {self.folder / 'ssh_config'}"

    @property
    def address(self) -> Address:
        return Address("other", str(self.program))

    @property
    def workspace(self) -> Path:
        return self.program / "workspace"

    def up(self) -> None:
        self._server = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")], stderr=subprocess.DEVNULL
        )
        for _ in range(6000):  # a loaded machine takes its time
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("sshd does not listen")

    def down(self) -> None:
        """Nobody gets in; lines that are open stay."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def _copy_program(self, engine: Path | None) -> None:
        """As an installation has it; the interpreter is that of the tests."""
        self.program.mkdir()
        for part in ("app", "modules"):
            shutil.copytree(ROOT / part, self.program / part)
        if engine is not None:
            shutil.copyfile(engine, self.program / "modules" / "engine.py")
        for part in ("resources", "presets"):
            (self.program / part).symlink_to(ROOT / part)
        (self.program / ".venv" / "bin").mkdir(parents=True)
        python = self.program / ".venv" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
