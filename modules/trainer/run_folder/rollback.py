"""The way back to the last good state, when bad steps repeat: the newest whole backup, or the start of the run.

Backups in the folder that are newer than the one it goes back to belong to a past that did not happen: they go.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from modules.errors import UserError
from modules.run_folders import all_backups, step_of
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix
from modules.trainer.backup import delete_backup, is_whole, read_backup
from modules.trainer.step.learner import Learner
from modules.trainer.step.step_guard import WINDOW

MAX_COPY_BYTES = 2**30  # bytes of trained numbers of which a copy is kept while there is no backup


class Rollback:
    """Knows where a learner can go back to. `backups` is the folder of the run's backups."""

    def __init__(self, learner: Learner, backups: Path) -> None:
        """To be made before the first step; keeps a copy of a small start until there is a backup."""
        self.learner, self.backups = learner, backups
        self._last = -1  # the step that it went back to the last time
        self._start: dict[str, Any] | None = None
        size = sum(p.numel() * p.element_size() for p in learner.method.parameters().values())
        if not all_backups(backups) and size <= MAX_COPY_BYTES:
            self._start = {name: _copied(thing.state_dict()) for name, thing in self._rolled_back_state().items()}

    def roll_back(self, *, lower: bool) -> Problem:
        """Take the last good state again, with new random numbers from here on; gives where that is.

        If the same state fails again, an older one is taken.
        """
        learner = self.learner
        found = self._backup_to_take()
        if found:
            read_backup(found, self._rolled_back_state(), learner.device)
            self._drop_after(found)
        elif self._start is not None:
            for name, thing in self._rolled_back_state().items():
                thing.load_state_dict(_copied(self._start[name]))
        learner.guard.rolled_back(lower=lower)
        self._last = learner.clock.step
        if found:
            return problem("rollback.to-backup", step=learner.clock.step)
        if self._start is not None:
            return Problem("rollback.to-start")
        return problem("rollback.stays", step=learner.clock.step)

    def _drop_after(self, taken: Path) -> None:
        """Delete the backups that are newer than the one that was taken; where a file is locked, the run goes on."""
        for path in all_backups(self.backups):
            if step_of(path) > step_of(taken):
                try:
                    delete_backup(path)
                except OSError as error:
                    stays = problem("rollback.backup-stays", backup=path.name, reason=str(error))
                    self.learner.on_log(stays)

    def _backup_to_take(self) -> Path | None:
        """The newest whole backup from before the bad steps; the one before it, if it was taken and failed again.

        Where there is none, the newest of all: what it holds is finite.
        """
        bad = self.learner.guard.bad_steps
        before = min([*bad, self.learner.clock.step + 1])
        whole = [path for path in all_backups(self.backups) if is_whole(path)]
        good = [path for path in whole if step_of(path) < before]
        if len(good) > 1 and step_of(good[0]) == self._last:
            return good[1]
        return next(iter([*good, *whole]), None)

    def _rolled_back_state(self) -> dict[str, Any]:
        """What goes back: all but the guard, which has to remember that it did, and the best, whose file stays."""
        return {name: thing for name, thing in self.learner.state.items() if name not in ("guard", "validation")}


def too_many_rollbacks(learner: Learner) -> UserError:
    """The end of a run that went back as often as it may."""
    guard, rate = learner.guard, learner.preset.training.learning_rate
    lower = fix("fix.tenth-of-rate", {"training.learning_rate": rate / 10}, rate=rate / 10)
    steps = list(guard.bad_steps)
    why = problem("rollback.bad-steps", last=WINDOW, steps=steps) if steps else Problem("rollback.nan-weights")
    times = [problem("rollback.times", count=guard.attempt)] if guard.attempt else []
    return UserError(problem("rollback.too-many", why=why, times=times, rate=rate), fixes=[lower])


def _copied(state: Any) -> Any:
    """The same numbers in main memory, where no training reaches them."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, Mapping):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_copied(value) for value in state)
    return copy.deepcopy(state)
