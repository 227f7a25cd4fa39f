"""Imported by the process that tests/forked.py forks: it trains once, so that all is imported."""

import tempfile
import threading
from pathlib import Path

from tqdm import tqdm

import app.cli  # noqa: F401
import modules.engine  # noqa: F401
from tests.trainer.runs import encoded, run, values

tqdm.monitor_interval = 0  # else the first bar that is drawn starts a thread
with tempfile.TemporaryDirectory() as _folder:
    encoded()
    run(values(Path(_folder), "training.steps=1"))
assert threading.active_count() == 1, f"a process with threads must not fork: {threading.enumerate()}"
