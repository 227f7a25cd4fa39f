"""Questions to the engine: asked once, remembered, never waited for."""

from __future__ import annotations

from typing import Any

import pytest

from app.gui.session.engine_client import EngineDied
from app.gui.session.inbox import Inbox
from app.gui.session.queries import MOST_KEPT, Queries
from modules.messages import Answer, Query
from tests.gui.contexts import SilentEngine


class Window:
    """The queries of a window, with an engine that says what the test lets it say."""

    def __init__(self) -> None:
        self.engine: Any = SilentEngine()
        self.inbox = Inbox(self.engine.inbox)
        self.queries = Queries(self.engine, self.inbox)
        self.told = 0
        self.end = self.queries.watch(self.hear)

    def hear(self) -> None:
        self.told += 1

    def says(self, *events: Any) -> None:
        for event in events:
            self.engine.inbox.put(event)
        self.inbox.tick()

    @property
    def sent(self) -> list[Query]:
        return self.engine.asked


@pytest.fixture
def window() -> Window:
    return Window()


def test_a_question_is_sent_once_and_its_answer_is_kept(window: Window) -> None:
    assert window.queries.get("layers", {"a": 1, "b": 2}) is None
    assert window.queries.get("layers", {"b": 2, "a": 1}) is None
    assert window.sent == [Query(1, "layers", {"a": 1, "b": 2})]
    window.says(Answer(1, "layers", {"names": []}))
    assert window.queries.get("layers", {"a": 1, "b": 2}) == {"names": []}
    assert (window.told, len(window.sent)) == (1, 1)
    assert window.queries.get("trained", {"a": 1, "b": 2}) is None
    window.end()
    window.says(Answer(2, "trained", {}))
    assert window.told == 1
    assert window.queries.get("trained", {"a": 1, "b": 2}) == {}


def test_answers_that_nobody_asked_for_are_passed_over(window: Window) -> None:
    window.says(Answer(7, "layers", {"names": []}))
    assert not window.told


def test_when_the_engine_dies_the_next_one_is_asked_once_somebody_wants_to_know(window: Window) -> None:
    window.queries.get("layers", {})
    window.says(EngineDied("", "", working=False))
    assert (len(window.sent), window.told) == (1, 0)
    window.queries.get("layers", {})
    assert window.sent[1:] == [Query(2, "layers", {})]
    window.says(Answer(1, "layers", {"names": ["old"]}))
    assert window.queries.get("layers", {}) is None


def test_old_answers_go(window: Window) -> None:
    for number in range(MOST_KEPT + 1):
        window.queries.get("layers", {"number": number})
        window.says(Answer(number + 1, "layers", {}))
    assert window.queries.get("layers", {"number": 1}) is not None
    assert window.queries.get("layers", {"number": 0}) is None
