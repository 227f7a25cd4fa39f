"""Counts the memory of tensors as they come and go, without any: torch runs the real code and computes nothing.

`FakeTensorMode` gives every operation's answer its shape, type and layout, and no memory. A `Ledger` above it sees each
of these answers, adds its bytes, and takes them off again when the last who knew the tensor has gone. What a step keeps
for its way back, what it drops on the way and how high it climbs in between are then counted, not guessed.

torch's own `MemTracker` (torch.distributed._tools, in 2.13) is no help here: it hooks every parameter of a module and
raises on one that is frozen, so that no adapter and no fine-tune of a part can be counted; its peak cannot be begun
anew between the passes and the update; it answers no `.item()`; and it brings 2 s of imports.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, cast

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from modules.check.memory.seen_operations import SeenOperations
from modules.system.devices import is_card


class Ledger(TorchDispatchMode):
    """Bytes of a device that are alive now, and the most that ever were, of what was made while it watches.

    What was there before costs nothing here, and views of it neither; nor does main memory beside a card.
    """

    def __init__(self, device: torch.device, mode: FakeTensorMode | None = None) -> None:
        """`mode`: what makes the tensors, where none has numbers."""
        super().__init__()
        self._kind, self._seen = device.type, SeenOperations(mode) if mode else None
        self.live = self.peak = 0
        self.before_next: Callable[[], None] | None = None  # is called before the next operation
        self.flops = self.launches = 0  # of matrices; operations of any kind
        self._sizes: dict[int, int] = {}

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Keep torch's compiler out: it is not used here, and to tell it so would import all of it."""
        return True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nor is it told so with each operation."""
        return False

    def restart(self) -> int:
        """Begin a new peak; gives the old one."""
        peak, self.peak = self.peak, self.live
        return peak

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is DEVICE and type(args[0]) is FakeTensor:
            return args[0].fake_device  # half of all calls
        if func is ITEM:
            return _some_number(args[0])
        if func is PIN:  # beside a card; FakeTensorMode raises here
            func = torch.ops.aten.empty_like.default
        if before := self.before_next:
            self.before_next = None
            before()
        kwargs, given = kwargs or {}, list[Tensor]()
        add_tensors(args, given)
        add_tensors(kwargs.values(), given)
        for each in given:
            self._meet(each, 0)
        if self._seen:
            out, flops = self._seen.run(func, args, kwargs, given, _flops)
        else:
            out = func(*args, **kwargs)
            flops = _flops(func, args, kwargs, out)
        self.launches += 1
        self.flops += flops
        made = list[Tensor]()
        add_tensors((out,), made)
        for each in made:
            device = each.fake_device if type(each) is FakeTensor else each.device
            self._meet(each, each.untyped_storage().nbytes() if device.type == self._kind else 0)
        self.peak = max(self.peak, self.live)
        return out

    def _meet(self, tensor: Tensor, size: int) -> None:
        key = address_of(tensor)
        if key not in self._sizes:
            self._sizes[key] = size
            self.live += size
            weakref.finalize(tensor.untyped_storage(), self._gone, key)

    def _gone(self, key: int) -> None:
        self.live -= self._sizes.pop(key)


def _flops(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> int:
    count = FLOPS.get(func.overloadpacket)
    return count(*args, **kwargs, out_val=out) if count else 0


aten = torch.ops.aten
DEVICE, ITEM = torch.ops.prim.device.default, aten._local_scalar_dense.default
PIN = aten._pin_memory.default
FLOPS: dict[Any, Any] = {
    **flop_registry,
    aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(
        q.shape, k.shape, v.shape
    ),
    aten._scaled_dot_product_flash_attention_for_cpu_backward: lambda grad, q, k, v, *_, **__: sdpa_backward_flop_count(
        grad.shape, q.shape, k.shape, v.shape
    ),
}


IN_FP32 = ("layer_norm", "group_norm", "softmax", "mse_loss", "huber_loss", "smooth_l1_loss")


@contextmanager
def card_autocast() -> Generator[None]:
    """What autocast does on a card and not on a CPU: norms and losses in fp32 (torch/csrc/autocast_mode.h).

    A mode of torch's would be off while a backward pass computes what is checkpointed once more.
    """
    original = {name: getattr(F, name) for name in IN_FP32}

    def in_fp32(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            if torch.is_autocast_enabled("cpu"):
                args = tuple(x.float() if isinstance(x, Tensor) and x.is_floating_point() else x for x in args)
            return function(*args, **kwargs)

        return run

    try:
        for name, function in original.items():
            setattr(F, name, in_fp32(function))
        yield
    finally:
        for name, function in original.items():
            setattr(F, name, function)


_for_a_card = ContextVar("for a card that is not there", default=False)


@contextmanager
def for_a_card() -> Generator[None]:
    """What is counted inside stands for a card, though this computer may have none."""
    token = _for_a_card.set(True)
    try:
        yield
    finally:
        _for_a_card.reset(token)


def counts_for_a_card(device: torch.device) -> bool:
    """Whether what is counted on a device is that of a card."""
    return is_card(device) or _for_a_card.get()


@contextmanager
def counted(device: torch.device) -> Generator[Ledger]:
    """Count what the code inside holds of a device; it must make and use fake tensors only."""
    with ExitStack() as stack:
        mode = stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        if counts_for_a_card(device) and not is_card(device):
            stack.enter_context(card_autocast())
        yield stack.enter_context(Ledger(device, mode))


def _some_number(tensor: Any) -> bool | int | float:
    """Where code asks for the value of a tensor that has none: no, one, or a half (nobody divides by 1 minus that).

    Small constants are known all the same.
    """
    if getattr(tensor, "constant", None) is not None:
        return tensor.constant.item()
    if tensor.dtype is torch.bool:
        return False
    return 0.5 if tensor.dtype.is_floating_point else 1


def add_tensors(things: Iterable[Any], found: list[Tensor]) -> None:
    """All tensors in arguments or answers of an operation. torch's own walk costs more than the operations here."""
    for thing in things:
        kind = type(thing)
        if kind is FakeTensor or isinstance(thing, Tensor):
            found.append(thing)
        elif kind is list or isinstance(thing, tuple):
            add_tensors(cast("Sequence[Any]", thing), found)


def address_of(tensor: Tensor) -> int:
    """Tells the memory of one tensor from that of others, also where there is none: `data_ptr` would refuse."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]


def bytes_in(tensors: Iterable[Tensor]) -> int:
    """Memory of tensors; what is shared counts once."""
    return sum({address_of(t): t.untyped_storage().nbytes() for t in tensors}.values())
