"""A few kills, so that every change is held to the promise; `python -m tests.faults.kills` does hundreds."""

import sys

import pytest

from tests.forked import python


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked and adopted as Linux does it")
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened() -> None:
    # In a process of its own: it forks, which one with threads must not.
    with python("-m", "tests.faults.kills", "--kills", "4", "--seed", "3", "--modes", "LoRA") as done:
        said = done.stdout.read().decode()
        code = done.wait(800)
    assert code == 0, said[-9000:]
    assert "wrong: 0." in said
