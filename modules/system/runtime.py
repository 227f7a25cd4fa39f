"""How Python runs here: its garbage collector, its memory, and how another Python is started."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from modules.system.bundled import ROOT

PR_SET_THP_DISABLE = 41  # linux/prctl.h


def python_command(*arguments: str | Path) -> list[str]:
    """The command line of another Python like this one.

    -P: with `-m` and `-c`, Python would import from the folder where the user stands: a queue.py that came with a data
    set would run inside the engine.
    """
    return [sys.executable, "-P", *map(str, arguments)]


def python_environment(root: Path = ROOT) -> dict[str, str]:
    """As ours; the program is found in `root` from whatever folder it is started in."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])}


@contextmanager
def gc_paused() -> Generator[None]:
    """Rest for the garbage collector, for imports and for building models: nearly all that they make stays.

    They make hundreds of thousands of objects, and Python's collector goes through them again and again meanwhile:
    measured, 1.0 of 3.4 CPU seconds of a start.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def enable_huge_pages() -> None:
    """Have PyTorch ask for huge pages. It reads this once, when it makes its first tensor; only Linux has them.

    For what a step allocates again and again: a step on the CPU is a tenth to a seventh faster (measured on full-size
    SD 1.5). Not for the weights, see `without_huge_pages`.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def let_card_memory_grow() -> None:
    """Have PyTorch extend what it holds of a card's memory instead of taking piece after piece beside it.

    With images of many sizes, no piece fits the next image after a while, and a run ends for want of memory that is
    there. Read when the card is first used; only Linux has it. What the user set, under either name, holds.
    """
    if sys.platform == "linux" and "PYTORCH_CUDA_ALLOC_CONF" not in os.environ:
        os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")


@contextmanager
def without_huge_pages() -> Generator[None]:
    """No huge pages for what this process allocates meanwhile.

    The kernel makes room for each: for gigabytes of weights at once that took 5 s more than small pages did.
    """
    _disable_huge_pages(1)
    try:
        yield
    finally:
        _disable_huge_pages(0)


def _disable_huge_pages(disable: int) -> None:
    if sys.platform == "linux":
        # A kernel that does not know the request refuses it, and nothing is lost but the time.
        ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, disable, 0, 0, 0)
