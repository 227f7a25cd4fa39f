"""Build the optimizer that a preset names, and take its steps so that weights in bf16 lose nothing.

A weight in bf16 keeps 8 bits: an update below a 256th of it vanishes when rounded to the nearest. So the optimizer sees
such weights, their gradients and its own state in fp32, and what it returns is rounded up or down by chance, in
proportion: on average nothing is lost (stochastic rounding, arXiv:1502.02551; for training in bf16 arXiv:2010.06192).

A step may be judged bad, and the verdict lies on the device: no step waits for it. Fused AdamW and Adam read it in
their kernel. Other optimizers take the step, a few weights at a time, and what they had is put back where the verdict
is bad. What a library counts in Python or in main memory (steps of Adafactor, 8-bit AdamW, schedule-free, RAdam) counts
a step that was left out too: nobody knows better without waiting, and a count that is one higher changes a bias
correction by next to nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from modules.methods import Group
from modules.placement.gradients import Gradients
from modules.preset.optimizers import AnyOptimizer
from modules.system.devices import is_card
from modules.system.seeds import seed_of
from modules.trainer.step import optimizer_factory

CHUNK = 8 * 2**20  # numbers that are held twice at once: in fp32 beside bf16, or old beside new


class MixedPrecisionOptimizer:
    """The optimizer of a library, with the parameters of a method in it."""

    def __init__(
        self, settings: AnyOptimizer, groups: Sequence[Group], seed: int, *, on_card: bool | None = None,
        gradients: Gradients | None = None,
    ) -> None:  # fmt: skip
        """`on_card`: work as on a card, where a verdict is never asked for. None: if the parameters lie on one.

        `gradients`: where those of the parameters lie. None: beside them.
        """
        self.settings, self.groups, self.seed = settings, groups, seed
        parameters = [p for group in groups for p in group.parameters.values()]
        self.gradients = gradients or Gradients(parameters)
        self.on_card = all(is_card(p.device) for p in parameters) if on_card is None else on_card
        self._fused = settings.fused and self.on_card
        # One kernel for all weights, and no wait for the card
        extra = {"fused": True} if self._fused else {}
        self._names, param_groups = _param_groups(settings, groups)
        self.inner: Optimizer = optimizer_factory.build_optimizer(settings, param_groups, extra)
        for entry in self.inner.state.values():  # Adagrad makes it here, like its weights: a sum that bf16 would lose
            entry.update({k: v.float() for k, v in entry.items() if v.dtype is torch.bfloat16})
        self._indices: dict[Tensor, int] = {parameter: i for i, parameter in enumerate(parameters)}
        self._strides: dict[Tensor, tuple[int, ...]] = {parameter: parameter.stride() for parameter in parameters}
        self._have_state: set[Tensor] = set()  # weights that have had a step, and with it their state
        self.train()

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """The rate of each group, by its name."""
        if self.settings.has_single_rate:  # one that has stopped gets no gradients, and must not stop the others
            rates = dict.fromkeys(rates, max(rates.values()))
        for name, param_group in zip(self._names, self.inner.param_groups, strict=True):
            param_group["lr"] = rates[name]

    def step(self, step: int, bad: Tensor | None = None) -> None:
        """Apply the gradients. `step` addresses the chance in the rounding.

        `bad`: whether to leave everything as it is instead, without dimensions, on the device of the parameters.
        """
        if bad is None:
            self._apply(step)
        elif self._fused:
            self.inner.found_inf = bad.float()  # type: ignore[attr-defined]
            self._apply(step)
        elif self._can_sync:
            if not bool(bad):
                self._apply(step)
        elif not self.on_card and not bool(bad):
            self._apply(step)
        else:
            self._step_by_chunks(step, bad)

    @property
    def _can_sync(self) -> bool:
        """Whether to wait for the verdict.

        In the first step of a weight, when there is no state yet that could be put back; and always with those that
        wait in any case, as Prodigy does.
        """
        return self.settings.synchronizes or any(
            self.gradients.has(p) and p not in self._have_state for p in self._indices
        )

    def _apply(self, step: int) -> None:
        with_gradient = [p for p in self._indices if self.gradients.has(p)]
        self._have_state.update(with_gradient)
        rounded = [p for p in with_gradient if p.dtype is torch.bfloat16]
        if self.settings.per_tensor and (rounded or self.gradients.aside):
            self._step_by_chunks(step)
            return
        for _ in self.gradients.brought([with_gradient]):
            self._step_in_fp32(rounded, step)

    def zero_grad(self) -> None:
        self.gradients.clear()

    def train(self) -> None:
        if self.settings.is_schedule_free:
            self.inner.train()  # type: ignore[attr-defined]

    @contextmanager
    def averaged_weights(self) -> Generator[None]:
        """Put a schedule-free optimizer's average into the weights for a while.

        The optimizer's own way back is arithmetic, which rounds: here the weights themselves are put back.
        """
        if not self.settings.is_schedule_free:
            yield
            return
        live = {parameter: parameter.detach().clone() for parameter in self._indices}
        self.inner.eval()  # type: ignore[attr-defined]
        try:
            yield
        finally:
            self.inner.train()  # type: ignore[attr-defined]
            for parameter, value in live.items():
                parameter.data.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        return {**self.inner.state_dict(), "kind": self._kind}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back a state; hyper-parameters stay those of the preset, so that a change of them on resume counts.

        What an optimizer counts or estimates by itself (Prodigy's d, schedule-free's k) is state and comes back.

        Raises:
            ValueError: it is of another optimizer. Some would take it all the same, and go on with numbers that mean
                something else.
        """
        if state["kind"] != self._kind:
            raise ValueError(f"optimizer.kind was {state['kind']} and is {self._kind}")
        wanted = [
            {key: param_group.get(key) for key in self._settings_of(param_group)}
            for param_group in self.inner.param_groups
        ]
        self.inner.load_state_dict(state)
        for param_group, mine in zip(self.inner.param_groups, wanted, strict=True):
            param_group.update(mine)
            param_group.update(
                {k: v.to(param_group["params"][0].device) for k, v in param_group.items() if isinstance(v, Tensor)}
            )
        for parameter, entry in self.inner.state.items():  # torch casts state to the weight's dtype: undo that
            saved = state["state"][self._state_indices[parameter]]
            entry.update(
                (name, value.to(entry[name].device))
                for name, value in saved.items()
                if isinstance(value, Tensor) and entry[name].dtype is not value.dtype
            )
        self._have_state = {parameter for parameter, entry in self.inner.state.items() if entry}

    @property
    def _kind(self) -> str:
        """What a state must be of."""
        return f"{self.settings.kind}{', kernels as matrices' if self.settings.folds_kernels else ''}"

    @property
    def _state_indices(self) -> dict[Tensor, int]:
        """The number that the library gives each weight in a state: those of the slots, one after the other."""
        return {
            p: number
            for number, p in enumerate(p for param_group in self.inner.param_groups for p in param_group["params"])
        }

    def _settings_of(self, param_group: Mapping[str, Any]) -> list[str]:
        return [
            key for key in ("lr", *self.settings.keywords(), *self.settings.group_argument_names) if key in param_group
        ]

    def _step_by_chunks(self, step: int, bad: Tensor | None = None) -> None:
        """Steps of a few weights each: copies of all at once would cost what bf16 was to save.

        Each chunk begins with what the optimizer counts for all weights together (schedule-free's k) as it was.
        """
        whole = [dict(param_group) for param_group in self.inner.param_groups]
        having = [[p for p in param_group["params"] if self.gradients.has(p)] for param_group in whole]
        chunks = [(number, chunk) for number, weights in enumerate(having) for chunk in _chunks(weights)]
        brought = self.gradients.brought(chunk for _, chunk in chunks)
        try:
            for (number, _), chunk in zip(chunks, brought, strict=True):
                for other, (param_group, was) in enumerate(zip(self.inner.param_groups, whole, strict=True)):
                    param_group.clear()  # of counts, too, that the first step begins
                    param_group.update({**was, "params": chunk if other == number else []})
                self.step_chunk(chunk, step, bad)
        finally:
            for param_group, was in zip(self.inner.param_groups, whole, strict=True):
                param_group["params"] = was["params"]

    def step_chunk(self, chunk: Sequence[Tensor], step: int, bad: Tensor | None) -> None:
        """The step of a few weights, which are those that the library has just now."""
        with self._restored_if_bad(chunk, bad):
            self._step_in_fp32([p for p in chunk if p.dtype is torch.bfloat16], step)

    @property
    def restorable_bytes(self) -> int:
        """What a card keeps of the largest chunk of weights and their state until a step is known to be no bad one."""
        if self.settings.fused or self.settings.synchronizes:
            return 0
        return max(
            sum(p.nbytes + sum(x.nbytes for x in self._state_on_device(p).values()) for p in chunk)
            for param_group in self.inner.param_groups
            for chunk in _chunks(param_group["params"])
        )

    def _state_on_device(self, parameter: Tensor) -> dict[str, Tensor]:
        """What lies elsewhere are counts in main memory, as good as those in Python."""
        state: dict[str, Any] = self.inner.state[parameter]
        return {k: v for k, v in state.items() if isinstance(v, Tensor) and v.device == parameter.device}

    @contextmanager
    def _restored_if_bad(self, chunk: Sequence[Tensor], bad: Tensor | None) -> Generator[None]:
        """Afterwards, weights and state are as before if `bad`; the device decides, nobody waits."""
        if bad is None:
            yield
            return
        weights = [p.data if p.dtype is torch.bfloat16 else p.data.clone() for p in chunk]  # bf16 gets a new tensor
        states = [{k: v.clone() for k, v in self._state_on_device(p).items()} for p in chunk]
        yield
        for parameter, weight, state in zip(chunk, weights, states, strict=True):
            parameter.data.copy_(torch.where(bad, weight, parameter.data))
            for name, value in state.items():
                now = self.inner.state[parameter][name]
                now.copy_(torch.where(bad, value, now))

    def _inner_step(self) -> None:
        """The library's step, with weights that lie in memory afterwards as before.

        bitsandbytes lays them anew, channels first: convolutions would then be slower, and sum in another order than
        after a resume.
        """
        shapes = self._fold_kernels() if self.settings.folds_kernels else {}
        self.inner.step()
        for param_group in self.inner.param_groups:
            for parameter in param_group["params"]:
                if shape := shapes.get(parameter):
                    parameter.grad = None
                    parameter.data = parameter.data.view(shape)
                self._restore_layout(parameter, parameter.data)

    def _fold_kernels(self) -> dict[Tensor, torch.Size]:
        """Make matrices of convolutions for a step, which uses their gradients up; gives what they were."""
        kernels = [p for param_group in self.inner.param_groups for p in param_group["params"] if p.dim() > 2]
        shapes = {p: p.shape for p in kernels if p.grad is not None}
        for parameter in shapes:
            grad, parameter.grad = parameter.grad, None
            parameter.data, parameter.grad = parameter.data.flatten(1), grad.flatten(1)  # type: ignore[union-attr]
        return shapes

    def _restore_layout(self, parameter: Tensor, values: Tensor) -> None:
        """Give a weight new values, which lie as it lay when it came here."""
        strides = self._strides[parameter]
        if values.stride() != strides:
            values = torch.empty_strided(values.shape, strides, dtype=values.dtype, device=values.device).copy_(values)
        parameter.data = values

    def _step_in_fp32(self, rounded: Sequence[Tensor], step: int) -> None:
        for parameter in rounded:
            grad = parameter.grad
            parameter.grad = None
            parameter.data = parameter.data.float()
            parameter.grad = None if grad is None else grad.float()
        self._inner_step()
        generator = torch.Generator(rounded[0].device) if rounded else None  # one for all, set to each one's address
        for parameter in rounded:
            assert generator is not None
            parameter.grad = None
            generator.manual_seed(seed_of(self.seed, "round", step, self._indices[parameter]))
            self._restore_layout(parameter, stochastic_round(parameter.data, generator))


