"""A pretended card: PyTorch's Python backend under FakeTensorMode, so that what a card would do is seen without one.

Tensors on it have a device, a shape and a dtype, and neither memory nor numbers. What it shows: tensors on the wrong
device, waits for the card, copies that make it wait, bytes. What it cannot: kernels, streams, fragmentation, speed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from modules.check.memory.memory_tracker import Ledger, add_tensors, address_of
from modules.system.bundled import ROOT
from modules.system.devices import is_card

NAME = "pretended"
aten = torch.ops.aten
# Operations whose answer has a size that only the card knows
SIZED_BY_VALUES = ("nonzero", "masked_select", "unique", "repeat_interleave.Tensor")
# What autocast does on a card, for those that the families use (torch/csrc/autocast_mode.h)
LOWERED = ("linear", "conv2d", "conv1d", "matmul", "bmm", "addmm", "mm", "baddbmm", "scaled_dot_product_attention")
RAISED = ("layer_norm", "group_norm", "softmax.int", "mse_loss", "huber_loss", "smooth_l1_loss", "norm.Scalar")


class Event:
    """Comes at once."""

    def record(self) -> None: ...

    def query(self) -> bool:
        return True

    def synchronize(self) -> None: ...


class Stream:
    """Does at once what it is asked for."""

    def __init__(self, device: Any = None) -> None: ...

    def record_event(self) -> Event:
        return Event()

    def wait_event(self, event: Event) -> None: ...


class PretendedModule(ModuleType):
    """What `torch.cuda` is to a CUDA card. Outside of `pretended_card` it has no card: other tests see none."""

    Event, Stream = Event, Stream
    plugged = False

    def __init__(self) -> None:
        super().__init__(f"torch.{NAME}")

    def is_available(self) -> bool:
        return self.plugged

    def is_initialized(self) -> bool:
        return True

    def _is_in_bad_fork(self) -> bool:
        return False

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return int(self.plugged)

    def manual_seed_all(self, seed: int) -> None: ...

    def current_stream(self, device: Any = None) -> Stream:
        return Stream()

    def stream(self, stream: Stream) -> AbstractContextManager[None]:
        return nullcontext()

    def empty_cache(self) -> None: ...

    def get_device_capability(self, device: Any = None) -> tuple[int, int]:
        return 8, 9

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


MODULE = PretendedModule()


class Hook(torch._C._acc.PrivateUse1Hooks):
    """The same for PyTorch's C++."""

    def is_available(self) -> bool:
        return MODULE.plugged

    def has_primary_context(self, _: int) -> bool:
        return MODULE.plugged

    def is_built(self) -> bool:
        return True


