"""A few kills, so that every change is held to the promise; `python -m tests.faults.kills` does hundreds."""

import os
import subprocess
import sys

import pytest

from modules.system.bundled import ROOT
from modules.system.runtime import python_command


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked and adopted as Linux does it")
def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened() -> None:
    # In a process of its own: it forks, which one with threads must not.
    done = subprocess.run(
        python_command("-m", "tests.faults.kills", "--kills", "4", "--seed", "3", "--modes", "LoRA"),
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=800,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "wrong: 0." in done.stdout
