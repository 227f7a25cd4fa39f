"""A training from nothing: its length, its learning rate over time, its average, and what it takes to continue.

Chance is addressed, never consumed: what step 700 draws follows from the seed and 700. So the file to continue from
holds no state of any random generator, and a training that was stopped learns what an unbroken one learns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SAVE_EVERY_S = 60
LOG_EVERY = 50  # steps


@dataclass(frozen=True)
class Plan:
    """How long and how fast: `seconds`, where given, decide the length instead of `steps`."""

    steps: int
    warm_up: int
    constant: float  # share of the length before the rate falls in a straight line
    final: float  # what the falling line is above zero, as a share of the full rate
    seconds: float | None = None
    polish: float = 0.0  # share of the length, at its end, that is a second and gentler course
    polish_rate: float = 0.4  # full rate of the second course, as a share of the first's

    def done(self, step: int, elapsed: float) -> float:
        """How much of the training is behind us: 0 at the start, 1 or more when it is over."""
        return elapsed / self.seconds if self.seconds else step / self.steps

    def rate(self, step: int, done: float) -> float:
        """The learning rate at this point, as a share of the full one."""
        warm = min(1.0, (step + 1) / self.warm_up)
        turn = 1 - self.polish
        full, within = (1.0, done / turn) if done < turn else (self.polish_rate, (done - turn) / self.polish)
        return warm * full * min(1.0, (1 - within) / (1 - self.constant) + self.final)


class TrainingLoop:
    """Networks on their way through a plan, with the running average of their weights that is kept in the end."""

    def __init__(
        self, networks: dict[str, nn.Module], optimizers: list[torch.optim.Optimizer], plan: Plan, file: Path
    ) -> None:
        self.networks, self.optimizers, self.plan, self.file = nn.ModuleDict(networks), optimizers, plan, file
        self.full_rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
        self.average = {name: value.detach().clone() for name, value in self.networks.state_dict().items()}
        self.step, self.elapsed, self.smooth_loss = 0, 0.0, 0.0
        if file.exists():
            self.load()

    @property
    def done(self) -> float:
        return self.plan.done(self.step, self.elapsed)

    def run(self, loss_at: Callable[[int], Tensor], max_decay: float) -> None:
        """Train to the end of the plan. `loss_at(step)` draws a batch; `max_decay` is the average's final decay."""
        last = time.monotonic()
        unsaved = 0.0
        self.networks.train()
        while self.done < 1:
            self.train_step(loss_at(self.step), max_decay)
            now = time.monotonic()
            self.elapsed, unsaved, last = self.elapsed + now - last, unsaved + now - last, now
            if self.step % LOG_EVERY == 0 or self.done >= 1:
                print(f"  step {self.step}  loss {self.smooth_loss:.4f}  {self.elapsed:.0f} s", flush=True)
            if unsaved > SAVE_EVERY_S:
                self.save()
                unsaved = 0.0
        self.save()

    def train_step(self, loss: Tensor, max_decay: float) -> None:
        """One optimizer step from a loss, at the plan's rate, and one step of the average."""
        rate = self.plan.rate(self.step, self.done)
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        for group, full in zip(groups, self.full_rates, strict=True):
            group["lr"] = full * rate
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.networks.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.update_average(min(max_decay, (1 + self.step) / (20 + self.step)))
        kept = 0.98 if self.step else 0.0
        self.smooth_loss = kept * self.smooth_loss + (1 - kept) * loss.item()
        self.step += 1

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the average towards the weights."""
        weights = self.networks.state_dict()
        floats = [name for name, value in weights.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.average[n] for n in floats], [weights[n] for n in floats], 1 - decay)

    def load_average(self) -> None:
        """The networks take the averaged weights: the training is over."""
        self.networks.load_state_dict(self.average)
        self.networks.eval()

    def save(self) -> None:
        """Write what it takes to continue, as a whole or not at all."""
        draft = self.file.with_suffix(".part")
        draft.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "step": self.step,
            "elapsed": self.elapsed,
            "smooth_loss": self.smooth_loss,
            "networks": self.networks.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        torch.save(state, draft)
        draft.replace(self.file)

    def load(self) -> None:
        """Continue where the file stands."""
        state = torch.load(self.file, map_location=next(self.networks.parameters()).device, weights_only=True)
        self.step, self.elapsed, self.smooth_loss = state["step"], state["elapsed"], state["smooth_loss"]
        self.networks.load_state_dict(state["networks"])
        self.average = state["average"]
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        print(f"  continuing after step {self.step}")


def step_generators(seed: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """The random numbers of one step: for choices (numpy) and for noise (torch, on the CPU, the same everywhere)."""
    choices = np.random.default_rng([seed, step])
    return choices, torch.Generator().manual_seed(int(choices.integers(2**62)))
