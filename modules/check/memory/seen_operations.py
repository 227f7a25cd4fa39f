"""What operations on tensors without numbers give, remembered: `FakeTensorMode` asks anew what a shape has told before.

A step runs the same few hundred operations on the same shapes again and again. PyTorch's own memory of them takes half
a millisecond an operation, most of it for its key, and is off here; this one takes a fifth of that. What it cannot be
sure of, it leaves to PyTorch: real tensors, constants, complex numbers, answers that are no tensors or lie in one
another's memory.
"""

# pyright: reportPrivateUsage=false
# PyTorch has no public way to make a tensor of its own fake mode, nor to tell one's memory from another's.

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

PLAIN = (int, float, bool, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format)
AT_A_PLACE = {torch.ops.aten.as_strided.default, torch.ops.aten.as_strided_.default}
PLACE = 3  # their argument that counts from where all of the memory begins
UNSURE = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
MASKS = {torch.bool, torch.uint8}  # by which `index` takes as many as are true


class _Made(NamedTuple):
    """An answer, or one of several."""

    given: int  # the argument that it is, or whose memory it lies in; -1: it has memory of its own
    same: bool = False
    shape: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    offset: int = 0  # bytes; of what lies in an argument's memory, from where that argument begins
    dtype: torch.dtype = torch.float32
    device: torch.device | None = None


NOTHING = _Made(-1)  # a gradient that nobody asked for, or what only changes its arguments


@dataclass(frozen=True)
class _Answer:
    made: tuple[_Made, ...]
    kind: type | None  # tuple or list; None: a tensor by itself
    flops: int


class SeenOperations:
    """Of one `FakeTensorMode`; what was seen in an earlier one is known in the next."""

    def __init__(self, mode: FakeTensorMode) -> None:
        mode.cache_enabled = False
        self._mode, self._attributes = mode, dict[torch.device, dict[str, Any]]()

    def run(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], given: list[Tensor], flops: Callable[..., int]
    ) -> tuple[Any, int]:
        """What an operation answers, and what `flops` counts of it. `given`: the tensors of its arguments."""
        key = _key_of(func, args, kwargs)
        if key is not None and (seen := _SEEN.get(key)):
            return self._again(seen, given), seen.flops
        out = func(*args, **kwargs)
        count = flops(func, args, kwargs, out)
        if key is not None and key == _key_of(func, args, kwargs) and (answer := _answer_of(out, given, count)):
            _SEEN[key] = answer  # of what has changed no argument's shape, as `t_` does
        return out, count

    def _again(self, seen: _Answer, given: list[Tensor]) -> Any:
        if seen.kind is None:
            return self._make(seen.made[0], given)
        return seen.kind(self._make(each, given) for each in seen.made)

    def _make(self, made: _Made, given: list[Tensor]) -> Tensor | None:
        if made is NOTHING:
            return None
        if made.same:
            return given[made.given]
        with torch._C._DisableTorchDispatch():
            room = torch.empty_strided(made.shape, made.stride, dtype=made.dtype, device="meta")
            if made.given >= 0:
                lent = given[made.given]
                start = (_start(lent) + made.offset) // made.dtype.itemsize
                room.set_(lent.untyped_storage(), start, made.shape, made.stride)  # type: ignore[call-overload]
        device: Any = made.device
        if device not in self._attributes:
            self._attributes[device] = dict(vars(FakeTensor(self._mode, room, device)))
        # What its constructor does, which looks at all its arguments: a third of the time of an operation.
        fake: Any = Tensor._make_subclass(FakeTensor, room, dispatch_device=True, device_for_backend_keys=device)
        torch._C._set_throw_on_mutable_data_ptr(fake)
        vars(fake).update(self._attributes[device])
        return fake


_SEEN: dict[Any, _Answer] = {}
_SURE: dict[Any, bool] = {}


def _key_of(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """All that an answer's shape depends on; None where that is not known.

    In inference mode nothing is: PyTorch refuses to make its tensors anew.
    """
    if torch.is_inference_mode_enabled() or (func in AT_A_PLACE and len(args) > PLACE):
        return None
    sure = _SURE.get(func)
    if sure is None:
        sure = _SURE[func] = isinstance(func, torch._ops.OpOverload) and not UNSURE & {*func.tags}
    if not sure and not (func is torch.ops.aten.index.Tensor and not any(map(_is_mask, args[1]))):
        return None
    parts: list[Any] = [func]
    if not _add(args, parts):
        return None
    for name, value in kwargs.items():
        parts.append(name)
        if not _add((value,), parts):
            return None
    return tuple(parts)


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype in MASKS


def _add(values: Sequence[Any], parts: list[Any]) -> bool:
    for value in values:
        kind = type(value)
        if kind is FakeTensor:
            dtype = value.dtype
            if value.constant is not None or dtype.is_complex:
                return False
            parts += (value.shape, value.stride(), dtype, value._fake_device)
        elif kind is list or kind is tuple:
            parts += (kind, len(value))
            if not _add(value, parts):
                return False
        elif isinstance(value, PLAIN):
            parts += (kind, value)  # for 1 is True is 1.0
        elif kind is Generator:
            parts.append(kind)
        else:
            return False
    return True


def _answer_of(out: Any, given: list[Tensor], flops: int) -> _Answer | None:
    kind = type(out) if isinstance(out, list | tuple) else None
    outs: list[Any] = [out] if kind is None else [*out]
    if kind not in (None, list, tuple) or not all(x is None or isinstance(x, Tensor) for x in outs):
        return None
    memory = {x.untyped_storage()._cdata: number for number, x in reversed([*enumerate(given)])}
    places = [x.untyped_storage()._cdata for x in outs if x is not None]
    own = [place for place in places if place not in memory]
    if len({*own}) < len(own):
        return None
    made = [_made(x, given, memory) for x in outs]
    return None if None in made else _Answer(tuple(made), kind, flops)  # type: ignore[arg-type]


def _is_plain(x: FakeTensor) -> bool:
    return x.constant is None and not x.dtype.is_complex and not x.requires_grad and x.layout is torch.strided


def _made(x: Tensor | None, given: list[Tensor], memory: Mapping[int, int]) -> _Made | None:
    if x is None:
        return NOTHING
    for number, each in enumerate(given):
        if x is each:
            return _Made(number, same=True)
    if type(x) is not FakeTensor or not _is_plain(x):
        return None
    storage = x.untyped_storage()
    owner = memory.get(storage._cdata, -1)
    offset = _start(x) - (_start(given[owner]) if owner >= 0 else 0)
    place = _Made(owner, False, tuple(x.shape), x.stride(), offset, x.dtype, x.device)
    if place.given >= 0:
        return place
    last = sum((side - 1) * step for side, step in zip(place.shape, place.stride, strict=True))
    size = 0 if 0 in place.shape else (last + 1) * x.itemsize
    return place if not place.offset and storage.nbytes() == size else None


def _start(x: Tensor) -> int:
    """Where a tensor begins in its memory; bytes."""
    return int(x.storage_offset()) * x.itemsize
