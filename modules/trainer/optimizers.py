"""Build the optimizer that a preset names, and take its steps so that weights in bf16 lose nothing.

A weight in bf16 keeps 8 bits: an update below a 256th of it vanishes when rounded to the nearest. So the optimizer sees
such weights, their gradients and its own state in fp32, and what it returns is rounded up or down by chance, in
proportion: on average nothing is lost (stochastic rounding, arXiv:1502.02551; for training in bf16 arXiv:2010.06192).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from modules.methods import Group
from modules.preset.optimizer import AnyOptimizer
from modules.system.seeds import seed_of

CHUNK = 32 * 2**20  # numbers that are held in fp32 at once while bf16 weights are updated


class Updater:
    """The optimizer of a library, with the parameters of a method in it."""

    def __init__(self, settings: AnyOptimizer, groups: Sequence[Group], seed: int) -> None:
        self.settings, self.groups, self.seed = settings, groups, seed
        module, name = settings.target.split(":")
        arguments = settings.arguments()
        parameters = [p for group in groups for p in group.parameters.values()]
        if settings.kind == "adamw" and all(p.is_cuda for p in parameters):
            arguments["fused"] = True  # one kernel for all weights, and no wait for the card
        if settings.kind == "adamw8bit":
            _never_wait()
        self.inner: Optimizer = getattr(import_module(module), name)(
            [{"params": list(group.parameters.values()), "lr": group.learning_rate} for group in groups], **arguments
        )
        self._numbers: dict[Tensor, int] = {parameter: i for i, parameter in enumerate(parameters)}
        self.train()

    def set_rates(self, rates: Mapping[str, float]) -> None:
        for group, slot in zip(self.groups, self.inner.param_groups, strict=True):
            slot["lr"] = rates[group.name]

    def step(self, step: int) -> None:
        """Apply the gradients. `step` addresses the chance in the rounding."""
        rounded = [p for p in self._numbers if p.grad is not None and p.dtype is torch.bfloat16]
        if not rounded:
            self.inner.step()
        elif not self.settings.per_tensor:
            self._step_in_fp32(rounded, step)
        else:
            self._step_by_chunks(step)

    def clear(self) -> None:
        self.inner.zero_grad(set_to_none=True)

    def train(self) -> None:
        if self.settings.averages:
            self.inner.train()  # type: ignore[attr-defined]

    @contextmanager
    def averaged(self) -> Generator[None]:
        """Put a schedule-free optimizer's average into the weights for a while.

        The optimizer's own way back is arithmetic, which rounds: here the weights themselves are put back.
        """
        if not self.settings.averages:
            yield
            return
        kept = {parameter: parameter.detach().clone() for parameter in self._numbers}
        self.inner.eval()  # type: ignore[attr-defined]
        try:
            yield
        finally:
            self.inner.train()  # type: ignore[attr-defined]
            for parameter, value in kept.items():
                parameter.data.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        return {**self.inner.state_dict(), "kind": self.settings.kind}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back a state; hyper-parameters stay those of the preset, so that a change of them on resume counts.

        What an optimizer counts or estimates by itself (Prodigy's d, schedule-free's k) is state and comes back.

        Raises:
            ValueError: it is of another optimizer. Some would take it all the same, and go on with numbers that mean
                something else.
        """
        if state["kind"] != self.settings.kind:
            raise ValueError(f"optimizer.kind was {state['kind']} and is {self.settings.kind}")
        wanted = [{key: slot.get(key) for key in self._settings_of(slot)} for slot in self.inner.param_groups]
        kinds = {number: p.dtype for number, p in enumerate(self._numbers)}
        self.inner.load_state_dict(state)
        for slot, mine in zip(self.inner.param_groups, wanted, strict=True):
            slot.update(mine)
        for parameter, entry in self.inner.state.items():  # torch casts state to the weight's dtype: undo that for bf16
            number = self._numbers[parameter]
            if kinds[number] is torch.bfloat16:
                saved = state["state"][number]
                entry.update({k: v.to(parameter.device) for k, v in saved.items() if isinstance(v, Tensor) and v.ndim})

    def _settings_of(self, slot: Mapping[str, Any]) -> list[str]:
        return [key for key in ("lr", *self.settings.arguments()) if key in slot]

    def _step_by_chunks(self, step: int) -> None:
        """Steps of a few weights each: the fp32 copies of all at once would cost what bf16 was to save."""
        whole = [list(slot["params"]) for slot in self.inner.param_groups]
        try:
            for number, parameters in enumerate(whole):
                for chunk in _chunks([p for p in parameters if p.grad is not None]):
                    for other, slot in enumerate(self.inner.param_groups):
                        slot["params"] = chunk if other == number else []
                    self._step_in_fp32([p for p in chunk if p.dtype is torch.bfloat16], step)
        finally:
            for slot, parameters in zip(self.inner.param_groups, whole, strict=True):
                slot["params"] = parameters

    def _step_in_fp32(self, rounded: Sequence[Tensor], step: int) -> None:
        for parameter in rounded:
            grad = parameter.grad
            parameter.grad = None
            parameter.data = parameter.data.float()
            parameter.grad = None if grad is None else grad.float()
        self.inner.step()
        for parameter in rounded:
            parameter.grad = None
            chance = torch.Generator(parameter.device).manual_seed(
                seed_of(self.seed, "round", step, self._numbers[parameter])
            )
            parameter.data = rounded_by_chance(parameter.data, chance)


def rounded_by_chance(values: Tensor, chance: torch.Generator) -> Tensor:
    """fp32 to bf16, up or down with the odds of the distance, so that the mean is exact.

    bf16 is fp32 without its low 16 bits: adding 16 random bits and cutting carries over with just these odds.
    """
    noise = torch.randint(0, 1 << 16, values.shape, generator=chance, device=values.device, dtype=torch.int32)
    bits = (values.contiguous().view(torch.int32) + noise.contiguous()) & -65536
    rounded = bits.view(torch.float32).view(values.shape)
    return torch.where(values.isfinite(), rounded, values).to(torch.bfloat16, memory_format=torch.preserve_format)


def _never_wait() -> None:
    """Keep bitsandbytes from waiting for the whole card after each single weight, hundreds of times a step.

    Only its paged optimizers need that, and they are not used here; it has no switch for it.
    """
    vars(import_module("bitsandbytes.optim.optimizer"))["sync_gpu"] = lambda _: None


def _chunks(parameters: Sequence[Tensor]) -> Generator[list[Tensor]]:
    chunk: list[Tensor] = []
    for parameter in parameters:
        if chunk and sum(p.numel() for p in chunk) + parameter.numel() > CHUNK:
            yield chunk
            chunk = []
        chunk.append(parameter)
    if chunk:
        yield chunk
