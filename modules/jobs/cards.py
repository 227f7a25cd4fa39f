"""A card is given to one training at a time: a lock for each, beside the queue's file, that dies with its process.

Whoever trains holds it: a window's engine, the queue's, a command line. The processor has one too, by which the queue
waits for its turn, but nobody is refused for it: runs on it are slower together, and none fails.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.system.files import write_text
from modules.system.locks import Lock, LockTaken, is_locked
from modules.system.reading import read_text
from modules.system.user_folder import settings_folder

FOLDER = "cards"
PROCESSOR = "processor"  # as modules/system/card/names.py has it, which needs torch
LOOKED_AT_S = 0.5  # who looks whether a lock is held takes it for a moment
LONGEST_NAME = 1000  # bytes of what holds a card


@contextmanager
def held(card: str, title: str, *, share: bool = False, folder: Path | None = None) -> Generator[None]:
    """Have a card for the run of this title. `share`: also where another one has it.

    Raises:
        UserError: another run has it.
    """
    lock = _taken(_place(folder, card), card, share)
    if lock is None:
        yield
        return
    with lock:
        with suppress(OSError):
            write_text(_title(folder, card), title)
        yield


def _taken(place: Path, card: str, share: bool) -> Lock | None:
    """None where the card is shared, or the settings' folder takes no locks: that must not cost a run."""
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Lock(place, LOOKED_AT_S)
    except LockTaken as error:
        if share or card == PROCESSOR:
            return None
        raise UserError("card.taken", run=_holder_at(place)) from error
    except OSError:
        return None


def holder(card: str, folder: Path | None = None) -> str | None:
    """The run that has a card, "" where nobody knows its name; None where it is free."""
    place = _place(folder, card)
    return _holder_at(place) if is_locked(place) else None


def likely_card(device: str, environment: Mapping[str, str] = os.environ) -> str:
    """The card that torch would train on, asked of NVIDIA's library, without torch.

    It may be another one where cards of several kinds are in one computer and CUDA_VISIBLE_DEVICES names none. Who
    trains asks torch itself, and is refused then.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    if device == "cpu" or not visible or visible.startswith("-"):
        return PROCESSOR
    return _card_named(visible) or PROCESSOR


def _card_named(visible: str) -> str:
    """Its lasting name; "" where there is no such card."""
    try:
        nvml: Any = import_module("pynvml")
    except ImportError:
        return ""
    try:
        nvml.nvmlInit()
        if visible.isdecimal():
            return _text(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByIndex(int(visible))))
        count = nvml.nvmlDeviceGetCount()
        names = [_text(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByIndex(n))) for n in range(count)]
    except nvml.NVMLError:
        return ""
    return next((name for name in names if name.startswith(visible)), visible)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _place(folder: Path | None, card: str) -> Path:
    return (folder or settings_folder() / FOLDER) / f"{card}.lock"


def _title(folder: Path | None, card: str) -> Path:
    return _place(folder, card).with_suffix(".run")


def _holder_at(place: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return read_text(place.with_suffix(".run"), LONGEST_NAME).strip()
    return ""
