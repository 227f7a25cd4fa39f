"""How fast this machine trained what, so that the check of the next run can say how long it will take.

Kept in the read cache, a value for each shape of a run; a run renews its own once a minute and when it ends.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from modules.preset.preset import Preset
from modules.system.card.power import PowerMeter
from modules.system.devices import card_module, device_named, is_card
from modules.system.read_cache import ReadCache
from modules.system.reading import read_json
from modules.system.stamps import ALWAYS
from modules.trainer.preparation import with_precision, without_plan

SPEEDS, OLD_FILE = "speeds 1", "speeds.json"
SKIPPED = 3  # steps at the start, in which kernels are chosen and memory is found
FEWEST = 3  # steps that say something
WRITE_EVERY = 60.0  # seconds
WATTS_EVERY = 1.0
MOST = 200  # shapes that are remembered, the newest


@dataclass(frozen=True)
class Shape:
    """What makes a step take as long as it does."""

    family: str
    denoiser: int  # numbers in the denoiser: a tiny model is of the same family as a real one
    method: str
    parts: str  # that are trained: "denoiser text_encoder_1"
    optimizer: str
    resolution: int
    batch_size: int
    accumulation: int
    dtype: str
    weights: str
    checkpointing: float  # share of the blocks; true in runs of older versions
    device: str
    quantization: str = "off"  # as it was in runs of older versions
    offload: float = 0.0
    compiled: bool = False

    @property
    def pixels(self) -> int:
        """That a step learns from."""
        return self.resolution**2 * self.batch_size * self.accumulation

    def differs_only_in_size(self, other: Shape) -> bool:
        """Whether only the amount of work differs."""
        sizes = {"resolution": 0, "batch_size": 0, "accumulation": 0}
        return {**asdict(self), **sizes} == {**asdict(other), **sizes}


@dataclass(frozen=True)
class Speed:
    """What was measured; 0 where nothing was."""

    step: float  # seconds
    drawing: float = 0.0  # seconds that a sample takes for each of its steps
    watts: float = 0.0  # of the card
    when: float = 0.0  # seconds since 1970
    exact: bool = True  # measured with just this shape, not scaled from another


def shape_of(preset: Preset, denoiser: int) -> Shape:
    """`denoiser`: how many numbers it has. The preset has its resolution."""
    preset = without_plan(with_precision(preset))
    training = preset.training
    return Shape(
        preset.model.family,
        denoiser,
        preset.method.kind,
        " ".join(preset.trained_parts()),
        preset.optimizer.kind,
        preset.resolution,
        training.batch_size,
        training.accumulation,
        preset.model.dtype,
        training.weights,
        training.checkpointed,
        _name_of(device_named(preset.general.device)),
        preset.model.held_as,
        preset.model.offloaded,
        preset.general.compiles,
    )


def _name_of(device: torch.device) -> str:
    return card_module(device).get_device_name(device) if is_card(device) else f"cpu, {torch.get_num_threads()} threads"


def save_speed(cache: Path, shape: Shape, speed: Speed) -> None:
    """Keep a speed, in the place of what was known of this shape, if that can be done."""
    with ReadCache(cache) as kept:
        kept.put(SPEEDS, {_name(shape): (ALWAYS, json.dumps(asdict(speed)).encode())})
        oldest_first = sorted(_read(kept).items(), key=lambda pair: pair[1].when)
        kept.forget(SPEEDS, [_name(old) for old, _ in oldest_first[:-MOST]])


def _name(shape: Shape) -> str:
    return json.dumps(asdict(shape))


def load_speed(cache: Path, shape: Shape) -> Speed | None:
    """What is known of a shape: measured, or scaled by the work of a step from the nearest that differs only there."""
    known = _known(cache)
    if shape in known:
        return known[shape]
    kin = [entry for entry in known if shape.differs_only_in_size(entry)]
    if not kin:
        return None
    nearest = min(kin, key=lambda entry: max(entry.pixels, shape.pixels) / min(entry.pixels, shape.pixels))
    found = known[nearest]
    larger = (shape.resolution / nearest.resolution) ** 2
    return Speed(
        found.step * shape.pixels / nearest.pixels, found.drawing * larger, found.watts, found.when, exact=False
    )


def _known(cache: Path) -> dict[Shape, Speed]:
    """The speeds in a cache, and in the file that held them in earlier releases."""
    with ReadCache(cache) as kept:
        return {**_read_old(cache / OLD_FILE), **_read(kept)}


def _read(kept: ReadCache) -> dict[Shape, Speed]:
    return _speeds([(json.loads(name), json.loads(value)) for name, value in kept.all(SPEEDS).items()])


def _read_old(file: Path) -> dict[Shape, Speed]:
    """Nothing, if it is missing or torn."""
    try:
        content = read_json(file)
        return _speeds([(entry["shape"], entry["speed"]) for entry in content["speeds"]])
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _speeds(entries: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[Shape, Speed]:
    found = {Shape(**shape): Speed(**speed) for shape, speed in entries}
    return {shape: speed for shape, speed in found.items() if shape.pixels > 0 and 0 < speed.step < 1e6}


class SpeedRecorder:
    """Times the steps of a run, and its samples, for the check of the next one."""

    def __init__(self, preset: Preset, denoiser: int) -> None:
        self._cache, self._shape = Path(preset.general.cache), shape_of(preset, denoiser)
        self._power = PowerMeter(device_named(preset.general.device))
        self._seconds, self._steps = 0.0, 0
        self._drawing, self._drawn = 0.0, 0
        self._watts: list[float] = []
        self._asked = self._written = time.monotonic()

    def step(self, seconds: float) -> None:
        """A step took so long, the wait for its batch included."""
        self._steps += 1
        if self._steps > SKIPPED:
            self._seconds += seconds
        now = time.monotonic()
        if now - self._asked >= WATTS_EVERY:
            self._asked = now
            self._watts = [*self._watts[-1000:], self._power.watts()]
        if now - self._written >= WRITE_EVERY:
            self.write()

    @property
    def seconds_per_step(self) -> float:
        """The mean of the steps of this process, without the first; 0 before there are enough."""
        counted = self._steps - SKIPPED
        return self._seconds / counted if counted >= FEWEST else 0.0

    def drew(self, steps: int, seconds: float) -> None:
        """Samples of so many steps, all together, took so long."""
        self._drawn += steps
        self._drawing += seconds

    def write(self) -> None:
        """Keep what was measured, if it is enough to go by."""
        self._written = time.monotonic()
        if not (seconds := self.seconds_per_step):
            return
        drawing = self._drawing / self._drawn if self._drawn else 0.0
        watts = sum(self._watts) / len(self._watts) if self._watts and min(self._watts) > 0 else 0.0
        save_speed(self._cache, self._shape, Speed(seconds, drawing, watts, time.time()))
