"""Small and alike everywhere: one thread, no network; and what most runs would encode, encoded once."""

import gc
import os
import random
import sys
import tempfile
from pathlib import Path

import pytest

# Read by torch and others when they are imported, which nobody has done yet: who only hands out tests needs neither.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])  # processes that tests start find tests, too
# Who trains holds a lock in the folder of the user's settings: tests have one of their own, each process another.
SETTINGS = tempfile.TemporaryDirectory(prefix="seachange-settings-")
os.environ.update(XDG_CONFIG_HOME=SETTINGS.name, APPDATA=SETTINGS.name)

gc.disable()  # imports make a million things that stay: looking through them again and again takes a tenth of the time


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # half a million objects of torch that stay are looked through seldom
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    _same_dice()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    _same_dice()


def _same_dice() -> None:
    """A test draws the same numbers alone and after any others: what holds once holds always."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def encoded_once(card_known: None, request: pytest.FixtureRequest) -> None:
    """Before a test can replace a part of the program: what is encoded here is what all runs begin with."""
    runs = sys.modules.get("tests.trainer.runs")
    if runs is not None and any(vars(item.module).get("run") is runs.run for item in request.session.items):
        runs.encoded()


@pytest.fixture(scope="session", autouse=True)
def card_known() -> None:
    if pretended := sys.modules.get("tests.card.pretended"):
        pretended.ready()
