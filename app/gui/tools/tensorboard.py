"""TensorBoard as a child process: started for a folder on a free port of this machine, ended with the window."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from modules.language import tr
from modules.system.runtime import python_command

HOST = "127.0.0.1"
LOOKS_S = 0.2
ENDS_S = 3.0


def installed() -> bool:
    """Whether there is a TensorBoard."""
    return find_spec("tensorboard") is not None


class TensorBoard:
    """One process at a time. `ready` is called in a thread of its own with the address once it answers."""

    def __init__(self, ready: Callable[[str], object]) -> None:
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._output: deque[str] = deque(maxlen=20)
        self.address = ""

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, folder: Path) -> None:
        """Show what the runs in this folder wrote. A folder that is not there yet is watched for."""
        self.stop()
        port = free_port()
        self.address = f"http://{HOST}:{port}/"
        command = python_command("-m", "tensorboard.main", "--logdir", folder, "--host", HOST)
        self._output.clear()
        self._process = subprocess.Popen(
            [*command, "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        process = self._process
        for work in (lambda: self._wait(process, port), lambda: self._listen(process)):
            threading.Thread(target=work, name="tensorboard", daemon=True).start()

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def last_output(self) -> str:
        """What it printed last, for when it ended by itself."""
        return next((line for line in reversed(self._output) if line), tr("it said nothing"))

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """To its end, so that a full pipe never holds it up."""
        if process.stderr is not None:
            with process.stderr as pipe:
                for line in pipe:
                    self._output.append(line.decode("utf-8", "replace").strip())

    def _wait(self, process: subprocess.Popen[bytes], port: int) -> None:
        """Until it answers or has ended."""
        while process.poll() is None:
            with socket.socket() as trial:
                trial.settimeout(LOOKS_S)
                if trial.connect_ex((HOST, port)) == 0:
                    self._ready(self.address)
                    return
            try:
                process.wait(LOOKS_S)
            except subprocess.TimeoutExpired:
                continue


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind((HOST, 0))
        return int(trial.getsockname()[1])
