"""What is done in a process of its own: a case is measured, its memory is counted, the card's peak is found."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from modules.check.memory.step_memory import BatchShape, _batch, step_bytes
from modules.data.batches import Batch
from modules.families import Family
from modules.families.parts.model_files import ModelFiles
from modules.methods import attach
from modules.placement import compiling
from modules.placement.holding import Holding
from modules.preset.preset import Preset
from modules.trainer.preparation import load_options
from modules.trainer.step.learner import Learner
from modules.trainer.step.out_of_memory import use_gradient_checkpointing
from tests.benchmarks.card.cases import SIZES, Case
from tests.benchmarks.card.random_model import bundled_files, random_family, tiny_files

Say = Callable[[Any], None]
CAPTION = "a photo of a small red robot that waters tomatoes on a balcony above a busy street, late summer, soft light"
WARM_UP, WATCHED = 3, 2


@dataclass(frozen=True)
class Figures:
    """What a case showed."""

    seconds: float  # of a step, the median
    flops: int  # of a step
    waits: tuple[str, ...]  # file and line
    peak: int  # bytes of tensors
    reserved: int  # bytes that PyTorch took for them
    opening: float  # seconds until the first step


@dataclass(frozen=True)
class Machine:
    """What the figures are compared with."""

    name: str
    flops: float  # a second, of bf16 matrix products


def device_of(tiny: bool) -> str:
    return "cpu" if tiny else "cuda"


def find_peak(say: Say, tiny: bool) -> None:
    size, repeats = (256, 3) if tiny else (8192, 20)
    a = torch.randn(size, size, device=device_of(tiny), dtype=torch.bfloat16)
    for _ in range(3):
        a @ a
    seconds = timed(lambda: a @ a, repeats, tiny)
    name = "the CPU" if tiny else f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    say(Machine(name, 2 * size**3 / median(seconds)))


def count_memory(say: Say, every: Sequence[Case], tiny: bool) -> None:
    """Say for each case what the check would, in bytes; what goes wrong, in words."""
    for case in every:
        try:
            preset = case.preset(device_of(tiny))
            said = step_bytes(family_of(case, preset, tiny), preset, batch_shape(case, tiny), {"denoiser"})
            say((case, said.held + max(said.passes, said.update)))
        except Exception as error:  # noqa: BLE001 - the next one may be counted
            say((case, f"{type(error).__name__}: {error}"))


def measure(say: Say, case: Case, steps: int, tiny: bool) -> None:
    say(measured(case, steps, tiny))


def measured(case: Case, steps: int, tiny: bool) -> Figures:
    began, preset = time.perf_counter(), case.preset(device_of(tiny))
    family = family_of(case, preset, tiny)
    batch = batch_on(family, preset, batch_shape(case, tiny))
    learner = learner_for(family, preset)
    with FlopCounterMode(display=False) as counter:
        learner.learn([batch])
    if case.compiled:
        compile_blocks(family, tiny)
    take = stepper(learner, batch)
    timed(take, WARM_UP, tiny)
    opening = time.perf_counter() - began
    waits = [] if tiny else [line for _ in range(WATCHED) for line in waits_of(take)]
    if not tiny:
        torch.cuda.reset_peak_memory_stats()
    seconds = median(timed(take, steps, tiny))
    peaks = (0, 0) if tiny else (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved())
    return Figures(seconds, counter.get_total_flops(), tuple(dict.fromkeys(waits)), *peaks, opening)


def family_of(case: Case, preset: Preset, tiny: bool) -> Family:
    """Opened; nothing of it is made yet. A CPU, too, has its blocks packed and brought as a card would."""
    options = load_options(preset)
    if tiny:
        options = replace(options, holding=Holding(preset.model.quantization.removeprefix("off"), case.offload))
    return random_family(case.family, _files(case.family, tiny), options)


@cache
def _files(name: str, tiny: bool) -> ModelFiles:
    return tiny_files(name, Path(mkdtemp(prefix="tiny-"))) if tiny else bundled_files(name)


def batch_shape(case: Case, tiny: bool) -> BatchShape:
    side = 64 if tiny else SIZES[case.family]
    return BatchShape((side, side), CAPTION)


def batch_on(family: Family, preset: Preset, shape: BatchShape) -> Batch:
    """In main memory, its captions read by the family's text encoders, which are then let go."""
    with torch.no_grad():
        batch = _batch(family, preset, shape)
    family.unload(*family.text_encoders)
    assert batch.text is not None
    return replace(batch, text=[{name: x.cpu() for name, x in row.items()} for row in batch.text])


def learner_for(family: Family, preset: Preset) -> Learner:
    import_module(preset.optimizer.source.partition(":")[0])
    method = attach(family, preset)
    if share := preset.training.checkpointed:
        use_gradient_checkpointing(family, ["denoiser"], share)
    return Learner(preset, family, method, steps=1000)


def compile_blocks(family: Family, tiny: bool) -> None:
    """As a run does; for what is tiny with a compiler that only traces.

    Raises:
        RuntimeError: the compiler does not work here.
    """
    if tiny:
        compiling.BACKEND = "eager"
    if why := compiling.why_not(family.options.device):
        raise RuntimeError(f"the compiler does not work: {why}")
    compiling.compile_blocks(family.denoiser)


def stepper(learner: Learner, batch: Batch) -> Callable[[], None]:
    def take() -> None:
        learner.learn([batch])
        learner.clock.tick(1000)

    return take


def timed(work: Callable[[], object], times: int, tiny: bool) -> list[float]:
    """Seconds of each call, of the device: the program may be ahead of it."""
    if tiny:
        marks = [time.perf_counter()]
        for _ in range(times):
            work()
            marks.append(time.perf_counter())
        return [later - earlier for earlier, later in pairwise(marks)]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(times + 1)]
    events[0].record()
    for event in events[1:]:
        work()
        event.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) / 1000 for a, b in pairwise(events)]


def waits_of(work: Callable[[], object]) -> Iterator[str]:
    """Where the program waits for the card, as PyTorch warns of it."""
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as seen, warned_of_waits():
        warnings.simplefilter("always")
        work()
    for each in seen:
        if "synchronizing CUDA operation" in str(each.message):
            yield f"{Path(each.filename).name}:{each.lineno}"


@contextmanager
def warned_of_waits() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("warn")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
