"""Small and alike everywhere: one thread, no network; and what most runs would encode, encoded once."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def encoded_once(request: pytest.FixtureRequest) -> None:
    """Before a test can replace a part of the program: what is encoded here is what all runs begin with."""
    runs = sys.modules.get("tests.trainer.runs")
    if runs is not None and any(vars(item.module).get("run") is runs.run for item in request.session.items):
        runs.encoded()
