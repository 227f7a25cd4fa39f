"""Figures of a run as the window writes them."""

from datetime import datetime

import pytest

from app.gui.session.number_format import done_at
from modules.language import use
from tests.gui.pseudo import PSEUDO

MONDAY = datetime(2026, 11, 30, 22, 45)
HOUR = 3600.0


@pytest.mark.parametrize(
    ("hours", "words"),
    [(1, "done 23:45"), (2, "done Tue 00:45"), (6 * 24, "done Sun 22:45"), (6 * 24 + 2, "done 2026-12-07")],
)
def test_the_end_of_a_run_is_told_by_the_clock_and_from_tomorrow_on_by_the_day(hours: int, words: str) -> None:
    assert done_at(hours * HOUR, MONDAY) == words


def test_the_day_is_a_word_of_the_windows_language() -> None:
    use(PSEUDO)
    try:
        assert "Tue" not in done_at(2 * HOUR, MONDAY)
    finally:
        use(None)