@cache
def register() -> torch.device:
    """Give PyTorch the card, once for the process; other devices work on as ever."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=MODULE, hook=Hook())
    _libraries.append(torch.library.Library("_", "IMPL"))
    _libraries[0].fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    _libraries.append(torch.library.Library("aten", "IMPL"))
    for name in (*LOWERED, *RAISED):
        _libraries[1].impl(name, _in_precision(name, lowered=name in LOWERED), "AutocastPrivateUse1")
    _libraries[1].impl("scaled_dot_product_attention", _attention, "AutogradPrivateUse1")
    return torch.device(NAME)


def ready() -> None:
    """Have PyTorch's autograd know of the card: it counts devices at the first backward pass of a process, never again.

    Before any test, then (tests/conftest.py).
    """
    with plugged():
        torch.ones(1, requires_grad=True).sum().backward()


_libraries: list[torch.library.Library] = []  # what they register goes when they do


def _in_precision(name: str, *, lowered: bool) -> Callable[..., Any]:
    packet, _, overload = name.partition(".")
    operation = getattr(getattr(aten, packet), overload or "default")

    def run(*args: Any, **kwargs: Any) -> Any:
        dtype = torch.get_autocast_dtype(NAME) if lowered else torch.float32

        def cast(x: Any) -> Any:
            return x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() and is_card(x.device) else x

        with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)):
            return operation(*(cast(x) for x in args), **{key: cast(x) for key, x in kwargs.items()})

    return run


def _attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0, causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """One kernel that keeps no matrix of weights, as a card has."""
    if enable_gqa:
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    if mask is not None and mask.dtype is torch.bool:
        mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(mask.logical_not(), -torch.inf)
    return aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, dropout, causal, attn_mask=mask, scale=scale)[0]


class FakeTensors(FakeTensorMode):
    """`torch.tensor(..., device=card)` begins in main memory, as it does with a real card."""

    avoid_device_init = property(lambda _: True)  # type: ignore[assignment]


class Watch(Ledger):
    """Counts the bytes on the card, and while `watching` notes each wait and each copy, with file and line."""

    def __init__(self) -> None:
        super().__init__(torch.device(NAME), FAKE)
        self.waits: list[str] = []
        self.copies: list[str] = []
        self.late: list[str] = []  # copies for which the program waits
        self.watching = False
        self._pinned: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.prim.device.default:
            return super().__torch_dispatch__(func, types, args, kwargs)
        kwargs = kwargs or {}
        if func is aten.is_pinned.default:
            return address_of(args[0]) in self._pinned
        if func is aten._pin_memory.default:
            return self._pin(torch.empty_like(args[0]))
        if self.watching:
            self._note(func, args, kwargs)
        out = super().__torch_dispatch__(func, types, args, kwargs)
        if kwargs.get("pin_memory"):
            self._pin(out)
        return out

    def _pin(self, tensor: Tensor) -> Tensor:
        self._meet(tensor, 0)
        self._pinned.add(address_of(tensor))
        return tensor

    def _meet(self, tensor: Tensor, size: int) -> None:
        super()._meet(tensor, size if is_card(tensor.device) else 0)

    def _gone(self, key: int) -> None:
        super()._gone(key)
        self._pinned.discard(key)

    def _note(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        given = list[Tensor]()
        add_tensors([*args, *kwargs.values()], given)
        on_card = any(is_card(x.device) for x in given)
        if func is aten._to_copy.default and kwargs.get("device") is not None:
            self._note_copy(args[0], torch.device(kwargs["device"]), kwargs.get("non_blocking"), None)
        elif func is aten.copy_.default:
            self._note_copy(args[1], args[0].device, args[2] if len(args) > 2 else kwargs.get("non_blocking"), args[0])
        elif on_card and (func is aten._local_scalar_dense.default or str(func)[5:].startswith(SIZED_BY_VALUES)):
            self.waits.append(f"{func} at {place()}")
        elif on_card and func in (aten.index.Tensor, aten.index_put_.default) and any(map(_is_mask, args[1])):
            self.waits.append(f"{func} by a mask at {place()}")

    def _note_copy(self, source: Tensor, there: torch.device, at_once: bool | None, target: Tensor | None) -> None:
        if is_card(source.device) == is_card(there):
            return
        said = f"{source.device.type} -> {there.type} at {place()}"
        self.copies.append(said)
        here = source if is_card(there) else target  # a new tensor in main memory is pinned by torch itself
        if not at_once or (here is not None and address_of(here) not in self._pinned):
            self.late.append(f"{said}: {'unpinned' if at_once else 'blocking'}")


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)


def place() -> str:
    """Where the program is now: its own line, and the library's that it called."""
    frame, library = sys._getframe(1), ""
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(ROOT / "modules") and file.parent.parent.name != "check":
            return f"{file.relative_to(ROOT).as_posix()}:{frame.f_lineno}{library}"
        if not library and "site-packages" in file.parts and "torch" not in file.parts:
            library = f" (through {file.name}:{frame.f_lineno})"
        frame = frame.f_back
    return "?"


@contextmanager
def plugged() -> Generator[torch.device]:
    """Code inside finds the card."""
    original, device = torch.Generator, register()

    class OneOfTheCpu:
        """Nothing is drawn on the card: a generator of the CPU stands for its own."""

        def __new__(cls, device: Any = "cpu") -> Any:
            return original("cpu" if is_card(torch.device(device)) else device)

    MODULE.plugged, torch.Generator = True, OneOfTheCpu  # type: ignore[misc, assignment]
    try:
        yield device
    finally:
        MODULE.plugged, torch.Generator = False, original  # type: ignore[misc]


@contextmanager
def pretended_card() -> Generator[Watch]:
    """Code inside has the card; tensors that it makes are fake, wherever they are."""
    with plugged(), FAKE, Watch() as watch:
        yield watch


FAKE = FakeTensors(allow_non_fake_inputs=True)  # one for all: tensors of one card know nothing of another's
