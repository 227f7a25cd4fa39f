"""What the engine is asked beside its job, and what it has answered. Nothing here waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from app.gui.session.engine_client import Engine, EngineDied, WindowEvent
from app.gui.session.inbox import Inbox
from modules.messages import Answer, Query

MOST_KEPT = 200  # answers; the oldest go first


class Queries:
    """Asks each question once. Who wants the answer asks again when `watch` calls."""

    def __init__(self, engine: Engine, inbox: Inbox) -> None:
        self._engine = engine
        self._asked: dict[str, int] = {}  # by question, the id under which it was sent and not answered yet
        self._answers: dict[str, dict[str, Any]] = {}
        self._watchers: list[Callable[[], object]] = []
        self._sent = 0
        inbox.listen(self._on_event)

    def get(self, what: str, values: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None while there is none yet. Empty: the engine has found none."""
        question = json.dumps([what, values], sort_keys=True)
        if question in self._answers:
            return self._answers[question]
        if question not in self._asked:
            self._sent += 1
            if self._engine.send(Query(self._sent, what, values)):
                self._asked[question] = self._sent
        return None

    def watch(self, call: Callable[[], object]) -> Callable[[], None]:
        """Call whenever something was answered. Returns how to end it."""
        self._watchers.append(call)
        return lambda: self._watchers.remove(call) if call in self._watchers else None

    def _on_event(self, event: WindowEvent) -> None:
        if isinstance(event, EngineDied):
            self._asked.clear()  # the next engine is asked when somebody wants to know once more
        if not isinstance(event, Answer):
            return
        question = next((question for question, id in self._asked.items() if id == event.id), None)
        if question is None:
            return
        del self._asked[question]
        self._answers[question] = event.values
        while len(self._answers) > MOST_KEPT:
            del self._answers[next(iter(self._answers))]
        for call in list(self._watchers):
            call()
