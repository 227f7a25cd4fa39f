"""The job of now, as the window knows it from events."""

import pytest

from app.gui.session.run_state import Countdown
from modules.messages import Stage


def test_what_was_there_already_does_not_make_the_rest_look_quick() -> None:
    countdown = Countdown()
    for done in range(100):
        countdown.take(Stage("stage.grid", done, 120), done / 1000)
    assert countdown.seconds == 0.0, "nothing was drawn yet"
    for done, now in ((100, 10.0), (101, 20.0), (102, 30.0)):
        countdown.take(Stage("stage.grid", done, 120), now)
    assert countdown.seconds == pytest.approx(180, abs=2)
    countdown.take(Stage("stage.saving", 1, 4), 31.0)
    assert countdown.seconds == 0.0, "another stage has another pace"
