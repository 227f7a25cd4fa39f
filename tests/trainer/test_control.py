"""What the user asks for, between the steps and inside of long work."""

from __future__ import annotations

import pytest

from modules.messages import (
    BackupNow,
    Change,
    Command,
    Continue,
    Mailbox,
    Pause,
    Quit,
    SampleNow,
    SaveNow,
    Stop,
)
from modules.trainer.control import Control, Interrupted


def control(*commands: Command, finishes_step: bool = False) -> Control:
    mailbox: Mailbox[Command] = Mailbox()
    for command in commands:
        mailbox.put(command)
    made = Control(mailbox)
    made.finishes_step = finishes_step
    return made


def test_commands_come_in_their_order_and_once() -> None:
    user = control(SampleNow(), Change("a", 1), Pause(), BackupNow(), SaveNow())
    assert list(user.commands()) == [SampleNow(), Change("a", 1), BackupNow(), SaveNow()]
    assert user.paused
    assert not list(user.commands())


@pytest.mark.parametrize("command", [Stop(), Quit(), Stop(now=True)])
def test_before_there_is_something_to_back_up_any_stop_ends_at_once(command: Command) -> None:
    with pytest.raises(Interrupted):
        control(command).check()
    assert control(command).stop_requested()


def test_a_plain_stop_lets_a_step_and_a_picture_end() -> None:
    user = control(Stop(), finishes_step=True)
    user.check()
    assert user.stopping
    with pytest.raises(Interrupted):
        control(Stop(), Stop(now=True), finishes_step=True).check()


def test_a_stop_ends_a_pause_and_a_pause_can_be_taken_back() -> None:
    user = control(Pause(), Stop())
    user.read()
    assert (user.paused, user.stopping) == (False, True)
    user = control(Pause(), Continue())
    user.read()
    assert not user.paused


def test_looking_for_a_stop_loses_no_command() -> None:
    user = control(SampleNow(), Pause(), SaveNow())
    user.check()
    assert not user.stop_requested()
    assert list(user.commands()) == [SampleNow(), SaveNow()]
