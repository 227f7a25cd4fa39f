"""The few settings that may change while a run is under way: a change of the form goes to the run, too."""

from __future__ import annotations

from app.gui.draft.draft import Draft
from app.gui.session.engine_client import Engine
from app.gui.session.run_state import RunState
from modules.messages import Change
from modules.preset.validate import all_settings


class LiveChanges:
    """Sends each good change of a live setting to the run under way. One for a window."""

    def __init__(self, draft: Draft, engine: Engine, running: RunState) -> None:
        self._draft, self._engine, self._running = draft, engine, running
        self._paths = tuple(setting.path for setting in all_settings() if setting.live)
        self._sent: dict[str, object] = {path: draft.get(path) for path in self._paths}
        draft.watch("", self._changed)

    @property
    def under_way(self) -> bool:
        """Whether a run hears of changes now."""
        return self._running.what == "train" and self._running.state in ("training", "paused", "preparing")

    def _changed(self, paths: frozenset[str]) -> None:
        whole = "" in paths  # another preset was loaded: that is no change of the run under way
        for path in self._paths:
            value = self._draft.get(path)
            if value != self._sent[path]:
                self._sent[path] = value
                if self.under_way and not whole:
                    self._engine.send(Change(path, value))
