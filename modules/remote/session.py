"""A run on another machine as the command line follows it: the same channel as a run of this one."""

from __future__ import annotations

import threading
import time

from modules.messages import Channel, Train
from modules.remote.address import Address
from modules.remote.run import RemoteRun

TICK_S = 0.05


class RemoteSession:
    """Stands where `modules.session.Session` does."""

    def __init__(self, address: Address, job: Train) -> None:
        self.channel = Channel.open()
        self._run = RemoteRun(address, job, self.channel.events.put)
        self._thread = threading.Thread(target=self._run.run, name="remote", daemon=True)

    def start(self) -> None:
        self._thread.start()
        threading.Thread(target=self._forward, daemon=True).start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        self._thread.join(seconds)

    def _forward(self) -> None:
        while self.running:
            for command in self.channel.commands.drain():
                self._run.send(command)
            time.sleep(TICK_S)
