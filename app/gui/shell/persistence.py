"""What is kept while the window lives and when it closes: the project, where the window stood, what was open."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.gui.context import AppContext
from modules.language import tr

EVERY_S = 2.0


class Persistence:
    """`tick` as often as you like: it writes every two seconds, and only what changed."""

    def __init__(self, context: AppContext, clock: Callable[[], float] = time.monotonic) -> None:
        self._context, self._clock = context, clock
        self._next = clock() + EVERY_S
        self._reported = False

    def tick(self) -> None:
        if self._clock() >= self._next:
            self._next = self._clock() + EVERY_S
            self.save()

    def save(self) -> None:
        """Write the project and what the window remembers; a disk that cannot be written is told once."""
        context = self._context
        if context.app.winfo_viewable():
            context.window_state.put("geometry", context.app.geometry_now())
        try:
            context.project.save(context.draft)
            context.window_state.save()
        except OSError as error:
            if not self._reported:
                self._reported = True
                context.notify(
                    tr("Your settings cannot be kept: {reason}", reason=error.strerror or error), role="error"
                )

    def close(self, *, job_goes_on: bool = False) -> None:
        """For the last time; ends what works beside the window, but a job that is to go on without it."""
        context = self._context
        self.save()
        try:
            context.project.close(context.draft)
        except OSError:
            self._reported = True  # it was said while the window was there
        context.pictures.close()
        context.meters.stop()
        context.jobs.close()
        if job_goes_on:
            context.engine.leave()
        else:
            context.engine.close()
