"""Adam and those who go back to it: steps in units of the gradient's own size."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modules.preset.optimizers.optimizer import Decay, Epsilon, Moments, NoDecay, Optimizer
from modules.preset.setting import Setting


class AdamW(Decay, Epsilon, Moments):
    """AdamW"""  # arXiv:1711.05101, algorithm 2

    kind: Literal["adamw"] = "adamw"
    target: ClassVar[str] = "torch.optim:AdamW"
    fused: ClassVar[bool] = True


class Adam(NoDecay, Epsilon, Moments):
    """Adam"""  # arXiv:1412.6980, algorithm 1; its weight decay goes through the gradient

    kind: Literal["adam"] = "adam"
    target: ClassVar[str] = "torch.optim:Adam"
    fused: ClassVar[bool] = True


class RAdam(NoDecay, Epsilon, Moments):
    """RAdam (warms up by itself)"""  # arXiv:1908.03265, algorithm 2

    kind: Literal["radam"] = "radam"
    target: ClassVar[str] = "torch.optim:RAdam"
    constants: ClassVar[dict[str, Any]] = {"decoupled_weight_decay": True}


class NAdam(NoDecay, Epsilon, Moments):
    """NAdam (Adam that looks ahead)"""  # Dozat, Incorporating Nesterov Momentum into Adam, 2016

    kind: Literal["nadam"] = "nadam"
    target: ClassVar[str] = "torch.optim:NAdam"
    constants: ClassVar[dict[str, Any]] = {"decoupled_weight_decay": True}
    momentum_decay: float = Setting(0.004, "Momentum decay", ge=0, le=1, level="expert")
    """How fast the first steps' momentum grows to its full size. Usual: 0.004."""


class AdEMAMix(Decay, Epsilon, Moments):
    """AdEMAMix (also remembers long ago)"""  # arXiv:2409.03137, algorithm 1

    kind: Literal["ademamix"] = "ademamix"
    target: ClassVar[str] = "pytorch_optimizer:AdEMAMix"
    constants: ClassVar[dict[str, Any]] = {"weight_decouple": True}
    state_bytes: ClassVar[float] = 12
    beta3: float = Setting(0.9999, "Beta 3", ge=0, lt=1, level="expert")
    """How long the slow running mean of the gradient remembers: 0.9999 about 10,000 steps. Runs of 1,000 like 0.999."""
    alpha: float = Setting(5.0, "Alpha (slow mean)", ge=0, le=100, level="expert")
    """How much the slow mean counts beside the fast one. Usual: 5; short runs 2."""


class ADOPT(NoDecay, Moments):
    """ADOPT (Adam that converges for any beta 2)"""  # arXiv:2411.02853, algorithm 2, clipped as in its section 4

    kind: Literal["adopt"] = "adopt"
    target: ClassVar[str] = "pytorch_optimizer:ADOPT"
    # The library counts the step that only looks at gradients, the paper does not.
    constants: ClassVar[dict[str, Any]] = {"weight_decouple": True, "clip_lambda": lambda step: (step - 1) ** 0.25}
    beta2: float = Setting(0.9999, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers. Usual: 0.9999."""
    eps: float = Setting(1e-6, "Epsilon", gt=0, le=1, level="expert")
    """Keeps the division by small numbers in bounds. Usual: 1e-6."""


class Adan(NoDecay, Epsilon):
    """Adan (learns from how gradients change)"""  # arXiv:2208.06677, algorithm 1

    kind: Literal["adan"] = "adan"
    target: ClassVar[str] = "pytorch_optimizer:Adan"
    constants: ClassVar[dict[str, Any]] = {"weight_decouple": True}
    state_bytes: ClassVar[float] = 16
    rates: ClassVar[tuple[float, float]] = (1.0, 10.0)
    beta1: float = Setting(0.98, "Beta 1", ge=0, lt=1, level="expert")
    """How long the running mean of the gradient remembers. Usual: 0.98."""
    beta2: float = Setting(0.92, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the gradient's changes remembers. Usual: 0.92."""
    beta3: float = Setting(0.99, "Beta 3", ge=0, lt=1, level="expert")
    """How long the running mean of the squares remembers. Usual: 0.99."""


class LAMB(Decay, Moments):
    """LAMB (steps in proportion to each weight)"""  # arXiv:1904.00962, algorithm 2

    kind: Literal["lamb"] = "lamb"
    target: ClassVar[str] = "pytorch_optimizer:Lamb"
    # The decay belongs into the step whose length is measured; the gradient is clipped for all optimizers alike; and
    # with its bias correction, which comes after the length was set, the first step would be ten times too long.
    constants: ClassVar[dict[str, Any]] = {"weight_decouple": False, "max_grad_norm": 0.0, "adam_debias": True}
    rates: ClassVar[tuple[float, float]] = (1.0, 30.0)
    eps: float = Setting(1e-6, "Epsilon", gt=0, le=1, level="expert")
    """Keeps the division by small numbers in bounds. Usual: 1e-6."""


class Adagrad(NoDecay, Optimizer):
    """Adagrad (steps that only shrink)"""  # Duchi, Hazan and Singer, JMLR 12, 2011

    kind: Literal["adagrad"] = "adagrad"
    target: ClassVar[str] = "torch.optim:Adagrad"
    state_bytes: ClassVar[float] = 4
    rates: ClassVar[tuple[float, float]] = (1.0, 100.0)
    lr_decay: float = Setting(0.0, "Learning rate decay", ge=0, le=1, level="expert", zero="off")
    """Lowers the learning rate with the steps, beside what the schedule does. 0: off. Usual: 0."""
    initial_accumulator_value: float = Setting(0.0, "Initial accumulator value", ge=0, le=100, level="expert")
    """What the sum of squares begins with. Larger makes the first steps smaller. Usual: 0."""
    eps: float = Setting(1e-10, "Epsilon", gt=0, le=1, level="expert")
    """Keeps the division by small numbers in bounds. Usual: 1e-10."""


class RMSprop(NoDecay, Epsilon):
    """RMSprop"""  # Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012

    kind: Literal["rmsprop"] = "rmsprop"
    target: ClassVar[str] = "torch.optim:RMSprop"
    state_bytes: ClassVar[float] = 4
    alpha: float = Setting(0.99, "Alpha", ge=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers. Usual: 0.99."""
    momentum: float = Setting(0.0, "Momentum", ge=0, lt=1, level="expert", zero="off")
    """How much of the last step goes into the next one. 0: none. Takes as much memory again. Usual: 0."""
    centered: bool = Setting(False, "Centred", level="expert")
    """Measures the gradient's size around its mean. Takes as much memory again. Usual: off."""
