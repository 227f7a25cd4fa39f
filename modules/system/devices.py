"""What this computer offers: devices, number formats, memory."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from torch import Tensor

from modules.errors import UserError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
DESKTOP = round(0.8 * 2**30)  # bytes of a card that its screens and other windows take, about
CARD_CONTEXT = 500 * 2**20  # what PyTorch's context takes before the first tensor, about; it differs by card and driver
_limit = 0  # bytes of the card, where somebody limits them


def device_named(name: str) -> torch.device:
    """The device that a setting names; "auto" takes the graphics card when there is one.

    Raises:
        UserError: a card is wanted and PyTorch sees none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device.no-card" if torch.version.cuda else "device.no-cuda-build", "general.device")
    return torch.device(name)


def best_dtype(device: torch.device) -> str:
    """The precision that suits a device: bf16 where a card has it (compute capability 8.0), fp16 on older ones."""
    if not is_card(device):
        return "fp32"
    return "bf16" if tuple(card_module(device).get_device_capability(device)) >= (8, 0) else "fp16"


def multiplies_int8(device: torch.device) -> bool:
    """Whether int8 matrices are multiplied fast (compute capability 7.5). A CPU can, 20 times slower than fp32."""
    return is_card(device) and tuple(card_module(device).get_device_capability(device)) >= (7, 5)


def is_card(device: torch.device) -> bool:
    """Whether a device has a memory of its own and works behind the program's back: copies can wait, or make it wait.

    A CUDA or ROCm card, and the pretended one of the tests. What only it can answer is asked of `card_module`.
    """
    return device.type not in {"cpu", "meta"}


def card_module(device: torch.device) -> Any:
    """`torch.cuda`, or what stands for it beside another card."""
    return torch.get_device_module(device)


def use_tf32(device: torch.device, wanted: bool) -> None:
    """Whether a card multiplies fp32 matrices in TF32: several times as fast, with 10 bits of each number's 23.

    Convolutions do so in any case, as PyTorch has it. The CPU stays exact.
    """
    torch.set_float32_matmul_precision("high" if wanted and is_card(device) else "highest")


def use_threads(count: int) -> None:
    """Limit arithmetic on the CPU to `count` threads. 0: what OMP_NUM_THREADS says, or all cores but one.

    Threads of one operation wait for each other: with as many as there are cores, any other program that runs makes all
    of them slow (measured: six times). The last core gains little and is left to the window and the system.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count or not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(min(count, cores) if count else max(1, cores - 1))


def memory_in_use() -> tuple[int, int]:
    """Bytes that this process holds: of main memory, and of the graphics card (0 without one)."""
    card = torch.cuda.memory_reserved() if torch.cuda.is_available() and torch.cuda.is_initialized() else 0
    return psutil.Process().memory_info().rss, card


def free_memory(device: torch.device) -> int:
    """Bytes that are free where a device computes, of those that a run may take: of the card, or of the computer."""
    if not is_card(device):
        return psutil.virtual_memory().available
    return _within_limit(card_memory(device)[0], card_module(device).memory_reserved(device))


def usable_memory(device: torch.device) -> int:
    """Bytes of a card that new tensors find: what is free there, and what torch keeps of it for later."""
    held, kept = card_module(device).memory_allocated(device), card_module(device).memory_reserved(device)
    return _within_limit(card_memory(device)[0] + kept - held, held)


def _within_limit(free: int, taken: int) -> int:
    """What is left of so many free bytes where a limit is set and torch has `taken` some."""
    return max(0, min(free, _limit - CARD_CONTEXT - taken)) if _limit else free


def limit_card_memory(device: torch.device, most: float) -> None:
    """Set how many GB of a card runs may take from here on: torch refuses more. 0: all but the desktop's share."""
    global _limit  # noqa: PLW0603 - a card's limit is the process's, as PyTorch has it
    limit = round(most * 2**30)
    if limit == _limit or not is_card(device):
        return
    total = card_memory(device)[1]
    share = min(1.0, max(0, limit - CARD_CONTEXT) / total) if limit else 1.0
    card_module(device).set_per_process_memory_fraction(share)
    _limit = limit


def card_budget(device: torch.device) -> int:
    """Bytes of a card that a run may take, whatever is free just now; 0 without one. All that decides goes by it."""
    total = card_memory(device)[1]
    return budget_of(total, _limit / 2**30) if total else 0


def budget_of(total: int, most: float = 0.0) -> int:
    """Of the bytes that a card has, those that a run may take. `most`: GB; 0: all but the desktop's share."""
    return min(round(most * 2**30), total) if most else total - DESKTOP


def to_device(tensor: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """The tensor on a device, where it may arrive a little later, in the order of what is asked of the device.

    A card fetches by itself only from pinned memory: for any other, `non_blocking` waits until all before it is done.
    """
    if is_card(device) and not is_card(tensor.device):
        tensor = tensor.pin_memory()
    return tensor.to(device, dtype, non_blocking=True)


def copy_all(targets: list[Tensor], sources: list[Tensor]) -> None:
    """Copy many tensors, each into its own, in a few launches of a card for all of them."""
    torch._foreach_copy_(targets, sources)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def to_cpu(tensor: Tensor) -> tuple[Tensor, torch.Event | None]:
    """A copy in main memory, and the event after which it is whole; None where there is no card to wait for."""
    if not is_card(tensor.device):
        return tensor, None
    copy = torch.empty_like(tensor, device="cpu", pin_memory=True).copy_(tensor, non_blocking=True)
    return copy, recorded_event(tensor.device)


def recorded_event(device: torch.device) -> torch.Event:
    """An event that comes when a card has done all that was asked of it until now."""
    arrived: torch.Event = card_module(device).Event()
    arrived.record()
    return arrived


@contextmanager
def autocast(device: torch.device, dtype: torch.dtype) -> Generator[None]:
    """Compute in `dtype` where that is safe; in fp32 everything is as written.

    Without PyTorch's cache of casts, which holds a second set of all trained weights until the pass has ended, for the
    few that are used twice. Under gradient checkpointing that is as much as a whole model, and the way back casts anew.
    """
    if dtype is torch.float32:
        yield
        return
    with torch.autocast(device.type, dtype, cache_enabled=False):
        yield


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory left: of the card, or of the computer, in any library's words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _OUT_OF_MEMORY_TEXTS)


# torch on Linux, torch on Windows, the driver, cuBLAS and cuDNN
_OUT_OF_MEMORY_TEXTS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "alloc_failed",
    "memory_allocation",
)


def empty_card_cache(device: torch.device) -> None:
    """Give back what torch keeps of a card's memory for later."""
    if is_card(device):
        card_module(device).empty_cache()


def release_card_memory() -> None:
    """Give back what an ended job has left on the card: the next one may run in another process."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()


def card_memory(device: torch.device) -> tuple[int, int]:
    """Bytes of the card that are free, for whichever program, and that it has: (0, 0) without one."""
    return card_module(device).mem_get_info(device) if is_card(device) else (0, 0)
