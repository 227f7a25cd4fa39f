from typing import Any

import pytest

from modules.messages import BackupNow, SampleNow, SaveNow
from modules.preset.text.interval import Interval
from modules.trainer.step.schedule import Clock, DueCommands


def fired(schedule: dict[str, str], steps: int, epoch_length: int = 10) -> dict[int, list[object]]:
    clock, due_commands, found = Clock(), DueCommands(), {}
    due_commands.start()
    for _ in range(steps):
        clock.tick(epoch_length)
        if due := list(due_commands.due(clock, {"backup": "never", "save": "never", "sample": "never", **schedule})):
            found[clock.step] = due
    return found


def test_every_so_many_steps() -> None:
    assert fired({"sample": "4 steps"}, 9) == {4: [SampleNow()], 8: [SampleNow()]}


def test_every_so_many_epochs_means_at_their_end() -> None:
    assert fired({"save": "2 epochs"}, 45) == {20: [SaveNow()], 40: [SaveNow()]}


def test_a_backup_comes_before_a_sample_that_is_due_at_the_same_step() -> None:
    assert fired({"backup": "5 steps", "sample": "5 steps"}, 5) == {5: [BackupNow(), SampleNow()]}


def test_minutes_are_counted_from_the_last_time() -> None:
    seconds = iter([0.0, 30.0, 61.0, 61.0, 100.0, 125.0, 125.0])
    due_commands, clock = DueCommands(now=lambda: next(seconds)), Clock()
    due_commands.start()
    schedule = {"backup": "1 minute", "save": "never", "sample": "never"}
    assert [len(list(due_commands.due(clock, schedule))) for _ in range(4)] == [0, 1, 0, 1]


def test_passed_counts_steps_and_epochs_and_never_is_never() -> None:
    clock = Clock(step=20, epoch=2)
    assert clock.passed(Interval.parse("20 steps"))
    assert not clock.passed(Interval.parse("3 epochs"))
    assert not clock.passed(Interval.parse("never"))


@pytest.mark.parametrize("wrong", [{"step": -5}, {"epoch": -1}, {"shown": 1.5}, {"step": True}])
def test_a_clock_that_counts_what_cannot_be_counted_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be counted"):
        Clock().load_state_dict({"step": 1, "epoch": 0, "shown": 1, **wrong})