def stochastic_round(values: Tensor, generator: torch.Generator) -> Tensor:
    """fp32 to bf16, up or down with the odds of the distance, so that the mean is exact.

    bf16 is fp32 without its low 16 bits: adding 16 random bits and cutting carries over with just these odds.
    """
    noise = torch.randint(0, 1 << 16, values.shape, generator=generator, device=values.device, dtype=torch.int32)
    bits = (values.contiguous().view(torch.int32) + noise.contiguous()) & -65536
    rounded = bits.view(torch.float32).view(values.shape)
    return torch.where(values.isfinite(), rounded, values).to(torch.bfloat16, memory_format=torch.preserve_format)


def _param_groups(settings: AnyOptimizer, groups: Sequence[Group]) -> tuple[list[str], list[dict[str, Any]]]:
    """The groups as the library takes them, one or more for each of ours, and the name of ours for each."""
    names, param_groups = list[str](), list[dict[str, Any]]()
    for group in groups:
        parted: dict[str, dict[str, Any]] = {}
        for parameter in group.parameters.values():
            options = settings.group_arguments(tuple(parameter.shape))
            new: dict[str, Any] = {"params": [], "lr": group.learning_rate, **options}
            parted.setdefault(repr(options), new)["params"].append(parameter)
        names += [group.name] * len(parted)
        param_groups += parted.values()
    return names, param_groups


def _chunks(parameters: Sequence[Tensor]) -> Generator[list[Tensor]]:
    chunk: list[Tensor] = []
    for parameter in parameters:
        if chunk and sum(p.numel() for p in chunk) + parameter.numel() > CHUNK:
            yield chunk
            chunk = []
        chunk.append(parameter)
    if chunk:
        yield chunk
