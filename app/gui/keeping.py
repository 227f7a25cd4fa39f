"""What is kept while the window lives and when it closes: the project, where the window stood, what was open."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.gui.desk import Desk

EVERY_S = 2.0


class Keeping:
    """`tick` as often as you like: it writes every two seconds, and only what changed."""

    def __init__(self, desk: Desk, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk, self._clock = desk, clock
        self._next = clock() + EVERY_S
        self._told = False

    def tick(self) -> None:
        if self._clock() >= self._next:
            self._next = self._clock() + EVERY_S
            self.save()

    def save(self) -> None:
        """Write the project and what the window remembers; a disk that cannot be written is told once."""
        desk = self._desk
        if desk.app.winfo_viewable():
            desk.remembered.put("geometry", desk.app.geometry_now())
        try:
            desk.project.save(desk.draft)
            desk.remembered.save()
        except OSError as error:
            if not self._told:
                self._told = True
                desk.say(f"Your settings cannot be kept: {error.strerror or error}", role="error")

    def close(self) -> None:
        """For the last time; ends what works beside the window."""
        desk = self._desk
        self.save()
        try:
            desk.project.close(desk.draft)
        except OSError:
            self._told = True  # it was said while the window was there
        desk.pictures.close()
        desk.meters.stop()
        desk.engine.close()
