"""Steps along the gradient itself, its sign, or the nearest rotation: one number of state for each weight."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modules.preset.optimizers.optimizer import Decay, FirstMoment, Momentum, NoDecay
from modules.preset.setting import Setting


class SGD(NoDecay, Momentum):
    """SGD"""

    kind: Literal["sgd"] = "sgd"
    target: ClassVar[str] = "torch.optim:SGD"
    state_bytes: ClassVar[float] = 4
    rates: ClassVar[tuple[float, float]] = (10.0, 10_000.0)
    nesterov: bool = Setting(False, "Nesterov", level="expert")
    """Takes the gradient where the momentum leads, not where the weights are. Needs momentum."""

    def keywords(self) -> dict[str, Any]:
        return {**super().keywords(), "nesterov": self.nesterov and self.momentum > 0}


class Lion(NoDecay, FirstMoment):
    """Lion"""  # arXiv:2302.06675, algorithm 2

    kind: Literal["lion"] = "lion"
    target: ClassVar[str] = "lion_pytorch:Lion"
    state_bytes: ClassVar[float] = 4
    rates: ClassVar[tuple[float, float]] = (1 / 10, 1 / 3)
    beta1: float = Setting(0.9, "Beta 1", ge=0, lt=1, level="expert")
    """Share of the memory in each update."""
    beta2: float = Setting(0.99, "Beta 2", ge=0, lt=1, level="expert")
    """How long the memory of gradients lasts."""
    weight_decay: float = Setting(0.0, "Weight decay", ge=0, le=10, level="expert")
    """Pulls the weights towards zero at every step. Lion wants 3 to 10 times AdamW's."""


class Muon(Decay):
    """Muon (whole matrices; the rest by AdamW)"""

    # https://kellerjordan.github.io/posts/muon; the size of its steps as in arXiv:2502.16982, eq. 4, so that it takes
    # AdamW's learning rates. torch.optim.Muon refuses all but matrices: it would need a second optimizer beside it,
    # with a state of its own, for biases and norms, and could not have convolutions at all, which are half a U-Net.
    kind: Literal["muon"] = "muon"
    target: ClassVar[str] = "pytorch_optimizer:Muon"
    constants: ClassVar[dict[str, Any]] = {"use_adjusted_lr": True}
    group_argument_names: ClassVar[tuple[str, ...]] = ("betas", "eps")
    matrices_only: ClassVar[bool] = True
    state_bytes: ClassVar[float] = 4
    momentum: float = Setting(0.95, "Momentum", ge=0, lt=1, level="expert")
    """How long the running mean of the gradient remembers. Usual: 0.95."""
    nesterov: bool = Setting(True, "Nesterov", level="expert")
    """Looks ahead along the momentum. Usual: on."""
    ns_steps: int = Setting(5, "Newton-Schulz steps", ge=1, le=20, level="expert")
    """Steps of the iteration that makes a gradient orthogonal. Usual: 5."""
    beta1: float = Setting(0.9, "AdamW beta 1", ge=0, lt=1, level="expert")
    """For biases and norms, which AdamW trains. Usual: 0.9."""
    beta2: float = Setting(0.95, "AdamW beta 2", ge=0, lt=1, level="expert")
    """For biases and norms, which AdamW trains. Usual: 0.95."""

    def keywords(self) -> dict[str, Any]:
        values = super().keywords()
        rest = {"adamw_betas": values.pop("betas"), "adamw_wd": self.weight_decay, "adamw_eps": 1e-8}
        return {**values, **rest}

    def group_arguments(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Matrices, and convolutions as matrices of (outputs, all else), are turned; biases and norms are not."""
        return {"use_muon": len(shape) >= 2}
