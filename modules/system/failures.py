"""What ended a job, as the event that tells it: in words where a person can do something, else with the traceback."""

from __future__ import annotations

import traceback

from modules.errors import UserError, system_error
from modules.messages import Failed


def failure_of(error: BaseException) -> Failed:
    """The event for an error; also for SystemExit, with which a library may end the job from within."""
    known = error if isinstance(error, UserError) else system_error(error) if isinstance(error, OSError) else None
    if known is not None:
        return Failed(str(known), fixes=known.fixes, problems=known.report)
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, SystemExit):
        words = f"A library ended the job (SystemExit: {error})."
    return Failed(words, "".join(traceback.format_exception(error)))
