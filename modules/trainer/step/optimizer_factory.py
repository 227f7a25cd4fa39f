"""The optimizer's class, from its library: imported only when it was chosen, refused in words if it does not fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.optim import Optimizer

from modules.errors import UserError
from modules.families import Family
from modules.preset.optimizers import AnyOptimizer, Other
from modules.preset.preset import Preset
from modules.sentences.problem import problem
from modules.system.devices import is_card

ParamGroups = Sequence[dict[str, Any]]
# What a class does that was given the wrong arguments, or is no plain optimizer.
MISUSE_ERRORS = (TypeError, ValueError, RuntimeError, AttributeError, LookupError, ArithmeticError, AssertionError)


def build_optimizer(settings: AnyOptimizer, param_groups: ParamGroups, extra: Mapping[str, Any]) -> Optimizer:
    """The optimizer for these groups of weights.

    Raises:
        UserError: it needs a card and there is none; or it was chosen by name, and that does not work.
    """
    weights = [weight for param_group in param_groups for weight in param_group["params"]]
    check_card(settings, on_card=all(is_card(weight.device) for weight in weights))
    if isinstance(settings, Other):
        if isinstance(torch.empty(0), FakeTensor):
            return torch.optim.AdamW(
                param_groups
            )  # counted without numbers: what a class by name keeps, nobody knows before
        return _build_by_name(settings, param_groups)
    module, name = settings.source.split(":")
    if module == "bitsandbytes.optim":
        _set_bitsandbytes_sync(settings.paged)
    # Each group has a rate of its own; some classes want one for all the same.
    return getattr(import_module(module), name)(param_groups, lr=param_groups[0]["lr"], **settings.keywords(), **extra)


def check_optimizer(family: Family, preset: Preset) -> None:
    """Refuse, before weights are read, an optimizer that needs a card where there is none.

    Raises:
        UserError: there is none.
    """
    check_card(preset.optimizer, on_card=is_card(family.options.device))


def check_card(settings: AnyOptimizer, *, on_card: bool) -> None:
    """Refuse a paged optimizer where there is no card to page from."""
    if settings.paged and not on_card:
        raise UserError("optimizer.paged", "optimizer.kind", kind=settings.kind, other=settings.eight_bit or "adamw")


def _set_bitsandbytes_sync(needed: bool) -> None:
    """Keep bitsandbytes from waiting for the whole card after each single weight, hundreds of times a step.

    Only its paged optimizers need that; it has no switch for it.
    """
    names = vars(import_module("bitsandbytes.optim.optimizer"))
    names.setdefault("sync_gpu_as_it_was", names["sync_gpu"])
    names["sync_gpu"] = names["sync_gpu_as_it_was"] if needed else lambda _: None


# By name --------------------------------------------------------------------------------------------------------------


def _build_by_name(settings: Other, param_groups: ParamGroups) -> Optimizer:
    kind = _class_of(settings)
    try:
        _try_out(kind, settings.keywords())
        return kind(param_groups, lr=param_groups[0]["lr"], **settings.keywords())
    except (*MISUSE_ERRORS, *_errors_of(settings)) as error:
        raise _refused(settings, "optimizer.misuse", reason=f"{type(error).__name__}: {error}") from error


def _class_of(settings: Other) -> Callable[..., Optimizer]:
    module, name = settings.source.split(":")
    if module == "bitsandbytes.optim":
        _set_bitsandbytes_sync(needed=True)
    try:
        library = import_module(module)
    except ModuleNotFoundError as error:
        raise _refused(settings, "optimizer.not-installed", library=module) from error
    found = vars(library).get(name)
    if not (isinstance(found, type) and issubclass(found, Optimizer)):
        raise _refused(settings, "optimizer.none")
    closure = inspect.signature(found.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise _refused(settings, "optimizer.closure")
    if name.startswith(("LAMB", "LARS")) and module == "bitsandbytes.optim":
        raise _refused(settings, "optimizer.waits")
    if hasattr(found, "eval"):
        raise _refused(settings, "optimizer.average")
    return found


def _try_out(kind: Callable[..., Optimizer], arguments: Mapping[str, Any]) -> None:
    """Two steps with a matrix and a vector, to hear now what it does not like."""
    weights = [nn.Parameter(torch.full((8, 8), 0.5)), nn.Parameter(torch.full((8,), 0.5))]
    optimizer = kind([{"params": weights, "lr": 1e-3}], lr=1e-3, **arguments)
    for _ in range(2):
        for weight in weights:
            weight.grad = torch.linspace(-1, 1, weight.numel()).view(weight.shape)
        optimizer.step()


def _errors_of(settings: Other) -> tuple[type[Exception], ...]:
    """The errors that are a library's own."""
    if not settings.source.startswith("pytorch_optimizer:"):
        return ()
    found = vars(import_module("pytorch_optimizer.base.exception")).values()
    return tuple(kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception))


def _refused(settings: Other, code: str, **values: Any) -> UserError:
    return UserError("optimizer.refused", "optimizer.name", name=settings.name, why=problem(code, **values))
