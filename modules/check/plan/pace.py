"""How long a step takes on a card, from what it computes, moves and launches: about, until real steps are measured."""

from __future__ import annotations

from dataclasses import dataclass

from modules.catalog.gpus import Gpu
from modules.check.memory.step_memory import StepBytes

EFFICIENCY = 0.5  # of the tensor cores' peak that matrices of a model's sizes come to
OVERLAP = 0.85  # of what the bus could move, while the card computes
LAUNCH = 8e-6  # seconds in which Python and PyTorch launch an operation
AGAIN = 4 / 3  # checkpointing of all blocks: forward twice, and back, which costs as two forwards
UNPACKED = 4.0  # bytes that are written and read for each number of a packed weight, each time it is used


@dataclass(frozen=True)
class Load:
    """What a step does beside the arithmetic of a step that was counted."""

    checkpointed: float = 1.0  # share of the blocks
    batch_parts: int = 1
    packed: int = 0  # bytes of packed weights
    numbers: int = 0  # in them
    offloaded: int = 0  # bytes that come from main memory, each time they are used
    gradients: int = 0  # bytes that leave for main memory with each batch, and come back for the update


def seconds(gpu: Gpu, step: StepBytes, accumulation: int, load: Load) -> float:
    """Seconds of a step, which was counted with every block checkpointed."""
    again = (1 + (AGAIN - 1) * load.checkpointed) / AGAIN
    reads = (2 + load.checkpointed) * load.batch_parts  # how often each frozen weight is used
    computing = step.flops * again / (EFFICIENCY * gpu.flops)
    unpacking = reads * (load.packed + UNPACKED * load.numbers) / gpu.bandwidth if load.packed else 0.0
    coming = reads * load.offloaded / (OVERLAP * gpu.pcie) + load.batch_parts * load.gradients / (OVERLAP * gpu.pcie)
    launching = step.launches * again * load.batch_parts * LAUNCH
    updating = 3 * (step.trained + step.gradients + step.state) / gpu.bandwidth
    updating += load.gradients / (OVERLAP * gpu.pcie)
    return accumulation * max(computing + unpacking, coming, launching) + updating
